//! How sessions and steps end, and what they leave: nothing.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use mlint_builder::sandbox::{
    Cancel, Session, probe as probing,
    session::{self, IdMap, SessionError},
    step::{self, StepError},
};
use mlint_oci::platform::Platform;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::{
    Outcome, Request, Trouble, emulated, ensure,
    fixtures::{Fixture, run, sh, shell},
    this_executable,
};

/// Makes this executable a build to be interrupted.
pub const HELPER: &str = "long-step-helper";
pub const LONG_STEP: &str = "long-step";
pub const STEP_COST: &str = "step-cost";

/// Processes of this executable and mounts of the host, before and after.
pub struct Footprint {
    processes: Vec<String>,
    mounts: String,
}

impl Footprint {
    pub fn take() -> Self {
        Self { processes: processes(), mounts: mounts() }
    }

    /// Gives the kernel a moment to bury the dead.
    pub fn unchanged(&self) -> Outcome {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let now = Self::take();
            let left: Vec<&String> =
                now.processes.iter().filter(|p| !self.processes.contains(p)).collect();
            if left.is_empty() && now.mounts == self.mounts {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "left behind: {left:?}; mounts then and now:\n{}\n{}",
                self.mounts,
                now.mounts
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The host's mounts, without those of a container engine that runs beside us and has its own comings
/// and goings.
fn mounts() -> String {
    let all = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let foreign = |line: &&str| {
        ["containerd", "docker", "buildkit", "buildah", "engine"].iter().any(|e| line.contains(e))
    };
    all.lines().filter(|line| !foreign(line)).collect::<Vec<_>>().join("\n")
}

/// Sessions, steps, and the sleepers that only our steps start.
fn processes() -> Vec<String> {
    let own = fs::read_link("/proc/self/exe").unwrap_or_default();
    let me = rustix::process::getuid().as_raw();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.bytes().all(|b| b.is_ascii_digit()) {
            continue;
        }
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        // Another mlint may be at work beside us.
        let theirs = match fs::read_link(entry.path().join("exe")) {
            Ok(exe) => exe != own,
            // What we may not look at is not ours, unless we are its owner.
            Err(_) => entry.metadata().is_ok_and(|m| m.uid() != me),
        };
        let ours = !theirs && (line.contains("__session") || line.contains("__step"));
        if (ours && !line.contains("grep")) || line.contains("sleep 36") {
            found.push(format!("{name} {line}"));
        }
    }
    found
}

pub fn timeout_and_cancel(session: &Session, fixture: &Fixture) -> Outcome {
    let line = "trap '' TERM INT HUP; sleep 3602 & sleep 3603";
    let spec = shell(session, &fixture.native, line)?;
    let start = Instant::now();
    let limit = Some(Duration::from_millis(300));
    let ended = step::run(session, &spec, session.cancel(), limit, &mut |_, _| {});
    ensure!(matches!(ended, Err(StepError::TimedOut { .. })), "{ended:?}");
    ensure!(start.elapsed() < Duration::from_secs(3), "it took {:?}", start.elapsed());
    ensure!(!processes().iter().any(|p| p.contains("sleep 360")), "{:?}", processes());

    let cancel = Cancel::new()?;
    let spec = shell(session, &fixture.native, line)?;
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            cancel.cancel();
        });
        step::run(session, &spec, &cancel, None, &mut |_, _| {})
    });
    ensure!(matches!(ended, Err(StepError::Cancelled)), "{ended:?}");
    ensure!(!processes().iter().any(|p| p.contains("sleep 360")), "{:?}", processes());
    let ended = step::run(session, &spec, &cancel, None, &mut |_, _| {});
    ensure!(matches!(ended, Err(StepError::Cancelled)), "a cancelled build starts nothing");
    // Ended at once: many times over, to meet the moments between two system calls.
    for delay in 0..40 {
        let spec = shell(session, &fixture.native, line)?;
        let limit = Some(Duration::from_micros(delay * 150));
        let _ = step::run(session, &spec, session.cancel(), limit, &mut |_, _| {});
    }
    ensure!(!processes().iter().any(|p| p.contains("sleep 360")), "{:?}", processes());
    // The flag was not the session's, which goes on.
    sh(session, &fixture.native, "true")?;
    Ok(())
}

/// The body of a build that is to be interrupted.
pub fn long_step(session: &Session, fixture: &Fixture) -> Outcome {
    let spec = shell(session, &fixture.native, "echo ready; sleep 3604 & sleep 3605")?;
    let ended = step::run(session, &spec, session.cancel(), None, &mut |_, bytes| {
        print!("{}", String::from_utf8_lossy(bytes));
        let _ = std::io::Write::flush(&mut std::io::stdout());
    });
    match ended {
        Err(StepError::Cancelled) => Err(Trouble::Skip("cancelled in good order".to_owned())),
        other => Err(Trouble::Fail(format!("{other:?}"))),
    }
}

/// Runs [`long_step`] in a process of its own and tells how it ended.
pub fn helper(arguments: &[String]) -> ExitCode {
    let Some(fixture) = arguments.first().and_then(|text| serde_json::from_str(text).ok()) else {
        return ExitCode::from(99);
    };
    let options = crate::options(&fixture, IdMap::Auto);
    let request = Request { case: LONG_STEP.to_owned(), fixture };
    let request = serde_json::to_vec(&request).unwrap_or_default();
    match session::spawn(&request, &options) {
        Ok(exit) => {
            let text = String::from_utf8_lossy(&exit.reply).into_owned();
            println!("interrupted by {:?}: {text}", exit.interrupted_by);
            ExitCode::from(42)
        }
        Err(SessionError::Interrupted { signal }) => {
            println!("cut off by {signal}");
            ExitCode::from(43)
        }
        Err(error) => {
            println!("{error}");
            ExitCode::from(44)
        }
    }
}

struct Helper {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Helper {
    /// Starts one in a process group of its own and waits until its step runs.
    fn start(fixture: &Fixture) -> Result<Self, Trouble> {
        use std::os::unix::process::CommandExt;
        let mut child = Command::new(this_executable()?)
            .arg(HELPER)
            .arg(serde_json::to_string(fixture)?)
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        ensure!(line == "ready\n", "the helper said {line:?}");
        Ok(Self { child, output })
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn end(mut self) -> Result<(Option<i32>, String), Trouble> {
        let status = self.child.wait()?;
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.output, &mut rest)?;
        Ok((status.code(), rest))
    }
}

pub fn interrupt_ends_all(fixture: &Fixture) -> Outcome {
    let before = Footprint::take();
    // To the process alone, as `kill` does.
    let helper = Helper::start(fixture)?;
    kill_process(helper.pid(), Signal::TERM)?;
    let (code, said) = helper.end()?;
    ensure!(code == Some(42), "{code:?} {said}");
    ensure!(said.contains("Some(15)") && said.contains("cancelled in good order"), "{said}");
    before.unchanged()?;
    // To the whole group, as a terminal does: the session hears it twice.
    let helper = Helper::start(fixture)?;
    kill_process_group(helper.pid(), Signal::INT)?;
    let (code, said) = helper.end()?;
    ensure!(code == Some(42), "{code:?} {said}");
    ensure!(said.contains("Some(2)") && said.contains("cancelled in good order"), "{said}");
    before.unchanged()
}

pub fn kill_ends_all(fixture: &Fixture) -> Outcome {
    let before = Footprint::take();
    let helper = Helper::start(fixture)?;
    kill_process(helper.pid(), Signal::KILL)?;
    helper.end()?;
    before.unchanged()?;
    // The session dies under the parent, which says so.
    let helper = Helper::start(fixture)?;
    let session = processes()
        .iter()
        .filter(|line| !before.processes.contains(line))
        .find(|line| line.contains("__session"))
        .and_then(|line| line.split(' ').next()?.parse().ok())
        .and_then(Pid::from_raw)
        .ok_or("no session process was found")?;
    kill_process(session, Signal::KILL)?;
    let (code, said) = helper.end()?;
    ensure!(code == Some(44) && said.contains("signal 9"), "{code:?} {said}");
    before.unchanged()
}

pub fn probe(fixture: &Fixture) -> Outcome {
    let platforms = [Platform::host(), Platform::linux("arm64")];
    let found = probing::run(&crate::options(fixture, IdMap::Auto), &platforms)?;
    ensure!(found.overlay.is_ok(), "{:?}", found.overlay);
    ensure!(found.platforms.len() == 2, "{found:?}");
    ensure!(found.platforms[0].kind.is_ok(), "{found:?}");
    println!("    {found:?}");
    emulated::bad_emulators(fixture)
}

/// Prints what a step costs. No limit is checked: machines differ, and tests that time are noise.
pub fn step_cost(fixture: &Fixture) -> Outcome {
    let request = Request { case: STEP_COST.to_owned(), fixture: fixture.clone() };
    let options = crate::options(fixture, IdMap::Auto);
    let start = Instant::now();
    let exit = session::spawn(&serde_json::to_vec(&request)?, &options)?;
    println!("    the session with all of it: {:?}", start.elapsed());
    serde_json::from_slice::<Outcome>(&exit.reply)?
}

pub fn measure(session: &Session, fixture: &Fixture) -> Outcome {
    const ROUNDS: u32 = 50;
    let rounds = |name: &str, layer: &std::path::Path| -> Outcome {
        let mut spec = shell(session, layer, "")?;
        spec.argv = vec!["/bin/busybox".to_owned(), "true".to_owned()];
        let start = Instant::now();
        for _ in 0..ROUNDS {
            let fresh = shell(session, layer, "")?;
            (spec.upper, spec.work) = (fresh.upper, fresh.work);
            run(session, &spec)?;
        }
        println!("    a {name} step: {:?}", start.elapsed() / ROUNDS);
        Ok(())
    };
    rounds("native", &fixture.native)?;
    if let Ok(layer) = &fixture.arm64 {
        let emulation = mlint_builder::sandbox::emulation::Emulation::prepare(
            session,
            &[Platform::linux("arm64")],
        );
        if let Ok(_emulation) = emulation {
            rounds("emulated", layer)?;
        }
    }
    Ok(())
}
