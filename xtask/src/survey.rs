//! `cargo xtask survey DIR`: what the model knows of a heap of Dockerfiles, in figures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mlint_model::census::{Cause, Census, UnknownCommand, census};
use mlint_model::{ImageFacts, Options, Prepared};
use mlint_oci::Platform;
use mlint_syntax::{Dockerfile, LineIndex};

use crate::{Error, Result};

/// How many of the slowest files are named.
const SLOWEST: usize = 5;
/// How much of a command `--list` shows.
const SHOWN: usize = 160;

/// What to print besides the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum List {
    /// Each command whose architecture stays unknown, with its place and why
    Unknown,
    /// Each file with a syntax error, with the first of them
    Errors,
}

/// What was found in one file.
struct Survey {
    path: PathBuf,
    text: String,
    /// What BuildKit would reject, first by place.
    error: Option<(u32, String)>,
    /// One for each platform.
    platforms: Vec<(Census, Vec<UnknownCommand>)>,
    time: Duration,
}

/// Reads the Dockerfiles among `paths` (files, or folders with all below them), evaluates each on
/// every platform, and prints what the model knows. `false` if the model panicked on a file.
pub fn run(paths: &[PathBuf], platforms: &[Platform], list: Option<List>) -> Result<bool> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    files.sort();
    let mut surveys = Vec::new();
    let mut panicked = Vec::new();
    for path in files {
        let text = std::fs::read(&path).map_err(Error::file(&path))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        match catch_unwind(AssertUnwindSafe(|| survey(&path, text, platforms))) {
            Ok(survey) => surveys.push(survey),
            Err(_) => panicked.push(path),
        }
    }
    match list {
        Some(List::Unknown) => list_unknown(&surveys, platforms),
        Some(List::Errors) => list_errors(&surveys),
        None => {}
    }
    figures(&surveys, platforms);
    slowest(surveys);
    for path in &panicked {
        println!("PANIC on {}", path.display());
    }
    Ok(panicked.is_empty())
}

/// The Dockerfiles at and below `path`, by their names; a file that is named itself always counts.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(Error::file(path))? {
        let entry = entry.map_err(Error::file(path))?;
        let kind = entry.file_type().map_err(Error::file(path))?;
        let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
        if kind.is_dir() && !name.starts_with('.') {
            collect(&entry.path(), files)?;
        }
        let is_dockerfile = name.contains("dockerfile") || name.contains("containerfile");
        if kind.is_file() && is_dockerfile && !name.ends_with(".dockerignore") {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn survey(path: &Path, text: String, platforms: &[Platform]) -> Survey {
    let start = Instant::now();
    let file: Dockerfile = mlint_syntax::parse(text.as_str());
    let prepared = Prepared::new(&file);
    let (options, facts) = (Options::default(), ImageFacts::default());
    let evaluations: Vec<_> =
        platforms.iter().map(|p| prepared.evaluate(p, &options, &facts)).collect();
    let time = start.elapsed();
    let platforms = evaluations.iter().map(|e| census(&file, e)).collect();
    let error = file.errors.first().map(|e| {
        let line = LineIndex::new(&text).line(e.span.start);
        (line, e.to_string())
    });
    Survey { path: path.to_owned(), text, error, platforms, time }
}

fn list_unknown(surveys: &[Survey], platforms: &[Platform]) {
    for survey in surveys {
        let lines = LineIndex::new(&survey.text);
        for (platform, (_, list)) in platforms.iter().zip(&survey.platforms) {
            for command in list {
                let line = lines.line(command.span.start);
                let why: Vec<&str> = command.causes.iter().map(|c| c.describe()).collect();
                let text = survey.text.get(command.span.range()).unwrap_or_default();
                let text: Vec<&str> = text.split_whitespace().collect();
                let text: String = text.join(" ").chars().take(SHOWN).collect();
                let path = survey.path.display();
                println!("{path}:{line}: {platform}: {}: {text}", why.join(", "));
            }
        }
    }
    println!();
}

fn list_errors(surveys: &[Survey]) {
    for survey in surveys {
        if let Some((line, error)) = &survey.error {
            println!("{}:{line}: {error}", survey.path.display());
        }
    }
    println!();
}

fn figures(surveys: &[Survey], platforms: &[Platform]) {
    let errors = surveys.iter().filter(|s| s.error.is_some()).count();
    println!("{} files, {errors} with syntax errors", surveys.len());
    let sums: Vec<Census> = (0..platforms.len())
        .map(|i| {
            let mut sum = Census::default();
            surveys.iter().for_each(|s| sum += &s.platforms[i].0);
            sum
        })
        .collect();
    let row = |what: &str, figure: &dyn Fn(&Census) -> String| {
        let cells: Vec<String> = sums.iter().map(|s| format!("{:>16}", figure(s))).collect();
        println!("{what:<46}{}", cells.concat());
    };
    let names: Vec<String> = platforms.iter().map(|p| format!("{:>16}", p.to_string())).collect();
    println!("{:<46}{}", "", names.concat());
    row("stages that the target needs", &|c| c.stages.to_string());
    row("RUN steps", &|c| c.runs.to_string());
    row("commands", &|c| c.commands.to_string());
    row("  of a program that is not known", &|c| c.opaque.to_string());
    row("conditions decided", &|c| c.conditions.known.to_string());
    row("  undecided", &|c| c.conditions.unknown.to_string());
    row("downloads from a known address", &|c| c.downloads.known.to_string());
    row("  partly known", &|c| c.downloads.partly.to_string());
    row("  unknown", &|c| c.downloads.unknown.to_string());
    row("compiles for a known machine", &|c| c.compiles.known.to_string());
    row("  unknown", &|c| c.compiles.unknown.to_string());
    row("files of the image for the target", &|c| c.files.target.to_string());
    row("  for the build platform", &|c| c.files.build.to_string());
    row("  for another one", &|c| c.files.other.to_string());
    row("  independent", &|c| c.files.independent.to_string());
    row("  unknown", &|c| c.files.unknown.to_string());
    row("commands with an architecture to know", &|c| c.relevant.to_string());
    row("  where one stays unknown", &|c| c.unknown.to_string());
    for cause in Cause::ALL {
        let count = |c: &Census| c.causes.get(&cause).copied().unwrap_or_default().to_string();
        row(&format!("    {}", cause.describe()), &count);
    }
    row("unknown share", &|c| {
        c.unknown_share().map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0))
    });
}

fn slowest(mut surveys: Vec<Survey>) {
    let all: Duration = surveys.iter().map(|s| s.time).sum();
    println!("\nparsed and evaluated in {:.1} ms; the slowest:", all.as_secs_f64() * 1e3);
    surveys.sort_by_key(|s| std::cmp::Reverse(s.time));
    for survey in surveys.iter().take(SLOWEST) {
        println!("{:>10.1} ms  {}", survey.time.as_secs_f64() * 1e3, survey.path.display());
    }
}
