//! What of a tree is copied: `--exclude`, and the paths of `--parents`.

use std::collections::HashMap;

use crate::{
    context::{Ignore, dockerignore::Inherited},
    layer::{View, entry::ImagePath, view::Node},
    pattern::PatternError,
};

/// Patterns, relative to the directory that is copied.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only what one of these matches, or what lies below it; all if there is none.
    only: Option<Ignore>,
    /// Nothing of what these match.
    exclude: Option<Ignore>,
}

/// Something that is copied.
#[derive(Clone, Copy, Debug)]
pub struct Picked<'v> {
    /// Where it is in the source.
    pub path: &'v ImagePath,
    /// What it is.
    pub node: &'v Node,
    /// Whether it is a directory that only leads to what was asked for.
    pub way: bool,
}

/// What holds for a directory, and so for what is in it.
struct Above {
    only: Inherited,
    excluded: Inherited,
    skipped: bool,
}

impl Filter {
    /// A filter that leaves out what the patterns match.
    pub fn new(exclude: &[String]) -> Result<Self, PatternError> {
        let exclude = match exclude {
            [] => None,
            some => Some(Ignore::of_patterns(some.iter().map(String::as_str))?),
        };
        Ok(Self { only: None, exclude })
    }

    /// The same for one path (or pattern) only.
    pub fn only(&self, path: &str) -> Result<Self, PatternError> {
        let only = Some(Ignore::of_patterns([path])?);
        Ok(Self { only, exclude: self.exclude.clone() })
    }

    /// What is copied of all that lies below `root`, directories before what is in them.
    pub fn pick<'v>(&self, view: &'v View, root: &ImagePath) -> Vec<Picked<'v>> {
        let all = view.below(root);
        if self.only.is_none() && self.exclude.is_none() {
            return all.map(|(path, node)| Picked { path, node, way: false }).collect();
        }
        let skip = if root.is_root() { 0 } else { root.0.len() + 1 };
        let top = ImagePath::clean(&root.0);
        let mut above: HashMap<ImagePath, Above> = HashMap::new();
        let nothing = Inherited::default();
        let mut waiting: Vec<Picked<'v>> = Vec::new();
        let mut picked = Vec::new();
        for (path, node) in all {
            let parent = path.parent().filter(|parent| *parent != top);
            let parent = parent.and_then(|parent| above.get(&parent));
            if parent.is_some_and(|p| p.skipped) {
                if node.entry.is_dir() {
                    let (only, excluded) = (nothing.clone(), nothing.clone());
                    above.insert(path.clone(), Above { only, excluded, skipped: true });
                }
                continue;
            }
            let relative = String::from_utf8_lossy(&path.0[skip..]);
            let matched = |rules: &Option<Ignore>, inherited: &Inherited, without: bool| match rules
            {
                Some(rules) => rules.excludes(&relative, inherited),
                None => (without, Inherited::default()),
            };
            let (wanted, only) = matched(&self.only, parent.map_or(&nothing, |p| &p.only), true);
            let (left_out, excluded) =
                matched(&self.exclude, parent.map_or(&nothing, |p| &p.excluded), false);
            let here = Picked { path, node, way: false };
            waiting.retain(|dir| path.is_below(dir.path));
            if wanted && !left_out {
                picked.extend(waiting.drain(..).map(|dir| Picked { way: true, ..dir }));
                picked.push(here);
            } else if node.entry.is_dir() {
                waiting.push(here);
            }
            if node.entry.is_dir() {
                let exceptions = self.exclude.as_ref().is_some_and(Ignore::has_exceptions);
                let skipped = left_out && !exceptions;
                above.insert(path.clone(), Above { only, excluded, skipped });
            }
        }
        picked
    }
}

/// A source of `--parents`: the directory that paths in the image begin at, and the path from
/// there. A `/./` in the source divides the two.
pub fn pivot(source: &str) -> (&str, String) {
    let (base, path) = source.split_once("/./").unwrap_or(("/", source));
    let base = if base.is_empty() { "/" } else { base };
    let path = ImagePath::clean(path.as_bytes());
    (base, String::from_utf8_lossy(&path.0).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{super::select::tests::view, *};

    fn picked(tree: &[&str], root: &str, filter: &Filter) -> Vec<String> {
        let view = view(tree);
        let show =
            |p: Picked<'_>| format!("{}{}", p.path.display(), if p.way { " (way)" } else { "" });
        filter.pick(&view, &root.into()).into_iter().map(show).collect()
    }

    fn exclude(patterns: &[&str]) -> Filter {
        let owned: Vec<String> = patterns.iter().map(|p| (*p).to_owned()).collect();
        Filter::new(&owned).unwrap()
    }

    #[test]
    fn excludes_are_relative_to_what_is_copied() {
        let tree = ["d/", "d/a.txt", "d/b.md", "d/sub/", "d/sub/c.txt", "d/sub/d.go"];
        assert_eq!(
            picked(&tree, "d", &exclude(&["*.txt"])),
            ["/d/b.md", "/d/sub", "/d/sub/c.txt", "/d/sub/d.go"]
        );
        assert_eq!(
            picked(&tree, "d", &exclude(&["**/*.txt"])),
            ["/d/b.md", "/d/sub", "/d/sub/d.go"]
        );
        assert_eq!(picked(&tree, "d", &exclude(&["sub"])), ["/d/a.txt", "/d/b.md"]);
        // A slash in front is part of the pattern, and paths have none.
        assert_eq!(picked(&tree, "d", &exclude(&["/sub"])).len(), 5);
        assert_eq!(picked(&tree, "d", &exclude(&["*"])), Vec::<String>::new());
        // With exceptions, an excluded directory is there as soon as something in it is.
        assert_eq!(
            picked(&tree, "d", &exclude(&["*", "!sub/*.go"])),
            ["/d/sub (way)", "/d/sub/d.go"]
        );
        assert!(Filter::new(&["!".to_owned()]).is_err() && Filter::new(&["[".to_owned()]).is_err());
    }

    #[test]
    fn parents_come_along_only_where_they_lead() {
        let tree = ["a/", "a/b/", "a/b/c/", "a/b/c/f", "a/b/g", "a/x/", "a/x/c/", "a/x/c/h", "z"];
        let only = |path: &str| Filter::default().only(path).unwrap();
        assert_eq!(
            picked(&tree, "", &only("a/b/c")),
            ["/a (way)", "/a/b (way)", "/a/b/c", "/a/b/c/f"]
        );
        assert_eq!(picked(&tree, "a", &only("*/c/h")), ["/a/x (way)", "/a/x/c (way)", "/a/x/c/h"]);
        assert_eq!(picked(&tree, "", &only("**/h")).len(), 4);
        assert_eq!(picked(&tree, "", &only("no/where")), Vec::<String>::new());
        let filter = exclude(&["a/b/c"]).only("a/b").unwrap();
        assert_eq!(picked(&tree, "", &filter), ["/a (way)", "/a/b", "/a/b/g"]);
    }

    #[test]
    fn a_dot_divides_a_source() {
        for (source, want) in [
            ("a/b", ("/", "a/b")),
            ("./a/b/.", ("/", "a/b")),
            ("/x/./y/z/", ("/x", "y/z")),
            ("x/./b/./c", ("x", "b/c")),
            ("/./y", ("/", "y")),
            (".", ("/", "")),
        ] {
            let (base, path) = pivot(source);
            assert_eq!((base, &path[..]), want, "{source}");
        }
    }
}
