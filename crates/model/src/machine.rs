//! Machines and C libraries: what a file is made for, and how that was decided.

use std::fmt;

use mlint_oci::Platform;
use mlint_syntax::Span;

use crate::value::Value;

/// Which machine a file is made for, on the platform under evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MachineKind {
    /// Machine code for this platform.
    Platform(Platform),
    /// It runs everywhere: a script, a jar, JavaScript, data.
    Independent,
    /// Not known.
    Unknown,
}

/// How it was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MachineSource {
    /// A native toolchain made it for the platform that its stage runs on.
    StagePlatform,
    /// Told by a setting: `GOARCH=…`, `--target …`, `-r linux-x64`, `CC=…`, `--host=…`.
    Setting {
        /// The setting's name as written: `GOARCH`, `--target`, `-r`, `CC`.
        name: String,
        /// Its value, with the way it took.
        value: Value,
        /// Where it is set for this step.
        span: Span,
    },
    /// An architecture word in a download's URL or file name says so.
    Name {
        /// The URL or file name.
        value: Value,
    },
    /// A package manager or base image brings files of the platform that the stage runs on.
    Packages,
    /// The file itself says so: it lies in the build context, and is an ELF file.
    Elf,
    /// What it is decides it (a jar, a script).
    Kind,
    /// Nothing is known about what made it.
    Nothing,
}

/// A machine and how it was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The machine.
    pub kind: MachineKind,
    /// How it was decided.
    pub source: MachineSource,
}

impl Machine {
    /// An unknown machine.
    pub fn unknown() -> Self {
        Self { kind: MachineKind::Unknown, source: MachineSource::Nothing }
    }

    /// Machine-independent by its kind.
    pub fn independent() -> Self {
        Self { kind: MachineKind::Independent, source: MachineSource::Kind }
    }

    /// Made by a native tool in a stage that runs on `platform`, if that is known.
    pub fn native(platform: Option<&Platform>) -> Self {
        match platform {
            Some(p) => Self {
                kind: MachineKind::Platform(p.clone()),
                source: MachineSource::StagePlatform,
            },
            None => Self::unknown(),
        }
    }

    /// The platform, if it is machine code for a known one.
    pub fn platform(&self) -> Option<&Platform> {
        match &self.kind {
            MachineKind::Platform(p) => Some(p),
            _ => None,
        }
    }

    /// Whether it is certainly machine code that `target` can't run. amd64 runs 386; a 64-bit ARM
    /// userland has no 32-bit loader, so arm counts as wrong there; variants of one architecture
    /// are not told apart upward (v6 on v7 is right, v7 on v6 is wrong).
    pub fn is_wrong_for(&self, target: &Platform) -> bool {
        let Some(machine) = self.platform() else { return false };
        if machine.os() != target.os() {
            return true;
        }
        match (machine.arch(), target.arch()) {
            ("386", "amd64") => false,
            (a, b) if a != b => true,
            ("arm", _) => arm_version(machine) > arm_version(target),
            _ => false,
        }
    }
}

fn arm_version(platform: &Platform) -> u32 {
    platform.variant().and_then(|v| v.trim_start_matches('v').parse().ok()).unwrap_or(7)
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            MachineKind::Platform(p) => write!(f, "{p}"),
            MachineKind::Independent => f.write_str("any"),
            MachineKind::Unknown => f.write_str("?"),
        }
    }
}

/// The C library that a stage's root file system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Libc {
    /// glibc: Debian, Ubuntu, Fedora, distroless/base, …
    Glibc,
    /// musl: Alpine, busybox:musl, …
    Musl,
    /// None at all: scratch, distroless/static, static busybox.
    None,
    /// Not known.
    #[default]
    Unknown,
}

/// How a file of machine code is linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Linkage {
    /// It needs no library.
    Static,
    /// It needs glibc's loader.
    Glibc,
    /// It needs musl's loader.
    Musl,
    /// Not machine code, or not known.
    #[default]
    Unknown,
}

impl Linkage {
    /// How a native compiler links by default where that C library is.
    pub fn dynamic(libc: Libc) -> Self {
        match libc {
            Libc::Glibc => Self::Glibc,
            Libc::Musl => Self::Musl,
            Libc::None | Libc::Unknown => Self::Unknown,
        }
    }

    /// Whether such a file certainly does not start where only `libc` is.
    pub fn is_wrong_for(self, libc: Libc) -> bool {
        matches!(
            (self, libc),
            (Self::Glibc, Libc::Musl | Libc::None) | (Self::Musl, Libc::Glibc | Libc::None)
        )
    }
}

impl fmt::Display for Libc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Glibc => "glibc",
            Self::Musl => "musl",
            Self::None => "none",
            Self::Unknown => "?",
        })
    }
}

impl fmt::Display for Linkage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Static => "static",
            Self::Glibc => "glibc",
            Self::Musl => "musl",
            Self::Unknown => "?",
        })
    }
}
