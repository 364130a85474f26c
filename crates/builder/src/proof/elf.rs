//! What an ELF file says about itself: machine, class, byte order, ABI, interpreter, and the
//! libraries that it needs.

mod dynamic;
#[cfg(test)]
#[allow(missing_docs)]
pub mod sample;
mod sniff;

use object::{
    Endianness, elf,
    elf::{ET_CORE, ET_DYN, ET_EXEC, ET_REL, FileHeader32, FileHeader64},
    read::elf::{FileHeader, ProgramHeader},
};
use serde::{Deserialize, Serialize};

pub use dynamic::Dynamic;
pub use sniff::Sniffer;

/// In `e_flags` of 32-bit MIPS: the code is for a 64-bit processor.
const EF_MIPS_ABI2: u32 = 0x20;

/// What kind of ELF file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElfType {
    /// An executable with fixed addresses.
    Exec,
    /// A position-independent executable or a shared library.
    Dyn,
    /// An object file or a kernel module.
    Rel,
    /// A memory dump.
    Core,
    /// Something else.
    Other,
}

/// What an ELF file says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElfFacts {
    /// `e_machine`.
    #[serde(rename = "m")]
    pub machine: u16,
    /// 64-bit, or 32.
    #[serde(rename = "w")]
    pub wide: bool,
    /// Little endian, or big.
    #[serde(rename = "l")]
    pub little: bool,
    /// Its type.
    #[serde(rename = "t")]
    pub kind: ElfType,
    /// `e_flags`: for some machines they name the ABI.
    #[serde(rename = "f", default, skip_serializing_if = "is_zero")]
    pub flags: u32,
    /// The program interpreter it asks for.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
    /// What the dynamic loader is told; `None` for a static file, or if it could not be seen.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub dynamic: Option<Box<Dynamic>>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl ElfFacts {
    /// Reads the facts from a file's first bytes; `None` if it is no ELF file.
    pub fn read(head: &[u8]) -> Option<Self> {
        Self::of_parts(head, None)
    }

    /// The same, with the bytes of its dynamic section if they were seen apart.
    fn of_parts(head: &[u8], dynamic: Option<&[u8]>) -> Option<Self> {
        if !head.starts_with(b"\x7fELF") {
            return None;
        }
        match head.get(4)? {
            1 => Self::from_header::<FileHeader32<Endianness>>(head, dynamic, false),
            2 => Self::from_header::<FileHeader64<Endianness>>(head, dynamic, true),
            _ => None,
        }
    }

    fn from_header<H: FileHeader<Endian = Endianness>>(
        head: &[u8],
        section: Option<&[u8]>,
        wide: bool,
    ) -> Option<Self> {
        let header = H::parse(head).ok()?;
        let endian = header.endian().ok()?;
        let kind = match header.e_type(endian) {
            ET_EXEC => ElfType::Exec,
            ET_DYN => ElfType::Dyn,
            ET_REL => ElfType::Rel,
            ET_CORE => ElfType::Core,
            _ => ElfType::Other,
        };
        let segments = header.program_headers(endian, head).unwrap_or_default();
        let interpreter = segments.iter().find_map(|h| h.interpreter(endian, head).ok().flatten());
        Some(Self {
            machine: header.e_machine(endian).0,
            wide,
            little: endian == Endianness::Little,
            kind,
            flags: header.e_flags(endian).0,
            interpreter: interpreter.map(|path| String::from_utf8_lossy(path).into_owned()),
            dynamic: Dynamic::read::<H>(segments, endian, head, section).map(Box::new),
        })
    }

    /// The name of its machine as people know it.
    pub fn machine_name(&self) -> String {
        machine_name(self.machine, self.wide, self.little, self.flags)
    }

    /// Whether it is a program that a loader starts, or a library that one loads.
    pub fn is_dynamic(&self) -> bool {
        self.interpreter.is_some() || self.dynamic.as_ref().is_some_and(|d| !d.needed.is_empty())
    }
}

fn machine_name(machine: u16, wide: bool, little: bool, flags: u32) -> String {
    let name = match (elf::Machine(machine), wide, little) {
        (elf::EM_X86_64, true, _) => "x86-64",
        (elf::EM_X86_64, false, _) => "x86-64 (x32)",
        (elf::EM_386, ..) => "x86 (32-bit)",
        (elf::EM_AARCH64, true, true) => "AArch64",
        (elf::EM_AARCH64, true, false) => "AArch64 (big endian)",
        (elf::EM_AARCH64, false, _) => "AArch64 (ILP32)",
        (elf::EM_ARM, _, true) => "ARM (32-bit)",
        (elf::EM_ARM, _, false) => "ARM (32-bit, big endian)",
        (elf::EM_PPC64, _, true) => "PowerPC 64 (little endian)",
        (elf::EM_PPC64, _, false) => "PowerPC 64 (big endian)",
        (elf::EM_PPC, ..) => "PowerPC (32-bit)",
        (elf::EM_S390, true, _) => "IBM Z",
        (elf::EM_S390, false, _) => "IBM S/390 (31-bit)",
        (elf::EM_RISCV, true, _) => "RISC-V 64",
        (elf::EM_RISCV, false, _) => "RISC-V 32",
        (elf::EM_MIPS, true, true) => "MIPS 64 (little endian)",
        (elf::EM_MIPS, true, false) => "MIPS 64 (big endian)",
        (elf::EM_MIPS, false, true) if flags & EF_MIPS_ABI2 != 0 => {
            "MIPS 64 with 32-bit addresses (n32, little endian)"
        }
        (elf::EM_MIPS, false, false) if flags & EF_MIPS_ABI2 != 0 => {
            "MIPS 64 with 32-bit addresses (n32, big endian)"
        }
        (elf::EM_MIPS, false, true) => "MIPS (little endian)",
        (elf::EM_MIPS, false, false) => "MIPS (big endian)",
        (elf::EM_LOONGARCH, ..) => "LoongArch",
        (elf::EM_SPARC | elf::EM_SPARCV9, ..) => "SPARC",
        _ => return format!("machine {machine}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::{sample::Sample, *};

    #[test]
    fn reads_every_shape() {
        for (machine, wide, little, interpreter) in [
            (62, true, true, Some("/lib64/ld-linux-x86-64.so.2")),
            (183, true, true, None),
            (40, false, true, Some("/lib/ld-linux-armhf.so.3")),
            (22, true, false, Some("/lib/ld64.so.1")),
        ] {
            let sample = Sample { machine, wide, little, interpreter, ..Sample::default() };
            let facts = ElfFacts::read(&sample.bytes()).unwrap();
            assert_eq!(
                (facts.machine, facts.wide, facts.little, facts.interpreter.as_deref()),
                (machine, wide, little, interpreter)
            );
            assert_eq!(facts.kind, ElfType::Exec);
            assert_eq!(facts.dynamic, None);
        }
    }

    #[test]
    fn no_elf_and_broken_elf_are_no_findings() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01\x01", b"\x7fELG...."]
        {
            assert_eq!(ElfFacts::read(bytes), None);
        }
        // The program headers are said to lie beyond the end.
        let mut cut = Sample { interpreter: Some("/lib/x"), ..Sample::default() }.bytes();
        cut.truncate(64);
        assert_eq!(ElfFacts::read(&cut).unwrap().interpreter, None);
    }

    #[test]
    fn the_words_of_machines() {
        let name = |machine, wide, little, flags| machine_name(machine, wide, little, flags);
        assert_eq!(name(62, false, true, 0), "x86-64 (x32)");
        assert!(name(8, false, true, 0x20).contains("n32"));
        assert_eq!(name(8, false, true, 0x1000), "MIPS (little endian)");
        assert_eq!(name(40, false, false, 0), "ARM (32-bit, big endian)");
        assert_eq!(name(999, true, true, 0), "machine 999");
    }
}
