//! What the commands tell, one file per format. Lines and columns exist only here.

use std::{io, str::FromStr};

use mlint_lint::{Applicability, Report, Severity};
use mlint_oci::Platform;

use crate::source::Source;

pub mod build;
pub mod cache;
pub mod checkstyle;
pub mod failure;
pub mod github;
pub mod gitlab;
pub mod graph;
pub mod json;
pub mod lines;
mod machine;
pub mod markdown;
pub mod progress;
pub mod sarif;
pub mod text;
pub mod trace;

pub use mlint_builder::events::counted;

/// The output formats of `check`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: the source, labelled.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Annotations in a pull request on GitHub.
    Github,
    /// A Code Quality report for GitLab.
    Gitlab,
    /// Checkstyle's XML.
    Checkstyle,
    /// Tables for a summary or a comment.
    Markdown,
}

/// The formats of lists that are about mlint itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ListFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// A file with what was found in it.
#[derive(Debug)]
pub struct FileReport {
    /// The file as it was checked.
    pub source: Source,
    /// What was found.
    pub report: Report,
}

/// A file that could not be checked.
#[derive(Debug)]
pub struct FileProblem {
    /// Its name as shown.
    pub path: String,
    /// Why: a sentence without a final stop.
    pub message: String,
}

/// All that a run of `check` found.
#[derive(Debug, Default)]
pub struct Findings {
    /// The platforms asked for, over all files.
    pub platforms: Vec<Platform>,
    /// The files that were checked.
    pub files: Vec<FileReport>,
    /// Those that could not be.
    pub problems: Vec<FileProblem>,
}

impl Findings {
    /// Findings of one severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics().filter(|d| d.severity == severity).count()
    }

    /// Findings with a fix of that applicability as their best.
    pub fn fixable(&self, applicability: Applicability) -> usize {
        self.diagnostics()
            .filter(|d| d.fixes.iter().map(mlint_lint::Fix::reach).max() == Some(applicability))
            .count()
    }

    fn diagnostics(&self) -> impl Iterator<Item = &mlint_lint::Diagnostic> {
        self.files.iter().flat_map(|f| &f.report.diagnostics)
    }
}

/// How output looks.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether colours are wanted.
    pub color: bool,
}

impl Layout {
    /// The layout for a stream: its width if it is a terminal, else what COLUMNS says, else 80.
    pub fn of(stream: &(impl anstream::stream::RawStream + rustix::fd::AsFd)) -> Self {
        let choice = anstream::AutoStream::choice(stream);
        let color = !matches!(choice, anstream::ColorChoice::Never);
        let terminal = rustix::termios::tcgetwinsize(stream).ok().map(|size| size.ws_col.into());
        let named = || std::env::var("COLUMNS").ok().and_then(|text| usize::from_str(&text).ok());
        let width = terminal.filter(|w| *w > 0).or_else(named).unwrap_or(80).clamp(40, 160);
        Self { width, color }
    }
}

/// Writes in that format.
///
/// # Errors
/// When the stream can't be written.
pub fn write(
    findings: &Findings,
    format: Format,
    layout: Layout,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    match format {
        Format::Text => text::write(findings, layout, out),
        Format::Json => json::write(findings, out),
        Format::Sarif => sarif::write(findings, out),
        Format::Github => github::write(findings, out),
        Format::Gitlab => gitlab::write(findings, out),
        Format::Checkstyle => checkstyle::write(findings, out),
        Format::Markdown => markdown::write(findings, out),
    }
}
