//! The `mlint` command.

mod commands;
mod report;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Takes a Dockerfile from "works on amd64" to one tag for every platform, proved
#[derive(Parser)]
#[command(name = "mlint", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build an image for every platform, prove its binaries, and push it under one tag
    Build(Box<commands::build::BuildArgs>),
    /// Check that every binary of an image is of its platform's machine
    Verify(commands::verify::VerifyArgs),
}

fn main() -> ExitCode {
    // Before anything else: a session must start while there is one thread only.
    if let Some(code) = mlint_builder::sandbox::dispatch(commands::session::body) {
        return code;
    }
    match Cli::parse().command {
        Command::Build(args) => {
            commands::build::run(&args, &commands::build::BuildDefaults::default())
        }
        Command::Verify(args) => commands::verify::run(&args),
    }
}
