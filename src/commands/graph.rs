//! `mlint graph`.

use std::{collections::HashSet, path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};

use super::{Failure, print};
use crate::{
    FAILED,
    args::{Global, Subject},
    engine::{self, Jobs},
    report::{
        graph::{Panel, Picture, dot, mermaid, picture, svg},
        trace::Traced,
    },
    talk, write,
};

/// Arguments of `mlint graph`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    mlint graph Dockerfile -o Dockerfile.svg\n  \
    mlint graph --format mermaid --platforms linux/arm64\n  \
    mlint graph deploy/ -o pictures/          one picture for each file\n\n\
    Exit status: 0 drawn, 2 not.")]
pub struct GraphArgs {
    /// Which files, built how.
    #[command(flatten)]
    pub subject: Subject,
    /// What to write
    #[arg(long, value_name = "FORMAT", default_value = "svg")]
    pub format: GraphFormat,
    /// Where to write it, for several files a directory [default: standard output]
    #[arg(short, long, value_name = "FILE|DIR")]
    pub output: Option<PathBuf>,
}

/// The formats of `graph`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// A picture for browsers and documents.
    #[default]
    Svg,
    /// A Mermaid flowchart.
    Mermaid,
    /// Graphviz's language.
    Dot,
}

impl GraphFormat {
    fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Mermaid => "mmd",
            Self::Dot => "dot",
        }
    }
}

/// Runs the command.
///
/// # Errors
/// When the configuration can't be used or standard output can't be written.
pub fn run(args: &GraphArgs, global: &Global) -> Result<ExitCode, Failure> {
    let Jobs { jobs, problems, notes } =
        engine::prepare(&args.subject, &[], None, global.config_choice())?;
    for note in &notes {
        talk::note(note);
    }
    let mut failed = !problems.is_empty();
    for problem in &problems {
        talk::error(&problem.message);
    }
    let folder = args.output.as_deref().filter(|p| p.is_dir());
    if jobs.len() > 1 && folder.is_none() {
        let count = jobs.len();
        talk::error(&format!("{count} files make {count} pictures: name a directory with -o"));
        return Ok(ExitCode::from(FAILED));
    }
    let drawn = engine::look(jobs, |job, evaluations| {
        let traced =
            Traced { name: &job.source.name, text: &job.source.text, file: &job.file, evaluations };
        let mut picture = picture(&traced);
        if args.format == GraphFormat::Mermaid {
            picture = mermaid::fitted(picture);
        }
        let text = match args.format {
            GraphFormat::Svg => svg::render(&picture),
            GraphFormat::Mermaid => mermaid::render(&picture),
            GraphFormat::Dot => dot::render(&picture),
        };
        (text, left_out(&picture))
    });
    let mut taken = HashSet::new();
    for (job, text) in drawn {
        let name = &job.source.name;
        let Some((text, notes)) = text else {
            talk::error(&engine::broken(name).message);
            failed = true;
            continue;
        };
        for note in notes {
            talk::note(&format!("{name}: too much for one picture: {note}"));
        }
        let target = match (&args.output, folder) {
            (_, Some(folder)) => folder.join(file_name(name, args.format, &mut taken)),
            (Some(file), None) => file.clone(),
            (None, _) => {
                print(|out| out.write_all(text.as_bytes()))?;
                continue;
            }
        };
        if let Err(e) = write::whole(&target, &text) {
            talk::error(&format!("can't write {}: {e}", target.display()));
            failed = true;
        }
    }
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// What the picture says that it leaves out.
fn left_out(picture: &Picture) -> Vec<String> {
    let said = |panel: &Panel| {
        let platforms = panel.platforms.join(", ");
        panel.notes.iter().map(|note| format!("for {platforms} {note}")).collect::<Vec<_>>()
    };
    picture.panels.iter().flat_map(said).collect()
}

/// `deploy-Dockerfile.svg` for `deploy/Dockerfile`; each only once.
fn file_name(name: &str, format: GraphFormat, taken: &mut HashSet<String>) -> String {
    let parts: Vec<&str> =
        name.split(['/', '<', '>']).filter(|p| !matches!(*p, "" | "." | "..")).collect();
    let stem = parts.join("-");
    let mut full = format!("{stem}.{}", format.extension());
    let mut number = 2;
    while !taken.insert(full.clone()) {
        full = format!("{stem}-{number}.{}", format.extension());
        number += 1;
    }
    full
}
