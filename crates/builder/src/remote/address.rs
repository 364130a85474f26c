//! Addresses: which are of git repositories, and what must not be shown of any.

use serde::{Deserialize, Serialize};

use super::RemoteError;

/// A git repository, and what is meant of it, as in
/// `https://example.com/team/app.git#v1:sub/dir`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitAddress {
    /// What git is told, with whatever credentials it holds.
    pub remote: String,
    /// The branch, tag or commit.
    pub reference: Option<String>,
    /// The directory, relative and clean.
    pub subdir: Option<String>,
    /// Whether `.git` is kept, if the address says so.
    pub keep_git_dir: Option<bool>,
    /// The commit that it must be.
    pub checksum: Option<String>,
    /// Whether submodules come along.
    pub submodules: bool,
    /// Whether files have the time of the commit.
    pub commit_times: bool,
}

impl GitAddress {
    /// Reads an address; nothing if it is none of a git repository. Addresses of http need a path
    /// that ends in `.git`, since any file may be at another.
    pub fn parse(text: &str) -> Result<Option<Self>, RemoteError> {
        let (base, query, fragment) = parts(text);
        let is_git = match scheme(base) {
            Some("http" | "https") => base.ends_with(".git"),
            Some("ssh" | "git") => true,
            Some(_) => false,
            None => is_scp(base),
        };
        if !is_git {
            return Ok(None);
        }
        let mut address = Self { remote: base.to_owned(), submodules: true, ..Self::default() };
        let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
        address.reference = filled(reference);
        address.subdir = clean_subdir(subdir);
        let wrong = |problem: String| RemoteError::Address { address: redacted(text), problem };
        address.query(query).map_err(wrong)?;
        if address.reference.as_ref().is_some_and(|r| r.starts_with('-')) {
            return Err(wrong("a reference does not begin with a dash".to_owned()));
        }
        Ok(Some(address))
    }

    /// The same, and `github.com/…` as build contexts may be written.
    pub fn parse_context(text: &str) -> Result<Option<Self>, RemoteError> {
        match text.starts_with("github.com/") {
            true => {
                let (base, ..) = parts(text);
                let rest = &text[base.len()..];
                let git = if base.ends_with(".git") { "" } else { ".git" };
                Self::parse(&format!("https://{base}{git}{rest}"))
            }
            false => Self::parse(text),
        }
    }

    /// For people.
    pub fn shown(&self) -> String {
        redacted(&self.remote)
    }

    fn query(&mut self, query: &str) -> Result<(), String> {
        let mut seen: Vec<&str> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            if seen.contains(&key) {
                return Err(format!("'{key}' has several values"));
            }
            seen.push(key);
            let switch = || match value {
                "" | "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err(format!("'{key}' is true or false")),
            };
            let text = || match value {
                "" => Err(format!("'{key}' has no value")),
                value => Ok(value.to_owned()),
            };
            match key {
                "ref" => agree(&mut self.reference, text()?, key)?,
                "tag" => agree(&mut self.reference, full("refs/tags/", &text()?), key)?,
                "branch" => agree(&mut self.reference, full("refs/heads/", &text()?), key)?,
                "subdir" => {
                    agree(&mut self.subdir, clean_subdir(&text()?).unwrap_or_default(), key)?
                }
                "checksum" | "commit" => agree(&mut self.checksum, text()?, key)?,
                "keep-git-dir" => self.keep_git_dir = Some(switch()?),
                "submodules" => self.submodules = switch()?,
                "mtime" => {
                    self.commit_times = match value {
                        "commit" => true,
                        "checkout" => false,
                        _ => return Err("'mtime' is checkout or commit".to_owned()),
                    }
                }
                _ => return Err(format!("'{key}' means nothing")),
            }
        }
        self.subdir = self.subdir.take().filter(|s| !s.is_empty());
        Ok(())
    }
}

fn agree(slot: &mut Option<String>, value: String, key: &str) -> Result<(), String> {
    match slot {
        Some(there) if *there != value => Err(format!("it says two things about '{key}'")),
        _ => {
            *slot = Some(value);
            Ok(())
        }
    }
}

fn full(prefix: &str, name: &str) -> String {
    match name.starts_with(prefix) {
        true => name.to_owned(),
        false => format!("{prefix}{name}"),
    }
}

/// Address, query and fragment.
fn parts(text: &str) -> (&str, &str, &str) {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
    (base, query, fragment)
}

fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let fits = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric());
    fits.then_some(scheme)
}

/// `git@example.com:team/app`.
fn is_scp(text: &str) -> bool {
    let Some((user, rest)) = text.split_once('@') else { return false };
    let Some((host, path)) = rest.split_once(':') else { return false };
    let word = |text: &str, extra: &[u8]| {
        let fits = |b: u8| b.is_ascii_alphanumeric() || extra.contains(&b);
        !text.is_empty() && !text.starts_with('-') && text.bytes().all(fits)
    };
    word(user, b"-_") && word(host, b"-.") && !path.is_empty()
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn clean_subdir(text: &str) -> Option<String> {
    let path = crate::layer::entry::ImagePath::clean(text.as_bytes());
    filled(&String::from_utf8_lossy(&path.0))
}

/// Where the user name and password of an address are, in bytes; several in a longer text.
fn credentials(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].find("://") {
        let start = at + next + 3;
        let rest = &text[start..];
        let end =
            rest.find(|c: char| matches!(c, '/' | '?' | '#' | '"' | '\'') || c.is_whitespace());
        let authority = &rest[..end.unwrap_or(rest.len())];
        let ssh = text[..at + next].ends_with("ssh");
        if let Some(sign) = authority.rfind('@') {
            let user = &authority[..sign];
            match user.find(':') {
                // The user of ssh is part of the address.
                Some(colon) if ssh => found.push(start + colon + 1..start + sign),
                None if ssh => {}
                _ => found.push(start..start + sign),
            }
        }
        at = start;
    }
    found.retain(|range| !range.is_empty());
    found
}

/// A text without the user names and passwords of the addresses in it.
pub fn redacted(text: &str) -> String {
    let mut out = text.to_owned();
    for range in credentials(text).into_iter().rev() {
        out.replace_range(range, "xxxxx");
    }
    out
}

/// The same, with as many bytes as before, so that places in it stay right.
pub fn masked(text: &str) -> String {
    let mut out = text.to_owned();
    for range in credentials(text) {
        let mask = "x".repeat(range.len());
        out.replace_range(range, &mask);
    }
    out
}

/// An address without its user name and password, and those two.
pub fn without_credentials(address: &str) -> (String, Option<String>) {
    if !address.starts_with("http://") && !address.starts_with("https://") {
        return (address.to_owned(), None);
    }
    let Some(range) = credentials(address).into_iter().next() else {
        return (address.to_owned(), None);
    };
    let login = address[range.clone()].to_owned();
    let mut plain = address.to_owned();
    plain.replace_range(range.start..range.end + 1, "");
    (plain, Some(login))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_told_from_files() {
        for text in [
            "https://a.example/x.tar.gz",
            "https://a.example/x.git/file",
            "./x.git",
            "../git@host:x",
            "dir/x.git",
            "ftp://a.example/x.git",
            "github.com/team/app",
            "a:b",
            "@b:c",
        ] {
            assert_eq!(GitAddress::parse(text).unwrap(), None, "{text}");
        }
        for (text, remote, reference, subdir) in [
            ("https://a.example/x.git", "https://a.example/x.git", None, None),
            ("https://a.example/x.git#v1", "https://a.example/x.git", Some("v1"), None),
            ("https://a.example/x.git#:a/../b/", "https://a.example/x.git", None, Some("b")),
            ("git@a.example:t/x#main:/d", "git@a.example:t/x", Some("main"), Some("d")),
            ("ssh://git@a.example/x#1", "ssh://git@a.example/x", Some("1"), None),
            ("git://a.example/x", "git://a.example/x", None, None),
            (
                "https://a.example/x.git?tag=v2&subdir=s",
                "https://a.example/x.git",
                Some("refs/tags/v2"),
                Some("s"),
            ),
        ] {
            let git = GitAddress::parse(text).unwrap().unwrap();
            let seen = (&git.remote[..], git.reference.as_deref(), git.subdir.as_deref());
            assert_eq!(seen, (remote, reference, subdir), "{text}");
        }
        let git = GitAddress::parse_context("github.com/team/app#main").unwrap().unwrap();
        assert_eq!(git.remote, "https://github.com/team/app.git");
    }

    #[test]
    fn queries_say_more() {
        let git = |query: &str| GitAddress::parse(&format!("https://a.example/x.git?{query}"));
        let all =
            git("keep-git-dir&submodules=false&commit=abc1234&mtime=commit").unwrap().unwrap();
        assert_eq!((all.keep_git_dir, all.submodules, all.commit_times), (Some(true), false, true));
        assert_eq!(all.checksum.as_deref(), Some("abc1234"));
        for bad in
            ["colour=red", "ref", "ref=a&ref=b", "tag=a&branch=b", "mtime=now", "submodules=x"]
        {
            assert!(git(bad).is_err(), "{bad}");
        }
        assert!(git("ref=a#b").is_err() && git("ref=a#a").is_ok());
        assert!(GitAddress::parse("https://a.example/x.git#--upload-pack=x").is_err());
    }

    #[test]
    fn credentials_are_not_shown() {
        for (text, want) in [
            ("https://me:secret@a.example/x", "https://xxxxx@a.example/x"),
            ("ADD https://token@a.example/x@y /z", "ADD https://xxxxx@a.example/x@y /z"),
            ("ssh://git@a.example/x", "ssh://git@a.example/x"),
            ("ssh://git:pw@a.example/x", "ssh://git:xxxxx@a.example/x"),
            ("https://a.example/x@y", "https://a.example/x@y"),
            ("a http://u@b/ c https://v:w@d", "a http://xxxxx@b/ c https://xxxxx@d"),
        ] {
            assert_eq!(redacted(text), want);
            assert_eq!(masked(text).len(), text.len());
            assert!(!masked(text).contains("secret"));
        }
        let (plain, login) = without_credentials("https://me:a@b@h.example/x.git");
        assert_eq!(plain, "https://h.example/x.git");
        assert_eq!(login.as_deref(), Some("me:a@b"));
        assert_eq!(without_credentials("ssh://git@h/x"), ("ssh://git@h/x".to_owned(), None));
    }
}
