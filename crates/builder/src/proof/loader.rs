//! Where the dynamic loaders of glibc and musl look for libraries: by themselves, and because files
//! of the image say so.

use mlint_oci::arch::{Machine, words_of_machine};

use super::elf::ElfFacts;
use crate::layer::{View, entry::ImagePath, view::Lookup};

/// What glibc's loaders search unasked, besides Debian's directories for a machine. Distributions
/// differ (Debian's has no lib64, Fedora's nothing else); `/usr/local/lib` is found by none.
const OF_GLIBC_64: &[&str] = &["/lib64", "/usr/lib64", "/lib", "/usr/lib"];
const OF_GLIBC_32: &[&str] =
    &["/lib", "/usr/lib", "/lib32", "/usr/lib32", "/libx32", "/usr/libx32"];
const OF_MUSL: &[&str] = &["/lib", "/usr/local/lib", "/usr/lib"];

/// Which loaders a program's may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loader {
    pub(super) glibc: bool,
    pub(super) musl: bool,
}

impl Loader {
    /// The one that a program asks for. Behind the name of glibc's may stand a link to musl's, or
    /// what leads there; of other names nobody knows.
    pub(super) fn of(program: &ElfFacts, has_musl: bool) -> Self {
        let path = program.interpreter.as_deref().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        let of_musl = name.starts_with("ld-musl");
        let of_glibc = ["ld-linux", "ld64.so", "ld.so"].iter().any(|start| name.starts_with(start));
        Self { glibc: !of_musl, musl: of_musl || has_musl || !of_glibc }
    }

    /// Where it looks unasked.
    pub(super) fn directories(self, machine: Machine) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        let mut add = |dirs: &[&str]| all.extend(dirs.iter().map(|dir| (*dir).to_owned()));
        if self.glibc {
            add(if machine.is_64 { OF_GLIBC_64 } else { OF_GLIBC_32 });
        }
        if self.musl {
            add(OF_MUSL);
        }
        for words in words_of_machine(machine) {
            let gnu = words.multiarch();
            let musl = gnu.replace("-gnu", "-musl");
            let names = [(self.glibc, gnu), (self.musl, musl.as_str())];
            for (_, name) in names.into_iter().filter(|(is_asked, _)| *is_asked) {
                all.extend([format!("/lib/{name}"), format!("/usr/lib/{name}")]);
            }
        }
        all
    }
}

/// What the image's files say about where to look.
pub(super) struct Configured {
    /// The directories of `ld.so.conf`: `ldconfig` reads it, and no loader does.
    of_ldconfig: Vec<ImagePath>,
    /// Those of musl's path file.
    of_musl: Vec<ImagePath>,
    /// What `ldconfig` found: paths.
    cache: Vec<String>,
    /// Whether `ldconfig` may have found more than can be seen.
    may_know_more: bool,
}

impl Configured {
    pub(super) fn read(view: &View, env: &[String], text: &dyn Fn(&str) -> String) -> Self {
        let real = |dir: &str| match view.resolve(&ImagePath::from(dir), true) {
            Lookup::Found(real) => real,
            _ => ImagePath::from(dir),
        };
        let mut of_ldconfig = Vec::new();
        let mut todo = vec!["etc/ld.so.conf".to_owned()];
        let below = ImagePath::from("etc/ld.so.conf.d");
        let parts = view.children(&below).map(|(path, _)| path.display());
        todo.extend(parts.filter(|path| path.ends_with(".conf")));
        for file in todo {
            let text = text(&file);
            let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
            of_ldconfig.extend(lines.filter(|line| line.starts_with('/')).map(real));
        }
        let mut of_musl = Vec::new();
        let etc = ImagePath::from("etc");
        let path_files = view.children(&etc).map(|(path, _)| path).filter(|path| {
            path.file_name().starts_with(b"ld-musl-") && path.file_name().ends_with(b".path")
        });
        for path in path_files {
            let text = text(&path.display());
            let dirs = text.split([':', '\n']).map(str::trim).filter(|dir| dir.starts_with('/'));
            of_musl.extend(dirs.map(real));
        }
        let cache = text("etc/ld.so.cache");
        let is_unread = cache.is_empty() && view.get(&ImagePath::from("etc/ld.so.cache")).is_some();
        // NVIDIA's runtime runs ldconfig in each container that it starts.
        let runs_later = env.iter().any(|set| set.starts_with("NVIDIA_VISIBLE_DEVICES="));
        // Paths are the only strings in it with a slash; the first may have numbers before it.
        let path = |text: &str| text.find('/').map(|start| text[start..].to_owned());
        let cache = cache.split('\0').filter_map(path).collect();
        Self { of_ldconfig, of_musl, cache, may_know_more: is_unread || runs_later }
    }

    /// Where `ldconfig` found a library.
    pub(super) fn cached(&self, name: &str) -> impl Iterator<Item = ImagePath> {
        let is_it = move |path: &&String| path.rsplit('/').next() == Some(name);
        self.cache.iter().filter(is_it).map(|path| ImagePath::from(path.as_str()))
    }

    /// Whether a loader looks into a directory.
    pub(super) fn is_searched(&self, dir: &ImagePath, loader: Loader) -> bool {
        loader.musl && self.of_musl.contains(dir)
            || self.may_know_more && self.awaits_ldconfig(dir, loader)
    }

    /// Whether a loader will know what a directory holds once `ldconfig` has run.
    pub(super) fn awaits_ldconfig(&self, dir: &ImagePath, loader: Loader) -> bool {
        loader.glibc && self.of_ldconfig.contains(dir)
    }
}
