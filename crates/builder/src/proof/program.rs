//! What a file is to its image: copied there, in a place for programs, what the container starts with.

use super::{check::Scope, elf::ElfFacts};
use crate::layer::{View, entry::ImagePath, view::Lookup};

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
    fn is_first(&self) -> bool {
        let is_it = |program: &str| {
            self.view.resolve(&ImagePath::from(program), true) == Lookup::Found(self.path.clone())
        };
        let path = self.scope.env.iter().find_map(|set| set.strip_prefix("PATH="));
        let dirs = || path.unwrap_or(USUAL_PATH).split(':').filter(|dir| dir.starts_with('/'));
        let there = |at: &String| {
            matches!(self.view.resolve(&ImagePath::from(at.as_str()), true), Lookup::Found(_))
        };
        self.mode & 0o111 != 0
            && self.scope.started.iter().any(|program| match program.contains('/') {
                true => is_it(program),
                // The first one on the way is taken.
                false => dirs()
                    .map(|dir| format!("{dir}/{program}"))
                    .find(there)
                    .is_some_and(|at| is_it(&at)),
            })
    }

    /// Whether it is certainly meant to work: the file that the container starts with, or a copied
    /// program in a place for programs or with the name of what the container starts with. Bundled
    /// parts for another C library are no mistake.
    pub(super) fn must_work(&self) -> bool {
        self.is_copied() && (self.is_in_bin() || self.is_started()) || self.is_first()
    }

    pub(super) fn has_interpreter(&self) -> bool {
        let path = self.facts.interpreter.as_deref().unwrap_or_default();
        matches!(self.view.resolve(&ImagePath::from(path), true), Lookup::Found(_))
    }

    pub(super) fn lacks_interpreter(&self, loaders: &[String]) -> bool {
        !self.has_interpreter() && (self.must_work() || self.is_copied() && loaders.is_empty())
    }
}
