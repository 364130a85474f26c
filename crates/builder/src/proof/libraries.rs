//! Whether a program finds the libraries that it needs, as the dynamic loaders of glibc and musl
//! look for them. Where they might look further than can be seen, a library counts as found.

use std::{cell::OnceCell, collections::HashSet};

use mlint_oci::arch::{Machine, words_of_machine};

use super::elf::ElfFacts;
use crate::layer::{EntryKind, View, entry::ImagePath, view::Lookup};

/// Libraries of one program that are looked at; no program has more.
const MOST: usize = 4096;

/// Directories that loaders search unasked.
const USUAL: &[&str] =
    &["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib", "/lib32", "/usr/lib32"];

/// What musl's loader brings itself, whatever the name goes on with.
const IN_MUSL: &[&str] =
    &["libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."];

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
    /// `LD_LIBRARY_PATH` of the image.
    given: Vec<String>,
    /// Reads a file of the image.
    text: &'a dyn Fn(&str) -> String,
    names: OnceCell<HashSet<&'a [u8]>>,
    configured: OnceCell<Configured>,
    has_musl: bool,
}

/// What the image's files say about where to look.
struct Configured {
    directories: Vec<String>,
    /// What `ldconfig` found.
    cache: String,
}

/// A library that a program does not find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The library.
    pub name: String,
    /// The library that needs it, if it is not the program itself.
    pub by: Option<ImagePath>,
    /// Where it lies instead, where no loader looks.
    pub elsewhere: Option<ImagePath>,
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
        env: &[String],
        loaders: &[String],
        text: &'a dyn Fn(&str) -> String,
    ) -> Self {
        let given = env.iter().find_map(|e| e.strip_prefix("LD_LIBRARY_PATH="));
        let given = given.unwrap_or_default().split([':', ';']).map(str::to_owned).collect();
        let has_musl = loaders.iter().any(|name| name.starts_with("ld-musl"));
        let (names, configured) = (OnceCell::new(), OnceCell::new());
        Self { view, given, text, names, configured, has_musl }
    }

    /// What a program lacks: first what is not in the image at all, else what no loader finds.
    pub fn lack(&self, program: &ImagePath, facts: &ElfFacts) -> Option<Lack> {
        let machine =
            Machine { e_machine: facts.machine, is_64: facts.wide, little_endian: facts.little };
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
                        return Some(Lack { name, by, elsewhere: None });
                    }
                    None => {
                        let Some((found, is_looked_for)) = self.astray(&name, machine) else {
                            continue;
                        };
                        if !is_looked_for && elsewhere.is_none() {
                            elsewhere = Some(Lack { name, by, elsewhere: Some(found.clone()) });
                        }
                        found
                    }
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
        let is_loader =
            program.interpreter.as_ref().is_some_and(|path| path.rsplit('/').next() == Some(name));
        let starts = |list: &[&str]| list.iter().any(|start| name.starts_with(start));
        is_loader || self.has_musl && starts(IN_MUSL) || starts(OF_DRIVERS)
    }

    /// Where the loader finds a library that `all[at]` needs.
    fn search(&self, all: &[Loaded], at: usize, name: &str, machine: Machine) -> Option<ImagePath> {
        if name.contains('/') {
            return self.fitting(&ImagePath::from(name), machine);
        }
        let mut places: Vec<String> = Vec::new();
        // RPATH is handed down; RUNPATH is not, and puts RPATH out of force.
        let mut one = Some(at);
        while let Some(number) = one {
            let Loaded { path, facts, parent } = &all[number];
            let (rpath, runpath) = facts
                .dynamic
                .as_ref()
                .map_or((None, None), |d| (d.rpath.as_deref(), d.runpath.as_deref()));
            match runpath {
                Some(runpath) if number == at => self.expand(runpath, path, machine, &mut places),
                Some(_) => {}
                None => {
                    let rpath = rpath.unwrap_or_default();
                    self.expand(rpath, path, machine, &mut places);
                }
            }
            one = *parent;
        }
        places.extend(self.given.iter().filter(|dir| dir.starts_with('/')).cloned());
        places.extend(USUAL.iter().map(|dir| (*dir).to_owned()));
        for words in words_of_machine(machine) {
            let name = words.multiarch();
            places.push(format!("/lib/{name}"));
            places.push(format!("/usr/lib/{name}"));
        }
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

    /// A library off the beaten track, and whether the image's own files lead there.
    fn astray(&self, name: &str, machine: Machine) -> Option<(ImagePath, bool)> {
        let mut first = None;
        for (path, node) in self.view.iter() {
            if path.file_name() != name.as_bytes()
                || !matches!(
                    node.entry.kind,
                    EntryKind::File(_) | EntryKind::Symlink(_) | EntryKind::Hardlink(_)
                )
                || self.fitting(path, machine).is_none()
            {
                continue;
            }
            if self.is_configured(path) {
                return Some((path.clone(), true));
            }
            first.get_or_insert_with(|| path.clone());
        }
        first.map(|path| (path, false))
    }

    fn is_configured(&self, path: &ImagePath) -> bool {
        let configured = self.configured.get_or_init(|| self.read());
        let dir = path.parent().unwrap_or_default();
        let real = |text: &str| match self.view.resolve(&ImagePath::from(text), true) {
            Lookup::Found(real) => real,
            _ => ImagePath::from(text),
        };
        configured.directories.iter().any(|named| real(named) == real(&dir.display()))
            || configured.cache.contains(&format!("{}\0", path.display()))
    }

    fn read(&self) -> Configured {
        let mut directories = Vec::new();
        let mut todo = vec!["etc/ld.so.conf".to_owned()];
        let below = ImagePath::from("etc/ld.so.conf.d");
        let parts = self.view.children(&below).map(|(path, _)| path.display());
        todo.extend(parts.filter(|path| path.ends_with(".conf")));
        for file in todo {
            let text = (self.text)(&file);
            let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
            directories.extend(lines.filter(|line| line.starts_with('/')).map(str::to_owned));
        }
        let etc = ImagePath::from("etc");
        let of_musl = self.view.children(&etc).map(|(path, _)| path).filter(|path| {
            path.file_name().starts_with(b"ld-musl-") && path.file_name().ends_with(b".path")
        });
        for path in of_musl {
            let text = (self.text)(&path.display());
            directories.extend(text.split([':', '\n']).map(|dir| dir.trim().to_owned()));
        }
        directories.retain(|dir| dir.starts_with('/'));
        Configured { directories, cache: (self.text)("etc/ld.so.cache") }
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
            Some(Lack { name, by, elsewhere }) => {
                let by = by.map(|by| format!(" for {}", by.display())).unwrap_or_default();
                let at = elsewhere.map(|at| format!(" at {}", at.display())).unwrap_or_default();
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
        for dir in ["lib", "usr/lib64", "usr/local/lib"] {
            let path = format!("{dir}/liba.so.1");
            let files = [(path.as_str(), library(&[]))];
            assert_eq!(lack(app(&["liba.so.1"]), &files, "", &[]), "nothing", "{dir}");
        }
        let astray = || [("opt/x/liba.so.1", library(&[]))];
        let needs = || app(&["liba.so.1"]);
        assert_eq!(lack(needs(), &astray(), "", &[]), "liba.so.1 at /opt/x/liba.so.1");
        assert_eq!(lack(needs(), &astray(), "LD_LIBRARY_PATH=/a:/opt/x", &[]), "nothing");
        for (file, text) in [
            ("etc/ld.so.conf", "include x\n/opt/x # ours\n"),
            ("etc/ld.so.cache", "glibc-ld.so.cache1.1\0liba.so.1\0/opt/x/liba.so.1\0"),
        ] {
            assert_eq!(lack(needs(), &astray(), "", &[(file, text)]), "nothing", "{file}");
        }
        for (file, text) in
            [("etc/ld.so.conf.d/x.conf", "/opt/x\n"), ("etc/ld-musl-x86_64.path", "/lib:/opt/x\n")]
        {
            let files = [(file, None), ("opt/x/liba.so.1", library(&[]))];
            assert_eq!(lack(needs(), &files, "", &[(file, text)]), "nothing", "{file}");
        }
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
        // It is there, and foreign: that is said of the library.
        assert_eq!(lack(app(&["liba.so"]), &files, "", &[]), "nothing");
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
