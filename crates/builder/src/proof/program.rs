//! What a file is to its image: copied there, in a place for programs, what the container starts with.

use super::{check::Scope, elf::ElfFacts, wrong::WrongReason};
use crate::layer::{
    EntryKind, View,
    entry::ImagePath,
    view::{Lookup, Node},
};

/// Where programs are looked for if the image says nothing of it.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A file that may be a program, in its image.
pub(super) struct Program<'a> {
    pub(super) view: &'a View,
    pub(super) path: &'a ImagePath,
    pub(super) layer: usize,
    pub(super) mode: u32,
    pub(super) facts: &'a ElfFacts,
    pub(super) scope: &'a Scope<'a>,
}

impl Program<'_> {
    pub(super) fn is_copied(&self) -> bool {
        self.mode & 0o111 != 0 && self.scope.copied_layers.contains(&self.layer)
    }

    /// In a place for programs.
    fn is_in_bin(&self) -> bool {
        let parent = self.path.parent();
        parent.is_some_and(|dir| dir.is_root() || matches!(dir.file_name(), b"bin" | b"sbin"))
    }

    /// Whether the container starts with it.
    pub(super) fn is_started(&self) -> bool {
        self.scope.started.iter().any(|program| match program.starts_with('/') {
            true => {
                self.view.resolve(&ImagePath::from(program.as_str()), true)
                    == Lookup::Found(self.path.clone())
            }
            false => program.as_bytes() == self.path.file_name(),
        })
    }

    /// Whether it is the very file that the container starts with.
    pub(super) fn is_first(&self) -> bool {
        self.is_among(&self.scope.started)
    }

    /// Whether a script starts it that the container starts with.
    fn is_handed(&self) -> bool {
        self.mode & 0o111 != 0 && self.is_among(&self.scope.handed)
    }

    fn is_among(&self, programs: &[String]) -> bool {
        let path = self.scope.env.iter().find_map(|set| set.strip_prefix("PATH="));
        let dirs = || path.unwrap_or(USUAL_PATH).split(':').filter(|dir| dir.starts_with('/'));
        let may_run = |path: &ImagePath| {
            self.view.get(path).is_some_and(|n| !n.entry.is_dir() && n.entry.mode & 0o111 != 0)
        };
        programs.iter().any(|program| {
            let found = match program.contains('/') {
                true => self.file_at(program),
                // The first one on the way is taken that may be executed.
                false => dirs().find_map(|dir| {
                    self.file_at(&format!("{dir}/{program}")).filter(|path| may_run(path))
                }),
            };
            found.as_ref() == Some(self.path)
        })
    }

    fn file_at(&self, path: &str) -> Option<ImagePath> {
        match self.view.resolve(&ImagePath::from(path), true) {
            Lookup::Found(path) => Some(path),
            _ => None,
        }
    }

    /// Whether the container starts with it, and nobody may execute it: not even root.
    pub(super) fn may_not_run(&self) -> bool {
        let kind = self.view.get(self.path).map(|node| &node.entry.kind);
        self.mode & 0o111 == 0 && matches!(kind, Some(EntryKind::File(_))) && self.is_first()
    }

    /// Whether it is certainly meant to work: the file that the container starts with, or a copied
    /// program in a place for programs or with the name of what the container starts with. Bundled
    /// parts for another C library are no mistake.
    pub(super) fn must_work(&self) -> bool {
        let is_meant = self.is_in_bin() || self.is_started();
        self.is_copied() && is_meant || self.is_first() || self.is_handed()
    }

    /// What is wrong with the interpreter that it asks for.
    pub(super) fn interpreter_problem(&self) -> Option<WrongReason> {
        let path = self.facts.interpreter.as_deref().unwrap_or_default();
        let node = self.file_at(path).and_then(|path| self.view.get(&path));
        let Some(node) = node.filter(|node| !node.entry.is_dir()) else {
            return Some(WrongReason::Interpreter);
        };
        let kind = |facts: &ElfFacts| (facts.machine, facts.wide, facts.little);
        match known_facts(self.view, node)? {
            Some(facts) if kind(facts) == kind(self.facts) => None,
            facts => {
                let machine = facts.map(ElfFacts::machine_name);
                Some(WrongReason::BrokenInterpreter { machine })
            }
        }
    }
}

/// What a file says of itself, if it is an ELF file. Of another name of a file that a later layer
/// replaced, nothing is known.
fn known_facts<'a>(view: &'a View, node: &'a Node) -> Option<Option<&'a ElfFacts>> {
    match &node.entry.kind {
        EntryKind::File(_) => Some(node.entry.elf.as_ref()),
        EntryKind::Hardlink(_) if node.entry.elf.is_some() => Some(node.entry.elf.as_ref()),
        EntryKind::Hardlink(first) => {
            let first = view.get(first).filter(|first| first.layer == node.layer)?;
            matches!(first.entry.kind, EntryKind::File(_)).then_some(first.entry.elf.as_ref())
        }
        _ => None,
    }
}
