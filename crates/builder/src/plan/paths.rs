//! Paths that are told from their text alone.

use crate::layer::entry::ImagePath;

/// A path of an instruction: absolute ones stay as written, relative ones begin at the working
/// directory and come out clean.
pub fn absolute(path: &str, cwd: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => clean(&format!("{cwd}/{path}")),
    }
}

/// An absolute path without `.`, `..`, doubled slashes and one at the end, told from its text alone.
pub fn clean(path: &str) -> String {
    ImagePath::from(path).display()
}

/// A path without `.`, `..` and doubled slashes, as Go's `path.Clean` makes it: one that is relative
/// stays so.
pub fn clean_name(path: &str) -> String {
    if path.starts_with('/') {
        return clean(path);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match parts.last() {
            Some(last) if part == ".." && *last != ".." => _ = parts.pop(),
            _ => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_come_out_clean() {
        for (path, cwd, want) in [
            ("sub//deep/../x/", "/w", "/w/sub/x"),
            ("../z", "/x y", "/z"),
            ("../../..", "/w/", "/"),
            ("/a//b/../c/", "/w", "/a//b/../c/"),
        ] {
            assert_eq!(absolute(path, cwd), want, "{path}");
        }
        assert_eq!(clean("/a//b/../c/."), "/a/c");
    }
}
