//! What a file tells the dynamic loader: the libraries that it needs, and where to look for them.

use object::{
    Endianness,
    elf::{PT_DYNAMIC, PT_LOAD},
    read::elf::{FileHeader, ProgramHeader},
};
use serde::{Deserialize, Serialize};

/// Tags of the dynamic section, by the generic ABI.
const NEEDED: u64 = 1;
const STRTAB: u64 = 5;
const RPATH: u64 = 15;
const RUNPATH: u64 = 29;

/// More libraries than any file names, and longer names than any has.
const MAX_NEEDED: usize = 512;
const MAX_NAME: usize = 8192;

/// What a file tells the dynamic loader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dynamic {
    /// The libraries that it needs, in order.
    #[serde(rename = "n", default, skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<String>,
    /// Directories that are searched for them and for what they need in turn.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub rpath: Option<String>,
    /// Directories that are searched for them; with these, `rpath` does not count.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub runpath: Option<String>,
}

/// A part of the file: offset and length.
pub type Part = (u64, u64);

/// Where the dynamic section lies, and how far the first segment reaches, which most often holds
/// the names that the section points at.
pub fn places<H: FileHeader<Endian = Endianness>>(
    segments: &[H::ProgramHeader],
    endian: Endianness,
) -> Option<(Part, u64)> {
    let part =
        |s: &H::ProgramHeader| -> Part { (s.p_offset(endian).into(), s.p_filesz(endian).into()) };
    let dynamic = segments.iter().find(|s| s.p_type(endian) == PT_DYNAMIC).map(part)?;
    let first = segments.iter().find(|s| s.p_type(endian) == PT_LOAD).map(part);
    Some((dynamic, first.map_or(0, |(at, length)| at.saturating_add(length))))
}

impl Dynamic {
    /// Reads it from a file's first bytes and, if they lie further on, those of its dynamic section.
    /// `None` if there is none, or if a name lies where nobody has looked.
    pub fn read<H: FileHeader<Endian = Endianness>>(
        segments: &[H::ProgramHeader],
        endian: Endianness,
        head: &[u8],
        section: Option<&[u8]>,
    ) -> Option<Self> {
        let ((at, length), _) = places::<H>(segments, endian)?;
        let section = match section {
            Some(section) => section,
            None => head.get(usize::try_from(at).ok()?..)?.get(..usize::try_from(length).ok()?)?,
        };
        let wide = size_of::<H::Word>() == 8;
        let entries = entries(section, wide, endian);
        let mut dynamic = Self::default();
        let Some((_, names)) = entries.iter().find(|(tag, _)| *tag == STRTAB).copied() else {
            return Some(dynamic);
        };
        let names = file_offset::<H>(segments, endian, names)?;
        let name = |at: u64| -> Option<String> {
            let start = usize::try_from(names.checked_add(at)?).ok()?;
            let rest = head.get(start..)?;
            let rest = &rest[..rest.len().min(MAX_NAME)];
            let end = rest.iter().position(|b| *b == 0)?;
            Some(String::from_utf8_lossy(&rest[..end]).into_owned())
        };
        for (tag, at) in entries {
            match tag {
                NEEDED if dynamic.needed.len() < MAX_NEEDED => dynamic.needed.push(name(at)?),
                RPATH => dynamic.rpath = Some(name(at)?),
                RUNPATH => dynamic.runpath = Some(name(at)?),
                _ => {}
            }
        }
        Some(dynamic)
    }
}

/// Tags and values up to the end mark.
fn entries(section: &[u8], wide: bool, endian: Endianness) -> Vec<(u64, u64)> {
    let word = |bytes: &[u8]| -> u64 {
        let mut all = [0; 8];
        let little = endian == Endianness::Little;
        for (i, byte) in bytes.iter().enumerate() {
            all[if little { i } else { bytes.len() - 1 - i }] = *byte;
        }
        u64::from_le_bytes(all)
    };
    let size = if wide { 8 } else { 4 };
    section
        .chunks_exact(2 * size)
        .map(|entry| (word(&entry[..size]), word(&entry[size..])))
        .take_while(|(tag, _)| *tag != 0)
        .collect()
}

/// Where in the file an address of the program lies.
fn file_offset<H: FileHeader<Endian = Endianness>>(
    segments: &[H::ProgramHeader],
    endian: Endianness,
    address: u64,
) -> Option<u64> {
    segments.iter().filter(|s| s.p_type(endian) == PT_LOAD).find_map(|s| {
        let (start, length): (u64, u64) = (s.p_vaddr(endian).into(), s.p_filesz(endian).into());
        let within = address.checked_sub(start).filter(|within| *within < length)?;
        Into::<u64>::into(s.p_offset(endian)).checked_add(within)
    })
}
