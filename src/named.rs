//! Platforms that a Dockerfile is for by its own name or its folder's: `Dockerfile.arm64`,
//! `arm32v7/Dockerfile`. Used where nobody said which platforms are meant.

use std::path::{Path, PathBuf};

use mlint_oci::{
    Platform,
    arch::{name_without_platforms, platforms_of_folder, platforms_of_name},
};

use crate::{config::FILE_NAME, discover::is_dockerfile_name};

/// Of a folder with more files, not all are looked at.
const MAX_BESIDE: usize = 4096;

/// A name for one platform is hardly longer than this beyond the plain one.
const MAX_MORE: usize = 24;

/// The platforms of a file, and what says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// At least one.
    pub platforms: Vec<Platform>,
    /// What says so.
    pub by: By,
}

/// What says for which platforms a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The file's own name.
    Name,
    /// The name of the folder that it lies in, or of one further up.
    Folder(String),
    /// A file of the same name for the others.
    Beside(String),
}

impl Named {
    /// For which of `platforms` the file at `path` is, if its place says it: by its name or its
    /// folder's, and where `is_default`, by a file beside it that is for the others.
    pub fn of(path: &Path, platforms: &[Platform], is_default: bool) -> Option<Self> {
        let (said, by) = said(path)
            .or_else(|| is_default.then(|| beside(path, platforms)).flatten())
            .filter(|(said, _)| is_default || said.iter().any(|p| platforms.contains(p)))?;
        let platforms = match is_default {
            true => said,
            false => said.into_iter().filter(|p| platforms.contains(p)).collect(),
        };
        Some(Self { platforms, by })
    }

    /// What to say about a file.
    pub fn note(&self, name: &str) -> String {
        let platforms = mlint_lint::list(&self.platforms);
        let why = match &self.by {
            By::Name => "its name says so".to_owned(),
            By::Folder(folder) => format!("the folder '{folder}' says so"),
            By::Beside(other) => format!("'{other}' beside it is for the others"),
        };
        format!("{name} is taken for {platforms} only: {why}; --platforms decides otherwise")
    }
}

/// The notes about files that are taken for less than all platforms: each by itself if they are
/// few, else their number.
pub fn notes<'a>(files: impl Iterator<Item = (&'a str, &'a Named)>) -> Vec<String> {
    const FEW: usize = 3;
    let notes: Vec<String> = files.map(|(name, named)| named.note(name)).collect();
    match notes.len() {
        0..=FEW => notes,
        many => vec![format!(
            "{many} files are taken for the platforms that their names, their folders or files \
             beside them say; --platforms decides otherwise"
        )],
    }
}

/// What the names say, the file's own first, then its folders' from the inside out.
fn said(path: &Path) -> Option<(Vec<Platform>, By)> {
    let own = platforms_of_name(path.file_name()?.to_str()?);
    if !own.is_empty() {
        return Some((own, By::Name));
    }
    let absolute = std::path::absolute(path).ok()?;
    folders(&absolute).into_iter().find_map(|folder| {
        let name = folder.file_name()?.to_str()?;
        let said = platforms_of_folder(name);
        (!said.is_empty()).then(|| (said, By::Folder(name.to_owned())))
    })
}

/// The folders whose names count, the innermost first: those below the project's root, which is
/// where a repository or a configuration begins; without one only the file's own.
fn folders(path: &Path) -> Vec<PathBuf> {
    let all: Vec<&Path> = path.ancestors().skip(1).collect();
    let is_root =
        |dir: &&Path| [".git", ".hg", ".svn", FILE_NAME].iter().any(|n| dir.join(n).exists());
    let below = all.iter().position(is_root).unwrap_or(1);
    all.into_iter().take(below).map(Path::to_owned).collect()
}

/// The platforms that are left for a file beside which there are files of the same name for some:
/// `Dockerfile` beside `Dockerfile.arm64`.
fn beside(path: &Path, platforms: &[Platform]) -> Option<(Vec<Platform>, By)> {
    let own = path.file_name()?.to_str()?;
    let plain = name_without_platforms(own);
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Our name has no platform's word in it, theirs one or two more than ours.
    let is_longer = |name: &str| (1..=MAX_MORE).contains(&name.len().wrapping_sub(own.len()));
    let mut others: Vec<String> = std::fs::read_dir(dir)
        .ok()?
        .take(MAX_BESIDE)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| is_longer(name) && is_dockerfile_name(name))
        .filter(|name| name_without_platforms(name) == plain)
        .collect();
    others.sort();
    let taken = |p: &Platform| others.iter().find(|name| platforms_of_name(name).contains(p));
    let left: Vec<Platform> = platforms.iter().filter(|p| taken(p).is_none()).cloned().collect();
    let other = platforms.iter().find_map(taken)?.clone();
    // Where each platform has a file of its own, this one is for all of them, or for something else.
    (!left.is_empty()).then_some((left, By::Beside(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default() -> Vec<Platform> {
        mlint_lint::CheckOptions::default().platforms
    }

    fn platforms(named: Option<Named>) -> Vec<String> {
        named.map(|n| n.platforms.iter().map(ToString::to_string).collect()).unwrap_or_default()
    }

    #[test]
    fn the_name_before_the_folder() {
        let of = |path: &str| platforms(Named::of(Path::new(path), &default(), true));
        assert_eq!(of("/none/Dockerfile.arm64"), ["linux/arm64"]);
        assert_eq!(of("/none/amd64/Dockerfile"), ["linux/amd64"]);
        assert_eq!(of("/none/amd64/Dockerfile.riscv64"), ["linux/riscv64"]);
        // Without a root only the nearest folder counts.
        assert!(of("/arm64/none/Dockerfile").is_empty());
        assert!(of("/none/Dockerfile").is_empty());
    }

    #[test]
    fn a_configuration_is_narrowed_and_not_widened() {
        let of = |path: &str| platforms(Named::of(Path::new(path), &default(), false));
        assert_eq!(of("/none/Dockerfile.arm64"), ["linux/arm64"]);
        assert!(of("/none/Dockerfile.riscv64").is_empty());
    }

    #[test]
    fn folders_up_to_the_root_and_files_beside() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("arm64-images");
        for folder in ["arm64v8/alpine", "beside", "all"] {
            std::fs::create_dir_all(root.join(folder)).unwrap();
        }
        std::fs::create_dir_all(root.join(".git")).unwrap();
        for file in [
            "beside/Dockerfile",
            "beside/Dockerfile.aarch64",
            "beside/Dockerfile.arm64.md",
            "beside/Dockerfile.dev",
            "all/Dockerfile",
            "all/Dockerfile.amd64",
            "all/Dockerfile.arm64",
        ] {
            std::fs::write(root.join(file), "FROM debian:12\n").unwrap();
        }
        let of = |path: &str| Named::of(&root.join(path), &default(), true);
        assert_eq!(platforms(of("arm64v8/alpine/Dockerfile")), ["linux/arm64"]);
        let left = of("beside/Dockerfile").unwrap();
        assert_eq!(left.by, By::Beside("Dockerfile.aarch64".to_owned()));
        assert_eq!(platforms(Some(left)), ["linux/amd64"]);
        // The root's own name says nothing, nor does a file for each platform.
        assert_eq!(of("beside/Dockerfile.dev"), None);
        assert_eq!(of("all/Dockerfile"), None);
    }
}
