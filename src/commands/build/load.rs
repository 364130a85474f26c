//! `--load`: what was built goes to the container engine of this machine.

use std::{
    fs::File,
    io,
    process::{Command, Output, Stdio},
};

use mlint_builder::request::{BuildRequest, Output as Wanted, Place};
use tempfile::TempDir;

/// Those that know `load`, the first that answers is asked.
const ENGINES: [&str; 2] = ["docker", "podman"];

/// An engine that waits for an archive.
pub struct Load {
    engine: &'static str,
    dir: TempDir,
}

impl Load {
    /// Finds an engine before anything is built, if one is wanted, and tells the build where the
    /// archive goes.
    pub fn prepare(flag: bool, request: &mut BuildRequest) -> Result<Option<Self>, String> {
        let is_load = |output: &Wanted| matches!(output.place, Place::Load(_));
        if flag && !request.outputs.iter().any(is_load) {
            request.outputs.push(Wanted::to(Place::Load(Default::default())));
        }
        if !request.outputs.iter().any(is_load) {
            return Ok(None);
        }
        let load = Self {
            engine: engine()?,
            dir: TempDir::new().map_err(|e| format!("cannot make a directory for --load: {e}"))?,
        };
        for output in request.outputs.iter_mut().filter(|output| is_load(output)) {
            output.place = Place::Load(load.dir.path().join(ARCHIVE));
        }
        Ok(Some(load))
    }

    /// Hands the archive over; gives what the engine says.
    pub fn load(self) -> Result<String, String> {
        let Self { engine, dir } = self;
        let failed = |why: String| format!("the build is done, but {engine} load failed: {why}");
        let archive = File::open(dir.path().join(ARCHIVE)).map_err(|e| failed(e.to_string()))?;
        // However this ends from here on, nothing is left.
        drop(dir);
        let mut command = Command::new(engine);
        let output = command.arg("load").stdin(Stdio::from(archive)).output();
        let Output { status, stdout, stderr } = output.map_err(|e| failed(e.to_string()))?;
        if !status.success() {
            return Err(failed(String::from_utf8_lossy(&stderr).trim().to_owned()));
        }
        Ok(String::from_utf8_lossy(&stdout).trim().to_owned())
    }
}

const ARCHIVE: &str = "image.tar";

/// The first engine that answers.
fn engine() -> Result<&'static str, String> {
    let mut said = Vec::new();
    for engine in ENGINES {
        match Command::new(engine).arg("info").stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => return Ok(engine),
            Ok(output) => {
                let text = String::from_utf8_lossy(&output.stderr);
                let line = text.lines().rev().find(|line| !line.trim().is_empty());
                said.push(format!("{engine}: {}", line.unwrap_or("it fails").trim()));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                said.push(format!("{engine}: not installed"));
            }
            Err(e) => said.push(format!("{engine}: {e}")),
        }
    }
    Err(format!(
        "--load: no container engine answers ({}). To write an archive for one elsewhere: \
         --output type=docker,dest=FILE; to run the image from a registry: --push",
        said.join("; ")
    ))
}
