//! Running programs of other machines: QEMU behind a `binfmt_misc` that only this session sees.

mod binfmt;
mod elf;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use mlint_oci::platform::Platform;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::Session;
pub(super) use elf::Machine;

/// How programs of a platform run here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// By the processor.
    Native,
    /// By an emulator that only this session knows.
    PrivateBinfmt {
        /// The emulator.
        qemu: PathBuf,
    },
    /// By an emulator that the host has registered.
    HostBinfmt,
}

impl Kind {
    /// Whether steps of this kind are slow.
    pub fn is_emulated(&self) -> bool {
        *self != Self::Native
    }
}

/// Why a platform's programs can't run here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("programs for {platform} cannot run here: {missing}\n{remedy}")]
pub struct EmulationError {
    /// The platform.
    pub platform: Platform,
    /// What is missing.
    pub missing: String,
    /// How to get it.
    pub remedy: String,
}

/// The platforms that were asked for, each with its way of running. To be kept for as long as
/// steps run: the registrations live and die with it.
#[derive(Debug)]
pub struct Emulation {
    kinds: BTreeMap<Platform, Kind>,
    /// The mount of the private instance. The kernel forgets its entries with the last reference,
    /// and this is the only one.
    _instance: Option<OwnedFd>,
}

/// A platform that needs an emulator, and what was found for it.
struct Foreign {
    platform: Platform,
    machine: Machine,
    qemu: Result<PathBuf, String>,
}

impl Emulation {
    /// Makes everything ready to run programs of these platforms, and tries each.
    pub fn prepare(session: &Session, needed: &[Platform]) -> Result<Self, EmulationError> {
        let mut emulation = Self { kinds: BTreeMap::new(), _instance: None };
        let mut foreign = Vec::new();
        for platform in needed {
            if emulation.kinds.contains_key(platform)
                || foreign.iter().any(|known: &Foreign| known.platform == *platform)
            {
                continue;
            }
            let machine = machine_of(platform)?;
            if runs_natively(session, platform, &machine) {
                emulation.kinds.insert(platform.clone(), Kind::Native);
            } else {
                let qemu = find_qemu(session, &machine);
                foreign.push(Foreign { platform: platform.clone(), machine, qemu });
            }
        }
        if !foreign.is_empty() {
            emulation.prepare_foreign(session, foreign)?;
        }
        Ok(emulation)
    }

    /// How a platform's programs run, if it was asked for.
    pub fn kind(&self, platform: &Platform) -> Option<&Kind> {
        self.kinds.get(platform)
    }

    fn prepare_foreign(
        &mut self,
        session: &Session,
        foreign: Vec<Foreign>,
    ) -> Result<(), EmulationError> {
        // Order matters: once a private instance exists it hides the host's for good.
        let Some(complete) = all_found(&foreign) else {
            return self.use_host(session, &foreign, None);
        };
        let instance = match binfmt::new_instance() {
            Ok(instance) => instance,
            Err(errno) => return self.use_host(session, &foreign, Some(errno)),
        };
        for (entry, qemu) in complete {
            let machine = &entry.machine;
            let failed = |missing: String| EmulationError {
                platform: entry.platform.clone(),
                missing,
                remedy: remedy(machine),
            };
            binfmt::register(&instance, machine, &qemu).map_err(|errno| {
                failed(format!("{} cannot be registered: {errno}", qemu.display()))
            })?;
            try_running(session, machine).map_err(|error| {
                failed(format!("{} was registered, but a test failed: {error}", qemu.display()))
            })?;
            self.kinds.insert(entry.platform.clone(), Kind::PrivateBinfmt { qemu });
        }
        self._instance = Some(instance);
        Ok(())
    }

    /// Falls back on what the host has registered.
    fn use_host(
        &mut self,
        session: &Session,
        foreign: &[Foreign],
        refused: Option<Errno>,
    ) -> Result<(), EmulationError> {
        for entry in foreign {
            if try_running(session, &entry.machine).is_ok() {
                self.kinds.insert(entry.platform.clone(), Kind::HostBinfmt);
                continue;
            }
            let missing = match (&entry.qemu, refused) {
                (Err(reason), _) => reason.clone(),
                // This one has an emulator; another has not, so there is no private instance.
                (Ok(_), None) => continue,
                (Ok(_), Some(errno)) => {
                    return Err(EmulationError {
                        platform: entry.platform.clone(),
                        missing: format!(
                            "the kernel gives no binfmt_misc of the session's own ({errno}; Linux \
                             6.7 or newer has it), and the host has none registered"
                        ),
                        remedy: "as root: apt-get install qemu-user-static binfmt-support, or \
                                 hand this platform to a BuildKit node with --builder"
                            .to_owned(),
                    });
                }
            };
            return Err(EmulationError {
                platform: entry.platform.clone(),
                missing,
                remedy: remedy(&entry.machine),
            });
        }
        // The host serves those without an emulator, but not all: the two do not go together.
        match foreign.iter().find(|entry| !self.kinds.contains_key(&entry.platform)) {
            None => Ok(()),
            Some(entry) => Err(EmulationError {
                platform: entry.platform.clone(),
                missing: "other platforms of this build depend on the host's registered \
                          emulators, which has none for this one"
                    .to_owned(),
                remedy: "as root: apt-get install qemu-user-static".to_owned(),
            }),
        }
    }
}

/// Whether a platform would be run by an emulator of the session's own.
pub(super) fn has_emulator(session: &Session, platform: &Platform) -> bool {
    machine_of(platform).is_ok_and(|machine| {
        !runs_natively(session, platform, &machine) && find_qemu(session, &machine).is_ok()
    })
}

/// All of them with their emulators, or `None` if one has none.
fn all_found(foreign: &[Foreign]) -> Option<Vec<(&Foreign, PathBuf)>> {
    foreign.iter().map(|entry| Some((entry, entry.qemu.clone().ok()?))).collect()
}

fn machine_of(platform: &Platform) -> Result<Machine, EmulationError> {
    let unknown = |missing: &str| EmulationError {
        platform: platform.clone(),
        missing: missing.to_owned(),
        remedy: "leave this platform out, or hand it to a BuildKit node with --builder".to_owned(),
    };
    if platform.os() != "linux" {
        return Err(unknown("only Linux programs can be run"));
    }
    Machine::by_arch(platform.arch()).ok_or_else(|| unknown("no emulator is known for it"))
}

fn remedy(machine: &Machine) -> String {
    format!(
        "as root: apt-get install qemu-user-static; or name a static emulator with --qemu {}=PATH",
        machine.arch
    )
}

fn runs_natively(session: &Session, platform: &Platform, machine: &Machine) -> bool {
    let host = Platform::host();
    if platform.arch() == host.arch() {
        return true;
    }
    // 64-bit processors that may run their 32-bit ancestor's programs: only a try tells.
    matches!((host.arch(), platform.arch()), ("amd64", "386") | ("arm64", "arm"))
        && try_running(session, machine).is_ok()
}

/// Looks for a static emulator: as given, in PATH, in the user's cache.
fn find_qemu(session: &Session, machine: &Machine) -> Result<PathBuf, String> {
    let given = session.qemu().iter().find(|(arch, _)| arch == machine.arch);
    if let Some((_, path)) = given {
        return is_static(path)
            .map_err(|error| format!("{} cannot be used: {error}", path.display()))
            .map(|()| path.clone());
    }
    let names = [format!("qemu-{}-static", machine.qemu), format!("qemu-{}", machine.qemu)];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    directories.push(PathBuf::from("/usr/bin"));
    directories.push(session.cache_dir().join("qemu"));
    let mut unusable = None;
    // The static name in all places first: the plain one is most often linked dynamically.
    for name in &names {
        for directory in directories.iter().filter(|directory| directory.is_absolute()) {
            let candidate = directory.join(name);
            match is_static(&candidate) {
                Ok(()) => return Ok(candidate),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    unusable.get_or_insert(format!("{}: {error}", candidate.display()));
                }
            }
        }
    }
    Err(match unusable {
        Some(why) => format!("no usable {} was found ({why})", names[0]),
        None => format!("{} is not installed", names[0]),
    })
}

/// Inside an image there is no loader for the host's programs, so the emulator must not need one.
fn is_static(path: &Path) -> io::Result<()> {
    let mut head = Vec::new();
    let file = fs::File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o111 == 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is not executable"));
    }
    file.take(4096).read_to_end(&mut head)?;
    match elf::has_interpreter(&head) {
        Some(false) => Ok(()),
        Some(true) => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is linked dynamically, and would not find its libraries inside an image",
        )),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "it is no ELF program")),
    }
}

/// Runs a tiny program of a machine.
fn try_running(session: &Session, machine: &Machine) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = session.scratch().join(format!("try-{}-{number}", machine.arch));
    fs::write(&path, machine.tiny_program())?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    let run = || {
        Command::new(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
    };
    let mut result = run();
    for _ in 0..50 {
        // Another thread's child may hold our write descriptor for a moment.
        match &result {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(1));
                result = run();
            }
            _ => break,
        }
    }
    let _ = fs::remove_file(&path);
    match result?.code() {
        Some(elf::TINY_STATUS) => Ok(()),
        _ => Err(io::Error::other("a program of three instructions did not end as it should")),
    }
}
