//! `cargo xtask bench`: whole processes, timed on a quiet machine. Prints medians; nothing fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::mlint::Mlint;
use crate::registry::Registry;
use crate::{Error, Result, paths, rootfs, run};

/// Steps of the `RUN` chain.
const CHAIN: usize = 20;

/// Runs all of them.
pub fn run() -> Result<()> {
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
    checks(&mlint, work.path())?;
    chain(&mlint, work.path())
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn checks(mlint: &Mlint, work: &Path) -> Result<()> {
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

fn chain(mlint: &Mlint, work: &Path) -> Result<()> {
    let registry = Registry::start()?;
    run::quiet(&mut mlint.base_image(
        rootfs::Kind::Busybox,
        &registry.host(),
        &work.join("bases"),
    )?)?;
    let base = format!("{}/busybox:1.35", registry.host());
    println!(
        "\nbuild: a chain of {CHAIN} `RUN` steps without a cache, beyond the same build with none"
    );
    for (what, platform) in [("native", native()), ("emulated", foreign())] {
        let mut took = Vec::new();
        for steps in [0, CHAIN] {
            let dir = work.join(format!("chain-{what}-{steps}"));
            std::fs::create_dir_all(&dir).map_err(Error::file(&dir))?;
            let text = format!("FROM {base}\n{}LABEL end=1\n", "RUN true\n".repeat(steps));
            std::fs::write(dir.join("Dockerfile"), text).map_err(Error::file(&dir))?;
            let arguments = ["build", ".", "--no-cache", "--platforms", platform];
            took.push(median(9, || mlint.command(&dir, arguments))?);
        }
        let per_step = (took[1] - took[0]) / CHAIN as f64;
        row(&format!("{what} ({platform}), a step"), per_step);
    }
    let qemu = run::which("qemu-aarch64-static");
    if let (Some(qemu), "linux/arm64") = (qemu, foreign()) {
        let program = rootfs::static_program("busybox-static", "bin/busybox", "arm64")?;
        let sh = || {
            let mut command = Command::new(&qemu);
            command.arg(&program).args(["sh", "-c", "true"]);
            command
        };
        row("of which `sh -c true` under qemu", median(21, sh)?);
    }
    Ok(())
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
        let mut command = command();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let start = Instant::now();
        let out = command
            .output()
            .map_err(|source| Error::Start { command: run::line(&command), source })?;
        times.push(start.elapsed().as_secs_f64());
        // 1 is "there are findings".
        if !matches!(out.status.code(), Some(0 | 1)) {
            let stderr = String::from_utf8_lossy(&out.stderr).into_owned();
            return Err(Error::Failed { command: run::line(&command), status: out.status, stderr });
        }
    }
    let mut times = times.split_off(1);
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn row(what: &str, seconds: f64) {
    println!("  {what:44} {:8.1} ms", seconds * 1000.0);
}
