//! Running programs: quietly for parts, aloud for people.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// The command line as a person would type it.
pub fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| quote(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+~".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Runs it with its output captured; whatever the exit status.
pub fn output(command: &mut Command) -> Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Start { command: line(command), source })
}

/// Runs it with its output captured; a failure is an error that carries what it said.
pub fn quiet(command: &mut Command) -> Result<String> {
    let out = output(command)?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let mut stderr = String::from_utf8_lossy(&out.stderr).into_owned();
    if stderr.trim().is_empty() {
        stderr = String::from_utf8_lossy(&out.stdout).into_owned();
    }
    Err(Error::Failed { command: line(command), status: out.status, stderr })
}

/// How a command that was run aloud ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Its exit code; none after a signal.
    pub code: Option<i32>,
    /// How long it took.
    pub took: Duration,
}

/// Prints the command line, runs it with its output on ours, and prints the time that it took.
/// `shown` replaces the printed line where the real one would only confuse.
pub fn aloud(command: &mut Command, shown: Option<&str>) -> Result<Ended> {
    println!("\n$ {}", shown.map_or_else(|| line(command), str::to_owned));
    let start = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|source| Error::Start { command: line(command), source })?;
    let took = start.elapsed();
    let end = match status.code() {
        Some(0) => String::new(),
        Some(code) => format!(", exit {code}"),
        None => format!(", {status}"),
    };
    println!("  ({:.2} s{end})", took.as_secs_f64());
    Ok(Ended { code: status.code(), took })
}

/// Like [`aloud`], and a failure is an error.
pub fn aloud_ok(command: &mut Command, shown: Option<&str>) -> Result<Duration> {
    let ended = aloud(command, shown)?;
    if ended.code == Some(0) {
        return Ok(ended.took);
    }
    let found = ended.code.map_or("a signal".to_owned(), |code| format!("exit {code}"));
    Err(Error::unexpected(format!("`{}`", line(command)), "exit 0", found))
}

/// Like [`aloud_ok`], and `read` gets every line of both outputs as it passes.
pub fn aloud_read(
    command: &mut Command,
    shown: &str,
    mut read: impl FnMut(&str) + Send,
) -> Result<Duration> {
    println!("\n$ {shown}");
    let start = Instant::now();
    let failed = |source| Error::Start { command: shown.to_owned(), source };
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    command.stdin(Stdio::null());
    command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
    let mut child = command.spawn().map_err(failed)?;
    // Our own copies of the writing end would keep the pipe open for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    for line in std::io::BufReader::new(reader).split(b'\n').map_while(std::io::Result::ok) {
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        read(&line);
    }
    let status = child.wait().map_err(failed)?;
    let took = start.elapsed();
    println!("  ({:.2} s, {status})", took.as_secs_f64());
    if status.success() {
        return Ok(took);
    }
    Err(Error::unexpected(format!("`{}`", line(command)), "exit 0", status.to_string()))
}

/// Finds a program on `PATH` and in the system directories, which an ordinary user's `PATH` lacks.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].into_iter().map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file()
}

/// Whether we are root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Asks again and again until it holds or the time is over.
pub fn wait_until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
