//! Which files of an image do not work on its platform.

use mlint_oci::{
    Platform,
    arch::{Machine, Words, words_of},
};
use object::elf;
use serde::{Deserialize, Serialize};

use super::{
    abi, bundle,
    elf::{ElfFacts, ElfType},
    libraries::Libraries,
    program::Program,
    wrong::{Instead, Wrong, WrongReason},
};
use crate::{
    layer::{View, entry::ImagePath},
    pattern::Pattern,
};

/// Files of other machines that are meant to be there.
#[derive(Clone, Debug)]
pub struct Allow {
    /// Their paths.
    pub pattern: Pattern,
    /// The layers that may bring them; all if there is nothing.
    pub layers: Option<Vec<usize>>,
}

impl Allow {
    /// Wherever they come from.
    pub fn anywhere(pattern: Pattern) -> Self {
        Self { pattern, layers: None }
    }

    fn covers(&self, path: &str, layer: usize) -> bool {
        self.layers.as_ref().is_none_or(|layers| layers.contains(&layer))
            && self.pattern.matches(path)
    }
}

/// What to check, and what to let pass.
pub struct Scope<'a> {
    /// The image's platform.
    pub platform: &'a Platform,
    /// Files of other machines that are meant to be there.
    pub allow: &'a [Allow],
    /// Layers whose programs must find their interpreter and their libraries: those made of copied
    /// files. What a package manager or a base image brought may hold optional parts; of these the
    /// program must work that the container starts with.
    pub copied_layers: &'a [usize],
    /// The programs that a container starts with.
    pub started: Vec<String>,
    /// The programs that a script is told to start, which may do something for them first.
    pub handed: Vec<String>,
    /// The image's environment.
    pub env: &'a [String],
    /// Reads a file of the image; empty if it is not there.
    pub text: &'a dyn Fn(&str) -> String,
}

/// What was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Proof {
    /// How many ELF files the image has, without those of other machines that are meant to be there.
    pub elf_files: usize,
    /// Those that do not work.
    pub wrong: Vec<Wrong>,
    /// Those that may not work, for all that can be seen.
    pub doubtful: Vec<Wrong>,
    /// The numbers of those of [`Scope::allow`] that let something pass.
    pub used: Vec<usize>,
}

/// Checks everything that a view shows.
pub fn check(view: &View, scope: &Scope<'_>) -> Proof {
    let mut proof = Proof::default();
    let Some(words) = words_of(scope.platform) else { return proof };
    let loaders = abi::loaders(view);
    let libraries = Libraries::new(view, scope.env, &loaders, scope.text);
    for (path, node) in view.iter() {
        let Some(facts) = &node.entry.elf else { continue };
        let program =
            Program { view, path, layer: node.layer, mode: node.entry.mode, facts, scope };
        let judged = judge(&program, words, &loaders, &libraries);
        let text = String::from_utf8_lossy(&path.0);
        let allows = |allow: &Allow| allow.covers(&text, node.layer);
        // Nothing but a plain word excuses what the container starts with.
        let judged = judged.filter(|_| !is_never_run(path) || program.is_first());
        let allowed = judged.as_ref().and_then(|_| scope.allow.iter().position(allows));
        if let Some(number) = allowed
            && !proof.used.contains(&number)
        {
            proof.used.push(number);
        }
        let judged = judged.filter(|_| allowed.is_none());
        proof.elf_files += usize::from(judged.is_some() || !is_foreign(facts, words.machine));
        let Some((reason, sure)) = judged else { continue };
        let (path, layer) = (path.clone(), node.layer);
        let wrong = Wrong { path, layer, facts: facts.clone(), reason };
        match sure {
            true => proof.wrong.push(wrong),
            false => proof.doubtful.push(wrong),
        }
    }
    proof
}

/// What is wrong with a file, and whether that is sure.
fn judge(
    program: &Program<'_>,
    words: &Words,
    loaders: &[String],
    libraries: &Libraries<'_>,
) -> Option<(WrongReason, bool)> {
    let Program { view, path, facts, scope, .. } = program;
    if is_foreign(facts, words.machine) {
        let is_wrong = program.is_first() || !bundle::is_variant(path, scope.platform, view);
        return is_wrong.then_some((WrongReason::Machine, true));
    }
    if !matches!(facts.kind, ElfType::Exec | ElfType::Dyn) {
        return None;
    }
    if program.may_not_run() {
        return Some((WrongReason::Mode, true));
    }
    if let Some((own, image)) = abi::mismatch(facts, words, loaders) {
        let (own, image) = (own.to_owned(), image.to_owned());
        // Where libraries are for a part that chooses between them, nobody can see.
        let sure = facts.interpreter.is_some() && program.must_work();
        return Some((WrongReason::Abi { own, image }, sure));
    }
    if facts.interpreter.is_none() {
        let odd = abi::is_x32(facts) && facts.kind == ElfType::Exec && program.must_work();
        return odd.then_some((WrongReason::X32, false));
    }
    if let Some(reason) = program.interpreter_problem() {
        let must_work = program.must_work() || program.is_copied() && loaders.is_empty();
        return must_work.then_some((reason, true));
    }
    if !program.must_work() {
        return None;
    }
    if abi::is_x32(facts) {
        return Some((WrongReason::X32, false));
    }
    let lack = libraries.lack(path, facts)?;
    // What nobody copied came with its package, and may be given the library when it runs.
    let sure = !matches!(lack.instead, Some(Instead::Astray { .. })) && program.is_copied();
    // Whoever starts it may say where to look; for what the container starts there is only the image.
    if !sure && !program.is_started() {
        return None;
    }
    let (name, by, instead) = (lack.name, lack.by, lack.instead);
    Some((WrongReason::Library { name, by, instead }, sure))
}

/// Whether a program or library is for another machine. Object files are not judged (toolchains
/// carry them for many machines), nor is code for what is no host's processor (BPF, firmware,
/// graphics).
fn is_foreign(facts: &ElfFacts, want: Machine) -> bool {
    if !matches!(facts.kind, ElfType::Exec | ElfType::Dyn) || !is_host_machine(facts.machine) {
        return false;
    }
    let have = Machine { e_machine: facts.machine, is_64: facts.wide, little_endian: facts.little };
    // Every amd64 kernel that runs containers runs 32-bit x86 programs as well, and x32 is told apart.
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

/// Files that are there to be read.
fn is_never_run(path: &ImagePath) -> bool {
    // Go's convention, which others share.
    let test_data = path.components().any(|part| part == b"testdata");
    test_data || path.0.starts_with(b"lib/firmware/") || path.0.starts_with(b"usr/lib/firmware/")
}

#[cfg(test)]
mod tests {
    use super::{super::elf::sample::Sample, *};
    use crate::layer::{EntryKind, IndexEntry, LayerIndex};

    fn view(files: &[(&str, u16, Option<&str>)]) -> View {
        let samples = files.iter().map(|(path, machine, interpreter)| {
            let sample = (*machine != 0).then(|| Sample {
                machine: *machine,
                wide: !matches!(machine, 3 | 40),
                little: *machine != 22,
                kind: if path.ends_with(".o") { 1 } else { 3 },
                interpreter: *interpreter,
                ..Sample::default()
            });
            (*path, sample)
        });
        view_of(samples.collect())
    }

    fn view_of(files: Vec<(&str, Option<Sample<'_>>)>) -> View {
        let entry = |(path, sample): (&str, Option<Sample<'_>>)| {
            let (path, kind) = (path.into(), EntryKind::File(1));
            let elf = sample.as_ref().map(Sample::facts);
            IndexEntry { path, kind, mode: 0o755, uid: 0, gid: 0, mtime: 0, elf }
        };
        View::of([&LayerIndex { entries: files.into_iter().map(entry).collect() }])
    }

    fn proof(view: &View, platform: &str, allow: &[Allow]) -> Proof {
        started(view, platform, allow, "/srv/start", (&[0], &[]))
    }

    /// What is said of layers that nobody copied, if the container starts with this.
    fn brought(view: &View, first: &str, env: &[String]) -> Proof {
        started(view, "linux/amd64", &[], first, (&[], env))
    }

    fn started(
        view: &View,
        platform: &str,
        allow: &[Allow],
        first: &str,
        (copied_layers, env): (&[usize], &[String]),
    ) -> Proof {
        let (started, handed) = (vec![first.to_owned()], vec!["/srv/handed".to_owned()]);
        let (platform, text) = (&platform.parse().unwrap(), &|_: &str| String::new());
        check(view, &Scope { platform, allow, copied_layers, started, handed, env, text })
    }

    fn told(files: &[Wrong]) -> Vec<String> {
        files.iter().map(Wrong::describe).collect()
    }

    fn wrong(files: &[(&str, u16, Option<&str>)], platform: &str) -> Vec<String> {
        let allow = [Allow::anywhere(Pattern::ignore("opt/foreign/**").unwrap())];
        told(&proof(&view(files), platform, &allow).wrong)
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
    fn nothing_excuses_what_the_container_starts_with() {
        let files = view(&[
            ("opt/tool-linux-amd64", 62, None),
            ("opt/tool-linux-arm64", 183, None),
            ("opt/testdata/app", 62, None),
            ("opt/app", 183, None),
        ]);
        let of = |first: &str, allow: &[Allow]| {
            let found = started(&files, "linux/arm64", allow, first, (&[0], &[]));
            (told(&found.wrong).join("\n"), found.elf_files)
        };
        for path in ["/opt/tool-linux-amd64", "/opt/testdata/app"] {
            assert_eq!(of(path, &[]), (format!("{path} is x86-64"), 3));
            let allow = [Allow::anywhere(Pattern::ignore("opt/**").unwrap())];
            assert_eq!(of(path, &allow), (String::new(), 2));
        }
        for path in ["/opt/tool-linux-arm64", "/opt/app", "app", "/bin/sh"] {
            assert_eq!(of(path, &[]), (String::new(), 2), "{path}");
        }
    }

    #[test]
    fn what_the_container_starts_with_may_be_executed() {
        let index = |mode, machine| {
            let elf = Some(Sample { machine, ..Sample::default() }.facts());
            let entry = |path: &str, mode| {
                let (path, kind, elf) = (path.into(), EntryKind::File(1), elf.clone());
                IndexEntry { path, kind, mode, uid: 0, gid: 0, mtime: 0, elf }
            };
            LayerIndex { entries: vec![entry("usr/bin/x", 0o755), entry("usr/local/bin/x", mode)] }
        };
        let of = |mode, machine, started| {
            told(&brought(&View::of([&index(mode, machine)]), started, &[]).wrong).join("\n")
        };
        let local = "/usr/local/bin/x";
        assert_eq!(of(0o644, 62, local), "/usr/local/bin/x has no permission to be executed");
        assert_eq!(of(0o100, 62, local), "");
        assert_eq!(of(0o644, 62, "x"), "", "the next one on the way is taken");
        assert_eq!(of(0o644, 62, "/usr/bin/x"), "");
        assert!(of(0o644, 183, local).contains("/usr/local/bin/x is AArch64"));
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
        let with = |machine| {
            wrong(&[("bin/x", 62, Some("/ld.so")), ("ld.so", machine, None)], "linux/amd64")
        };
        assert_eq!(with(62), [""; 0]);
        assert_eq!(with(0), ["/bin/x needs /ld.so, which is no ELF file"]);
        assert_eq!(with(3), ["/bin/x needs /ld.so, which is x86 (32-bit)"]);
    }

    #[test]
    fn an_interpreter_may_have_other_names() {
        let elf = |interpreter| Some(Sample { interpreter, ..Sample::default() }.facts());
        let entry = |path: &str, kind, elf| IndexEntry {
            path: path.into(),
            kind,
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: 0,
            elf,
        };
        let link = |to: &str| EntryKind::Symlink(ImagePath(to.as_bytes().to_vec()));
        let below = LayerIndex {
            entries: vec![
                entry("lib/ld-2.so", EntryKind::File(1), elf(None)),
                entry("lib/ld.so", EntryKind::Hardlink("lib/ld-2.so".into()), None),
                entry("ld.so", link("lib/ld.so"), None),
                entry("bin/x", EntryKind::File(1), elf(Some("/ld.so"))),
            ],
        };
        let wrong = |view: &View| told(&proof(view, "linux/amd64", &[]).wrong);
        assert_eq!(wrong(&View::of([&below])), [""; 0]);
        // What the other name was is not known any more.
        let text = LayerIndex { entries: vec![entry("lib/ld-2.so", EntryKind::File(1), None)] };
        assert_eq!(wrong(&View::of([&below, &text])), [""; 0]);
    }

    #[test]
    fn what_the_container_starts_with_works_whoever_brought_it() {
        let loader = "/lib64/ld-linux-x86-64.so.2";
        let ld = Some(loader);
        let files =
            view(&[("opt/a/tool", 62, ld), ("usr/bin/tool", 62, ld), ("usr/bin/b", 62, ld)]);
        let first = |started, path: &str| {
            let env: Vec<String> =
                Some(path).filter(|p| !p.is_empty()).map(str::to_owned).into_iter().collect();
            told(&brought(&files, started, &env).wrong)
        };
        let lacks = |path: &str| vec![format!("{path} needs {loader}, which is not in the image")];
        assert_eq!(first("/usr/bin/tool", ""), lacks("/usr/bin/tool"));
        assert_eq!(first("tool", ""), lacks("/usr/bin/tool"), "the one that is found");
        assert_eq!(first("tool", "PATH=/bin:/opt/a:/usr/bin"), lacks("/opt/a/tool"));
        assert_eq!(first("tool", "PATH=/sbin"), [""; 0], "none is found");
        assert_eq!(first("/usr/bin/other", ""), [""; 0]);
        let needs = Sample { interpreter: ld, needed: &["libgpu.so.1"], ..Sample::default() };
        let loader = Sample { kind: 3, ..Sample::default() };
        let files =
            view_of(vec![("lib64/ld-linux-x86-64.so.2", Some(loader)), ("usr/bin/x", Some(needs))]);
        let found = brought(&files, "x", &[]);
        assert!(found.wrong.is_empty(), "whoever runs it may bring the library");
        assert_eq!(
            told(&found.doubtful),
            ["/usr/bin/x needs libgpu.so.1, which is not in the image"]
        );
    }

    #[test]
    fn programs_find_their_libraries() {
        let ld = "/lib64/ld-linux-x86-64.so.2";
        let program = |needed| Sample { interpreter: Some(ld), needed, ..Sample::default() };
        let of = |path, needed| {
            let loader = Sample { kind: 3, ..Sample::default() };
            let astray = Sample { kind: 3, ..Sample::default() };
            let files = vec![
                ("lib64/ld-linux-x86-64.so.2", Some(loader)),
                ("opt/lib/libastray.so", Some(astray)),
                (path, Some(program(needed))),
            ];
            let proof = proof(&view_of(files), "linux/amd64", &[]);
            (told(&proof.wrong), told(&proof.doubtful))
        };
        let none = || (Vec::new(), Vec::new());
        let gone = "/usr/bin/x needs libgone.so.1, which is not in the image".to_owned();
        assert_eq!(of("usr/bin/x", &["libgone.so.1"]), (vec![gone], Vec::new()));
        assert_eq!(of("usr/lib/plugins/x", &["libgone.so.1"]), none(), "it may be optional");
        assert_eq!(of("usr/bin/x", &["libastray.so"]), none(), "a script may lead there");
        let astray = "/srv/start needs libastray.so, which is at /opt/lib/libastray.so, where the \
                      loader does not look";
        assert_eq!(of("srv/start", &["libastray.so"]), (Vec::new(), vec![astray.to_owned()]));
        assert_eq!(of("srv/handed", &["libastray.so"]), none(), "the script before it may");
        let gone = "/srv/handed needs libgone.so.1, which is not in the image".to_owned();
        assert_eq!(of("srv/handed", &["libgone.so.1"]), (vec![gone], Vec::new()));
    }

    #[test]
    fn other_abis_of_the_machine() {
        let soft = || Sample {
            machine: 40,
            wide: false,
            flags: 0x0500_0200,
            kind: 3,
            needed: &["libc.so.6"],
            ..Sample::default()
        };
        let loader = || Sample { machine: 40, wide: false, kind: 3, ..Sample::default() };
        let files =
            vec![("lib/ld-linux-armhf.so.3", Some(loader())), ("lib/liba.so", Some(soft()))];
        let found = proof(&view_of(files), "linux/arm/v7", &[]);
        assert!(found.wrong.is_empty());
        assert_eq!(
            told(&found.doubtful),
            ["/lib/liba.so is for ARM's soft-float ABI, and the image has ARM's hard-float ABI"]
        );
        let x32 = || Sample { wide: false, ..Sample::default() };
        let of = |path| {
            told(&proof(&view_of(vec![(path, Some(x32()))]), "linux/amd64", &[]).doubtful).len()
        };
        assert_eq!((of("usr/bin/x"), of("usr/libx32/x")), (1, 0));
        let n32 = Sample { machine: 8, wide: false, flags: 0x20, ..Sample::default() };
        let found = proof(&view_of(vec![("bin/x", Some(n32))]), "linux/mips64le", &[]);
        assert!(told(&found.wrong)[0].contains("n32"), "{:?}", found.wrong);
    }

    #[test]
    fn an_allowance_is_for_its_layers_and_knows_whether_it_was_needed() {
        let allow = |text: &str, layers| Allow { pattern: Pattern::ignore(text).unwrap(), layers };
        let all = [
            allow("bin/never", None),
            allow("bin/*", Some(vec![3])),
            allow("bin/*", Some(vec![0, 1])),
        ];
        let files = view(&[("bin/a", 62, None), ("bin/b", 62, None), ("bin/c", 183, None)]);
        let found = proof(&files, "linux/arm64", &all);
        assert_eq!((found.used, found.wrong.len(), found.elf_files), (vec![2], 0, 1));
    }
}
