//! `cargo xtask`: what the people who work on mlint run.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a task talks to the person who runs it

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{Result, packages, rootfs};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set-up, demo, tests, proofs and benches of mlint")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install the Debian packages that demo and tests need, and make the root file systems
    Setup,
}

fn main() -> ExitCode {
    let result = match Args::parse().task {
        Task::Setup => setup(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn setup() -> Result<ExitCode> {
    packages::install()?;
    for kind in rootfs::Kind::ALL {
        let start = std::time::Instant::now();
        let kept = rootfs::is_made(kind);
        let dir = rootfs::make(kind)?;
        let how = if kept {
            "kept".to_owned()
        } else {
            format!("made in {:.1} s", start.elapsed().as_secs_f64())
        };
        println!("root file systems: {:8} {how}: {}", kind.name(), dir.display());
    }
    Ok(ExitCode::SUCCESS)
}
