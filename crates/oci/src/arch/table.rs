//! One row per Linux platform.

use super::{Machine, Vocabulary};
use crate::platform::Platform;

/// What one Linux platform is called in each vocabulary; empty where the vocabulary does not know
/// it.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// Architecture in Go's and Docker's words.
    pub arch: &'static str,
    /// Docker's variant, empty for none.
    pub variant: &'static str,
    docker_hub: &'static str,
    debian: &'static str,
    uname: &'static str,
    apk: &'static str,
    rpm: &'static str,
    rust_gnu: &'static str,
    rust_musl: &'static str,
    /// GNU triple of Debian's compilers.
    gnu: &'static str,
    multiarch: &'static str,
    musl: &'static str,
    dotnet: &'static str,
    dotnet_musl: &'static str,
    node: &'static str,
    wheel: &'static str,
    conda: &'static str,
    os_maven: &'static str,
    /// Name of the dynamic loader of glibc.
    pub glibc_loader: &'static str,
    /// Name of the dynamic loader of musl.
    pub musl_loader: &'static str,
    /// `getconf LONG_BIT`.
    pub bits: u8,
    /// What its ELF files say.
    pub machine: Machine,
}

const fn elf(e_machine: u16, bits: u8, little_endian: bool) -> Machine {
    Machine { e_machine, is_64: bits == 64, little_endian }
}

/// All rows, the most used platforms first.
pub static ALL: &[Words] = &[
    Words {
        arch: "amd64",
        variant: "",
        docker_hub: "amd64",
        debian: "amd64",
        uname: "x86_64",
        apk: "x86_64",
        rpm: "x86_64",
        rust_gnu: "x86_64-unknown-linux-gnu",
        rust_musl: "x86_64-unknown-linux-musl",
        gnu: "x86_64-linux-gnu",
        multiarch: "x86_64-linux-gnu",
        musl: "x86_64-linux-musl",
        dotnet: "linux-x64",
        dotnet_musl: "linux-musl-x64",
        node: "x64",
        wheel: "x86_64",
        conda: "linux-64",
        os_maven: "x86_64",
        glibc_loader: "/lib64/ld-linux-x86-64.so.2",
        musl_loader: "/lib/ld-musl-x86_64.so.1",
        bits: 64,
        machine: elf(62, 64, true),
    },
    Words {
        arch: "arm64",
        variant: "",
        docker_hub: "arm64v8",
        debian: "arm64",
        uname: "aarch64",
        apk: "aarch64",
        rpm: "aarch64",
        rust_gnu: "aarch64-unknown-linux-gnu",
        rust_musl: "aarch64-unknown-linux-musl",
        gnu: "aarch64-linux-gnu",
        multiarch: "aarch64-linux-gnu",
        musl: "aarch64-linux-musl",
        dotnet: "linux-arm64",
        dotnet_musl: "linux-musl-arm64",
        node: "arm64",
        wheel: "aarch64",
        conda: "linux-aarch64",
        os_maven: "aarch_64",
        glibc_loader: "/lib/ld-linux-aarch64.so.1",
        musl_loader: "/lib/ld-musl-aarch64.so.1",
        bits: 64,
        machine: elf(183, 64, true),
    },
    Words {
        arch: "arm",
        variant: "v7",
        docker_hub: "arm32v7",
        debian: "armhf",
        uname: "armv7l",
        apk: "armv7",
        rpm: "armv7hl",
        rust_gnu: "armv7-unknown-linux-gnueabihf",
        rust_musl: "armv7-unknown-linux-musleabihf",
        gnu: "arm-linux-gnueabihf",
        multiarch: "arm-linux-gnueabihf",
        musl: "armv7l-linux-musleabihf",
        dotnet: "linux-arm",
        dotnet_musl: "linux-musl-arm",
        node: "arm",
        wheel: "armv7l",
        conda: "linux-armv7l",
        os_maven: "arm_32",
        glibc_loader: "/lib/ld-linux-armhf.so.3",
        musl_loader: "/lib/ld-musl-armhf.so.1",
        bits: 32,
        machine: elf(40, 32, true),
    },
    Words {
        arch: "arm",
        variant: "v6",
        docker_hub: "arm32v6",
        // Raspberry Pi OS calls its ARMv6 packages armhf; Debian proper has none.
        debian: "armhf",
        uname: "armv6l",
        apk: "armhf",
        rpm: "armv6hl",
        rust_gnu: "arm-unknown-linux-gnueabihf",
        rust_musl: "arm-unknown-linux-musleabihf",
        gnu: "arm-linux-gnueabihf",
        multiarch: "arm-linux-gnueabihf",
        musl: "arm-linux-musleabihf",
        dotnet: "linux-armv6",
        dotnet_musl: "linux-musl-armv6",
        node: "arm",
        wheel: "armv6l",
        conda: "linux-armv6l",
        os_maven: "arm_32",
        glibc_loader: "/lib/ld-linux-armhf.so.3",
        musl_loader: "/lib/ld-musl-armhf.so.1",
        bits: 32,
        machine: elf(40, 32, true),
    },
    Words {
        arch: "arm",
        variant: "v5",
        docker_hub: "arm32v5",
        debian: "armel",
        uname: "armv5tel",
        apk: "",
        rpm: "armv5tel",
        rust_gnu: "armv5te-unknown-linux-gnueabi",
        rust_musl: "armv5te-unknown-linux-musleabi",
        gnu: "arm-linux-gnueabi",
        multiarch: "arm-linux-gnueabi",
        musl: "arm-linux-musleabi",
        dotnet: "",
        dotnet_musl: "",
        node: "arm",
        wheel: "",
        conda: "",
        os_maven: "arm_32",
        glibc_loader: "/lib/ld-linux.so.3",
        musl_loader: "/lib/ld-musl-arm.so.1",
        bits: 32,
        machine: elf(40, 32, true),
    },
    Words {
        arch: "386",
        variant: "",
        docker_hub: "i386",
        debian: "i386",
        uname: "i686",
        apk: "x86",
        rpm: "i386",
        rust_gnu: "i686-unknown-linux-gnu",
        rust_musl: "i686-unknown-linux-musl",
        gnu: "i686-linux-gnu",
        multiarch: "i386-linux-gnu",
        musl: "i686-linux-musl",
        dotnet: "linux-x86",
        dotnet_musl: "linux-musl-x86",
        node: "ia32",
        wheel: "i686",
        conda: "linux-32",
        os_maven: "x86_32",
        glibc_loader: "/lib/ld-linux.so.2",
        musl_loader: "/lib/ld-musl-i386.so.1",
        bits: 32,
        machine: elf(3, 32, true),
    },
    Words {
        arch: "ppc64le",
        variant: "",
        docker_hub: "ppc64le",
        debian: "ppc64el",
        uname: "ppc64le",
        apk: "ppc64le",
        rpm: "ppc64le",
        rust_gnu: "powerpc64le-unknown-linux-gnu",
        rust_musl: "powerpc64le-unknown-linux-musl",
        gnu: "powerpc64le-linux-gnu",
        multiarch: "powerpc64le-linux-gnu",
        musl: "powerpc64le-linux-musl",
        dotnet: "linux-ppc64le",
        dotnet_musl: "linux-musl-ppc64le",
        node: "ppc64",
        wheel: "ppc64le",
        conda: "linux-ppc64le",
        os_maven: "ppcle_64",
        glibc_loader: "/lib64/ld64.so.2",
        musl_loader: "/lib/ld-musl-powerpc64le.so.1",
        bits: 64,
        machine: elf(21, 64, true),
    },
    Words {
        arch: "s390x",
        variant: "",
        docker_hub: "s390x",
        debian: "s390x",
        uname: "s390x",
        apk: "s390x",
        rpm: "s390x",
        rust_gnu: "s390x-unknown-linux-gnu",
        rust_musl: "s390x-unknown-linux-musl",
        gnu: "s390x-linux-gnu",
        multiarch: "s390x-linux-gnu",
        musl: "s390x-linux-musl",
        dotnet: "linux-s390x",
        dotnet_musl: "linux-musl-s390x",
        node: "s390x",
        wheel: "s390x",
        conda: "linux-s390x",
        os_maven: "s390_64",
        glibc_loader: "/lib/ld64.so.1",
        musl_loader: "/lib/ld-musl-s390x.so.1",
        bits: 64,
        machine: elf(22, 64, false),
    },
    Words {
        arch: "riscv64",
        variant: "",
        docker_hub: "riscv64",
        debian: "riscv64",
        uname: "riscv64",
        apk: "riscv64",
        rpm: "riscv64",
        rust_gnu: "riscv64gc-unknown-linux-gnu",
        rust_musl: "riscv64gc-unknown-linux-musl",
        gnu: "riscv64-linux-gnu",
        multiarch: "riscv64-linux-gnu",
        musl: "riscv64-linux-musl",
        dotnet: "linux-riscv64",
        dotnet_musl: "linux-musl-riscv64",
        node: "riscv64",
        wheel: "riscv64",
        conda: "linux-riscv64",
        os_maven: "riscv64",
        glibc_loader: "/lib/ld-linux-riscv64-lp64d.so.1",
        musl_loader: "/lib/ld-musl-riscv64.so.1",
        bits: 64,
        machine: elf(243, 64, true),
    },
    Words {
        arch: "loong64",
        variant: "",
        docker_hub: "loong64",
        debian: "loong64",
        uname: "loongarch64",
        apk: "loongarch64",
        rpm: "loongarch64",
        rust_gnu: "loongarch64-unknown-linux-gnu",
        rust_musl: "loongarch64-unknown-linux-musl",
        gnu: "loongarch64-linux-gnu",
        multiarch: "loongarch64-linux-gnu",
        musl: "loongarch64-linux-musl",
        dotnet: "linux-loongarch64",
        dotnet_musl: "linux-musl-loongarch64",
        node: "loong64",
        wheel: "loongarch64",
        conda: "",
        os_maven: "loongarch_64",
        glibc_loader: "/lib64/ld-linux-loongarch-lp64d.so.1",
        musl_loader: "/lib/ld-musl-loongarch64.so.1",
        bits: 64,
        machine: elf(258, 64, true),
    },
    Words {
        arch: "mips64le",
        variant: "",
        docker_hub: "mips64le",
        debian: "mips64el",
        uname: "mips64",
        apk: "",
        rpm: "mips64el",
        rust_gnu: "mips64el-unknown-linux-gnuabi64",
        rust_musl: "mips64el-unknown-linux-muslabi64",
        gnu: "mips64el-linux-gnuabi64",
        multiarch: "mips64el-linux-gnuabi64",
        musl: "mips64el-linux-musl",
        dotnet: "",
        dotnet_musl: "",
        node: "mips64el",
        wheel: "",
        conda: "",
        os_maven: "",
        glibc_loader: "/lib64/ld.so.1",
        musl_loader: "/lib/ld-musl-mips64el.so.1",
        bits: 64,
        machine: elf(8, 64, true),
    },
    Words {
        arch: "ppc64",
        variant: "",
        docker_hub: "ppc64",
        debian: "ppc64",
        uname: "ppc64",
        apk: "",
        rpm: "ppc64",
        rust_gnu: "powerpc64-unknown-linux-gnu",
        rust_musl: "powerpc64-unknown-linux-musl",
        gnu: "powerpc64-linux-gnu",
        multiarch: "powerpc64-linux-gnu",
        musl: "powerpc64-linux-musl",
        dotnet: "",
        dotnet_musl: "",
        node: "ppc64",
        wheel: "ppc64",
        conda: "",
        os_maven: "ppc_64",
        glibc_loader: "/lib64/ld64.so.1",
        musl_loader: "/lib/ld-musl-powerpc64.so.1",
        bits: 64,
        machine: elf(21, 64, false),
    },
];

impl Words {
    /// The platform.
    pub fn platform(&self) -> Platform {
        Platform::new("linux", self.arch, Some(self.variant).filter(|v| !v.is_empty()))
    }

    /// The word in a vocabulary; nothing if the vocabulary does not know the platform.
    pub fn get(&self, vocabulary: Vocabulary) -> Option<&'static str> {
        let word = match vocabulary {
            Vocabulary::Docker | Vocabulary::Go => self.arch,
            Vocabulary::DockerHub => self.docker_hub,
            Vocabulary::Debian => self.debian,
            Vocabulary::Uname => self.uname,
            Vocabulary::Apk => self.apk,
            Vocabulary::Rpm => self.rpm,
            Vocabulary::RustGnu => self.rust_gnu,
            Vocabulary::RustMusl => self.rust_musl,
            Vocabulary::GnuTriple => self.gnu,
            Vocabulary::MuslTriple => self.musl,
            Vocabulary::DotnetRid => self.dotnet,
            Vocabulary::DotnetMuslRid => self.dotnet_musl,
            Vocabulary::Node => self.node,
            Vocabulary::Wheel => self.wheel,
            Vocabulary::Conda => self.conda,
            Vocabulary::OsMaven => self.os_maven,
            Vocabulary::Vendor => "",
        };
        Some(word).filter(|w| !w.is_empty())
    }

    /// `dpkg --print-architecture`.
    pub fn debian(&self) -> &'static str {
        self.debian
    }

    /// `uname -m`.
    pub fn uname(&self) -> &'static str {
        self.uname
    }

    /// Debian's multiarch directory below `/usr/lib`.
    pub fn multiarch(&self) -> &'static str {
        self.multiarch
    }
}

/// The row of a Linux platform. amd64's and arm64's variants share their architecture's row, and
/// arm/v8 (32-bit code for ARMv8) has arm/v7's.
pub fn words_of(platform: &Platform) -> Option<&'static Words> {
    if platform.os() != "linux" {
        return None;
    }
    let variant = match (platform.arch(), platform.variant()) {
        ("arm", Some("v8") | None) => "v7",
        ("arm", Some(variant)) => variant,
        _ => "",
    };
    ALL.iter().find(|w| w.arch == platform.arch() && w.variant == variant)
}

/// The rows whose ELF files look like this; more than one for 32-bit ARM, whose variants the
/// header does not tell apart.
pub fn words_of_machine(machine: Machine) -> impl Iterator<Item = &'static Words> {
    ALL.iter().filter(move |w| w.machine == machine)
}
