//! What well-known projects call their release files: `data/release-assets.tsv`.

use std::sync::OnceLock;

use mlint_oci::Platform;

/// One naming scheme.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// The project.
    pub(crate) project: &'static str,
    pattern: &'static str,
    words: Vec<(Platform, Vec<&'static str>)>,
}

impl Scheme {
    /// The scheme that a URL follows, if its project is known.
    pub(crate) fn of(url: &str) -> Option<&'static Self> {
        schemes().iter().find(|s| matches(s.pattern, url))
    }

    /// What the project says for `platform` where it says `written` for another one; `None` if it
    /// has nothing for that platform, or does not use that word.
    pub(crate) fn translate(
        &self,
        written: &str,
        from: &Platform,
        platform: &Platform,
    ) -> Option<String> {
        let ours = self.words_for(from)?;
        let theirs = self.words_for(platform)?;
        ours.iter().zip(theirs).find_map(|(our, their)| {
            // The word that was found may hold more (`linux-x64`) than the one that changes.
            let at = written.len().checked_sub(our.len())?;
            let (head, tail) = (written.get(..at)?, written.get(at..)?);
            tail.eq_ignore_ascii_case(our).then(|| format!("{head}{their}"))
        })
    }

    /// Whether the project has files for a platform at all.
    pub(crate) fn offers(&self, platform: &Platform) -> bool {
        self.words_for(platform).is_some()
    }

    fn words_for(&self, platform: &Platform) -> Option<&[&'static str]> {
        let same = |p: &Platform| {
            p == platform || p.arch() == platform.arch() && p.arch() != "arm" && p.os() == "linux"
        };
        self.words.iter().find(|(p, _)| same(p)).map(|(_, words)| words.as_slice())
    }
}

/// Whether the parts of `pattern` between stars occur in `url` in that order, without a slash in
/// what a star stands for.
fn matches(pattern: &str, url: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(at) = url.find(first) else { return false };
    let mut rest = &url[at + first.len()..];
    for part in parts {
        let within = rest.find('/').map_or(rest.len(), |slash| slash + 1);
        match rest.find(part) {
            Some(at) if at < within => rest = &rest[at + part.len()..],
            _ => return false,
        }
    }
    true
}

fn schemes() -> &'static [Scheme] {
    static SCHEMES: OnceLock<Vec<Scheme>> = OnceLock::new();
    SCHEMES.get_or_init(|| {
        include_str!("../data/release-assets.tsv")
            .lines()
            .filter(|l| !l.starts_with('#'))
            .filter_map(scheme)
            .collect()
    })
}

fn scheme(line: &'static str) -> Option<Scheme> {
    let mut fields = line.split('\t');
    let (project, pattern) = (fields.next()?, fields.next()?);
    let words = fields
        .map(|field| {
            let (arch, words) = field.split_once('=')?;
            let (arch, variant) = match arch.split_once('/') {
                Some((arch, variant)) => (arch, Some(variant)),
                None => (arch, None),
            };
            Some((Platform::new("linux", arch, variant), words.split('|').collect()))
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Scheme { project, pattern, words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        let lines: Vec<&str> = include_str!("../data/release-assets.tsv")
            .lines()
            .filter(|l| !l.starts_with('#'))
            .collect();
        assert_eq!(schemes().len(), lines.len());
        for s in schemes() {
            assert!(!s.words.is_empty(), "{} has no platform", s.project);
            let n = s.words[0].1.len();
            for (platform, words) in &s.words {
                assert_eq!(words.len(), n, "{} for {platform}", s.project);
                assert!(words.iter().all(|w| !w.is_empty()));
            }
        }
    }

    #[test]
    fn schemes_translate() {
        let amd64 = Platform::linux("amd64");
        let arm64 = Platform::linux("arm64");
        for (url, written, want) in [
            ("https://github.com/hadolint/hadolint/releases/download/v1/x", "x86_64", "arm64"),
            ("https://nodejs.org/dist/v20.1.0/node-v20", "linux-x64", "linux-arm64"),
            (
                "https://github.com/just-containers/s6-overlay/releases/download/v2.2.0.3/s6",
                "amd64",
                "aarch64",
            ),
            (
                "https://github.com/just-containers/s6-overlay/releases/download/v3.1/s6",
                "x86_64",
                "aarch64",
            ),
            (
                "https://github.com/Yelp/dumb-init/releases/download/v1.2.5/dumb-init_1.2.5_amd64.deb",
                "amd64",
                "arm64",
            ),
            ("https://julialang-s3.julialang.org/bin/linux/x64/1.9/", "x64", "aarch64"),
        ] {
            let scheme = Scheme::of(url).unwrap_or_else(|| panic!("{url}"));
            assert_eq!(scheme.translate(written, &amd64, &arm64).as_deref(), Some(want), "{url}");
        }
        assert_eq!(Scheme::of("https://example.org/hadolint"), None);
        let node = Scheme::of("https://nodejs.org/dist/").unwrap();
        assert!(!node.offers(&Platform::linux("riscv64")));
        assert_eq!(node.translate("x86", &amd64, &arm64), None);
    }

    #[test]
    fn a_star_does_not_cross_a_slash() {
        assert!(matches("a/*/b", "x/a/1/b"));
        assert!(!matches("a/*/b", "x/a/1/2/b"));
        assert!(matches("a_*.deb", "a_1.2_x.deb"));
    }
}
