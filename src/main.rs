//! The `mlint` command.

mod args;
mod catalogue;
mod commands;
mod config;
mod context;
mod discover;
mod engine;
mod named;
mod report;
mod source;
mod suggest;
mod sums;
mod talk;
mod write;

use std::{path::Path, process::ExitCode};

use clap::Parser;

use args::{Cli, Color, Command};

/// An evaluation is thousands of small texts and lists; this allocator makes a check a fifth
/// cheaper than the C library's (docs/speed.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit status of a job that could not be done.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    // Before anything else: a session must start while there is one thread only.
    if let Some(code) = mlint_builder::sandbox::dispatch(commands::session::body) {
        return code;
    }
    let cli = Cli::parse();
    anstream::ColorChoice::write_global(match cli.global.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    });
    let done = match cli.command {
        Command::Check(args) => commands::check::run(&args, &cli.global),
        Command::Fix(args) => commands::fix::run(&args, &cli.global),
        Command::Build(args) => config::build_defaults(Path::new(&args.context), &cli.global)
            .map(|defaults| commands::build::run(&args, &defaults)),
        Command::Cache(args) => commands::cache::run(&args),
        Command::Verify(args) => Ok(commands::verify::run(&args)),
        Command::Trace(args) => commands::trace::run(&args, &cli.global),
        Command::Graph(args) => commands::graph::run(&args, &cli.global),
        Command::Lsp(args) => commands::lsp::run(&args, &cli.global),
        Command::Rules(args) => commands::rules::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    };
    done.unwrap_or_else(|failure| {
        if !failure.is_closed_pipe() {
            talk::error(&failure.to_string());
        }
        ExitCode::from(FAILED)
    })
}
