//! Release files without an architecture in their names: `data/unmarked-assets.tsv`.

use std::ops::Range;

use mlint_oci::Platform;

use crate::{
    assets::{cell, is_same},
    table::Table,
};

static TABLE: Table = Table::new(include_str!("../data/unmarked-assets.tsv"));

/// A file whose name does not say which machine it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unmarked {
    /// The project.
    pub(crate) project: &'static str,
    /// The platform that the file is for.
    pub(crate) owner: Platform,
    /// Where in the URL the files of the platforms differ; `None` where there is no other file.
    pub(crate) gap: Option<Range<usize>>,
    /// What the owner's file may have in the gap as well: a second name of the same file.
    pub(crate) named: Option<&'static str>,
    /// What stands in the gap by platform, the owner's first; `None` where the file is at another
    /// address.
    others: Vec<(Platform, Option<&'static str>)>,
}

impl Unmarked {
    /// The file at a URL, if it is known.
    pub(crate) fn of(url: &str) -> Option<Self> {
        TABLE.rows(url).find_map(|(rest, row)| {
            let path = url.split(['?', '#']).next().unwrap_or(url);
            unmarked(row, rest, path.len() - rest.len())
        })
    }

    /// Whether the project has the file for a platform.
    pub(crate) fn offers(&self, platform: &Platform) -> bool {
        self.others.iter().any(|(p, _)| is_same(p, platform))
    }

    /// What stands in the gap for a platform.
    pub(crate) fn text(&self, platform: &Platform) -> Option<&'static str> {
        self.others.iter().find(|(p, _)| is_same(p, platform)).and_then(|(_, text)| *text)
    }
}

/// The row as it fits to an address whose last part `rest` begins at `at`.
fn unmarked(row: &'static str, rest: &str, at: usize) -> Option<Unmarked> {
    let mut fields = row.split('\t').skip(1);
    let (pattern, project, _source) = (fields.next()?, fields.next()?, fields.next()?);
    let (owner, own) = cell(fields.next()?)?;
    let mut own = own.split('|');
    let (own, named) = (own.next()?, own.next());
    let (text, at) = if pattern.starts_with('/') {
        (rest, at)
    } else {
        let start = rest.rfind('/')? + 1;
        (rest.get(start..)?, at + start)
    };
    let gap = match pattern.split_once("{}") {
        None if matches(pattern, text) => None,
        None => return None,
        Some((head, tail)) => Some(gap(head, own, tail, text)?),
    };
    let mut others = vec![(owner.clone(), Some(own))];
    for field in fields {
        let (platform, text) = cell(field)?;
        others.push((platform, Some(text).filter(|t| *t != "?")));
    }
    let gap = gap.map(|g| at + g.start..at + g.end);
    Some(Unmarked { project, owner, gap, named, others })
}

/// Where `own` stands in a text that is `head`, `own` and `tail`; one of these two has no star.
fn gap(head: &str, own: &str, tail: &str, text: &str) -> Option<Range<usize>> {
    let start = if tail.contains('*') {
        head.len()
    } else {
        text.len().checked_sub(tail.len() + own.len())?
    };
    let end = start + own.len();
    let (before, after) = (text.get(..start)?, text.get(end..)?);
    let fits = matches(head, before) && text.get(start..end)? == own && matches(tail, after);
    fits.then_some(start..end)
}

/// Whether all of `text` is `pattern`, in which a star is any text without a slash.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    let within = text.find('/').unwrap_or(text.len());
    (0..=within).any(|at| text.get(at..).is_some_and(|text| matches(rest, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        for row in TABLE.all() {
            assert!(row.is_ascii(), "{row}");
            let fields: Vec<&'static str> = row.split('\t').collect();
            assert!(fields.len() >= 5, "{row}");
            let (head, tail) = fields[1].split_once("{}").unwrap_or((fields[1], ""));
            assert!(!head.contains('*') || !tail.contains('*'), "{row}");
            let (_, own) = cell(fields[4]).unwrap();
            let own = own.split('|').next().unwrap();
            let name = format!("{head}{own}{tail}").replace('*', "1.2");
            let rest = if name.starts_with('/') { name } else { format!("/v1/{name}") };
            let url = format!("https://{}{rest}", fields[0]);
            let found = Unmarked::of(&url).unwrap_or_else(|| panic!("{url}"));
            assert_eq!(found.project, fields[2], "{url}");
            assert_eq!(found.gap.is_some(), fields[1].contains("{}"), "{url}");
            assert!(found.gap.is_some() || fields.len() == 5 || fields[5].ends_with('?'), "{row}");
            if let Some(gap) = &found.gap {
                assert_eq!(&url[gap.clone()], own, "{url}");
            }
            assert!(
                mlint_oci::arch::find_words(&url).iter().all(|w| !w.is_linux() || w.weak),
                "{url} names an architecture"
            );
        }
    }

    #[test]
    fn files_are_known_by_their_whole_names() {
        let base = "https://github.com/krallin/tini/releases/download/v0.19.0/";
        let tini = Unmarked::of(&format!("{base}tini")).unwrap();
        assert_eq!(tini.owner, Platform::linux("amd64"));
        assert_eq!(tini.text(&Platform::linux("arm64")), Some("-arm64"));
        assert!(!tini.offers(&Platform::linux("riscv64")));
        assert_eq!(tini.named, Some("-amd64"));
        for other in ["tini-arm64", "tini.asc", "tini-static-amd64", "tinix"] {
            assert_eq!(Unmarked::of(&format!("{base}{other}")), None, "{other}");
        }
        let codecov = Unmarked::of("https://uploader.codecov.io/latest/linux/codecov").unwrap();
        assert_eq!(codecov.gap, Some(35..40));
        assert_eq!(codecov.text(&Platform::linux("arm64")), Some("aarch64"));
        assert_eq!(Unmarked::of("https://uploader.codecov.io/latest/macos/codecov"), None);
        let pinned = "https://mirror.openshift.com/pub/openshift-v4/clients/ocp/4.14.1/openshift-client-linux-4.14.1.tar.gz";
        let oc = Unmarked::of(pinned).unwrap();
        assert_eq!(
            &pinned[..oc.gap.unwrap().start].len(),
            &(pinned.len() - "-4.14.1.tar.gz".len())
        );
    }

    #[test]
    fn a_star_does_not_cross_a_slash() {
        assert!(matches("/*/x", "/v1/x"));
        assert!(!matches("/*/x", "/v1/y/x"));
        assert!(matches("a-*-b.zip", "a-1-b-2-b.zip"));
        assert!(!matches("a", "ab"));
    }
}
