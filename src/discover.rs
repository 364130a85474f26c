//! From the paths on the command line to the files to check.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use ignore::WalkBuilder;

/// One thing to check.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Input {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// A path that leads to nothing.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// There is nothing at the path.
    #[error("there is no file or directory '{}'", .0.display())]
    Missing(PathBuf),
    /// The directory holds no Dockerfile.
    #[error(
        "there is no Dockerfile in '{}': looked for Dockerfile, Containerfile, Dockerfile.*, \
         Containerfile.* and *.Dockerfile that no .gitignore excludes; name the file if it is \
         called otherwise",
        .0.display()
    )]
    NoDockerfile(PathBuf),
    /// The directory, or one in it, can't be read.
    #[error("can't look into '{}': {source}", path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The path can't even be asked about.
    #[error("can't look at '{}': {source}", path.display())]
    Stat {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl DiscoverError {
    /// The path.
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing(path)
            | Self::NoDockerfile(path)
            | Self::Unreadable { path, .. }
            | Self::Stat { path, .. } => path,
        }
    }
}

/// The files that the paths name, each once, in the order given; directories are walked.
pub fn discover(paths: &[PathBuf]) -> (Vec<Input>, Vec<DiscoverError>) {
    let mut found = Found::default();
    if paths.is_empty() {
        found.directory(Path::new("."));
    }
    for path in paths {
        if path.as_os_str() == "-" {
            found.add(Input::Stdin);
            continue;
        }
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => found.directory(path),
            Ok(_) => found.add(Input::File(shorten(path))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                found.errors.push(DiscoverError::Missing(path.clone()));
            }
            Err(source) => {
                found.errors.push(DiscoverError::Stat { path: path.clone(), source });
            }
        }
    }
    (found.inputs, found.errors)
}

#[derive(Default)]
struct Found {
    inputs: Vec<Input>,
    seen: BTreeSet<Input>,
    errors: Vec<DiscoverError>,
}

impl Found {
    fn add(&mut self, input: Input) {
        if self.seen.insert(input.clone()) {
            self.inputs.push(input);
        }
    }

    fn directory(&mut self, root: &Path) {
        // Hidden folders hold Dockerfiles as well (.devcontainer, .github); the repository's own
        // store does not.
        let walk = WalkBuilder::new(root)
            .hidden(false)
            .require_git(false)
            .filter_entry(|entry| {
                !matches!(entry.file_name().to_str(), Some(".git" | ".hg" | ".svn"))
            })
            .sort_by_file_name(Ord::cmp)
            .build();
        let before = (self.inputs.len(), self.errors.len());
        let mut any = false;
        for entry in walk {
            match entry {
                Ok(entry) => {
                    let is_file = entry
                        .file_type()
                        .is_some_and(|t| t.is_file() || t.is_symlink() && entry.path().is_file());
                    let named = entry.file_name().to_str().is_some_and(is_dockerfile_name);
                    if is_file && named {
                        any = true;
                        self.add(Input::File(shorten(entry.path())));
                    }
                }
                Err(error) => {
                    let path = error_path(&error).unwrap_or(root).to_owned();
                    // A broken ignore file, or a link to nowhere, keeps nobody from checking.
                    if let Some(source) = error.into_io_error()
                        && source.kind() != io::ErrorKind::NotFound
                    {
                        self.errors.push(DiscoverError::Unreadable { path, source });
                    }
                }
            }
        }
        if !any && before == (self.inputs.len(), self.errors.len()) {
            self.errors.push(DiscoverError::NoDockerfile(root.to_owned()));
        }
    }
}

fn error_path(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            error_path(err)
        }
        _ => None,
    }
}

/// `./Dockerfile` reads better as `Dockerfile`.
fn shorten(path: &Path) -> PathBuf {
    match path.strip_prefix("./") {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.to_owned(),
        _ => path.to_owned(),
    }
}

/// Whether a file of that name in a walked directory is taken for a Dockerfile. What is named on
/// the command line is checked whatever it is called.
pub fn is_dockerfile_name(name: &str) -> bool {
    /// Endings of what stands beside Dockerfiles and is none, or is not one yet (templates).
    const OTHERS: [&str; 22] = [
        "dockerignore",
        "containerignore",
        "md",
        "txt",
        "rst",
        "adoc",
        "html",
        "j2",
        "jinja",
        "jinja2",
        "tmpl",
        "template",
        "tpl",
        "erb",
        "mustache",
        "hbs",
        "in",
        "m4",
        "orig",
        "rej",
        "bak",
        "swp",
    ];
    let whole =
        name.eq_ignore_ascii_case("dockerfile") || name.eq_ignore_ascii_case("containerfile");
    // Small letters are a source file's here: `dockerfile.go`.
    let rest = name.strip_prefix("Dockerfile.").or_else(|| name.strip_prefix("Containerfile."));
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let by_extension = !stem.is_empty()
        && (extension.eq_ignore_ascii_case("dockerfile")
            || extension.eq_ignore_ascii_case("containerfile"));
    let other = OTHERS.iter().any(|o| extension.eq_ignore_ascii_case(o)) || name.ends_with('~');
    whole || !other && (by_extension || rest.is_some_and(|rest| !rest.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_dockerfiles() {
        for yes in [
            "Dockerfile",
            "dockerfile",
            "Containerfile",
            "Dockerfile.prod",
            "Dockerfile.arm64",
            "api.Dockerfile",
            "api.dockerfile",
            "Containerfile.dev",
            "a.b.Dockerfile",
        ] {
            assert!(is_dockerfile_name(yes), "{yes}");
        }
        for no in [
            "Dockerfile.dockerignore",
            "Dockerfile.md",
            "Dockerfile.j2",
            "Dockerfile.tmpl",
            "Dockerfile~",
            "Dockerfile.prod~",
            "Dockerfile.",
            ".dockerignore",
            "dockerfile.go",
            "Dockerfiles",
            "MyDockerfile",
            ".Dockerfile",
            "docker-compose.yml",
            "",
        ] {
            assert!(!is_dockerfile_name(no), "{no}");
        }
    }
}
