//! What an ELF file says about itself: machine, class, byte order, interpreter.

use std::io::{self, Read};

use object::{
    Endianness,
    elf::{ET_CORE, ET_DYN, ET_EXEC, ET_REL, FileHeader32, FileHeader64},
    read::elf::{FileHeader, ProgramHeader},
};
use serde::{Deserialize, Serialize};

/// How much of a file is looked at. Program headers stand near the start of what compilers and
/// linkers make; of a file where they do not, the interpreter stays unknown.
const HEAD: usize = 256 * 1024;

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
    /// The program interpreter it asks for.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<String>,
}

impl ElfFacts {
    /// Reads the facts from a file's first bytes; `None` if it is no ELF file.
    pub fn read(head: &[u8]) -> Option<Self> {
        if !head.starts_with(b"\x7fELF") {
            return None;
        }
        match head.get(4)? {
            1 => Self::from_header::<FileHeader32<Endianness>>(head, false),
            2 => Self::from_header::<FileHeader64<Endianness>>(head, true),
            _ => None,
        }
    }

    fn from_header<H: FileHeader<Endian = Endianness>>(head: &[u8], wide: bool) -> Option<Self> {
        let header = H::parse(head).ok()?;
        let endian = header.endian().ok()?;
        let kind = match header.e_type(endian) {
            ET_EXEC => ElfType::Exec,
            ET_DYN => ElfType::Dyn,
            ET_REL => ElfType::Rel,
            ET_CORE => ElfType::Core,
            _ => ElfType::Other,
        };
        let interpreter = header.program_headers(endian, head).ok().and_then(|headers| {
            headers.iter().find_map(|h| h.interpreter(endian, head).ok().flatten())
        });
        Some(Self {
            machine: header.e_machine(endian).0,
            wide,
            little: endian == Endianness::Little,
            kind,
            interpreter: interpreter.map(|path| String::from_utf8_lossy(path).into_owned()),
        })
    }
}

/// A reader that keeps the start of what goes through it as long as it looks like an ELF file.
pub struct Sniffer<R> {
    inner: R,
    head: Vec<u8>,
    over: bool,
}

impl<R: Read> Sniffer<R> {
    /// Looks at what `inner` gives.
    pub fn new(inner: R) -> Self {
        Self { inner, head: Vec::new(), over: false }
    }

    /// What was found.
    pub fn facts(&self) -> Option<ElfFacts> {
        ElfFacts::read(&self.head)
    }
}

impl<R: Read> Read for Sniffer<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if !self.over {
            let room = HEAD - self.head.len();
            self.head.extend_from_slice(&buffer[..n.min(room)]);
            let magic = self.head.len().min(4);
            if self.head[..magic] != b"\x7fELF"[..magic] {
                self.head = Vec::new();
                self.over = true;
            } else if self.head.len() == HEAD {
                self.over = true;
            }
        }
        Ok(n)
    }
}

/// The name of an `e_machine` value as people know it.
pub fn machine_name(machine: u16, wide: bool, little: bool) -> String {
    let name = match (object::elf::Machine(machine), wide, little) {
        (object::elf::EM_X86_64, true, _) => "x86-64",
        (object::elf::EM_X86_64, false, _) => "x86-64 (x32)",
        (object::elf::EM_386, ..) => "x86 (32-bit)",
        (object::elf::EM_AARCH64, _, true) => "AArch64",
        (object::elf::EM_ARM, _, true) => "ARM (32-bit)",
        (object::elf::EM_PPC64, _, true) => "PowerPC 64 (little endian)",
        (object::elf::EM_PPC64, _, false) => "PowerPC 64 (big endian)",
        (object::elf::EM_PPC, ..) => "PowerPC (32-bit)",
        (object::elf::EM_S390, true, _) => "IBM Z",
        (object::elf::EM_S390, false, _) => "IBM S/390 (31-bit)",
        (object::elf::EM_RISCV, true, _) => "RISC-V 64",
        (object::elf::EM_RISCV, false, _) => "RISC-V 32",
        (object::elf::EM_MIPS, true, true) => "MIPS 64 (little endian)",
        (object::elf::EM_MIPS, true, false) => "MIPS 64 (big endian)",
        (object::elf::EM_MIPS, false, true) => "MIPS (little endian)",
        (object::elf::EM_MIPS, false, false) => "MIPS (big endian)",
        (object::elf::EM_LOONGARCH, ..) => "LoongArch",
        (object::elf::EM_SPARC | object::elf::EM_SPARCV9, ..) => "SPARC",
        _ => return format!("machine {machine}"),
    };
    name.to_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A minimal ELF file: header, one PT_INTERP program header if asked for.
    pub(crate) fn elf(
        machine: u16,
        wide: bool,
        little: bool,
        interpreter: Option<&str>,
    ) -> Vec<u8> {
        let u16 = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let u32 = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
        let word = |v: u64| -> Vec<u8> {
            match (wide, little) {
                (true, true) => v.to_le_bytes().to_vec(),
                (true, false) => v.to_be_bytes().to_vec(),
                (false, true) => (v as u32).to_le_bytes().to_vec(),
                (false, false) => (v as u32).to_be_bytes().to_vec(),
            }
        };
        let (header, entry) = if wide { (64u64, 56u16) } else { (52, 32) };
        let mut out = b"\x7fELF".to_vec();
        out.extend([if wide { 2 } else { 1 }, if little { 1 } else { 2 }, 1, 0]);
        out.extend([0; 8]);
        out.extend(u16(2));
        out.extend(u16(machine));
        out.extend(u32(1));
        out.extend(word(0));
        out.extend(word(if interpreter.is_some() { header } else { 0 }));
        out.extend(word(0));
        out.extend(u32(0));
        for v in [header as u16, entry, u16::from(interpreter.is_some()), 0, 0, 0] {
            out.extend(u16(v));
        }
        if let Some(path) = interpreter {
            let len = path.len() as u64 + 1;
            let at = header + u64::from(entry);
            out.extend(u32(3));
            if wide {
                out.extend(u32(4));
            }
            for v in [at, at, at, len, len] {
                out.extend(word(v));
            }
            if !wide {
                out.extend(u32(4));
            }
            out.extend(word(1));
            out.extend(path.as_bytes());
            out.push(0);
        }
        out
    }

    #[test]
    fn reads_every_shape() {
        for (machine, wide, little, interpreter) in [
            (62, true, true, Some("/lib64/ld-linux-x86-64.so.2")),
            (183, true, true, None),
            (40, false, true, Some("/lib/ld-linux-armhf.so.3")),
            (22, true, false, Some("/lib/ld64.so.1")),
        ] {
            let facts = ElfFacts::read(&elf(machine, wide, little, interpreter)).unwrap();
            assert_eq!(
                (facts.machine, facts.wide, facts.little, facts.interpreter.as_deref()),
                (machine, wide, little, interpreter)
            );
            assert_eq!(facts.kind, ElfType::Exec);
        }
    }

    #[test]
    fn no_elf_and_broken_elf_are_no_findings() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x02\x01\x01", b"\x7fELG...."]
        {
            assert_eq!(ElfFacts::read(bytes), None);
        }
        // The program headers are said to lie beyond the end.
        let mut cut = elf(62, true, true, Some("/lib/x"));
        cut.truncate(64);
        assert_eq!(ElfFacts::read(&cut).unwrap().interpreter, None);
    }

    #[test]
    fn the_sniffer_sees_through_small_reads() {
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let n = self.0.len().min(buffer.len()).min(3);
                buffer[..n].copy_from_slice(&self.0[..n]);
                self.0 = &self.0[n..];
                Ok(n)
            }
        }
        let bytes = elf(183, true, true, Some("/lib/ld-linux-aarch64.so.1"));
        let mut sniffer = Sniffer::new(Slow(&bytes));
        io::copy(&mut sniffer, &mut io::sink()).unwrap();
        assert_eq!(sniffer.facts().unwrap().machine, 183);
        let mut text = Sniffer::new(Slow(b"plain text"));
        io::copy(&mut text, &mut io::sink()).unwrap();
        assert_eq!(text.facts(), None);
    }
}
