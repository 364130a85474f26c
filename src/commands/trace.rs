//! `mlint trace`.

use std::{io, process::ExitCode};

use clap::{Args, ValueEnum};

use super::{Failure, print};
use crate::{
    FAILED,
    args::{Global, Subject},
    engine::{self, Jobs},
    report::{
        FileProblem, Layout,
        trace::{Selection, Traced, json, text},
    },
    talk,
};

/// Arguments of `mlint trace`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    mlint trace Dockerfile\n  \
    mlint trace --platforms linux/amd64,linux/arm64,linux/s390x\n  \
    mlint trace --variable ARCH          where does ARCH come from?\n  \
    mlint trace --line 12                what happens on line 12, and what becomes of it?\n  \
    mlint trace --stage build --all      every command of one stage\n  \
    mlint trace - --format json < Dockerfile\n\n\
    It tells what mlint believes; whether that is right or wrong, `mlint check` says.\n\n\
    Exit status: 0 told, 2 some file could not be read.")]
pub struct TraceArgs {
    /// Which files, built how.
    #[command(flatten)]
    pub subject: Subject,
    /// Only this stage, by its name or number
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<String>,
    /// Only what happens on this line
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub line: Option<u32>,
    /// Only where this variable is set or has a say
    #[arg(long, value_name = "NAME")]
    pub variable: Option<String>,
    /// Every command by itself, also those of which nothing particular is known
    #[arg(long)]
    pub all: bool,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: TraceFormat,
}

/// The output formats of `trace`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TraceFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// What becomes of one file.
enum Told {
    Text(String),
    Json(json::File),
    Refused(String),
}

/// Runs the command.
///
/// # Errors
/// When the configuration can't be used or standard output can't be written.
pub fn run(args: &TraceArgs, global: &Global) -> Result<ExitCode, Failure> {
    let Jobs { jobs, mut problems, notes } =
        engine::prepare(&args.subject, &[], None, global.config_choice())?;
    for note in &notes {
        talk::note(note);
    }
    let selection = Selection {
        stage: args.stage.clone(),
        line: args.line.map(|line| line as usize),
        variable: args.variable.clone(),
        all: args.all,
    };
    let layout = Layout::of(&io::stdout());
    let told = engine::look(jobs, |job, evaluations| {
        let traced =
            Traced { name: &job.source.name, text: &job.source.text, file: &job.file, evaluations };
        match (selection.fits(&traced), args.format) {
            (Err(why), _) => Told::Refused(why),
            (Ok(()), TraceFormat::Text) => Told::Text(text::render(&traced, &selection, layout)),
            (Ok(()), TraceFormat::Json) => Told::Json(json::file(&traced, &selection)),
        }
    });
    let mut texts = Vec::new();
    let mut files = Vec::new();
    for (job, told) in told {
        match told {
            Some(Told::Text(text)) => texts.push(text),
            Some(Told::Json(file)) => files.push(file),
            Some(Told::Refused(message)) => {
                problems.push(FileProblem { path: job.source.name, message });
            }
            None => problems.push(engine::broken(&job.source.name)),
        }
    }
    for problem in &problems {
        talk::error(&problem.message);
    }
    print(|out| match args.format {
        TraceFormat::Text => out.write_all(texts.join("\n\n").as_bytes()),
        TraceFormat::Json => json::write(files, &problems, out),
    })?;
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}
