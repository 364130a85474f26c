//! Commands that tell about the machine they run on, and their answers.

use mlint_oci::Platform;

/// Whose words a probe answers in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Words {
    /// Docker, Go: `amd64`, `arm64`, `arm`, `386`.
    Go,
    /// The kernel's: `x86_64`, `aarch64`, `armv7l`.
    Kernel,
    /// Debian's: `amd64`, `arm64`, `armhf`, `ppc64el`.
    Debian,
    /// Alpine's: `x86_64`, `aarch64`, `armv7`, `x86`.
    Alpine,
    /// RPM's: `x86_64`, `aarch64`, `armv7hl`.
    Rpm,
    /// Node's: `x64`, `arm64`, `arm`.
    Node,
    /// A GNU or LLVM triple.
    Triple,
    /// Not an architecture (`uname -s`, `getconf LONG_BIT`).
    Other,
}

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
}

impl Probe {
    /// Whose words it answers in.
    pub fn words(self) -> Words {
        match self {
            Self::UnameMachine | Self::PythonMachine => Words::Kernel,
            Self::DpkgArch => Words::Debian,
            Self::ApkArch => Words::Alpine,
            Self::RpmArch => Words::Rpm,
            Self::GoArch => Words::Go,
            Self::NodeArch => Words::Node,
            Self::DpkgTriple | Self::GccMachine | Self::RustcHost => Words::Triple,
            Self::UnameSystem | Self::LongBit | Self::GoOs => Words::Other,
        }
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
        }
    }

    /// What it prints in a container of `platform`; `None` where that is not known. `musl` matters
    /// to triples.
    pub fn answer(self, platform: &Platform, musl: bool) -> Option<String> {
        let row = row(platform)?;
        Some(match self {
            Self::UnameMachine | Self::PythonMachine => row.kernel.to_owned(),
            Self::UnameSystem => "Linux".to_owned(),
            Self::DpkgArch => row.debian?.to_owned(),
            Self::DpkgTriple => row.gnu_triple(false)?,
            Self::ApkArch => row.alpine?.to_owned(),
            Self::RpmArch => row.rpm?.to_owned(),
            Self::LongBit => row.bits.to_string(),
            Self::GoArch => platform.arch().to_owned(),
            Self::GoOs => platform.os().to_owned(),
            Self::NodeArch => row.node?.to_owned(),
            Self::GccMachine => {
                if musl {
                    format!("{}-alpine-linux-musl{}", row.alpine?, row.musl_suffix())
                } else {
                    row.gnu_triple(false)?
                }
            }
            Self::RustcHost => row.rust_triple(musl)?,
        })
    }
}

/// One machine in the words of those who answer probes.
struct Row {
    kernel: &'static str,
    debian: Option<&'static str>,
    alpine: Option<&'static str>,
    rpm: Option<&'static str>,
    node: Option<&'static str>,
    /// The CPU of Debian's GNU triple and the ABI that follows `linux-gnu`.
    gnu: Option<(&'static str, &'static str)>,
    /// The CPU of Rust's triple.
    rust: Option<&'static str>,
    bits: u8,
}

impl Row {
    fn gnu_triple(&self, musl: bool) -> Option<String> {
        let (cpu, abi) = self.gnu?;
        Some(format!("{cpu}-linux-{}{abi}", if musl { "musl" } else { "gnu" }))
    }

    fn rust_triple(&self, musl: bool) -> Option<String> {
        let abi = self.gnu.map_or("", |(_, abi)| abi);
        Some(format!("{}-unknown-linux-{}{abi}", self.rust?, if musl { "musl" } else { "gnu" }))
    }

    fn musl_suffix(&self) -> &'static str {
        self.gnu.map_or("", |(_, abi)| abi)
    }
}

fn row(platform: &Platform) -> Option<Row> {
    if platform.os() != "linux" {
        return None;
    }
    let row = |kernel, debian, alpine, rpm, node, gnu, rust, bits| Row {
        kernel,
        debian,
        alpine,
        rpm,
        node,
        gnu,
        rust,
        bits,
    };
    Some(match (platform.arch(), platform.variant()) {
        ("amd64", _) => row(
            "x86_64",
            Some("amd64"),
            Some("x86_64"),
            Some("x86_64"),
            Some("x64"),
            Some(("x86_64", "")),
            Some("x86_64"),
            64,
        ),
        ("arm64", _) => row(
            "aarch64",
            Some("arm64"),
            Some("aarch64"),
            Some("aarch64"),
            Some("arm64"),
            Some(("aarch64", "")),
            Some("aarch64"),
            64,
        ),
        ("arm", Some("v5")) => row(
            "armv5tel",
            Some("armel"),
            None,
            None,
            Some("arm"),
            Some(("arm", "eabi")),
            Some("armv5te"),
            32,
        ),
        // Alpine's armv6 port is called armhf, Debian's armv7 port too.
        ("arm", Some("v6")) => row(
            "armv6l",
            Some("armhf"),
            Some("armhf"),
            Some("armv6hl"),
            Some("arm"),
            Some(("arm", "eabihf")),
            Some("arm"),
            32,
        ),
        ("arm", _) => row(
            "armv7l",
            Some("armhf"),
            Some("armv7"),
            Some("armv7hl"),
            Some("arm"),
            Some(("arm", "eabihf")),
            Some("armv7"),
            32,
        ),
        ("386", _) => row(
            "i686",
            Some("i386"),
            Some("x86"),
            Some("i386"),
            Some("ia32"),
            Some(("i686", "")),
            Some("i686"),
            32,
        ),
        ("ppc64le", _) => row(
            "ppc64le",
            Some("ppc64el"),
            Some("ppc64le"),
            Some("ppc64le"),
            Some("ppc64"),
            Some(("powerpc64le", "")),
            Some("powerpc64le"),
            64,
        ),
        ("s390x", _) => row(
            "s390x",
            Some("s390x"),
            Some("s390x"),
            Some("s390x"),
            Some("s390x"),
            Some(("s390x", "")),
            Some("s390x"),
            64,
        ),
        ("riscv64", _) => row(
            "riscv64",
            Some("riscv64"),
            Some("riscv64"),
            Some("riscv64"),
            Some("riscv64"),
            Some(("riscv64", "")),
            Some("riscv64gc"),
            64,
        ),
        ("loong64", _) => row(
            "loongarch64",
            Some("loong64"),
            Some("loongarch64"),
            Some("loongarch64"),
            Some("loong64"),
            Some(("loongarch64", "")),
            Some("loongarch64"),
            64,
        ),
        ("mips64le", _) => row(
            "mips64",
            Some("mips64el"),
            None,
            None,
            Some("mips64el"),
            Some(("mips64el", "abi64")),
            Some("mips64el"),
            64,
        ),
        _ => return None,
    })
}
