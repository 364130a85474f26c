//! Whether a program finds the libraries that it needs, as the dynamic loaders of glibc and musl
//! look for them. Where they might look further than can be seen, a library counts as found.

use std::{cell::OnceCell, collections::HashSet};

use mlint_oci::arch::{Machine, words_of_machine};

use super::{
    elf::ElfFacts,
    loader::{Configured, Loader},
    wrong::Instead,
};
use crate::layer::{EntryKind, View, entry::ImagePath, view::Lookup};

/// Libraries of one program that are looked at; no program has more.
const MOST: usize = 4096;

/// What is mounted when a container runs: what links lead to there may come then.
const MOUNTED: &[&[u8]] = &[b"dev", b"proc", b"sys", b"run", b"mnt"];

/// What musl's loader brings itself, whatever the name goes on with.
const IN_MUSL: &[&str] =
    &["libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."];

/// What glibc's loaders call themselves (`SONAME`).
const NAMES_OF_LOADERS: &[&str] = &["ld-linux", "ld64.so.", "ld.so.1"];

/// Libraries of a graphics driver, which the runtime brings into the container.
const OF_DRIVERS: &[&str] = &[
    "libcuda.so",
    "libcudadebugger.so",
    "libnvidia-",
    "libnvcuvid.so",
    "libnvoptix.so",
    "libGLX_nvidia.so",
    "libEGL_nvidia.so",
];

/// What looks for libraries in an image.
pub struct Libraries<'a> {
    view: &'a View,
    env: &'a [String],
    /// `LD_LIBRARY_PATH` of the image.
    given: Vec<String>,
    /// Reads a file of the image.
    text: &'a dyn Fn(&str) -> String,
    names: OnceCell<HashSet<&'a [u8]>>,
    configured: OnceCell<Configured>,
    has_musl: bool,
}

/// A library that a program does not find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The library.
    pub name: String,
    /// The library that needs it, if it is not the program itself.
    pub by: Option<ImagePath>,
    /// What there is of it instead.
    pub instead: Option<Instead>,
}

/// A program or library on the way, and the one that needs it.
struct Loaded {
    path: ImagePath,
    facts: ElfFacts,
    parent: Option<usize>,
}

impl<'a> Libraries<'a> {
    /// For an image with this environment and these loaders.
    pub fn new(
        view: &'a View,
        env: &'a [String],
        loaders: &[String],
        text: &'a dyn Fn(&str) -> String,
    ) -> Self {
        let given = env.iter().find_map(|e| e.strip_prefix("LD_LIBRARY_PATH="));
        let given = given.unwrap_or_default().split([':', ';']).map(str::to_owned).collect();
        let has_musl = loaders.iter().any(|name| name.starts_with("ld-musl"));
        let (names, configured) = (OnceCell::new(), OnceCell::new());
        Self { view, env, given, text, names, configured, has_musl }
    }

    /// What a program lacks: first what is not in the image at all, else what no loader finds.
    pub fn lack(&self, program: &ImagePath, facts: &ElfFacts) -> Option<Lack> {
        let machine =
            Machine { e_machine: facts.machine, is_64: facts.wide, little_endian: facts.little };
        let loader = Loader::of(facts, self.has_musl);
        let first = Loaded { path: program.clone(), facts: facts.clone(), parent: None };
        let mut all = vec![first];
        let mut known: HashSet<ImagePath> = HashSet::new();
        let mut elsewhere = None;
        let mut at = 0;
        while at < all.len() && all.len() < MOST {
            let needed: Vec<String> =
                all[at].facts.dynamic.as_ref().map(|d| d.needed.clone()).unwrap_or_default();
            for name in needed {
                if self.comes_by_itself(&name, facts) {
                    continue;
                }
                let by = (at > 0).then(|| all[at].path.clone());
                let found = match self.search(&all, at, &name, machine) {
                    Some(found) => found,
                    None if !self.is_somewhere(&name) => {
                        return Some(Lack { name, by, instead: None });
                    }
                    None => match self.astray(&name, machine, loader) {
                        Ok((found, None)) => found,
                        Ok((found, Some(instead))) => {
                            elsewhere.get_or_insert(Lack { name, by, instead: Some(instead) });
                            found
                        }
                        Err(None) => continue,
                        Err(instead) => return Some(Lack { name, by, instead }),
                    },
                };
                if known.insert(found.clone())
                    && let Some(facts) = self.facts(&found)
                {
                    all.push(Loaded { path: found, facts: facts.clone(), parent: Some(at) });
                }
            }
            at += 1;
        }
        elsewhere
    }

    fn facts(&self, path: &ImagePath) -> Option<&ElfFacts> {
        let Lookup::Found(path) = self.view.resolve(path, true) else { return None };
        self.view.get(&path)?.entry.elf.as_ref()
    }

    /// The loader itself, what it brings along, and what comes with a driver.
    fn comes_by_itself(&self, name: &str, program: &ElfFacts) -> bool {
        let starts = |list: &[&str]| list.iter().any(|start| name.starts_with(start));
        // Wherever it lies: the loader that runs the program goes by the name that it has for itself.
        let is_loader = program
            .interpreter
            .as_ref()
            .is_some_and(|path| path.rsplit('/').next() == Some(name) || starts(NAMES_OF_LOADERS));
        is_loader || self.has_musl && starts(IN_MUSL) || starts(OF_DRIVERS)
    }

    /// Where the loader finds a library that `all[at]` needs.
    fn search(&self, all: &[Loaded], at: usize, name: &str, machine: Machine) -> Option<ImagePath> {
        if name.contains('/') {
            return self.fitting(&ImagePath::from(name), machine);
        }
        let mut places: Vec<String> = Vec::new();
        let loader = Loader::of(&all[0].facts, self.has_musl);
        // RPATH is handed down; RUNPATH is not, but by musl, and puts RPATH out of force.
        let mut one = Some(at);
        while let Some(number) = one {
            let Loaded { path, facts, parent } = &all[number];
            let (rpath, runpath) = facts
                .dynamic
                .as_ref()
                .map_or((None, None), |d| (d.rpath.as_deref(), d.runpath.as_deref()));
            match runpath {
                Some(runpath) if number == at || loader.musl => {
                    self.expand(runpath, path, machine, &mut places);
                }
                Some(_) => {}
                None => {
                    let rpath = rpath.unwrap_or_default();
                    self.expand(rpath, path, machine, &mut places);
                }
            }
            one = *parent;
        }
        places.extend(self.given.iter().filter(|dir| dir.starts_with('/')).cloned());
        places.extend(loader.directories(machine));
        // A loader in a place of its own looks around there.
        let loader = all[0].facts.interpreter.as_deref().and_then(|path| path.rsplit_once('/'));
        places.extend(loader.map(|(dir, _)| dir.to_owned()));
        places.iter().find_map(|dir| {
            self.fitting(&ImagePath::from(dir.as_str()).join(name.as_bytes()), machine)
        })
    }

    /// The directories of a search path, with its variables filled in.
    fn expand(&self, list: &str, of: &ImagePath, machine: Machine, out: &mut Vec<String>) {
        let parent = |path: &ImagePath| path.parent().unwrap_or_default().display();
        // A loader may know the file by the name of a link to it.
        let mut origins = vec![parent(of)];
        if let Lookup::Found(real) = self.view.resolve(of, true) {
            origins.push(parent(&real));
        }
        origins.dedup();
        for part in list.split(':').filter(|part| !part.is_empty()) {
            for origin in &origins {
                let dir = part.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
                if !dir.contains("$LIB") && !dir.contains("${LIB}") {
                    out.push(dir);
                    continue;
                }
                let multiarch =
                    words_of_machine(machine).map(|words| format!("lib/{}", words.multiarch()));
                for lib in ["lib", "lib64"].into_iter().map(str::to_owned).chain(multiarch) {
                    out.push(dir.replace("${LIB}", &lib).replace("$LIB", &lib));
                }
            }
        }
    }

    /// The file there, if it is no library of another machine, which loaders pass over.
    fn fitting(&self, path: &ImagePath, machine: Machine) -> Option<ImagePath> {
        let Lookup::Found(real) = self.view.resolve(path, true) else { return None };
        let node = self.view.get(&real)?;
        if node.entry.is_dir() {
            return None;
        }
        let fits = node.entry.elf.as_ref().is_none_or(|elf| {
            (elf.machine, elf.wide, elf.little)
                == (machine.e_machine, machine.is_64, machine.little_endian)
        });
        fits.then(|| path.clone())
    }

    fn is_somewhere(&self, name: &str) -> bool {
        let all = self.names.get_or_init(|| {
            let files = self.view.iter().filter(|(_, node)| !node.entry.is_dir());
            files.map(|(path, _)| path.file_name()).collect()
        });
        all.contains(name.rsplit('/').next().unwrap_or(name).as_bytes())
    }

    /// A library off the beaten track, with what is amiss unless the image's own files lead there. If
    /// there is none that a loader could use, what there is; nothing if that may change later.
    fn astray(
        &self,
        name: &str,
        machine: Machine,
        loader: Loader,
    ) -> Result<(ImagePath, Option<Instead>), Option<Instead>> {
        let read = || Configured::read(self.view, self.env, self.text);
        let configured = self.configured.get_or_init(read);
        let cached = configured.cached(name).filter(|_| loader.glibc);
        if let Some(found) = cached.filter_map(|path| self.fitting(&path, machine)).next() {
            return Ok((found, None));
        }
        let mut first: Option<(ImagePath, bool)> = None;
        let mut useless = Vec::new();
        for (path, node) in self.view.iter().filter(|(path, _)| path.file_name() == name.as_bytes())
        {
            if !matches!(
                node.entry.kind,
                EntryKind::File(_) | EntryKind::Symlink(_) | EntryKind::Hardlink(_)
            ) {
                continue;
            }
            if self.fitting(path, machine).is_none() {
                useless.push(self.useless(path));
                continue;
            }
            let dir = path.parent().unwrap_or_default();
            if configured.is_searched(&dir, loader) {
                return Ok((path.clone(), None));
            }
            let awaits = configured.awaits_ldconfig(&dir, loader);
            if first.as_ref().is_none_or(|(_, first_awaits)| awaits && !first_awaits) {
                first = Some((path.clone(), awaits));
            }
        }
        match first {
            Some((at, configured)) => Ok((at.clone(), Some(Instead::Astray { at, configured }))),
            // One that may come later is enough.
            None if useless.contains(&None) => Err(None),
            None => Err(useless.into_iter().next().flatten()),
        }
    }

    /// Why no loader can use what is there; nothing if it is not known.
    fn useless(&self, path: &ImagePath) -> Option<Instead> {
        let at = path.clone();
        match self.view.resolve(path, true) {
            Lookup::Found(real) => {
                let machine = self.view.get(&real)?.entry.elf.as_ref()?.machine_name();
                Some(Instead::Foreign { at, machine })
            }
            Lookup::Missing(to) => {
                // Where there is nothing at all, something may be mounted when it runs.
                let dir = to.parent().unwrap_or_default();
                let is_used = self.view.children(&dir).next().is_some();
                let first = to.components().next().unwrap_or_default();
                (is_used && !MOUNTED.contains(&first)).then_some(Instead::Dangling { at })
            }
            Lookup::NotADirectory(_) | Lookup::Loop => Some(Instead::Dangling { at }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::elf::sample::Sample, *};
    use crate::layer::{IndexEntry, LayerIndex};

    type File<'a> = (&'a str, Option<Sample<'a>>);

    fn library<'a>(needed: &'a [&'a str]) -> Option<Sample<'a>> {
        Some(Sample { kind: 3, needed, ..Sample::default() })
    }

    fn view(files: &[File<'_>]) -> View {
        let entry = |(path, sample): &File<'_>| {
            let (path, kind) = match path.split_once(" -> ") {
                Some((path, to)) => (path, EntryKind::Symlink(ImagePath(to.as_bytes().to_vec()))),
                None => (*path, EntryKind::File(1)),
            };
            let elf = sample.as_ref().map(Sample::facts);
            let path = path.into();
            IndexEntry { path, kind, mode: 0o755, uid: 0, gid: 0, mtime: 0, elf }
        };
        View::of([&LayerIndex { entries: files.iter().map(entry).collect() }])
    }

    /// What the program `opt/app/bin/app` lacks.
    fn lack(program: Sample<'_>, files: &[File<'_>], env: &str, texts: &[(&str, &str)]) -> String {
        let view = view(files);
        let text = |path: &str| {
            let path = path.trim_start_matches('/');
            let found = texts.iter().find(|(name, _)| *name == path);
            found.map(|(_, text)| (*text).to_owned()).unwrap_or_default()
        };
        let env = [env.to_owned()];
        let loaders: Vec<String> = super::super::abi::loaders(&view);
        let libraries = Libraries::new(&view, &env, &loaders, &text);
        match libraries.lack(&"opt/app/bin/app".into(), &program.facts()) {
            None => "nothing".to_owned(),
            Some(Lack { name, by, instead }) => {
                let by = by.map(|by| format!(" for {}", by.display())).unwrap_or_default();
                let at = match instead {
                    None => String::new(),
                    Some(Instead::Astray { at, configured: false }) => {
                        format!(" at {}", at.display())
                    }
                    Some(Instead::Astray { at, .. }) => {
                        format!(" at {}, no ldconfig", at.display())
                    }
                    Some(Instead::Dangling { at }) => format!(" dangling at {}", at.display()),
                    Some(Instead::Foreign { at, machine }) => {
                        format!(" {machine} at {}", at.display())
                    }
                };
                format!("{name}{by}{at}")
            }
        }
    }

    fn app<'a>(needed: &'a [&'a str]) -> Sample<'a> {
        Sample { interpreter: Some("/lib64/ld-linux-x86-64.so.2"), needed, ..Sample::default() }
    }

    #[test]
    fn where_loaders_look() {
        let c = ("usr/lib/x86_64-linux-gnu/libc.so.6", library(&[]));
        let both = &["libc.so.6", "ld-linux-x86-64.so.2"];
        assert_eq!(lack(app(both), &[c], "", &[]), "nothing");
        assert_eq!(lack(app(both), &[], "", &[]), "libc.so.6");
        let moved = Sample { interpreter: Some("/nix/ld.so"), ..app(&["ld-linux-x86-64.so.2"]) };
        assert_eq!(lack(moved, &[], "", &[]), "nothing");
        for dir in ["lib", "usr/lib64"] {
            let path = format!("{dir}/liba.so.1");
            let files = [(path.as_str(), library(&[]))];
            assert_eq!(lack(app(&["liba.so.1"]), &files, "", &[]), "nothing", "{dir}");
        }
        let astray = || [("opt/x/liba.so.1", library(&[]))];
        let needs = || app(&["liba.so.1"]);
        assert_eq!(lack(needs(), &astray(), "", &[]), "liba.so.1 at /opt/x/liba.so.1");
        assert_eq!(lack(needs(), &astray(), "LD_LIBRARY_PATH=/a:/opt/x", &[]), "nothing");
        let cache = "glibc-ld.so.cache1.1\0liba.so.1\0/opt/x/liba.so.1\0";
        assert_eq!(lack(needs(), &astray(), "", &[("etc/ld.so.cache", cache)]), "nothing");
    }

    #[test]
    fn glibc_knows_of_other_directories_what_ldconfig_found() {
        let local = || [("usr/local/lib/liba.so.1", library(&[]))];
        let needs = || app(&["liba.so.1"]);
        let at = "liba.so.1 at /usr/local/lib/liba.so.1";
        assert_eq!(lack(needs(), &local(), "", &[]), at);
        let conf = ("etc/ld.so.conf", "include x\n/usr/local/lib # ours\n");
        assert_eq!(lack(needs(), &local(), "", &[conf]), format!("{at}, no ldconfig"));
        let before = ("etc/ld.so.cache", "glibc-ld.so.cache1.1\0libz.so\0/lib/libz.so\0");
        assert_eq!(lack(needs(), &local(), "", &[conf, before]), format!("{at}, no ldconfig"));
        // Behind a link of Debian's, as ldconfig writes it.
        let after = ("etc/ld.so.cache", "1.1\0liba.so.1\u{fffd}@/local/liba.so.1\0");
        let linked = [("local -> /usr/local/lib", None), ("usr/local/lib/liba.so.1", library(&[]))];
        assert_eq!(lack(needs(), &linked, "", &[conf, after]), "nothing");
        // One that can't be read may say everything; and this runtime has it written anew.
        let unread = [("etc/ld.so.cache", None), ("usr/local/lib/liba.so.1", library(&[]))];
        assert_eq!(lack(needs(), &unread, "", &[conf]), "nothing");
        assert_eq!(lack(needs(), &local(), "NVIDIA_VISIBLE_DEVICES=all", &[conf]), "nothing");
        let part = [("etc/ld.so.conf.d/x.conf", None), ("opt/x/liba.so.1", library(&[]))];
        let texts = [("etc/ld.so.conf.d/x.conf", "/opt/x\n")];
        let at = "liba.so.1 at /opt/x/liba.so.1";
        assert_eq!(lack(needs(), &part, "", &texts), format!("{at}, no ldconfig"));
        let class = [("usr/lib32/liba.so.1", library(&[]))];
        assert_eq!(lack(needs(), &class, "", &[]), "liba.so.1 at /usr/lib32/liba.so.1");
        let narrow =
            Sample { machine: 3, wide: false, interpreter: Some("/lib/ld-linux.so.2"), ..needs() };
        let own = Sample { machine: 3, wide: false, kind: 3, ..Sample::default() };
        assert_eq!(lack(narrow, &[("usr/lib32/liba.so.1", Some(own))], "", &[]), "nothing");
    }

    #[test]
    fn musl_has_a_path_of_its_own() {
        let of_musl = || {
            let interpreter = Some("/lib/ld-musl-x86_64.so.1");
            Sample { interpreter, needed: &["liba.so.1"], ..Sample::default() }
        };
        let local = || [("usr/local/lib/liba.so.1", library(&[]))];
        assert_eq!(lack(of_musl(), &local(), "", &[]), "nothing");
        let files = || [("etc/ld-musl-x86_64.path", None), ("opt/x/liba.so.1", library(&[]))];
        let texts = [("etc/ld-musl-x86_64.path", "/lib:/opt/x\n")];
        assert_eq!(lack(of_musl(), &files(), "", &texts), "nothing");
        let at = "liba.so.1 at /opt/x/liba.so.1";
        assert_eq!(lack(app(&["liba.so.1"]), &files(), "", &texts), at);
        let of_glibc =
            [("etc/ld.so.conf", "/opt/x\n"), ("etc/ld.so.cache", "liba.so.1\0/opt/x/liba.so.1\0")];
        assert_eq!(lack(of_musl(), &files(), "", &of_glibc), at);
        // Alpine's links from glibc's name lead to musl.
        let alpine =
            [("lib/ld-musl-x86_64.so.1", library(&[])), ("usr/local/lib/liba.so.1", library(&[]))];
        assert_eq!(lack(app(&["liba.so.1"]), &alpine, "", &[]), "nothing");
        let inherited =
            [("opt/x/liba.so.1", library(&["libb.so"])), ("opt/x/libb.so", library(&[]))];
        let runpath = || Some("$ORIGIN/../../x");
        assert_eq!(
            lack(Sample { runpath: runpath(), ..of_musl() }, &inherited, "", &[]),
            "nothing"
        );
        let glibc = Sample { runpath: runpath(), ..app(&["liba.so.1"]) };
        assert!(lack(glibc, &inherited, "", &[]).starts_with("libb.so for "));
    }

    #[test]
    fn what_no_loader_can_use_is_lacking() {
        let needs = || app(&["liba.so.1"]);
        let dangling = [("usr/lib/liba.so.1 -> liba.so.1.2", None)];
        assert_eq!(lack(needs(), &dangling, "", &[]), "liba.so.1 dangling at /usr/lib/liba.so.1");
        let round = [("usr/lib/liba.so.1 -> liba.so.1", None)];
        assert_eq!(lack(needs(), &round, "", &[]), "liba.so.1 dangling at /usr/lib/liba.so.1");
        for mounted in ["/run/driver", "/data/lib"] {
            let link = format!("usr/lib/liba.so.1 -> {mounted}/liba.so.1");
            assert_eq!(lack(needs(), &[(&link, None)], "", &[]), "nothing", "{mounted}");
        }
        let good = [
            ("opt/liba.so.1 -> gone", None),
            ("usr/lib/liba.so.1 -> liba.so.1.2", None),
            ("usr/lib/liba.so.1.2", library(&[])),
        ];
        assert_eq!(lack(needs(), &good, "", &[]), "nothing");
        let narrow = || Some(Sample { machine: 3, wide: false, kind: 3, ..Sample::default() });
        let other = [("usr/lib/liba.so.1", narrow())];
        let said = "liba.so.1 x86 (32-bit) at /usr/lib/liba.so.1";
        assert_eq!(lack(needs(), &other, "", &[]), said);
        let both = [("usr/lib/liba.so.1", narrow()), ("usr/lib64/liba.so.1", library(&[]))];
        assert_eq!(lack(needs(), &both, "", &[]), "nothing");
    }

    #[test]
    fn paths_in_the_file_itself() {
        let files = || {
            [
                ("opt/app/lib/liba.so.1 -> liba.so.1.2", None),
                ("opt/app/lib/liba.so.1.2", library(&["libb.so"])),
                ("opt/app/lib/libb.so", library(&[])),
            ]
        };
        let origin = Some("/nowhere:$ORIGIN/../lib");
        let runpath = Sample { runpath: origin, ..app(&["liba.so.1"]) };
        // A RUNPATH is the file's own affair; an RPATH is handed down.
        assert_eq!(
            lack(runpath, &files(), "", &[]),
            "libb.so for /opt/app/lib/liba.so.1 at /opt/app/lib/libb.so"
        );
        let rpath = Sample { rpath: Some("${ORIGIN}/../lib"), ..app(&["liba.so.1"]) };
        assert_eq!(lack(rpath, &files(), "", &[]), "nothing");
        let put_out_of_force =
            Sample { rpath: Some("$ORIGIN/../lib"), runpath: Some("/x"), ..app(&["liba.so.1"]) };
        assert!(lack(put_out_of_force, &files(), "", &[]).starts_with("liba.so.1 at"));
        let absolute = app(&["/opt/app/lib/libb.so"]);
        assert_eq!(lack(absolute, &files(), "", &[]), "nothing");
    }

    #[test]
    fn libraries_of_libraries_and_of_other_machines() {
        let files = [("lib/liba.so", library(&["libgone.so.3"]))];
        assert_eq!(lack(app(&["liba.so"]), &files, "", &[]), "libgone.so.3 for /lib/liba.so");
        let other = Sample { machine: 183, kind: 3, ..Sample::default() };
        let files = [("lib/liba.so", Some(other))];
        assert_eq!(lack(app(&["liba.so"]), &files, "", &[]), "liba.so AArch64 at /lib/liba.so");
        let circle =
            [("lib/liba.so", library(&["libb.so"])), ("lib/libb.so", library(&["liba.so"]))];
        assert_eq!(lack(app(&["liba.so"]), &circle, "", &[]), "nothing");
    }

    #[test]
    fn what_comes_by_itself() {
        let musl = [("lib/ld-musl-x86_64.so.1", library(&[]))];
        assert_eq!(lack(app(&["libc.musl-x86_64.so.1", "libm.so.6"]), &musl, "", &[]), "nothing");
        assert_eq!(lack(app(&["libcuda.so.1", "libnvidia-ml.so.1"]), &[], "", &[]), "nothing");
    }
}
