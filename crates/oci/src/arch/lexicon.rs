//! The words to look for in text: those of the table, and those that vendors made up.

use std::{collections::BTreeMap, ops::Range, sync::OnceLock};

use super::{ALL, Vocabularies, Vocabulary};
use crate::platform::Platform;

/// One spelling.
#[derive(Debug)]
pub(super) struct Entry {
    /// In lower case.
    pub text: &'static str,
    pub vocabularies: Vocabularies,
    /// Architecture and variant of what it can mean, likeliest first.
    pub means: Vec<(&'static str, &'static str)>,
    /// The same for Linux, made once: most texts are about that.
    pub on_linux: Vec<Platform>,
    /// The operating system that the word itself names.
    pub os: Option<&'static str>,
    /// Says something in company only.
    pub weak: bool,
    /// Counts only right after an operating system's name: `linux-386`, not `1.386`.
    pub after_os: bool,
}

impl Entry {
    /// What it means on an operating system.
    pub fn on(&self, os: &str) -> Vec<Platform> {
        let variant = |text: &'static str| Some(text).filter(|v| !v.is_empty());
        self.means.iter().map(|(arch, v)| Platform::new(os, arch, variant(v))).collect()
    }
}

/// Entries by their first two bytes, longest first.
pub(super) struct Lexicon {
    entries: Vec<Entry>,
    /// Where the entries of two letters begin and end; by the first letter, each with its second.
    pairs: [Vec<(u8, Range<usize>)>; 128],
}

impl Lexicon {
    /// All words; each has two letters or more.
    pub fn words(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.entries.iter().map(|entry| entry.text)
    }

    /// The words that begin with these two bytes, in lower case.
    pub fn starting_with(&self, first: u8, second: u8) -> &[Entry] {
        let seconds = self.pairs.get(usize::from(first)).map_or(&[][..], Vec::as_slice);
        let found = seconds.iter().find(|(byte, _)| *byte == second);
        found.and_then(|(_, range)| self.entries.get(range.clone())).unwrap_or_default()
    }
}

/// Names of operating systems that releases are made for, and what Go calls them.
const SYSTEMS: &[(&str, &str)] = &[
    ("linux", "linux"),
    ("manylinux", "linux"),
    ("manylinux1", "linux"),
    ("manylinux2010", "linux"),
    ("manylinux2014", "linux"),
    ("manylinux_2", "linux"),
    ("musllinux_1", "linux"),
    ("darwin", "darwin"),
    ("macos", "darwin"),
    ("macosx", "darwin"),
    ("osx", "darwin"),
    ("windows", "windows"),
    ("win", "windows"),
    ("freebsd", "freebsd"),
    ("openbsd", "openbsd"),
    ("netbsd", "netbsd"),
    ("dragonfly", "dragonfly"),
    ("android", "android"),
    ("solaris", "solaris"),
    ("illumos", "illumos"),
    ("wasi", "wasi"),
];

/// All names of systems.
pub(super) fn systems() -> impl Iterator<Item = &'static str> {
    SYSTEMS.iter().map(|(word, _)| *word)
}

/// The systems whose names begin so.
pub(super) fn systems_starting_with(
    byte: u8,
) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let byte = byte.to_ascii_lowercase();
    // Most words begin with a letter that no system begins with.
    let some = matches!(byte, b'a' | b'd' | b'f' | b'i' | b'l'..=b'o' | b's' | b'w');
    let systems = if some { SYSTEMS } else { &[] };
    systems.iter().filter(move |(word, _)| word.as_bytes()[0] == byte)
}

/// Spellings that are no vocabulary's main word: text, architecture, variant.
const VENDOR: &[(&str, &str, &str)] = &[
    ("x86-64", "amd64", ""),
    ("x8664", "amd64", ""),
    ("64bit", "amd64", ""),
    ("64-bit", "amd64", ""),
    ("intel64", "amd64", ""),
    ("x64", "amd64", ""),
    ("armv8", "arm64", ""),
    ("armv8l", "arm", "v7"),
    ("arm64", "arm64", ""),
    ("aarch64", "arm64", ""),
    ("arm32", "arm", "v7"),
    ("arm7", "arm", "v7"),
    ("armv7", "arm", "v7"),
    ("armv7a", "arm", "v7"),
    ("armv7h", "arm", "v7"),
    ("armv7hf", "arm", "v7"),
    ("armhfp", "arm", "v7"),
    ("arm-v7", "arm", "v7"),
    ("arm6", "arm", "v6"),
    ("armv6", "arm", "v6"),
    ("armv6hf", "arm", "v6"),
    ("arm-v6", "arm", "v6"),
    ("armv5", "arm", "v5"),
    ("armv5l", "arm", "v5"),
    ("armv5te", "arm", "v5"),
    ("arm5", "arm", "v5"),
    ("i486", "386", ""),
    ("i586", "386", ""),
    ("i686", "386", ""),
    ("x86", "386", ""),
    ("32bit", "386", ""),
    ("32-bit", "386", ""),
    ("powerpc64le", "ppc64le", ""),
    ("powerpc64", "ppc64", ""),
    ("riscv64gc", "riscv64", ""),
    ("loongarch64", "loong64", ""),
];

/// Words that carry their operating system: text, system, architecture, variant.
const WITH_SYSTEM: &[(&str, &str, &str, &str)] = &[
    ("linux64", "linux", "amd64", ""),
    ("linux_64", "linux", "amd64", ""),
    ("linux-64bit", "linux", "amd64", ""),
    ("linuxx64", "linux", "amd64", ""),
    ("linuxx86_64", "linux", "amd64", ""),
    ("linuxamd64", "linux", "amd64", ""),
    ("linuxarm64", "linux", "arm64", ""),
    ("linuxaarch64", "linux", "arm64", ""),
    ("linuxarmv7", "linux", "arm", "v7"),
    ("linuxarmhf", "linux", "arm", "v7"),
    ("linuxarm", "linux", "arm", "v7"),
    ("linuxx86", "linux", "386", ""),
    ("linux386", "linux", "386", ""),
    ("linux32", "linux", "386", ""),
    ("linux_32", "linux", "386", ""),
    ("linuxppc64le", "linux", "ppc64le", ""),
    ("linuxs390x", "linux", "s390x", ""),
    ("win64", "windows", "amd64", ""),
    ("winx64", "windows", "amd64", ""),
    ("winx86", "windows", "386", ""),
    ("winarm64", "windows", "arm64", ""),
    ("win32", "windows", "386", ""),
    ("macos64", "darwin", "amd64", ""),
    ("osx64", "darwin", "amd64", ""),
    ("macarm64", "darwin", "arm64", ""),
    ("macx64", "darwin", "amd64", ""),
    ("arm64-v8a", "android", "arm64", ""),
    ("armeabi-v7a", "android", "arm", "v7"),
    // Bare-metal cross compilers: no system, no platform that mlint could build for.
    ("arm-none-eabi", "none", "arm", ""),
    ("aarch64-none-elf", "none", "arm64", ""),
    ("riscv64-unknown-elf", "none", "riscv64", ""),
];

/// Words that are common in prose and names, too.
const WEAK: &[&str] = &[
    "arm", "386", "x86", "64bit", "64-bit", "32bit", "32-bit", "arm5", "arm6", "arm7", "arm32",
    "armv8", "ppc64", "linux-32", "linux-64", "x8664",
];

/// The lexicon, made once.
pub(super) fn lexicon() -> &'static Lexicon {
    static LEXICON: OnceLock<Lexicon> = OnceLock::new();
    LEXICON.get_or_init(build)
}

fn build() -> Lexicon {
    let mut all: BTreeMap<&'static str, Entry> = BTreeMap::new();
    let mut add = |text: &'static str,
                   vocabulary: Vocabulary,
                   means: (&'static str, &'static str),
                   os: Option<&'static str>| {
        let entry = all.entry(text).or_insert_with(|| Entry {
            text,
            vocabularies: Vocabularies::NONE,
            means: Vec::new(),
            on_linux: Vec::new(),
            os,
            weak: WEAK.contains(&text),
            after_os: text == "386",
        });
        entry.vocabularies = entry.vocabularies | Vocabularies::of(vocabulary);
        if !entry.means.contains(&means) {
            entry.means.push(means);
        }
    };
    for row in ALL {
        for vocabulary in Vocabulary::ALL {
            let Some(word) = row.get(vocabulary) else { continue };
            // "linux-x64" names its system, "x86_64-unknown-linux-gnu" as well.
            let os = word.contains("linux").then_some("linux");
            add(word, vocabulary, (row.arch, row.variant), os);
        }
        add(row.multiarch(), Vocabulary::GnuTriple, (row.arch, row.variant), Some("linux"));
    }
    for (text, arch, variant) in VENDOR {
        add(text, Vocabulary::Vendor, (arch, variant), None);
    }
    for (text, os, arch, variant) in WITH_SYSTEM {
        add(text, Vocabulary::Vendor, (arch, variant), Some(os));
    }
    let mut entries: Vec<Entry> = Vec::with_capacity(all.len());
    for mut entry in all.into_values() {
        let main = |v: Vocabulary| v != Vocabulary::Vendor;
        // What some vocabulary owns is not "the vendor's own".
        if entry.vocabularies.iter().any(main) {
            entry.vocabularies = entry.vocabularies.iter().filter(|v| main(*v)).collect();
        }
        if entry.os.is_none_or(|os| os == "linux") {
            entry.on_linux = entry.on("linux");
        }
        entries.push(entry);
    }
    let letters = |entry: &Entry| (entry.text.as_bytes()[0], entry.text.as_bytes()[1]);
    entries.sort_by_key(|e| (letters(e), std::cmp::Reverse(e.text.len())));
    let mut pairs: [Vec<(u8, Range<usize>)>; 128] = std::array::from_fn(|_| Vec::new());
    let mut start = 0;
    for group in entries.chunk_by(|a, b| letters(a) == letters(b)) {
        let (first, second) = letters(&group[0]);
        pairs[usize::from(first)].push((second, start..start + group.len()));
        start += group.len();
    }
    Lexicon { entries, pairs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_by_its_first_two_letters() {
        for word in lexicon().words() {
            let [first, second, ..] = *word.as_bytes() else { panic!("{word}") };
            let found = lexicon().starting_with(first, second);
            assert!(found.iter().any(|e| e.text == word), "{word}");
            assert!(found.is_sorted_by_key(|e| std::cmp::Reverse(e.text.len())), "{word}");
        }
    }

    #[test]
    fn every_system_is_found_by_its_first_letter() {
        for system in SYSTEMS {
            let mut found = systems_starting_with(system.0.as_bytes()[0]);
            assert!(found.any(|s| s == system), "{}", system.0);
        }
    }
}
