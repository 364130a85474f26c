//! Where well-known packages put the program that they are there for: those that Dockerfiles copy
//! from one stage to another.

use crate::effect::Manager;

/// Package, path on Debian and its kin (and most of RPM's), path on Alpine, whether it is static.
#[rustfmt::skip]
const PROGRAMS: &[(&str, &str, &str, bool)] = &[
    ("aria2", "/usr/bin/aria2c", "/usr/bin/aria2c", false),
    ("bash", "/bin/bash", "/bin/bash", false),
    ("busybox-static", "/bin/busybox", "/bin/busybox.static", true),
    ("coredns", "", "/usr/bin/coredns", false),
    ("curl", "/usr/bin/curl", "/usr/bin/curl", false),
    ("dumb-init", "/usr/bin/dumb-init", "/usr/bin/dumb-init", false),
    ("ffmpeg", "/usr/bin/ffmpeg", "/usr/bin/ffmpeg", false),
    ("git", "/usr/bin/git", "/usr/bin/git", false),
    ("gosu", "/usr/sbin/gosu", "/usr/bin/gosu", true),
    ("haproxy", "/usr/sbin/haproxy", "/usr/sbin/haproxy", false),
    ("htop", "/usr/bin/htop", "/usr/bin/htop", false),
    ("jq", "/usr/bin/jq", "/usr/bin/jq", false),
    ("nginx", "/usr/sbin/nginx", "/usr/sbin/nginx", false),
    ("nodejs", "/usr/bin/node", "/usr/bin/node", false),
    ("openssl", "/usr/bin/openssl", "/usr/bin/openssl", false),
    ("ripgrep", "/usr/bin/rg", "/usr/bin/rg", false),
    ("rsync", "/usr/bin/rsync", "/usr/bin/rsync", false),
    ("socat", "/usr/bin/socat", "/usr/bin/socat", false),
    ("sqlite", "", "/usr/bin/sqlite3", false),
    ("sqlite3", "/usr/bin/sqlite3", "", false),
    ("su-exec", "", "/sbin/su-exec", false),
    ("tcpdump", "/usr/bin/tcpdump", "/usr/bin/tcpdump", false),
    ("tini", "/usr/bin/tini", "/sbin/tini", false),
    ("tini-static", "", "/sbin/tini-static", true),
    ("tmux", "/usr/bin/tmux", "/usr/bin/tmux", false),
    ("wget", "/usr/bin/wget", "/usr/bin/wget", false),
    ("yq-go", "", "/usr/bin/yq", false),
    ("zstd", "/usr/bin/zstd", "/usr/bin/zstd", false),
];

/// The program of a package, and whether it is static.
pub(super) fn path(manager: Manager, package: &str) -> Option<(&'static str, bool)> {
    let at = PROGRAMS.binary_search_by_key(&package, |row| row.0).ok()?;
    let (_, debian, alpine, is_static) = PROGRAMS[at];
    let path = match manager {
        Manager::Apk => alpine,
        Manager::Apt | Manager::Rpm => debian,
        _ => "",
    };
    (!path.is_empty()).then_some((path, is_static))
}

/// All packages of a manager whose program is known, with its path.
pub(super) fn all(manager: Manager) -> impl Iterator<Item = (&'static str, &'static str)> {
    PROGRAMS.iter().filter_map(move |row| Some((row.0, path(manager, row.0)?.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_asked_by_manager() {
        assert!(PROGRAMS.is_sorted_by_key(|row| row.0));
        assert_eq!(path(Manager::Apk, "tini"), Some(("/sbin/tini", false)));
        assert_eq!(path(Manager::Apt, "tini"), Some(("/usr/bin/tini", false)));
        assert_eq!(path(Manager::Apt, "su-exec"), None);
        assert_eq!(path(Manager::Pip, "tini"), None);
    }
}
