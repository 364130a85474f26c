//! As much of ELF as it takes to say for which machine a file is and how it is started: a second
//! opinion, independent of the reader that mlint itself uses.

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// `linux/amd64` and so on, or the number of a machine that has no name here.
    pub platform: String,
    /// The path of its interpreter; none if it is static.
    pub interpreter: Option<String>,
}

/// Reads the header of an ELF file; none if it is no such file.
pub fn read(bytes: &[u8]) -> Option<Elf> {
    if bytes.get(..4)? != b"\x7fELF" {
        return None;
    }
    let wide = bytes.get(4)? == &2;
    let big = bytes.get(5)? == &2;
    let number = |at: usize, size: usize| -> Option<u64> {
        let field = bytes.get(at..at.checked_add(size)?)?;
        let join = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(if big { field.iter().fold(0, join) } else { field.iter().rev().fold(0, join) })
    };
    let platform = match (number(18, 2)?, wide, big) {
        (62, true, false) => "linux/amd64".to_owned(),
        (183, true, false) => "linux/arm64".to_owned(),
        (40, false, false) => "linux/arm/v7".to_owned(),
        (3, false, false) => "linux/386".to_owned(),
        (243, true, false) => "linux/riscv64".to_owned(),
        (21, true, false) => "linux/ppc64le".to_owned(),
        (22, true, true) => "linux/s390x".to_owned(),
        (machine, ..) => format!("machine {machine}"),
    };
    // The program headers: where they start, how long each is, and how many there are.
    let (start, size, count) = match wide {
        true => (number(32, 8)?, number(54, 2)?, number(56, 2)?),
        false => (number(28, 4)?, number(42, 2)?, number(44, 2)?),
    };
    let interpreter = (0..count).find_map(|index| {
        let at = usize::try_from(start.checked_add(index * size)?).ok()?;
        if number(at, 4)? != 3 {
            return None;
        }
        let (from, length) = match wide {
            true => (number(at + 8, 8)?, number(at + 32, 8)?),
            false => (number(at + 4, 4)?, number(at + 16, 4)?),
        };
        let from = usize::try_from(from).ok()?;
        let text = bytes.get(from..from.checked_add(usize::try_from(length).ok()?)?)?;
        Some(String::from_utf8_lossy(text).trim_end_matches('\0').to_owned())
    });
    Some(Elf { platform, interpreter })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_of_this_machine() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let elf = read(&bytes).unwrap();
        assert_eq!(elf.platform, format!("linux/{}", crate::apt::native_arch()));
        assert!(elf.interpreter.unwrap().contains("/ld-"));
    }

    #[test]
    fn anything_else_is_none_and_no_panic() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(read(b"#!/bin/sh\n"), None);
        assert_eq!(read(b""), None);
        for end in 0..200 {
            let _ = read(&bytes[..end]);
        }
        let mut wild = bytes[..512].to_vec();
        wild[32..40].fill(0xff);
        assert_eq!(read(&wild).unwrap().interpreter, None);
    }
}
