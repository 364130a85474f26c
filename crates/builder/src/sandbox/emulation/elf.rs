//! The few ELF facts that emulation needs, and a program small enough to be written by hand.

/// What the tiny program exits with.
pub(super) const TINY_STATUS: i32 = 42;

/// A machine as the ELF header, QEMU and the kernel know it.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Machine {
    /// GOARCH word.
    pub(in super::super) arch: &'static str,
    /// QEMU's word.
    pub(super) qemu: &'static str,
    /// `e_machine`.
    number: u16,
    wide: bool,
    big_endian: bool,
    /// `e_flags` that a program of this machine has.
    flags: u32,
    /// Instructions: leave with [`TINY_STATUS`].
    code: &'static [u8],
}

const MACHINES: &[Machine] = &[
    Machine {
        arch: "amd64",
        qemu: "x86_64",
        number: 62,
        wide: true,
        big_endian: false,
        flags: 0,
        // mov edi, 42; mov eax, 60; syscall
        code: b"\xbf\x2a\0\0\0\xb8\x3c\0\0\0\x0f\x05",
    },
    Machine {
        arch: "386",
        qemu: "i386",
        number: 3,
        wide: false,
        big_endian: false,
        flags: 0,
        // mov ebx, 42; mov eax, 1; int 0x80
        code: b"\xbb\x2a\0\0\0\xb8\x01\0\0\0\xcd\x80",
    },
    Machine {
        arch: "arm64",
        qemu: "aarch64",
        number: 183,
        wide: true,
        big_endian: false,
        flags: 0,
        // mov x0, #42; mov x8, #93; svc #0
        code: b"\x40\x05\x80\xd2\xa8\x0b\x80\xd2\x01\0\0\xd4",
    },
    Machine {
        arch: "arm",
        qemu: "arm",
        number: 40,
        wide: false,
        big_endian: false,
        flags: 0x0500_0000,
        // mov r0, #42; mov r7, #1; svc #0
        code: b"\x2a\0\xa0\xe3\x01\x70\xa0\xe3\0\0\0\xef",
    },
    Machine {
        arch: "riscv64",
        qemu: "riscv64",
        number: 243,
        wide: true,
        big_endian: false,
        flags: 0,
        // li a0, 42; li a7, 93; ecall
        code: b"\x13\x05\xa0\x02\x93\x08\xd0\x05\x73\0\0\0",
    },
    Machine {
        arch: "s390x",
        qemu: "s390x",
        number: 22,
        wide: true,
        big_endian: true,
        flags: 0,
        // lghi %r2, 42; svc 1
        code: b"\xa7\x29\0\x2a\x0a\x01",
    },
    Machine {
        arch: "ppc64le",
        qemu: "ppc64le",
        number: 21,
        wide: true,
        big_endian: false,
        flags: 2,
        // li r3, 42; li r0, 1; sc
        code: b"\x2a\0\x60\x38\x01\0\0\x38\x02\0\0\x44",
    },
    Machine {
        arch: "mips64le",
        qemu: "mips64el",
        number: 8,
        wide: true,
        big_endian: false,
        flags: 0x8000_0007,
        // li $v0, 5058; li $a0, 42; syscall
        code: b"\xc2\x13\x02\x24\x2a\0\x04\x24\x0c\0\0\0",
    },
    Machine {
        arch: "loong64",
        qemu: "loongarch64",
        number: 258,
        wide: true,
        big_endian: false,
        flags: 0x43,
        // addi.d $a0, $zero, 42; addi.d $a7, $zero, 93; syscall 0
        code: b"\x04\xa8\xc0\x02\x0b\x74\xc1\x02\0\0\x2b\0",
    },
];

/// Where the tiny program is loaded: free on every machine.
const ADDRESS: u64 = 0x40_0000;

impl Machine {
    /// The machine of a GOARCH word.
    pub(in super::super) fn by_arch(arch: &str) -> Option<Self> {
        MACHINES.iter().find(|machine| machine.arch == arch).copied()
    }

    /// What the first bytes of such a program are, and which bits of them count.
    pub(super) fn magic(&self) -> ([u8; 20], [u8; 20]) {
        let mut magic = [0; 20];
        let mut mask = [0xff; 20];
        magic[..7].copy_from_slice(&[
            0x7f,
            b'E',
            b'L',
            b'F',
            if self.wide { 2 } else { 1 },
            if self.big_endian { 2 } else { 1 },
            1,
        ]);
        // The byte for the operating system's conventions: some linkers set it, Linux ignores it.
        mask[7] = 0;
        magic[16..18].copy_from_slice(&self.two(2));
        // Type 2, a program at a fixed address, or 3, one at any.
        mask[16..18].copy_from_slice(&self.two(0xfffe));
        magic[18..20].copy_from_slice(&self.two(self.number));
        (magic, mask)
    }

    fn two(&self, value: u16) -> [u8; 2] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn four(&self, value: u32) -> [u8; 4] {
        if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    /// An address or size: as wide as the machine's.
    fn word(&self, value: u64) -> Vec<u8> {
        match (self.wide, self.big_endian) {
            (true, true) => value.to_be_bytes().to_vec(),
            (true, false) => value.to_le_bytes().to_vec(),
            (false, true) => (value as u32).to_be_bytes().to_vec(),
            (false, false) => (value as u32).to_le_bytes().to_vec(),
        }
    }

    /// A whole static program that exits with [`TINY_STATUS`].
    pub(super) fn tiny_program(&self) -> Vec<u8> {
        let (header, entry) = if self.wide { (64, 56) } else { (52, 32) };
        let start = header + entry;
        let size = start + self.code.len() as u64;
        let mut elf = Vec::with_capacity(size as usize);
        elf.extend_from_slice(&self.magic().0[..16]);
        for half in [2, self.number] {
            elf.extend_from_slice(&self.two(half));
        }
        elf.extend_from_slice(&self.four(1));
        // Entry point, program headers, no sections.
        for word in [ADDRESS + start, header, 0] {
            elf.extend(self.word(word));
        }
        elf.extend_from_slice(&self.four(self.flags));
        for half in [header as u16, entry as u16, 1, 0, 0, 0] {
            elf.extend_from_slice(&self.two(half));
        }
        // One loadable segment, readable and executable: the whole file.
        let load = self.four(1);
        let rights = self.four(5);
        elf.extend_from_slice(&load);
        if self.wide {
            elf.extend_from_slice(&rights);
        }
        for word in [0, ADDRESS, ADDRESS, size, size] {
            elf.extend(self.word(word));
        }
        if !self.wide {
            elf.extend_from_slice(&rights);
        }
        elf.extend(self.word(0x1_0000));
        elf.extend_from_slice(self.code);
        elf
    }
}

/// Whether a program names a dynamic loader; `None` when it is no ELF program for this host.
pub(super) fn has_interpreter(head: &[u8]) -> Option<bool> {
    use object::read::elf::{FileHeader, ProgramHeader};
    fn look<Elf: FileHeader<Endian = object::Endianness>>(head: &[u8]) -> Option<bool> {
        let header = Elf::parse(head).ok()?;
        let endian = header.endian().ok()?;
        let segments = header.program_headers(endian, head).ok()?;
        Some(segments.iter().any(|segment| segment.p_type(endian) == object::elf::PT_INTERP))
    }
    match object::FileKind::parse(head).ok()? {
        object::FileKind::Elf64 => look::<object::elf::FileHeader64<object::Endianness>>(head),
        object::FileKind::Elf32 => look::<object::elf::FileHeader32<object::Endianness>>(head),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, process::Command};

    use super::*;

    #[test]
    fn tiny_programs_are_what_they_say() {
        for machine in MACHINES {
            let program = machine.tiny_program();
            assert_eq!(has_interpreter(&program), Some(false), "{}", machine.arch);
            let (magic, mask) = machine.magic();
            let matches = (0..20).all(|i| program[i] & mask[i] == magic[i] & mask[i]);
            assert!(matches, "{} does not match its own magic", machine.arch);
        }
    }

    /// The real proof of the hand-made instructions: each under its emulator, where installed.
    #[test]
    fn tiny_programs_run() {
        let dir = tempfile::tempdir().unwrap();
        for machine in MACHINES {
            let path = dir.path().join(machine.arch);
            fs::write(&path, machine.tiny_program()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            let qemu = format!("qemu-{}-static", machine.qemu);
            match Command::new(&qemu).arg(&path).status() {
                Ok(status) => assert_eq!(status.code(), Some(TINY_STATUS), "{}", machine.arch),
                Err(error) => eprintln!("SKIP {}: {qemu}: {error}", machine.arch),
            }
        }
    }

    #[test]
    fn what_is_no_program_is_said_to_be_none() {
        for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", &[0x7f; 4096]] {
            assert_eq!(has_interpreter(bytes), None);
        }
    }
}
