//! Which shell reads a script, as far as that makes a difference.

/// A kind of shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `dash`, `/bin/sh` of Debian and Ubuntu: no braces, `echo` reads backslashes.
    Dash,
    /// busybox, `/bin/sh` of Alpine: no braces.
    Ash,
    /// `bash`, also as `/bin/sh` of Fedora and its kin; `zsh` and `ksh` are close enough.
    Bash,
    /// It cannot be told.
    Unknown,
}

/// Names of images whose `/bin/sh` is bash.
const BASH: &[&str] = &[
    "fedora",
    "centos",
    "almalinux",
    "rockylinux",
    "oraclelinux",
    "amazonlinux",
    "archlinux",
    "opensuse",
    "leap",
    "tumbleweed",
    "photon",
    "mariner",
    "azurelinux",
    "ubi",
    "ubi7",
    "ubi8",
    "ubi9",
    "ubi10",
    "ubi-minimal",
    "ubi-init",
    "amazoncorretto",
    "mageia",
    "sl",
    "rhel7",
    "rhel",
];

/// Official images that come from Debian or Ubuntu unless their tag says otherwise.
const DASH: &[&str] = &[
    "debian",
    "ubuntu",
    "buildpack-deps",
    "golang",
    "rust",
    "gcc",
    "python",
    "node",
    "ruby",
    "php",
    "perl",
    "openjdk",
    "eclipse-temurin",
    "maven",
    "gradle",
    "tomcat",
    "httpd",
    "nginx",
    "postgres",
    "mariadb",
    "redis",
    "haproxy",
    "rabbitmq",
    "haskell",
    "erlang",
    "elixir",
    "swift",
    "julia",
    "r-base",
    "clojure",
    "dart",
];

/// Tag parts that name a distribution.
const BASH_TAGS: &[&str] =
    &["al2", "al2023", "ubi8", "ubi9", "ubi10", "centos", "oracle", "fedora"];

impl Dialect {
    /// What `/bin/sh` is in an image of that name.
    pub(crate) fn of_image(reference: &str) -> Self {
        let Ok(reference) = mlint_oci::Reference::parse(reference) else { return Self::Unknown };
        let repository = reference.repository();
        let name = repository.rsplit('/').next().unwrap_or(repository);
        let tag = reference.tag().unwrap_or("latest");
        let parts = || tag.split(['-', '_', '.']);
        let tag_is = |names: &[&str]| {
            parts().any(|p| {
                names
                    .iter()
                    .any(|n| p.trim_end_matches(|c: char| c.is_ascii_digit()) == *n || p == *n)
            })
        };
        let official = repository.starts_with("library/");
        let known = official || repository.matches('/').count() <= 1;
        match () {
            () if tag.contains("alpine") || name.contains("alpine") => Self::Ash,
            () if official && name == "busybox" => Self::Ash,
            () if tag_is(BASH_TAGS) => Self::Bash,
            () if known && BASH.contains(&name) => Self::Bash,
            () if official && DASH.contains(&name) => Self::Dash,
            () => Self::Unknown,
        }
    }

    /// What a program of that name is; `sh` is what it is in the stage.
    pub(crate) fn of_program(path: &str, sh: Self) -> Self {
        match path.rsplit('/').next().unwrap_or(path) {
            "bash" | "zsh" | "ksh" | "mksh" => Self::Bash,
            "dash" => Self::Dash,
            "ash" => Self::Ash,
            _ => sh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Dialect;

    #[test]
    fn shells_by_image() {
        for (reference, want) in [
            ("debian:12", Dialect::Dash),
            ("python:3.12-slim", Dialect::Dash),
            ("python:3.12-alpine3.20", Dialect::Ash),
            ("fedora:40", Dialect::Bash),
            ("registry.access.redhat.com/ubi9/ubi-minimal", Dialect::Bash),
            ("amazoncorretto:21", Dialect::Bash),
            ("example.com/team/base", Dialect::Unknown),
            ("example.com/debian", Dialect::Unknown),
        ] {
            assert_eq!(Dialect::of_image(reference), want, "{reference}");
        }
    }
}
