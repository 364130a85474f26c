//! The command as its users meet it: the real binary, its output, its exit status.

mod check;
mod config;
mod contexts;
mod fix;
mod formats;
mod graph;
mod input;
mod others;
mod output;
mod sums;
mod trace;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A directory of its own for a test, without a `mlint.toml` above it that could leak in.
pub struct Place {
    dir: tempfile::TempDir,
}

/// What a run said.
#[derive(Debug)]
pub struct Run {
    /// The exit status; nothing if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Place {
    /// A directory with these files.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let place = Self { dir: tempfile::tempdir().expect("a directory") };
        for (name, text) in files {
            place.put(name, text.as_bytes());
        }
        place
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes a file, with the folders on its way.
    pub fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// The text of a file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect("a file")
    }

    /// All names in the directory, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).expect("a directory");
        let mut names: Vec<String> = entries
            .map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A call of mlint in the directory, with nothing of this machine's settings.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mlint"));
        command
            .args(args)
            .current_dir(self.path())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR")
            .env_remove("CLICOLOR_FORCE")
            .env_remove("COLUMNS")
            .env("MLINT_CACHE_DIR", self.path().join(".cache"));
        command
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Run {
        Run::of(self.command(args).stdin(Stdio::null()).output().expect("mlint runs"))
    }

    /// Runs it with standard input.
    pub fn run_with_stdin(&self, args: &[&str], stdin: &[u8]) -> Run {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mlint runs");
        let mut pipe = child.stdin.take().expect("a pipe");
        let bytes = stdin.to_vec();
        let writer = std::thread::spawn(move || pipe.write_all(&bytes));
        let output = child.wait_with_output().expect("mlint ends");
        // It may have seen enough before the end.
        let _ = writer.join().expect("the writer ends");
        Run::of(output)
    }
}

impl Run {
    /// What a process said.
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON: {e}: {self:?}"))
    }
}

/// A Dockerfile with one defect: a default that beats the automatic value.
pub const DEFECT: &str = "FROM debian:12 AS base\nARG TARGETARCH=amd64\n\
     RUN apt-get update && echo \"$TARGETARCH\" > /arch\n";

/// A Dockerfile without defect.
pub const CLEAN: &str = "FROM debian:12\nRUN echo hello > /greeting\n";
