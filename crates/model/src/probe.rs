//! Commands that tell about the machine they run on, and their answers.

use mlint_oci::{
    Platform,
    arch::{Vocabulary, word_for, words_of},
};

/// A probe: which command asks what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Probe {
    /// `uname -m`, `-p`, `-i`, `arch`.
    UnameMachine,
    /// `uname -s`, `uname`.
    UnameSystem,
    /// `dpkg --print-architecture`, `dpkg-architecture -qDEB_HOST_ARCH`.
    DpkgArch,
    /// `dpkg-architecture -qDEB_HOST_GNU_TYPE` and `…MULTIARCH`.
    DpkgTriple,
    /// `apk --print-arch`, `/etc/apk/arch`.
    ApkArch,
    /// `rpm --eval '%{_arch}'`.
    RpmArch,
    /// `getconf LONG_BIT`.
    LongBit,
    /// `go env GOARCH`, `GOHOSTARCH`.
    GoArch,
    /// `go env GOOS`, `GOHOSTOS`.
    GoOs,
    /// `node -p process.arch`.
    NodeArch,
    /// `gcc -dumpmachine`, `cc -dumpmachine`.
    GccMachine,
    /// `rustc -vV`'s host, `rustc --print host-tuple`.
    RustcHost,
    /// `python -c 'import platform; print(platform.machine())'`.
    PythonMachine,
    /// `xx-info arch`: the target's, wherever the stage runs.
    XxInfo,
}

impl Probe {
    /// Whose words it answers in; `None` if it does not name an architecture.
    pub fn vocabulary(self) -> Option<Vocabulary> {
        Some(match self {
            Self::UnameMachine | Self::PythonMachine => Vocabulary::Uname,
            Self::DpkgArch => Vocabulary::Debian,
            Self::ApkArch => Vocabulary::Apk,
            Self::RpmArch => Vocabulary::Rpm,
            Self::GoArch | Self::XxInfo => Vocabulary::Go,
            Self::NodeArch => Vocabulary::Node,
            Self::DpkgTriple | Self::GccMachine => Vocabulary::GnuTriple,
            Self::RustcHost => Vocabulary::RustGnu,
            Self::UnameSystem | Self::LongBit | Self::GoOs => return None,
        })
    }

    /// How it is commonly written.
    pub fn command(self) -> &'static str {
        match self {
            Self::UnameMachine => "uname -m",
            Self::UnameSystem => "uname -s",
            Self::DpkgArch => "dpkg --print-architecture",
            Self::DpkgTriple => "dpkg-architecture -qDEB_HOST_GNU_TYPE",
            Self::ApkArch => "apk --print-arch",
            Self::RpmArch => "rpm --eval '%{_arch}'",
            Self::LongBit => "getconf LONG_BIT",
            Self::GoArch => "go env GOARCH",
            Self::GoOs => "go env GOOS",
            Self::NodeArch => "node -p process.arch",
            Self::GccMachine => "gcc -dumpmachine",
            Self::RustcHost => "rustc -vV",
            Self::PythonMachine => "python platform.machine()",
            Self::XxInfo => "xx-info arch",
        }
    }

    /// What it prints in a container of `platform`; `None` where that is not known. `musl` matters
    /// to triples.
    pub fn answer(self, platform: &Platform, musl: bool) -> Option<String> {
        if platform.os() != "linux" {
            return None;
        }
        let vocabulary = match self {
            Self::UnameSystem => return Some("Linux".to_owned()),
            Self::GoOs => return Some(platform.os().to_owned()),
            Self::LongBit => return words_of(platform).map(|w| w.bits.to_string()),
            // Alpine's compilers name the vendor: x86_64-alpine-linux-musl.
            Self::GccMachine if musl => {
                let triple = word_for(platform, Vocabulary::MuslTriple)?;
                return Some(triple.replacen("-linux-", "-alpine-linux-", 1));
            }
            Self::RustcHost if musl => Vocabulary::RustMusl,
            Self::DpkgTriple if musl => Vocabulary::MuslTriple,
            other => other.vocabulary()?,
        };
        word_for(platform, vocabulary).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_real_machines() {
        let of = |probe: Probe, platform: &str| probe.answer(&platform.parse().unwrap(), false);
        for (probe, platform, want) in [
            (Probe::UnameMachine, "linux/amd64", "x86_64"),
            (Probe::UnameMachine, "linux/arm64", "aarch64"),
            (Probe::UnameMachine, "linux/arm/v7", "armv7l"),
            (Probe::DpkgArch, "linux/arm/v7", "armhf"),
            (Probe::DpkgArch, "linux/ppc64le", "ppc64el"),
            (Probe::ApkArch, "linux/arm64", "aarch64"),
            (Probe::RpmArch, "linux/s390x", "s390x"),
            (Probe::LongBit, "linux/arm/v7", "32"),
            (Probe::GoArch, "linux/386", "386"),
            (Probe::NodeArch, "linux/amd64", "x64"),
            (Probe::GccMachine, "linux/arm64", "aarch64-linux-gnu"),
            (Probe::RustcHost, "linux/riscv64", "riscv64gc-unknown-linux-gnu"),
        ] {
            assert_eq!(of(probe, platform).as_deref(), Some(want), "{probe:?} on {platform}");
        }
        let arm64 = Platform::linux("arm64");
        assert_eq!(Probe::GccMachine.answer(&arm64, true).unwrap(), "aarch64-alpine-linux-musl");
        assert_eq!(Probe::RustcHost.answer(&arm64, true).unwrap(), "aarch64-unknown-linux-musl");
        assert_eq!(Probe::UnameMachine.answer(&"windows/amd64".parse().unwrap(), false), None);
    }
}
