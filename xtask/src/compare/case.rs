//! The text form of the cases: `tests/compare/README.md` describes it.

use std::path::PathBuf;

use crate::{Error, Result};

/// One case: a context, a Dockerfile, and how it is built.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// `area/name`.
    pub name: String,
    /// Where it stands: `area.txt:12`.
    pub place: String,
    /// All its lines, which identify it.
    pub source: String,
    /// What the context holds, in order.
    pub setup: Vec<Setup>,
    /// Where the Dockerfile is in the context; beside the context without it.
    pub dockerfile: Option<String>,
    /// The Dockerfile.
    pub text: String,
    /// A Dockerfile of an image that `BASE` stands for.
    pub base: Option<String>,
    /// Dockerfiles that mlint builds before, with the same cache.
    pub earlier: Vec<String>,
    /// Arguments of both builders.
    pub build: Vec<String>,
    /// Arguments of mlint alone.
    pub mlint: Vec<String>,
    /// Variables in the environment of both builders.
    pub env: Vec<(String, String)>,
    /// The platforms.
    pub platforms: Vec<String>,
    /// Whether the build is meant to fail.
    pub fails: bool,
    /// Where mlint is not like BuildKit on purpose.
    pub differs: Vec<Deviation>,
}

/// A deviation on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The differences that it covers: a key, or the start of keys before a `*`.
    pub keys: String,
    /// Why.
    pub reason: String,
}

/// Something in the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setup {
    /// A file.
    File { path: String, mode: u32, content: Vec<u8> },
    /// A directory.
    Dir { path: String, mode: u32 },
    /// A symbolic link.
    Symlink { path: String, target: String },
    /// A hard link.
    Hardlink { path: String, to: String },
    /// A named pipe.
    Fifo { path: String, mode: u32 },
    /// Another owner.
    Own { path: String, uid: u32, gid: u32 },
    /// An extended attribute.
    Xattr { path: String, name: String, value: Vec<u8> },
    /// Another time, in seconds since 1970.
    Time { path: String, seconds: i64 },
    /// A directory that becomes a git repository with one commit of all that is in it.
    Git { path: String },
    /// An archive, packed as its name ends.
    Tar { path: String, members: Vec<Member> },
}

/// A member of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path.
    pub path: String,
    /// What it is.
    pub kind: MemberKind,
    /// Its mode.
    pub mode: u32,
    /// Its owner and group.
    pub owner: (u32, u32),
    /// Its extended attributes.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

/// What a member of an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberKind {
    /// A file.
    File(Vec<u8>),
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink(String),
    /// A hard link.
    Hardlink(String),
    /// A named pipe.
    Fifo,
}

/// Reads the cases of a file.
pub fn read(area: &str, text: &str) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let mut current: Option<(usize, String, Vec<&str>)> = None;
    for (number, line) in text.lines().enumerate() {
        if let Some(name) = line.strip_prefix("== ") {
            if let Some((at, name, lines)) = current.take() {
                cases.push(case(area, at, &name, &lines)?);
            }
            current = Some((number + 1, name.trim().to_owned(), Vec::new()));
        } else if let Some((_, _, lines)) = &mut current {
            lines.push(line);
        }
    }
    if let Some((at, name, lines)) = current {
        cases.push(case(area, at, &name, &lines)?);
    }
    Ok(cases)
}

fn case(area: &str, line: usize, name: &str, lines: &[&str]) -> Result<Case> {
    let place = format!("tests/compare/{area}.txt:{line}");
    let mut case = Case {
        name: format!("{area}/{name}"),
        source: lines.join("\n"),
        platforms: vec!["linux/amd64".to_owned()],
        place,
        ..Case::default()
    };
    let mut rest = lines.iter().copied().peekable();
    let mut crlf = false;
    while let Some(directive) = rest.next_if(|line| line.starts_with('@')) {
        let mut below = Vec::new();
        while let Some(line) = rest.next_if(|line| line.starts_with('|')) {
            let line = line.strip_prefix("| ").or_else(|| line.strip_prefix('|'));
            below.push(line.unwrap_or_default());
        }
        if directive == "@crlf" {
            crlf = true;
            continue;
        }
        case.directive(directive, &below)
            .ok_or_else(|| Error::unexpected(&case.place, "a directive", directive))?;
    }
    let text = rest.collect::<Vec<_>>().join("\n");
    case.text = format!("{}\n", text.trim_end_matches('\n'));
    if crlf {
        case.text = case.text.replace('\n', "\r\n");
    }
    Ok(case)
}

impl Case {
    /// Takes a directive in; `None` if it is none.
    fn directive(&mut self, directive: &str, below: &[&str]) -> Option<()> {
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        let lines = || below.iter().map(|line| format!("{line}\n")).collect::<String>();
        match word {
            "@fails" => self.fails = true,
            "@base" => self.base = Some(lines()),
            "@earlier" => self.earlier.push(lines()),
            "@build" => self.build.extend(words(rest)),
            "@mlint" => self.mlint.extend(words(rest)),
            "@env" => {
                let (name, value) = rest.split_once('=')?;
                self.env.push((name.to_owned(), value.to_owned()));
            }
            "@dockerfile" => self.dockerfile = Some(rest.to_owned()),
            "@platforms" => self.platforms = rest.split(',').map(str::to_owned).collect(),
            "@differs" => {
                let (keys, reason) = rest.split_once(": ")?;
                self.differs.push(Deviation { keys: keys.to_owned(), reason: reason.to_owned() });
            }
            _ => {
                let setup = setup(word.strip_prefix('@')?, rest, below)?;
                self.setup.push(setup);
            }
        }
        Some(())
    }

    /// The times that it names.
    pub fn times(&self) -> Vec<i64> {
        let time = |item: &Setup| match item {
            Setup::Time { seconds, .. } => Some(*seconds),
            _ => None,
        };
        self.setup.iter().filter_map(time).collect()
    }

    /// A number that is hardly another case's.
    pub fn number(&self) -> u32 {
        self.name
            .bytes()
            .fold(0, |sum: u32, byte| sum.wrapping_mul(31).wrapping_add(byte.into()) % 50_000_000)
    }

    /// The name as a part of a path.
    pub fn slug(&self) -> PathBuf {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        self.name.chars().map(plain).collect::<String>().into()
    }
}

fn setup(word: &str, rest: &str, below: &[&str]) -> Option<Setup> {
    let (path, rest) = path_and_rest(rest);
    let path = path.to_owned();
    Some(match word {
        "file" => {
            let (mode, content) = rest.split_once(' ').unwrap_or((rest, ""));
            let mut content = unescape(content);
            content.extend(below.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()));
            Setup::File { path, mode: octal(mode)?, content }
        }
        "dir" => Setup::Dir { path, mode: octal(rest)? },
        "link" => Setup::Symlink { path, target: rest.strip_prefix("-> ")?.to_owned() },
        "hard" => Setup::Hardlink { path, to: rest.to_owned() },
        "fifo" => Setup::Fifo { path, mode: octal(rest)? },
        "own" => {
            let (uid, gid) = owner(rest)?;
            Setup::Own { path, uid, gid }
        }
        "xattr" => {
            let (name, value) = rest.split_once('=')?;
            Setup::Xattr { path, name: name.to_owned(), value: unescape(value) }
        }
        "time" => Setup::Time { path, seconds: rest.parse().ok()? },
        "git" => Setup::Git { path },
        "tar" => Setup::Tar { path, members: members(below)? },
        _ => return None,
    })
}

/// `file PATH MODE UID:GID CONTENT`, `dir PATH MODE UID:GID`, `link PATH -> TARGET`, `hard PATH TO`,
/// `fifo PATH MODE UID:GID`; `xattr NAME=VALUE` is for the one before.
fn members(lines: &[&str]) -> Option<Vec<Member>> {
    let mut all: Vec<Member> = Vec::new();
    for line in lines {
        match line.strip_prefix("xattr ") {
            None => all.push(member(line)?),
            Some(set) => {
                let (name, value) = set.split_once('=')?;
                all.last_mut()?.xattrs.push((name.to_owned(), unescape(value)));
            }
        }
    }
    Some(all)
}

fn member(line: &str) -> Option<Member> {
    let (word, rest) = line.split_once(' ')?;
    let (path, rest) = path_and_rest(rest);
    let (mode, after) = rest.split_once(' ').unwrap_or((rest, ""));
    let (ids, content) = after.split_once(' ').unwrap_or((after, ""));
    let linked = |kind, mode| Some((kind, mode, (0, 0)));
    let plain = |kind| Some((kind, octal(mode)?, owner(ids)?));
    let (kind, mode, owner) = match word {
        "file" => plain(MemberKind::File(unescape(content))),
        "dir" => plain(MemberKind::Dir),
        "fifo" => plain(MemberKind::Fifo),
        "link" => linked(MemberKind::Symlink(rest.strip_prefix("-> ")?.to_owned()), 0o777),
        "hard" => linked(MemberKind::Hardlink(rest.to_owned()), 0o644),
        _ => None,
    }?;
    Some(Member { path: path.to_owned(), kind, mode, owner, xattrs: Vec::new() })
}

/// A path, in double quotes if it has spaces, and what follows.
fn path_and_rest(text: &str) -> (&str, &str) {
    let quoted = text.strip_prefix('"').and_then(|text| text.split_once('"'));
    match quoted {
        Some((path, rest)) => (path, rest.trim_start_matches(' ')),
        None => text.split_once(' ').unwrap_or((text, "")),
    }
}

fn octal(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok()
}

fn owner(text: &str) -> Option<(u32, u32)> {
    let (uid, gid) = text.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

/// `\n`, `\t`, `\r`, `\0`, `\x1b` and `\\` stand for what they mean.
fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b't') => b'\t',
                Some(b'r') => b'\r',
                Some(b'0') => 0,
                Some(b'x') => {
                    let digits: Vec<u8> = bytes.by_ref().take(2).collect();
                    let text = String::from_utf8_lossy(&digits).into_owned();
                    u8::from_str_radix(&text, 16).unwrap_or(b'?')
                }
                Some(other) => other,
                None => b'\\',
            },
            byte => byte,
        });
    }
    out
}

/// Words as a shell splits them, single and double quotes alike.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c == ' ' => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_cases() {
        let text = "about these\n\n== first one\n@file a/b 640 x\\ty\n@file .dockerignore 644\n| *.md\n|\n| !a\n\
                    @link l -> a/b\n@build --build-arg 'A=b c' --target t\n@fails\n\
                    @differs /x mode: because\nFROM scratch\n@not a directive\n\n== second\n@tar t.tar\n\
                    | file ../up 644 1:2 hi\n| link l -> up\nFROM scratch\n";
        let cases = read("area", text).unwrap();
        assert_eq!(cases.len(), 2);
        let first = &cases[0];
        assert_eq!(first.name, "area/first one");
        assert_eq!(first.place, "tests/compare/area.txt:3");
        assert_eq!(first.text, "FROM scratch\n@not a directive\n");
        assert_eq!(first.build, ["--build-arg", "A=b c", "--target", "t"]);
        assert!(first.fails);
        assert_eq!(first.differs[0].keys, "/x mode");
        let content = b"*.md\n\n!a\n".to_vec();
        let ignore = Setup::File { path: ".dockerignore".into(), mode: 0o644, content };
        assert_eq!(first.setup[1], ignore);
        let Setup::Tar { members, .. } = &cases[1].setup[0] else { panic!() };
        assert_eq!(members[0].kind, MemberKind::File(b"hi".to_vec()));
        assert_eq!((members[0].mode, members[0].owner), (0o644, (1, 2)));
        assert_eq!(members[1].kind, MemberKind::Symlink("up".into()));
    }

    #[test]
    fn a_misspelt_directive_is_an_error() {
        for bad in ["@flie a 644 x", "@file a rw x", "@differs no reason", "@own a root"] {
            let error = read("area", &format!("== x\n{bad}\nFROM scratch\n")).unwrap_err();
            assert!(error.to_string().contains("tests/compare/area.txt:1"), "{error}");
        }
    }
}
