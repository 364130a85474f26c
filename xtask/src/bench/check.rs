//! `mlint check` as a process, beside other linters.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{median, row};
use crate::mlint::Mlint;
use crate::{Error, Result, paths, run};

/// One file and 200 of them.
pub(super) fn run(mlint: &Mlint, work: &Path) -> Result<()> {
    let one = paths::root().join("demo");
    let many = many_files(work)?;
    println!("check, offline, two platforms");
    for (what, dir, path, runs) in [
        ("mlint, one file", one.as_path(), "Dockerfile", 41),
        ("mlint, 200 files", many.as_path(), ".", 15),
    ] {
        let arguments = ["check", "--offline", "--platforms=linux/amd64,linux/arm64", path];
        row(what, median(runs, || mlint.command(dir, arguments))?);
    }
    // The peers, where they are installed; they check other things.
    let mut all = files(&many)?;
    all.sort();
    for (program, arguments) in [("hadolint", &["--no-fail"][..]), ("tally", &["lint"][..])] {
        let Some(program) = run::which(program) else {
            println!("  {program}: not installed");
            continue;
        };
        let peer = |files: &[PathBuf]| {
            let mut command = Command::new(&program);
            command.args(arguments).args(files).current_dir(&many);
            command
        };
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        row(&format!("{name}, one file"), median(15, || peer(&all[..1]))?);
        row(&format!("{name}, 200 files"), median(5, || peer(&all))?);
    }
    Ok(())
}

/// 200 Dockerfiles: those of the corpus, over and over, each with a line of its own.
fn many_files(work: &Path) -> Result<PathBuf> {
    let dir = work.join("many");
    let mut corpus: Vec<PathBuf> = files(&paths::root().join("corpus"))?
        .into_iter()
        .filter(|path| path.file_name().is_some_and(|name| name == "Dockerfile"))
        .collect();
    corpus.sort();
    for (number, path) in corpus.iter().cycle().take(200).enumerate() {
        let to = dir.join(format!("project-{number}"));
        std::fs::create_dir_all(&to).map_err(Error::file(&to))?;
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let text = format!("{text}\n# number {number}\n");
        std::fs::write(to.join("Dockerfile"), text).map_err(Error::file(&to))?;
    }
    Ok(dir)
}

/// All files below a directory.
fn files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::file(dir))?.flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)?),
            path => found.push(path),
        }
    }
    Ok(found)
}
