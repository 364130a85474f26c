//! What well-known projects call their release files: `data/release-assets.tsv`.

use mlint_oci::Platform;

use crate::table::Table;

static TABLE: Table = Table::new(include_str!("../data/release-assets.tsv"));

/// One naming scheme.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scheme {
    /// The project.
    pub(crate) project: &'static str,
    words: Vec<(Platform, Vec<&'static str>)>,
}

impl Scheme {
    /// The scheme that a URL follows, if its project is known.
    pub(crate) fn of(url: &str) -> Option<Self> {
        TABLE.rows(url).find_map(|(rest, row)| scheme(row, rest))
    }

    /// What the project says for `platform` where it says `written` for another one; `None` if it
    /// has nothing for that platform, or does not use that word.
    pub(crate) fn translate(
        &self,
        written: &str,
        from: &Platform,
        platform: &Platform,
    ) -> Option<String> {
        let ours = self.words(from)?;
        let theirs = self.words(platform)?;
        ours.iter().zip(theirs).find_map(|(our, their)| {
            // The word that was found may hold more (`linux-x64`) than the one that changes.
            let at = written.len().checked_sub(our.len())?;
            let (head, tail) = (written.get(..at)?, written.get(at..)?);
            tail.eq_ignore_ascii_case(our).then(|| format!("{head}{their}"))
        })
    }

    /// Whether the project has files with that word, for whatever platform.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        self.words.iter().any(|(_, words)| words.iter().any(|w| w.eq_ignore_ascii_case(word)))
    }

    /// The platform that the project means by `written`, which may hold more than its word; `None`
    /// if it does not use that word.
    pub(crate) fn platform_of(&self, written: &str) -> Option<&Platform> {
        let written = written.to_ascii_lowercase();
        let says =
            |words: &[&str]| words.iter().any(|w| written.ends_with(&w.to_ascii_lowercase()));
        self.words.iter().find(|(_, words)| says(words)).map(|(platform, _)| platform)
    }

    /// Whether the project has files for a platform at all.
    pub(crate) fn offers(&self, platform: &Platform) -> bool {
        self.words(platform).is_some()
    }

    /// The project's words for a platform, one per naming scheme that it has; those of another
    /// platform are in the same order.
    pub(crate) fn words(&self, platform: &Platform) -> Option<&[&'static str]> {
        self.words.iter().find(|(p, _)| is_same(p, platform)).map(|(_, words)| words.as_slice())
    }
}

/// Whether what is for `known` is for `platform`.
pub(crate) fn is_same(known: &Platform, platform: &Platform) -> bool {
    known == platform
        || known.arch() == platform.arch() && known.arch() != "arm" && platform.os() == "linux"
}

/// The platform that a column names, and its value: `arm/v7=armhf`.
pub(crate) fn cell(field: &'static str) -> Option<(Platform, &'static str)> {
    let (arch, value) = field.split_once('=')?;
    let (arch, variant) = match arch.split_once('/') {
        Some((arch, variant)) => (arch, Some(variant)),
        None => (arch, None),
    };
    Some((Platform::new("linux", arch, variant), value))
}

/// Whether the parts of `pattern` between stars occur in `text` in that order, without a slash in
/// what a star stands for.
fn holds(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(at) = text.find(first) else { return false };
    let mut rest = &text[at + first.len()..];
    for part in parts {
        let within = rest.find('/').map_or(rest.len(), |slash| slash + 1);
        match rest.find(part) {
            Some(at) if at < within => rest = &rest[at + part.len()..],
            _ => return false,
        }
    }
    true
}

fn scheme(row: &'static str, rest: &str) -> Option<Scheme> {
    let mut fields = row.split('\t').skip(1);
    let (pattern, project, _source) = (fields.next()?, fields.next()?, fields.next()?);
    if pattern != "-" && !holds(rest, pattern) {
        return None;
    }
    let words = fields
        .map(|field| cell(field).map(|(platform, words)| (platform, words.split('|').collect())))
        .collect::<Option<Vec<_>>>()?;
    Some(Scheme { project, words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        let mut projects = std::collections::BTreeSet::new();
        for row in TABLE.all() {
            assert!(row.is_ascii(), "{row}");
            let fields: Vec<&str> = row.split('\t').collect();
            assert!(fields.len() >= 5 && fields.iter().all(|f| !f.is_empty()), "{row}");
            let text = fields[1].replace('*', "x");
            let s = scheme(row, &text).unwrap_or_else(|| panic!("{row}"));
            let n = s.words[0].1.len();
            for (platform, words) in &s.words {
                assert_eq!(words.len(), n, "{} for {platform}", s.project);
                assert!(words.iter().all(|w| !w.is_empty()), "{row}");
                assert_eq!(s.words.iter().filter(|(p, _)| p == platform).count(), 1, "{row}");
            }
            projects.insert(s.project);
        }
        assert!(projects.len() >= 150, "{} projects", projects.len());
    }

    /// The table's words mean the platforms that they stand for, to a reader who does not know the
    /// project; those that don't are listed here.
    #[test]
    fn the_words_mean_their_platforms() {
        // gcloud says `arm` for arm64; others build for an older or the one 32-bit ARM.
        let odd = |platform: &Platform, word: &str| match platform.arch() {
            "arm64" => word == "arm",
            "arm" => word.contains("arm"),
            "386" => matches!(word, "ia32" | "x32" | "linux-32" | "x86_32" | "32-bit"),
            "ppc64le" => word == "ppcle_64",
            "s390x" => word == "s390_64",
            _ => false,
        };
        for row in TABLE.all() {
            for (platform, words) in row.split('\t').skip(4).filter_map(cell) {
                for word in words.split('|') {
                    let named = format!("tool-linux-{word}.tar.gz");
                    let means = mlint_oci::arch::find_words(&named)
                        .iter()
                        .any(|found| found.means(&platform));
                    assert!(means || odd(&platform, word), "{word} for {platform} in {row}");
                }
            }
        }
    }

    #[test]
    fn schemes_translate() {
        let amd64 = Platform::linux("amd64");
        let arm64 = Platform::linux("arm64");
        for (url, written, want) in [
            (
                "https://github.com/hadolint/hadolint/releases/download/v1/hadolint-x",
                "x86_64",
                "arm64",
            ),
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
            (
                "https://github.com/Yelp/dumb-init/releases/download/v1.2.5/dumb-init_1.2.5_x86_64",
                "x86_64",
                "aarch64",
            ),
            ("https://julialang-s3.julialang.org/bin/linux/x64/1.9/", "x64", "aarch64"),
            (
                "https://github.com/protocolbuffers/protobuf/releases/download/v25.1/protoc-25.1-linux-x86_64.zip",
                "x86_64",
                "aarch_64",
            ),
            (
                "https://github.com/llvm/llvm-project/releases/download/llvmorg-19.1.0/LLVM-19.1.0-Linux-X64.tar.xz",
                "Linux-X64",
                "Linux-ARM64",
            ),
            (
                "https://github.com/aquasecurity/trivy/releases/download/v1/trivy_1_Linux-64bit.deb",
                "64bit",
                "ARM64",
            ),
            ("https://dl.k8s.io/release/v1.30.0/bin/linux/amd64/kubectl", "amd64", "arm64"),
            (
                "https://releases.hashicorp.com/vault/1.16.0/vault_1.16.0_linux_amd64.zip",
                "amd64",
                "arm64",
            ),
        ] {
            let scheme = Scheme::of(url).unwrap_or_else(|| panic!("{url}"));
            assert_eq!(scheme.translate(written, &amd64, &arm64).as_deref(), Some(want), "{url}");
        }
        assert_eq!(Scheme::of("https://example.org/hadolint"), None);
        let node = Scheme::of("https://nodejs.org/dist/").unwrap();
        assert!(!node.offers(&Platform::linux("riscv64")));
        assert_eq!(node.translate("x86", &amd64, &arm64), None);
        assert_eq!(node.words(&arm64), Some(&["arm64"][..]));
        assert_eq!(node.platform_of("linux-x64"), Some(&amd64));
        assert_eq!(node.platform_of("x86"), None);
        let gcloud = Scheme::of("https://dl.google.com/dl/cloudsdk/channels/rapid/f").unwrap();
        assert_eq!(gcloud.platform_of("linux-arm"), Some(&arm64));
    }

    #[test]
    fn a_star_does_not_cross_a_slash() {
        assert!(holds("x/a/1/b", "a/*/b"));
        assert!(!holds("x/a/1/2/b", "a/*/b"));
        assert!(holds("a_1.2_x.deb", "a_*.deb"));
    }
}
