//! `cargo xtask`: what the people who work on mlint run.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a task talks to the person who runs it

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use mlint_oci::Platform;
use xtask::{Result, bench, compare, demo, packages, prove, rootfs, suite, survey};

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
    /// The main job end to end: base images, check, fix, build, push, verify, run
    Demo,
    /// All the tests: format, lints, licences, proofs, unit tests, end to end on real parts
    Test {
        /// Only this group of end-to-end tests; may be given several times
        #[arg(long, value_name = "NAME", help = groups())]
        group: Vec<String>,
    },
    /// Build the corpus's cases before and after the fix
    Prove {
        /// Only cases whose name contains this
        #[arg(default_value = "")]
        filter: String,
    },
    /// Build the cases of tests/compare with mlint and with BuildKit, and compare
    Compare {
        /// Only cases whose name contains this
        #[arg(default_value = "")]
        filter: String,
    },
    /// Time whole processes; compiles the release profile first
    Bench {
        /// Only this part; without it, all but the builders
        #[arg(value_enum)]
        part: Option<bench::Part>,
        /// Of the builders, only rows that contain this
        #[arg(default_value = "")]
        filter: String,
    },
    /// What the model knows of a heap of Dockerfiles, in figures
    Survey {
        /// Dockerfiles, or folders of them
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// The platforms to evaluate for
        #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64")]
        platforms: Vec<Platform>,
        /// Also name each case
        #[arg(long, value_enum)]
        list: Option<survey::List>,
    },
}

fn groups() -> String {
    let groups = suite::GROUPS.iter().map(|group| format!("{} ({})", group.name, group.what));
    format!("Only these groups: {}", groups.collect::<Vec<_>>().join("; "))
}

fn main() -> ExitCode {
    let result = match Args::parse().task {
        Task::Setup => setup(),
        Task::Demo => demo().map(|()| true),
        Task::Test { group } => suite::run(&group),
        Task::Prove { filter } => prove::task(&filter),
        Task::Compare { filter } => compare::task(&filter),
        Task::Bench { part, filter } => bench::run(part, &filter).map(|()| true),
        Task::Survey { paths, platforms, list } => survey::run(&paths, &platforms, list),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn setup() -> Result<bool> {
    packages::install()?;
    for kind in rootfs::Kind::ALL {
        let start = Instant::now();
        let kept = rootfs::is_made(kind);
        let dir = rootfs::make(kind)?;
        let seconds = start.elapsed().as_secs_f64();
        let how = if kept { "kept".to_owned() } else { format!("made in {seconds:.1} s") };
        println!("root file systems: {:8} {how}: {}", kind.name(), dir.display());
    }
    Ok(true)
}

fn demo() -> Result<()> {
    let skipped = demo::run()?;
    println!("skipped: {}", if skipped.is_empty() { "nothing" } else { "" });
    skipped.iter().for_each(|line| println!("  {line}"));
    Ok(())
}
