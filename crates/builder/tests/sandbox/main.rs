//! The sandbox on the real kernel: sessions, steps, emulation, overlays, and what they leave.
//!
//! Every case runs inside a session of this very executable: as root with the identity map, and
//! again as an ordinary user with a subordinate range and with a single id, as far as the case
//! makes sense there. `cargo test -p mlint-builder --test sandbox [NAME…]`.

#![allow(clippy::print_stdout, reason = "this is the test harness")]

mod emulated;
mod fixtures;
mod inside;
mod isolation;
mod lifecycle;
mod overlays;
mod steps;

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use mlint_builder::sandbox::{
    self, Session, SessionReply,
    session::{IdMap, IdMapMode, SessionOptions},
};
use serde::{Deserialize, Serialize};

use fixtures::Fixture;

/// How a case ended when it did not succeed.
#[derive(Debug, Serialize, Deserialize)]
pub enum Trouble {
    /// Something is not on this machine.
    Skip(String),
    /// It is wrong.
    Fail(String),
}

impl<E: std::fmt::Display> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Fail(error.to_string())
    }
}

/// How a case ended.
pub type Outcome = Result<(), Trouble>;

/// Fails the case unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err($crate::Trouble::Fail(format!($($text)+)));
        }
    };
}

/// Where a case runs.
type Inside = fn(&Session, &Fixture) -> Outcome;
/// A case that starts its own sessions.
type Outside = fn(&Fixture) -> Outcome;

enum Case {
    Inside(&'static str, &'static [IdMap], Inside),
    Outside(&'static str, Outside),
}

const ALL: &[IdMap] = &[IdMap::Identity, IdMap::Range, IdMap::Single];
const FULL: &[IdMap] = &[IdMap::Identity, IdMap::Range];
const SINGLE: &[IdMap] = &[IdMap::Single];

const CASES: &[Case] = &[
    Case::Inside("runs-and-streams", ALL, steps::runs_and_streams),
    Case::Inside("reports-exit-and-signal", ALL, steps::reports_exit_and_signal),
    Case::Inside("explains-what-cannot-start", ALL, steps::explains_what_cannot_start),
    Case::Inside("changes-land-in-upper", ALL, steps::changes_land_in_upper),
    Case::Inside("user-directory-and-environment", FULL, steps::user_directory_and_environment),
    Case::Inside("pid-one-reaps-and-ends-all", ALL, steps::pid_one_reaps_and_ends_all),
    Case::Inside("mounts-leave-no-trace", ALL, steps::mounts_leave_no_trace),
    Case::Inside("mounts-where-a-layer-removed", ALL, steps::mounts_where_a_layer_removed),
    Case::Inside("bad-mounts-are-refused", ALL, steps::bad_mounts_are_refused),
    Case::Inside("limits-are-set", ALL, steps::limits_are_set),
    Case::Inside("large-output-is-complete", ALL, steps::large_output_is_complete),
    Case::Inside("capabilities-are-dockers", ALL, isolation::capabilities_are_dockers),
    Case::Inside("seccomp-refuses", ALL, isolation::seccomp_refuses),
    Case::Inside("devices-and-kernel-files", ALL, isolation::devices_and_kernel_files),
    Case::Inside("host-is-out-of-sight", ALL, isolation::host_is_out_of_sight),
    Case::Inside("first-process-has-no-more", ALL, inside::first_process_has_no_more),
    Case::Inside("kernel-files-are-masked", ALL, inside::kernel_files_are_masked),
    Case::Inside("sys-is-its-own", ALL, inside::sys_is_its_own),
    Case::Inside("nothing-is-inherited", ALL, inside::nothing_is_inherited),
    Case::Inside("mount-points-stay-inside", ALL, inside::mount_points_stay_inside),
    Case::Inside("keyring-is-left", ALL, inside::keyring_is_left),
    Case::Inside("foreign-sockets-are-out-of-reach", ALL, inside::foreign_sockets),
    Case::Inside("network-none", ALL, isolation::network_none),
    Case::Inside("chown-works", FULL, isolation::chown_works),
    Case::Inside("chown-is-faked", SINGLE, isolation::chown_is_faked),
    Case::Inside("setuid-programs-work", FULL, isolation::setuid_programs_work),
    Case::Inside("emulates-arm64", ALL, emulated::emulates_arm64),
    Case::Inside("every-installed-emulator", ALL, emulated::every_installed_emulator),
    Case::Inside("missing-emulator-is-explained", ALL, emulated::missing_emulator_is_explained),
    Case::Inside("two-platforms-at-once", ALL, emulated::two_platforms_at_once),
    Case::Inside("overlay-guard", ALL, overlays::guard),
    Case::Inside("six-hundred-layers", ALL, overlays::six_hundred_layers),
    Case::Inside("same-layer-twice", ALL, overlays::same_layer_twice),
    Case::Inside("timeout-and-cancel", ALL, lifecycle::timeout_and_cancel),
    Case::Outside("interrupt-ends-all", lifecycle::interrupt_ends_all),
    Case::Outside("kill-ends-all", lifecycle::kill_ends_all),
    Case::Outside("probe", lifecycle::probe),
    Case::Outside("step-cost", lifecycle::step_cost),
];

/// What the parent tells the session to run.
#[derive(Serialize, Deserialize)]
struct Request {
    case: String,
    fixture: Fixture,
}

fn main() -> ExitCode {
    if let Some(code) = sandbox::dispatch(inside) {
        return code;
    }
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|a| !a.starts_with("--") || a == "--as-user").collect();
    if arguments.first().is_some_and(|a| a == lifecycle::HELPER) {
        return lifecycle::helper(&arguments[1..]);
    }
    if arguments.first().is_some_and(|a| a == inside::CLIENT) {
        return inside::client(&arguments[1..]);
    }
    let (as_user, filters) = match arguments.first() {
        Some(first) if first == "--as-user" => (true, &arguments[1..]),
        _ => (false, &arguments[..]),
    };
    let fixture = match Fixture::prepare() {
        Ok(fixture) => fixture,
        Err(Trouble::Skip(why) | Trouble::Fail(why)) => {
            println!("no case can run: {why}");
            return ExitCode::FAILURE;
        }
    };
    let root = rustix::process::geteuid().is_root();
    let maps: &[IdMap] = if root { &[IdMap::Identity] } else { &[IdMap::Range, IdMap::Single] };
    let failed = run_cases(&fixture, maps, filters);
    let mut bad = failed > 0;
    if root && !as_user {
        bad |= !fixtures::again_as_user(filters);
    }
    // Files of other ids can only be removed where these are at hand.
    let clean = in_session(&fixture, fixtures::CLEAN, maps[0]);
    if let Err(trouble) = clean {
        println!("the directories of the cases are left: {trouble:?}");
    }
    fixture.remove();
    if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run_cases(fixture: &Fixture, maps: &[IdMap], filters: &[String]) -> usize {
    let mut failed = 0;
    let mut tell = |name: &str, how: &str, outcome: Outcome| match outcome {
        Ok(()) => println!("test {name} ({how}) ... ok"),
        Err(Trouble::Skip(why)) => println!("test {name} ({how}) ... SKIP: {why}"),
        Err(Trouble::Fail(why)) => {
            failed += 1;
            println!("test {name} ({how}) ... FAILED\n    {why}");
        }
    };
    for case in CASES {
        let name = match case {
            Case::Inside(name, ..) | Case::Outside(name, _) => name,
        };
        if !filters.is_empty() && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            continue;
        }
        match case {
            Case::Inside(name, wanted, _) => {
                for map in maps.iter().filter(|map| wanted.contains(map)) {
                    tell(name, &format!("{map:?}"), in_session(fixture, name, *map));
                }
            }
            Case::Outside(name, run) => tell(name, "outside", run(fixture)),
        }
    }
    failed
}

fn options(fixture: &Fixture, id_map: IdMap) -> SessionOptions {
    SessionOptions { cache_dir: fixture.cache.clone(), id_map, qemu: Vec::new() }
}

/// Runs one case in a session of its own, and checks that it leaves nothing.
fn in_session(fixture: &Fixture, case: &str, map: IdMap) -> Outcome {
    let request = Request { case: case.to_owned(), fixture: fixture.clone() };
    let before = lifecycle::Footprint::take();
    let exit = sandbox::session::spawn(&serde_json::to_vec(&request)?, &options(fixture, map))?;
    let outcome: Outcome = serde_json::from_slice(&exit.reply)?;
    outcome?;
    ensure!(exit.status == 0, "the session ended with {}", exit.status);
    before.unchanged()
}

/// The session's body.
fn inside(session: Session, request: Vec<u8>) -> SessionReply {
    let outcome = serde_json::from_slice::<Request>(&request).map_err(Trouble::from).and_then(
        |Request { case, fixture }| {
            if case == lifecycle::STEP_COST {
                return lifecycle::measure(&session, &fixture);
            }
            if case == lifecycle::LONG_STEP {
                return lifecycle::long_step(&session, &fixture);
            }
            if case == fixtures::CLEAN {
                return fixtures::clean(&session);
            }
            CASES
                .iter()
                .find_map(|known| match known {
                    Case::Inside(name, _, run) if *name == case => Some(run(&session, &fixture)),
                    _ => None,
                })
                .unwrap_or_else(|| Err(Trouble::Fail(format!("no such case: {case}"))))
        },
    );
    SessionReply { bytes: serde_json::to_vec(&outcome).unwrap_or_default(), status: 0 }
}

/// Which id map the session is to have got.
pub fn is_single(session: &Session) -> bool {
    matches!(session.id_map(), IdMapMode::Single { .. })
}

/// This executable, for the cases that start it again.
pub fn this_executable() -> Result<PathBuf, Trouble> {
    Ok(std::env::current_exe()?)
}

/// Runs a command of the host and gives its output.
pub fn host(command: &mut Command) -> Result<String, Trouble> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{command:?}: {} {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
