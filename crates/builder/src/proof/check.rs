//! Which files of an image are not of its machine.

use mlint_oci::{
    Platform,
    arch::{Machine, words_of},
};
use object::elf;
use serde::{Deserialize, Serialize};

use super::{
    bundle,
    elf::{ElfFacts, ElfType, machine_name},
};
use crate::{
    layer::{View, entry::ImagePath, view::Lookup},
    pattern::Pattern,
};

/// What to check, and what to let pass.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The image's platform.
    pub platform: &'a Platform,
    /// Paths at which other machines' files are meant to be.
    pub allow: &'a [Pattern],
    /// Layers whose programs must find their interpreter: those made of copied files. What a
    /// package manager or a base image brought may hold optional parts for other C libraries.
    pub copied_layers: &'a [usize],
    /// The programs that a container starts with.
    pub started: Vec<String>,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Proof {
    /// How many ELF files were checked.
    pub elf_files: usize,
    /// Those that are wrong.
    pub wrong: Vec<Wrong>,
}

/// A file that will not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wrong {
    /// Where it is.
    pub path: ImagePath,
    /// The number of the layer that brought it.
    pub layer: usize,
    /// What it says of itself.
    pub facts: ElfFacts,
    /// What is wrong with it.
    pub reason: WrongReason,
}

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WrongReason {
    /// It is for another machine.
    Machine,
    /// The program interpreter that it asks for is not in the image.
    Interpreter,
}

impl Wrong {
    /// In words.
    pub fn describe(&self) -> String {
        let path = self.path.display();
        match (&self.reason, &self.facts.interpreter) {
            (WrongReason::Interpreter, Some(interpreter)) => {
                format!("{path} needs {interpreter}, which is not in the image")
            }
            _ => {
                let ElfFacts { machine, wide, little, .. } = self.facts;
                format!("{path} is {}", machine_name(machine, wide, little))
            }
        }
    }
}

/// Checks everything that a view shows.
pub fn check(view: &View, scope: &Scope<'_>) -> Proof {
    let mut proof = Proof::default();
    let Some(words) = words_of(scope.platform) else { return proof };
    for (path, node) in view.iter() {
        let Some(facts) = &node.entry.elf else { continue };
        proof.elf_files += 1;
        if is_allowed(path, scope) {
            continue;
        }
        let reason = if is_foreign(facts, words.machine) {
            if bundle::is_variant(path, scope.platform, view) {
                continue;
            }
            WrongReason::Machine
        } else if lacks_interpreter(view, path, node.layer, node.entry.mode, facts, scope) {
            WrongReason::Interpreter
        } else {
            continue;
        };
        let (path, layer) = (path.clone(), node.layer);
        proof.wrong.push(Wrong { path, layer, facts: facts.clone(), reason });
    }
    proof
}

/// Whether a program or library is for another machine. Object files are not judged (toolchains
/// carry them for many machines), nor is code for what is no host's processor (BPF, firmware,
/// graphics).
fn is_foreign(facts: &ElfFacts, want: Machine) -> bool {
    if !matches!(facts.kind, ElfType::Exec | ElfType::Dyn) || !is_host_machine(facts.machine) {
        return false;
    }
    let have = Machine { e_machine: facts.machine, is_64: facts.wide, little_endian: facts.little };
    // Every amd64 kernel that runs containers runs 32-bit x86 and x32 programs as well.
    let x86 = |m: u16| m == elf::EM_X86_64.0 || m == elf::EM_386.0;
    have != want && !(want.e_machine == elf::EM_X86_64.0 && x86(have.e_machine))
}

fn is_host_machine(machine: u16) -> bool {
    [
        elf::EM_386,
        elf::EM_X86_64,
        elf::EM_ARM,
        elf::EM_AARCH64,
        elf::EM_PPC,
        elf::EM_PPC64,
        elf::EM_S390,
        elf::EM_RISCV,
        elf::EM_MIPS,
        elf::EM_LOONGARCH,
        elf::EM_SPARC,
        elf::EM_SPARCV9,
        elf::EM_IA_64,
    ]
    .iter()
    .any(|m| m.0 == machine)
}

/// Files that are never run, or that somebody has said are meant.
fn is_allowed(path: &ImagePath, scope: &Scope<'_>) -> bool {
    // Go's convention, which others share.
    let test_data = path.components().any(|part| part == b"testdata");
    let firmware = path.0.starts_with(b"lib/firmware/") || path.0.starts_with(b"usr/lib/firmware/");
    let text = String::from_utf8_lossy(&path.0);
    test_data || firmware || scope.allow.iter().any(|pattern| pattern.matches(&text))
}

fn lacks_interpreter(
    view: &View,
    path: &ImagePath,
    layer: usize,
    mode: u32,
    facts: &ElfFacts,
    scope: &Scope<'_>,
) -> bool {
    let Some(interpreter) = &facts.interpreter else { return false };
    if mode & 0o111 == 0 || !scope.copied_layers.contains(&layer) {
        return false;
    }
    if matches!(view.resolve(&ImagePath::from(interpreter.as_str()), true), Lookup::Found(_)) {
        return false;
    }
    // Bundled parts for another C library are no mistake; a program in a place for programs, one
    // that the container starts with, or any in an image without a loader is.
    let in_bin = path
        .parent()
        .is_some_and(|dir| dir.is_root() || matches!(dir.file_name(), b"bin" | b"sbin"));
    let started = scope.started.iter().any(|program| match program.starts_with('/') {
        true => {
            view.resolve(&ImagePath::from(program.as_str()), true) == Lookup::Found(path.clone())
        }
        false => program.as_bytes() == path.file_name(),
    });
    in_bin || started || !has_loader(view)
}

fn has_loader(view: &View) -> bool {
    view.iter().any(|(path, _)| {
        let name = path.file_name();
        name.starts_with(b"ld-linux")
            || name.starts_with(b"ld-musl")
            || name.starts_with(b"ld64.so")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::{EntryKind, IndexEntry, LayerIndex};

    fn view(files: &[(&str, u16, Option<&str>)]) -> View {
        let entries = files
            .iter()
            .map(|(path, machine, interpreter)| {
                let elf = (*machine != 0).then(|| ElfFacts {
                    machine: *machine,
                    wide: !matches!(machine, 3 | 40),
                    little: *machine != 22,
                    kind: if path.ends_with(".o") { ElfType::Rel } else { ElfType::Dyn },
                    interpreter: interpreter.map(str::to_owned),
                });
                let kind = EntryKind::File(1);
                IndexEntry {
                    path: (*path).into(),
                    kind,
                    mode: 0o755,
                    uid: 0,
                    gid: 0,
                    mtime: 0,
                    elf,
                }
            })
            .collect();
        View::of([&LayerIndex { entries }])
    }

    fn wrong(files: &[(&str, u16, Option<&str>)], platform: &str) -> Vec<String> {
        let platform = platform.parse().unwrap();
        let allow = [Pattern::ignore("opt/foreign/**").unwrap()];
        let scope = Scope {
            platform: &platform,
            allow: &allow,
            copied_layers: &[0],
            started: vec!["/srv/start".to_owned()],
        };
        check(&view(files), &scope).wrong.iter().map(Wrong::describe).collect()
    }

    #[test]
    fn another_machine_is_wrong() {
        let files = [("usr/bin/a", 62, None), ("usr/bin/b", 183, None), ("text", 0, None)];
        assert_eq!(wrong(&files, "linux/arm64"), ["/usr/bin/a is x86-64"]);
        assert_eq!(wrong(&files, "linux/amd64"), ["/usr/bin/b is AArch64"]);
        assert_eq!(wrong(&[("b", 3, None)], "linux/amd64"), [""; 0]);
        assert_eq!(wrong(&[("b", 40, None)], "linux/arm64"), ["/b is ARM (32-bit)"]);
        assert_eq!(wrong(&[("b", 22, None)], "linux/s390x"), [""; 0]);
    }

    #[test]
    fn what_is_meant_to_be_there_is_not() {
        for path in [
            "go/src/debug/elf/testdata/x",
            "lib/firmware/chip.elf",
            "opt/foreign/bin/x",
            "usr/lib/go/race.o",
        ] {
            assert_eq!(wrong(&[(path, 62, None)], "linux/arm64"), [""; 0], "{path}");
        }
        assert_eq!(wrong(&[("bpf", 247, None)], "linux/arm64"), [""; 0]);
    }

    #[test]
    fn variants_side_by_side_are_a_bundle() {
        let bundle = [
            ("app/prebuilds/linux-x64/node.node", 62, None),
            ("app/prebuilds/linux-arm64/other.node", 183, None),
            ("opt/tool-linux-amd64", 62, None),
            ("opt/tool-linux-arm64", 183, None),
        ];
        assert_eq!(wrong(&bundle, "linux/arm64"), [""; 0]);
        assert_eq!(wrong(&bundle[..1], "linux/arm64").len(), 1);
        // A library directory of its own machine is in every image and excuses nothing.
        let copied = [
            ("usr/lib/x86_64-linux-gnu/libpq.so.5", 62, None),
            ("usr/lib/aarch64-linux-gnu/libc.so.6", 183, None),
        ];
        assert_eq!(wrong(&copied, "linux/arm64").len(), 1);
    }

    #[test]
    fn programs_find_their_interpreter() {
        let ld = "/lib/ld-linux-aarch64.so.1";
        let missing = format!("needs {ld}, which is not in the image");
        assert_eq!(
            wrong(&[("bin/x", 183, Some(ld))], "linux/arm64"),
            [format!("/bin/x {missing}")]
        );
        let glibc = ("lib/ld-linux-aarch64.so.1", 183, None);
        assert_eq!(wrong(&[("bin/x", 183, Some(ld)), glibc], "linux/arm64"), [""; 0]);
        let musl = Some("/lib/ld-musl-aarch64.so.1");
        assert_eq!(wrong(&[("app/parts/musl", 183, musl), glibc], "linux/arm64"), [""; 0]);
        assert_eq!(wrong(&[("srv/start", 183, musl), glibc], "linux/arm64").len(), 1);
    }
}
