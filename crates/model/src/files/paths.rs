//! Paths in the image, as text.

/// Makes an absolute, clean path of `path`, relative to `directory`.
pub(crate) fn absolute(directory: &str, path: &str) -> String {
    let base = if path.starts_with('/') { "" } else { directory };
    let mut clean = String::with_capacity(base.len() + path.len() + 2);
    // Most paths are clean.
    let root = base.strip_prefix('/').unwrap_or(base);
    let below = path.strip_prefix('/').unwrap_or(path);
    if is_clean(below) && (root.is_empty() || is_clean(root)) {
        for part in [root, below].into_iter().filter(|part| !part.is_empty()) {
            clean.push('/');
            clean.push_str(part);
        }
        return clean;
    }
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => clean.truncate(clean.rfind('/').unwrap_or(0)),
            part => {
                clean.push('/');
                clean.push_str(part);
            }
        }
    }
    if clean.is_empty() {
        clean.push('/');
    }
    clean
}

/// Whether a relative path is sure to have no empty part and none of dots; one with a name that
/// begins with a dot is not.
fn is_clean(path: &str) -> bool {
    let mut before = b'/';
    let clean = path.bytes().all(|b| {
        let fits = before != b'/' || !matches!(b, b'/' | b'.');
        before = b;
        fits
    });
    clean && before != b'/'
}

/// What follows the last slash of a path.
pub(crate) fn last_part(path: &str) -> &str {
    // Programs' names are short: quicker than a search.
    let slash = path.bytes().rposition(|b| b == b'/');
    &path[slash.map_or(0, |at| at + 1)..]
}

/// The last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    last_part(path.trim_end_matches('/'))
}

/// The first word of the name of the file at a URL.
pub(crate) fn archive_word(url: &str) -> &str {
    let file = url.rsplit('/').next().unwrap_or_default();
    file.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()
}

/// `folder/name`.
pub(crate) fn join(folder: &str, name: &str) -> String {
    absolute(folder, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_absolute_and_clean() {
        for (directory, path, want) in [
            ("/", "bin", "/bin"),
            ("/a", "b", "/a/b"),
            ("/a", "/b", "/b"),
            ("/a", ".", "/a"),
            ("/a", "./b", "/a/b"),
            ("/a/b", "../c", "/a/c"),
            ("/a", "../../..", "/"),
            ("/a", "b//c/", "/a/b/c"),
            ("/a//b/", "c", "/a/b/c"),
            ("/a", ".hidden/x", "/a/.hidden/x"),
            ("/.a/b", "c", "/.a/b/c"),
            ("/a", "b/..", "/a"),
            ("/a", "b/...", "/a/b/..."),
            ("", "a", "/a"),
            ("/", "", "/"),
            ("/a", "", "/a"),
            ("/", "/", "/"),
        ] {
            assert_eq!(absolute(directory, path), want, "{directory} {path}");
        }
    }
}
