//! `cargo xtask bench`: whole processes, timed on a quiet machine. Prints medians; nothing fails.

mod builders;
mod check;
mod contexts;
mod peers;
mod steps;

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::mlint::Mlint;
use crate::{Error, Result, paths, run};

/// A part of the benches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// `mlint check` of one file and of 200, beside other linters where they are installed
    Check,
    /// What a `RUN` costs, native and emulated
    Steps,
    /// Whole builds for two platforms with their push, beside BuildKit and buildah
    Builders,
}

/// Runs one part, or the first two: the third takes half an hour.
pub fn run(part: Option<Part>, filter: &str) -> Result<()> {
    let work = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
    let home = work.path().join("home");
    std::fs::create_dir(&home).map_err(Error::file(&home))?;
    println!("compiling the release profile");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["build", "--release", "--quiet", "--package", "mlint"];
    run::quiet(Command::new(cargo).args(build).current_dir(paths::root()))?;
    let mlint = Mlint { program: paths::target().join("release/mlint"), home };
    println!(
        "{} processors, medians of several runs, wall time of the whole process\n",
        processors()
    );
    if matches!(part, None | Some(Part::Check)) {
        check::run(&mlint, work.path())?;
    }
    if matches!(part, None | Some(Part::Steps)) {
        steps::run(&mlint, work.path())?;
    }
    if part == Some(Part::Builders) {
        builders::run(mlint, work.path(), filter)?;
    }
    Ok(())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn native() -> &'static str {
    if crate::apt::native_arch() == "arm64" { "linux/arm64" } else { "linux/amd64" }
}

fn foreign() -> &'static str {
    if native() == "linux/arm64" { "linux/amd64" } else { "linux/arm64" }
}

/// The median wall time of several runs, in seconds, after one that is not counted.
fn median(runs: usize, command: impl Fn() -> Command) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..=runs {
        // 1 is "there are findings".
        times.push(timed(&mut command(), &[0, 1])?);
    }
    Ok(middle(times.split_off(1)))
}

/// The wall time of one process, in seconds; another exit status than these is an error.
fn timed(command: &mut Command, good: &[i32]) -> Result<f64> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let out =
        command.output().map_err(|source| Error::Start { command: run::line(command), source })?;
    let took = start.elapsed().as_secs_f64();
    if out.status.code().is_some_and(|code| good.contains(&code)) {
        return Ok(took);
    }
    let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    Err(Error::Failed { command: run::line(command), status: out.status, stderr })
}

fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn row(what: &str, seconds: f64) {
    println!("  {what:44} {:8.1} ms", seconds * 1000.0);
}
