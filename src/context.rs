//! The build context, read for the model: single files that it asks about, never the tree. What
//! `.dockerignore` keeps out is not there, and no link leads out of the context.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use mlint_builder::{
    context::{Ignore, dockerignore::Inherited},
    proof::elf::{ElfFacts, ElfType},
};
use mlint_lint::CheckOptions;
use mlint_model::{
    BuildContext, ContextEntry, ContextFile, ContextPath, ContextSource, Fact, ImageFacts, Linkage,
    Prepared, context::MAX_TEXT,
};
use mlint_oci::{Platform, arch};
use mlint_syntax::{CopySource, Dockerfile, InstructionKind};

/// How much of a binary file is looked at: its ELF header and what follows it.
const HEAD: u64 = 64 * 1024;

/// How often answers may lead to new questions: a script reads a script that reads a script.
const MAX_ROUNDS: usize = 4;

/// A directory that files are taken from.
#[derive(Debug)]
struct Directory {
    /// Absolute, without links.
    root: PathBuf,
    ignore: Ignore,
    /// Whether it certainly is the context: what is missing in it is then missing.
    certain: bool,
}

/// What one Dockerfile takes files from.
#[derive(Debug, Default)]
pub struct Contexts {
    main: Option<Directory>,
    named: BTreeMap<String, Directory>,
}

impl Contexts {
    /// The context that was named, else the directory that most likely is it: that of the
    /// Dockerfile if the sources of its COPYs are there, else the working directory if they are
    /// there. Without a file (standard input) there is none unless it was named.
    pub fn of(
        path: Option<&Path>,
        file: &Dockerfile,
        given: Option<&Path>,
        named: &[BuildContext],
    ) -> Self {
        let main = match given {
            Some(given) => Directory::open(given, path, true),
            None => path.and_then(|path| likely(path, file)),
        };
        let named = named
            .iter()
            .filter_map(|context| {
                let ContextSource::Directory(dir) = &context.source else { return None };
                Some((context.name.clone(), Directory::open(Path::new(dir), None, true)?))
            })
            .collect();
        Self { main, named }
    }

    /// Answers all that evaluations of the file ask, and what they ask then.
    pub fn look(&self, file: &Dockerfile, options: &mut CheckOptions, images: &ImageFacts) {
        if self.main.is_none() && self.named.is_empty() {
            return;
        }
        let prepared = Prepared::new(file);
        if !prepared.uses_context() {
            return;
        }
        for _ in 0..MAX_ROUNDS {
            let asked = prepared.asked(&options.platforms, &options.model(), images);
            let answers: Vec<_> =
                asked.into_iter().map(|path| (path.clone(), self.entry(&path))).collect();
            let is_text = |fact: &Fact<ContextEntry>| matches!(fact, Fact::Known(ContextEntry::File(f)) if f.text.is_some());
            // Only a text can lead on.
            let leads_on = answers.iter().any(|(_, fact)| is_text(fact));
            options.context = options.context.with(answers);
            if !leads_on {
                break;
            }
        }
    }

    /// What lies at a path.
    pub fn entry(&self, path: &ContextPath) -> Fact<ContextEntry> {
        let directory = match &path.context {
            None => self.main.as_ref(),
            Some(name) => self.named.get(&**name),
        };
        match directory {
            Some(directory) => directory.entry(path.path.trim_start_matches('/')),
            None => Fact::Unavailable("the context's directory is not known".to_owned()),
        }
    }
}

/// The Dockerfile's directory or the working directory, whichever has more of what COPY names.
fn likely(path: &Path, file: &Dockerfile) -> Option<Directory> {
    let own = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let sources = sources(file);
    let count = |dir: &Path| sources.iter().filter(|s| dir.join(s).exists()).count();
    let (here, there) = (count(own), count(Path::new(".")));
    match (here, there) {
        // Nothing tells; `COPY . .` is as right in either.
        (0, 0) if sources.is_empty() => Directory::open(own, Some(path), false),
        (0, 0) => None,
        (here, there) if here >= there => Directory::open(own, Some(path), true),
        _ => Directory::open(Path::new("."), Some(path), true),
    }
}

/// Sources of COPY and ADD that name something and are written out.
fn sources(file: &Dockerfile) -> Vec<&str> {
    let mut found = Vec::new();
    for instruction in &file.instructions {
        let (InstructionKind::Copy { sources, .. } | InstructionKind::Add { sources, .. }) =
            &instruction.kind
        else {
            continue;
        };
        if instruction.flag("from").is_some() {
            continue;
        }
        for source in sources {
            let CopySource::Path(word) = source else { continue };
            let name = word.as_str().trim_start_matches('/').trim_start_matches("./");
            let plain = !name.contains(['$', '*', '?', '[', '"', '\'', '\\', ':', '@']);
            if plain && !matches!(name.trim_matches('/'), "" | "." | "..") {
                found.push(name);
            }
        }
    }
    found
}

impl Directory {
    fn open(root: &Path, dockerfile: Option<&Path>, certain: bool) -> Option<Self> {
        let root = fs::canonicalize(root).ok().filter(|root| root.is_dir())?;
        let own = dockerfile.map(|path| {
            let mut own = path.as_os_str().to_owned();
            own.push(".dockerignore");
            PathBuf::from(own)
        });
        let text = own
            .into_iter()
            .chain([root.join(".dockerignore")])
            .find_map(|path| limited(&path, MAX_TEXT).ok());
        // Where the rules can't be read, nothing is known to be there.
        let text = String::from_utf8(text.unwrap_or_default()).ok()?;
        let ignore = Ignore::parse(".dockerignore", &text).ok()?;
        Some(Self { root, ignore, certain })
    }

    fn excludes(&self, path: &str) -> bool {
        if self.ignore.is_empty() {
            return false;
        }
        let mut inherited = Inherited::default();
        let mut excluded = false;
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in ends {
            (excluded, inherited) = self.ignore.excludes(&path[..end], &inherited);
        }
        excluded
    }

    fn entry(&self, path: &str) -> Fact<ContextEntry> {
        let unavailable = |why: &str| Fact::Unavailable(why.to_owned());
        if path.is_empty() {
            return Fact::Known(ContextEntry::Folder);
        }
        let place = match fs::canonicalize(self.root.join(path)) {
            Ok(place) => place,
            Err(e)
                if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
            {
                return match self.certain {
                    true => Fact::Known(ContextEntry::Missing),
                    false => unavailable("the context may be another directory"),
                };
            }
            Err(e) => return Fact::Unavailable(e.to_string()),
        };
        let Ok(inside) = place.strip_prefix(&self.root) else {
            return unavailable("a link leads out of the context");
        };
        let folder = place.is_dir();
        // A directory that is left out may have parts that are not.
        let left_out =
            |path: &str| self.excludes(path) && !(folder && self.ignore.may_include_below(path));
        if left_out(path) || inside.to_str().is_none_or(left_out) {
            return Fact::Known(ContextEntry::Missing);
        }
        match file(&place) {
            Ok(Some(file)) => Fact::Known(ContextEntry::File(file)),
            Ok(None) if folder => Fact::Known(ContextEntry::Folder),
            Ok(None) => unavailable("it is no regular file"),
            Err(e) => Fact::Unavailable(e.to_string()),
        }
    }
}

/// What a regular file is; nothing for what is none.
fn file(path: &Path) -> io::Result<Option<ContextFile>> {
    let size = match fs::metadata(path)? {
        found if found.is_file() => found.len(),
        _ => return Ok(None),
    };
    let bytes = limited(path, if size > MAX_TEXT { HEAD } else { MAX_TEXT })?;
    if let Some(elf) = ElfFacts::read(&bytes) {
        let (machine, linkage) = (machine(&elf), linkage(&elf));
        return Ok(Some(ContextFile { text: None, machine, linkage }));
    }
    let whole = bytes.len() as u64 == size && size <= MAX_TEXT && !bytes.contains(&0);
    let text = Some(bytes).filter(|_| whole).and_then(|bytes| String::from_utf8(bytes).ok());
    Ok(Some(ContextFile { text: text.map(Into::into), ..ContextFile::default() }))
}

fn limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The platform of a program or a library. Of the variants of 32-bit ARM, which no header tells
/// apart, the least.
fn machine(elf: &ElfFacts) -> Option<Platform> {
    if !matches!(elf.kind, ElfType::Exec | ElfType::Dyn) {
        return None;
    }
    let machine =
        arch::Machine { e_machine: elf.machine, is_64: elf.wide, little_endian: elf.little };
    arch::words_of_machine(machine).map(|words| words.platform()).min()
}

fn linkage(elf: &ElfFacts) -> Linkage {
    match elf.interpreter.as_deref() {
        Some(path) if path.contains("ld-musl") => Linkage::Musl,
        Some(path)
            if path.contains("/ld-linux")
                || path.contains("/ld64.so")
                || path.ends_with("/ld.so.1") =>
        {
            Linkage::Glibc
        }
        None if elf.kind == ElfType::Exec => Linkage::Static,
        _ => Linkage::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(root: &Path) -> Contexts {
        let main = Directory::open(root, Some(&root.join("Dockerfile")), true);
        Contexts { main, named: BTreeMap::new() }
    }

    fn kind(contexts: &Contexts, path: &str) -> String {
        match contexts.entry(&ContextPath::main(path)) {
            Fact::Known(ContextEntry::File(file)) => match (file.text, file.machine) {
                (Some(text), _) => format!("text {text:?}"),
                (None, Some(machine)) => format!("{machine} {}", file.linkage),
                (None, None) => "bytes".to_owned(),
            },
            Fact::Known(entry) => format!("{entry:?}").to_lowercase(),
            Fact::Unavailable(why) => why,
            Fact::NotAsked => "not asked".to_owned(),
        }
    }

    #[test]
    fn files_are_told_apart() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path();
        fs::create_dir(root.join("sub")).expect("a folder");
        fs::write(root.join("sub/a.sh"), "echo\n").expect("a file");
        fs::write(root.join("zero"), "a\0b").expect("a file");
        fs::write(root.join("long"), vec![b'a'; MAX_TEXT as usize + 1]).expect("a file");
        let contexts = open(root);
        assert_eq!(kind(&contexts, "sub/a.sh"), "text \"echo\\n\"");
        assert_eq!(kind(&contexts, "sub/../sub/a.sh"), "text \"echo\\n\"");
        assert_eq!(kind(&contexts, "."), "folder");
        assert_eq!(kind(&contexts, "sub"), "folder");
        assert_eq!(kind(&contexts, "zero"), "bytes");
        assert_eq!(kind(&contexts, "long"), "bytes");
        assert_eq!(kind(&contexts, "none/at/all"), "missing");
        assert_eq!(kind(&contexts, "zero/x"), "missing");
    }

    #[test]
    fn the_ignore_file_and_the_contexts_edge_are_heeded() {
        let outside = tempfile::tempdir().expect("a directory");
        fs::write(outside.path().join("secret"), "s").expect("a file");
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path();
        fs::create_dir_all(root.join("docs")).expect("folders");
        for name in ["docs/a", "docs/kept", "plain"] {
            fs::write(root.join(name), "x").expect("a file");
        }
        fs::write(root.join(".dockerignore"), "docs\n!docs/kept\n").expect("a file");
        let link = |to: &Path, name: &str| {
            std::os::unix::fs::symlink(to, root.join(name)).expect("a link");
        };
        link(&outside.path().join("secret"), "out");
        link(outside.path(), "outdir");
        link(Path::new("plain"), "inside");
        link(Path::new("docs/a"), "hidden");
        let contexts = open(root);
        assert_eq!(kind(&contexts, "docs/a"), "missing");
        assert_eq!(kind(&contexts, "docs/kept"), "text \"x\"");
        assert_eq!(kind(&contexts, "docs"), "folder");
        assert_eq!(kind(&contexts, "inside"), "text \"x\"");
        assert_eq!(kind(&contexts, "hidden"), "missing");
        for name in ["out", "outdir/secret"] {
            assert_eq!(kind(&contexts, name), "a link leads out of the context");
        }
        // The Dockerfile's own list replaces the other.
        fs::write(root.join("Dockerfile.dockerignore"), "plain\n").expect("a file");
        let contexts = open(root);
        assert_eq!(kind(&contexts, "plain"), "missing");
        assert_eq!(kind(&contexts, "docs/a"), "text \"x\"");
    }

    #[test]
    fn what_answers_lead_to_is_asked_as_well() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path();
        fs::write(root.join("a.sh"), "#!/bin/sh\n. ./b.sh\n").expect("a file");
        fs::write(root.join("b.sh"), "./c.sh\n").expect("a file");
        fs::write(root.join("c.sh"), "true\n").expect("a file");
        let text = "FROM x\nWORKDIR /w\nCOPY . .\nRUN ./a.sh\n";
        let file = mlint_syntax::parse(text);
        let mut options = CheckOptions::default();
        open(root).look(&file, &mut options, &ImageFacts::default());
        for name in [".", "a.sh", "b.sh", "c.sh"] {
            let fact = options.context.entry(&ContextPath::main(name));
            assert!(matches!(fact, Fact::Known(_)), "{name}");
        }
        // Nothing is left to ask.
        let left = Prepared::new(&file).asked(
            &options.platforms,
            &options.model(),
            &ImageFacts::default(),
        );
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn programs_tell_their_machine() {
        let exe = std::env::current_exe().expect("a program");
        let dir = tempfile::tempdir().expect("a directory");
        fs::copy(exe, dir.path().join("tool")).expect("a copy");
        let said = kind(&open(dir.path()), "tool");
        let arch = Platform::host();
        assert!(said.starts_with(&arch.to_string()), "{said}");
    }

    #[test]
    fn the_likely_context_is_where_the_sources_are() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("Dockerfile");
        fs::write(dir.path().join("run.sh"), "x").expect("a file");
        let found = |text: &str| likely(&path, &mlint_syntax::parse(text)).map(|d| d.certain);
        assert_eq!(found("FROM x\nCOPY run.sh /\n"), Some(true));
        assert_eq!(found("FROM x\nCOPY . .\n"), Some(false));
        assert_eq!(found("FROM x\nCOPY elsewhere.sh /\n"), None);
        assert_eq!(found("FROM x\nCOPY --from=run.sh a $b *.c https://h/x /\n"), Some(false));
    }
}
