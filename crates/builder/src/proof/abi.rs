//! Which of a machine's ABIs a file is for, where its header tells, and whether the image's loaders
//! take it.

use mlint_oci::arch::Words;
use object::elf;

use super::elf::ElfFacts;
use crate::layer::View;

/// The fifth and last version of ARM's embedded ABI, whose flags tell how floating-point numbers are
/// passed; older tools set neither.
const EF_ARM_EABI: u32 = 0xff00_0000;
const EF_ARM_EABI_5: u32 = 0x0500_0000;
const EF_ARM_HARD: u32 = 0x400;
const EF_ARM_SOFT: u32 = 0x200;

const EF_RISCV_FLOAT: u32 = 0x6;
const EF_PPC64_ABI: u32 = 0x3;

/// An ABI of a machine that has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Abi {
    ArmHard,
    ArmSoft,
    RiscvDouble,
    RiscvSingle,
    RiscvSoft,
    PowerV1,
    PowerV2,
    X32,
}

impl Abi {
    fn of(facts: &ElfFacts) -> Option<Self> {
        let flags = facts.flags;
        match (elf::Machine(facts.machine), facts.wide) {
            (elf::EM_ARM, false) if flags & EF_ARM_EABI == EF_ARM_EABI_5 => {
                match flags & (EF_ARM_HARD | EF_ARM_SOFT) {
                    EF_ARM_HARD => Some(Self::ArmHard),
                    EF_ARM_SOFT => Some(Self::ArmSoft),
                    _ => None,
                }
            }
            (elf::EM_RISCV, true) => match flags & EF_RISCV_FLOAT {
                0 => Some(Self::RiscvSoft),
                2 => Some(Self::RiscvSingle),
                4 => Some(Self::RiscvDouble),
                _ => None,
            },
            (elf::EM_PPC64, true) => match flags & EF_PPC64_ABI {
                1 => Some(Self::PowerV1),
                2 => Some(Self::PowerV2),
                _ => None,
            },
            (elf::EM_X86_64, false) => Some(Self::X32),
            _ => None,
        }
    }

    fn machine(self) -> elf::Machine {
        match self {
            Self::ArmHard | Self::ArmSoft => elf::EM_ARM,
            Self::RiscvDouble | Self::RiscvSingle | Self::RiscvSoft => elf::EM_RISCV,
            Self::PowerV1 | Self::PowerV2 => elf::EM_PPC64,
            Self::X32 => elf::EM_X86_64,
        }
    }

    /// In words, and the names of the loaders that take its files.
    fn row(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::ArmHard => {
                ("ARM's hard-float ABI", &["ld-linux-armhf.so.3", "ld-musl-armhf.so.1"])
            }
            Self::ArmSoft => ("ARM's soft-float ABI", &["ld-linux.so.3", "ld-musl-arm.so.1"]),
            Self::RiscvDouble => (
                "RISC-V's double-float ABI",
                &["ld-linux-riscv64-lp64d.so.1", "ld-musl-riscv64.so.1"],
            ),
            Self::RiscvSingle => ("RISC-V's single-float ABI", &["ld-musl-riscv64-sp.so.1"]),
            Self::RiscvSoft => (
                "RISC-V's soft-float ABI",
                &["ld-linux-riscv64-lp64.so.1", "ld-musl-riscv64-sf.so.1"],
            ),
            Self::PowerV1 => ("PowerPC's ABI of version 1", &["ld64.so.1"]),
            Self::PowerV2 => (
                "PowerPC's ABI of version 2",
                &["ld64.so.2", "ld-musl-powerpc64.so.1", "ld-musl-powerpc64le.so.1"],
            ),
            Self::X32 => ("x32", &["ld-linux-x32.so.2", "ld-musl-x32.so.1"]),
        }
    }

    /// What images of a platform have, if nothing in them tells.
    fn usual(words: &Words) -> Option<Self> {
        match (words.arch, words.variant) {
            ("arm", "v7") => Some(Self::ArmHard),
            ("arm", "v5") => Some(Self::ArmSoft),
            ("riscv64", _) => Some(Self::RiscvDouble),
            ("ppc64le", _) => Some(Self::PowerV2),
            _ => None,
        }
    }
}

/// The names of all dynamic loaders in an image.
pub fn loaders(view: &View) -> Vec<String> {
    let is_loader = |name: &[u8]| {
        // Beside musl's loader may stand the file with its path.
        name.starts_with(b"ld-linux")
            || name.starts_with(b"ld-musl") && !name.ends_with(b".path")
            || name.starts_with(b"ld64.so")
    };
    let names = view.iter().map(|(path, _)| path.file_name()).filter(|name| is_loader(name));
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// What is wrong with a file's ABI, if it is known to be of no use in an image with these loaders: the
/// ABI that it is for, and the one that the image has. A program whose own loader is there works, and
/// so does a static one.
pub fn mismatch(
    facts: &ElfFacts,
    words: &Words,
    loaders: &[String],
) -> Option<(&'static str, &'static str)> {
    let own = Abi::of(facts).filter(|abi| *abi != Abi::X32)?;
    if !facts.is_dynamic() {
        return None;
    }
    let has = |abi: Abi| loaders.iter().any(|name| abi.row().1.contains(&name.as_str()));
    if has(own) {
        return None;
    }
    let all =
        [Abi::ArmHard, Abi::ArmSoft, Abi::RiscvDouble, Abi::RiscvSoft, Abi::PowerV1, Abi::PowerV2];
    let same_machine = |abi: &Abi| abi.machine() == own.machine();
    let there = all.into_iter().filter(same_machine).find(|abi| has(*abi));
    // An image without any loader is what its platform usually is.
    let there = there.or_else(|| Abi::usual(words).filter(|_| loaders.is_empty()))?;
    (there != own).then(|| (own.row().0, there.row().0))
}

/// Whether it is an x32 program: its kernel must have been told to run such.
pub fn is_x32(facts: &ElfFacts) -> bool {
    Abi::of(facts) == Some(Abi::X32)
}

#[cfg(test)]
mod tests {
    use super::{super::elf::sample::Sample, *};
    use mlint_oci::arch::words_of;

    fn told(
        platform: &str,
        sample: Sample<'_>,
        loaders: &[&str],
    ) -> Option<(&'static str, &'static str)> {
        let platform = platform.parse().unwrap();
        let loaders: Vec<String> = loaders.iter().map(|l| (*l).to_owned()).collect();
        mismatch(&sample.facts(), words_of(&platform).unwrap(), &loaders)
    }

    fn library(machine: u16, wide: bool, little: bool, flags: u32) -> Sample<'static> {
        Sample {
            machine,
            wide,
            little,
            flags,
            kind: 3,
            needed: &["libc.so.6"],
            ..Sample::default()
        }
    }

    #[test]
    fn float_abis_of_arm() {
        let soft = || library(40, false, true, 0x0500_0200);
        let wrong = Some(("ARM's soft-float ABI", "ARM's hard-float ABI"));
        assert_eq!(told("linux/arm/v7", soft(), &["ld-linux-armhf.so.3"]), wrong);
        assert_eq!(told("linux/arm/v7", soft(), &[]), wrong);
        assert_eq!(told("linux/arm/v7", soft(), &["ld-linux-armhf.so.3", "ld-linux.so.3"]), None);
        assert_eq!(told("linux/arm/v5", soft(), &["ld-linux.so.3"]), None);
        assert_eq!(told("linux/arm/v6", soft(), &[]), None, "either, and nothing tells");
        let hard = library(40, false, true, 0x0500_0400);
        assert!(told("linux/arm/v5", hard, &["ld-linux.so.3"]).is_some());
        // Go's own linker sets neither flag; and static programs call nobody.
        assert_eq!(told("linux/arm/v7", library(40, false, true, 0x0500_0002), &[]), None);
        let fixed = Sample { machine: 40, wide: false, flags: 0x0500_0200, ..Sample::default() };
        assert_eq!(told("linux/arm/v7", fixed, &["ld-linux-armhf.so.3"]), None);
    }

    #[test]
    fn abis_of_riscv_and_power() {
        let riscv = |flags| library(243, true, true, flags);
        assert_eq!(told("linux/riscv64", riscv(0x5), &["ld-linux-riscv64-lp64d.so.1"]), None);
        let wrong = told("linux/riscv64", riscv(0x1), &["ld-linux-riscv64-lp64d.so.1"]);
        assert_eq!(wrong, Some(("RISC-V's soft-float ABI", "RISC-V's double-float ABI")));
        let power = |flags| library(21, true, true, flags);
        assert_eq!(told("linux/ppc64le", power(2), &["ld64.so.2"]), None);
        assert_eq!(told("linux/ppc64le", power(0), &["ld64.so.2"]), None);
        let wrong = told("linux/ppc64le", power(1), &["ld64.so.2"]);
        assert_eq!(wrong, Some(("PowerPC's ABI of version 1", "PowerPC's ABI of version 2")));
        let big = library(21, true, false, 1);
        assert_eq!(told("linux/ppc64", big, &["ld64.so.1"]), None);
    }

    #[test]
    fn x32_is_known() {
        assert!(is_x32(&Sample { wide: false, ..Sample::default() }.facts()));
        assert!(!is_x32(&Sample::default().facts()));
    }
}
