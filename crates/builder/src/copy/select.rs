//! Finds the sources that COPY's arguments name.

use super::CopyError;
use crate::{
    layer::{View, entry::ImagePath, view::Lookup},
    pattern::{Pattern, is_pattern},
};

/// A source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected {
    /// Where it is, links followed.
    pub path: ImagePath,
    /// The name by which it was asked for.
    pub name: Vec<u8>,
    /// Whether it is a directory: then its contents are meant.
    pub is_dir: bool,
}

/// The sources that an argument names. A pattern that matches nothing names none; a plain path
/// that is not there is an error, which `missing` explains.
pub fn select(
    view: &View,
    argument: &str,
    missing: &dyn Fn(&ImagePath) -> String,
) -> Result<Vec<Selected>, CopyError> {
    let path = ImagePath::clean(argument.as_bytes());
    let not_found =
        |path: &ImagePath| CopyError::NotFound { path: argument.to_owned(), hint: missing(path) };
    if !is_pattern(argument) {
        return match found(view, &path)? {
            Some(selected) => Ok(vec![selected]),
            None => Err(not_found(&path)),
        };
    }
    let parts: Vec<&[u8]> = path.components().collect();
    let wild = |part: &&[u8]| is_pattern(&String::from_utf8_lossy(part));
    let first = parts.iter().position(wild).unwrap_or(parts.len());
    let (fixed, rest) = parts.split_at(first);
    let base = match view.resolve(&ImagePath(fixed.join(&b'/')), true) {
        Lookup::Found(base) => base,
        Lookup::Loop => return Err(CopyError::Loop { path: argument.to_owned() }),
        Lookup::Missing(_) | Lookup::NotADirectory(_) => return Ok(Vec::new()),
    };
    let pattern = Pattern::path(&String::from_utf8_lossy(&rest.join(&b'/')))?;
    let mut out = Vec::new();
    let mut inside: Option<ImagePath> = None;
    for (path, node) in view.below(&base) {
        // What lies in a directory that matched comes with it.
        if inside.as_ref().is_some_and(|dir| path.is_below(dir)) {
            continue;
        }
        let relative = match base.is_root() {
            true => &path.0[..],
            false => &path.0[base.0.len() + 1..],
        };
        if !pattern.matches(&String::from_utf8_lossy(relative)) {
            continue;
        }
        if node.entry.is_dir() {
            inside = Some(path.clone());
        }
        out.push(found(view, path)?.ok_or_else(|| not_found(path))?);
    }
    Ok(out)
}

fn found(view: &View, path: &ImagePath) -> Result<Option<Selected>, CopyError> {
    let name = path.file_name().to_vec();
    match view.resolve(path, true) {
        Lookup::Found(path) => {
            let is_dir = path.is_root() || view.get(&path).is_some_and(|n| n.entry.is_dir());
            Ok(Some(Selected { path, name, is_dir }))
        }
        Lookup::Missing(_) | Lookup::NotADirectory(_) => Ok(None),
        Lookup::Loop => Err(CopyError::Loop { path: path.display() }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::layer::{EntryKind, IndexEntry, LayerIndex};

    /// A view of paths: `d/` is a directory, `l -> t` a link, everything else a file.
    pub(in crate::copy) fn view(paths: &[&str]) -> View {
        let entries = paths
            .iter()
            .map(|text| {
                let (path, kind) = match text.split_once(" -> ") {
                    Some((path, to)) => (path, EntryKind::Symlink(ImagePath(to.into()))),
                    None if text.ends_with('/') => (*text, EntryKind::Directory),
                    None => (*text, EntryKind::File(1)),
                };
                let mode = if kind == EntryKind::Directory { 0o750 } else { 0o640 };
                IndexEntry { path: path.into(), kind, mode, uid: 3, gid: 4, mtime: 5, elf: None }
            })
            .collect();
        View::of([&LayerIndex { entries }])
    }

    fn names(paths: &[&str], argument: &str) -> Result<Vec<String>, CopyError> {
        let found = select(&view(paths), argument, &|_| String::new())?;
        Ok(found
            .iter()
            .map(|s| {
                let name = String::from_utf8_lossy(&s.name);
                let slash = if s.is_dir && !s.path.is_root() { "/" } else { "" };
                format!("{}{slash} as {name}", s.path.display())
            })
            .collect())
    }

    #[test]
    fn plain_paths_follow_links_and_keep_their_name() {
        let tree = ["a/", "a/x", "l -> a", "f -> a/x", "gone -> nowhere"];
        assert_eq!(names(&tree, "/a/x").unwrap(), ["/a/x as x"]);
        assert_eq!(names(&tree, "l").unwrap(), ["/a/ as l"]);
        assert_eq!(names(&tree, "./f").unwrap(), ["/a/x as f"]);
        assert_eq!(names(&tree, "../../a").unwrap(), ["/a/ as a"]);
        assert_eq!(names(&tree, ".").unwrap(), ["/ as "]);
        assert!(matches!(names(&tree, "nope"), Err(CopyError::NotFound { .. })));
        assert!(matches!(names(&tree, "gone"), Err(CopyError::NotFound { .. })));
    }

    #[test]
    fn patterns_match_whole_paths_and_may_match_nothing() {
        let tree = ["a/", "a/x.go", "a/b/", "a/b/y.go", "c.go", "a.b"];
        assert_eq!(names(&tree, "*.go").unwrap(), ["/c.go as c.go"]);
        assert_eq!(names(&tree, "*/*.go").unwrap(), ["/a/x.go as x.go"]);
        assert_eq!(names(&tree, "a*").unwrap(), ["/a/ as a", "/a.b as a.b"]);
        assert_eq!(names(&tree, "a/*").unwrap(), ["/a/b/ as b", "/a/x.go as x.go"]);
        assert!(names(&tree, "*.none").unwrap().is_empty());
        assert!(names(&tree, "none/*.go").unwrap().is_empty());
        assert!(names(&tree, "[").is_err());
    }
}
