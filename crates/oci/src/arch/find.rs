//! Finds architecture words in URLs, file names and other text.

use std::{ops::Range, sync::OnceLock};

use super::{
    Vocabularies, Vocabulary,
    lexicon::{Entry, lexicon, systems, systems_starting_with},
    words_of,
};
use crate::platform::Platform;

/// What a found word names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WordKind {
    /// An architecture: `amd64`. Its operating system comes from the words around it.
    Arch,
    /// A system and an architecture in one: `linux-x64`, `win64`, a Rust triple.
    SystemAndArch,
    /// Another system than Linux, without an architecture: `darwin`.
    System,
}

/// A word found in text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchWord {
    /// Where, in bytes.
    pub range: Range<usize>,
    /// The word in its usual spelling (lower case).
    pub word: &'static str,
    /// What it names.
    pub kind: WordKind,
    /// Whose word it is.
    pub vocabularies: Vocabularies,
    /// The platforms that it can mean, likeliest first, with the system of the words around it;
    /// empty for [`WordKind::System`] and for bare metal.
    pub platforms: Vec<Platform>,
    /// The system in Go's words, `linux` where nothing else is said.
    pub system: &'static str,
    /// Whether the system is said in the text (and not just assumed to be Linux).
    pub system_is_written: bool,
    /// It is a common word as well (`arm`, `x86`, `64bit`): alone it proves little.
    pub weak: bool,
}

impl ArchWord {
    /// Whether it means (or can mean) a Linux platform.
    pub fn is_linux(&self) -> bool {
        self.system == "linux" && !self.platforms.is_empty()
    }

    /// Whether it can mean this platform. A word without variant covers all variants.
    pub fn means(&self, platform: &Platform) -> bool {
        self.platforms.iter().any(|p| {
            p == platform
                || (p.os() == platform.os()
                    && p.arch() == platform.arch()
                    && (p.variant().is_none() || p.arch() != "arm"))
        })
    }

    /// What the same vocabularies call another platform: each with its word, without repetitions
    /// of the same word. Empty if none of them knows the platform.
    pub fn counterparts(&self, platform: &Platform) -> Vec<(Vocabulary, &'static str)> {
        let Some(words) = words_of(platform) else { return Vec::new() };
        let mut out: Vec<(Vocabulary, &'static str)> = Vec::new();
        for vocabulary in self.vocabularies.iter() {
            if let Some(word) = words.get(vocabulary)
                && !out.iter().any(|(_, w)| *w == word)
            {
                out.push((vocabulary, word));
            }
        }
        out
    }
}

/// All architecture words in a text, in order, without overlaps; at each place the longest. A
/// word counts only if no letter or digit touches it. The host of a URL is skipped: `arm.com` says
/// nothing about what is fetched from it.
pub fn find_words(text: &str) -> Vec<ArchWord> {
    let bytes = text.as_bytes();
    let starts = word_starts(bytes);
    // Most texts name neither an architecture nor a system.
    if starts.is_empty() {
        return Vec::new();
    }
    let systems = find_systems(bytes, &starts);
    let hosts = url_hosts(text);
    let mut found: Vec<ArchWord> = Vec::new();
    let mut from = 0;
    for &at in &starts {
        if at < from {
            continue;
        }
        if let Some(host) = covering(&hosts, at) {
            from = host.end;
            continue;
        }
        let Some(second) = second_letter(bytes, at) else { continue };
        let mut entries = lexicon().starting_with(bytes[at].to_ascii_lowercase(), second).iter();
        let hit = entries.find(|e| fits(bytes, at, e));
        let Some(entry) = hit else { continue };
        let range = at..at + entry.text.len();
        if !entry.after_os || follows_system(bytes, &systems, at) {
            from = range.end;
            found.push(word(text, range, entry, &systems));
        }
    }
    add_systems(&mut found, &systems, &hosts);
    found
}

struct System {
    range: Range<usize>,
    text: &'static str,
    name: &'static str,
}

fn word(text: &str, range: Range<usize>, entry: &Entry, systems: &[System]) -> ArchWord {
    let written = match entry.os {
        Some(os) => Some(os),
        None => nearest_system(text, &range, systems),
    };
    let system = written.unwrap_or("linux");
    let platforms = match system {
        "none" => Vec::new(),
        "linux" => entry.on_linux.clone(),
        os => entry.on(os),
    };
    ArchWord {
        range,
        word: entry.text,
        kind: if entry.os.is_some() { WordKind::SystemAndArch } else { WordKind::Arch },
        vocabularies: entry.vocabularies,
        platforms,
        system,
        system_is_written: written.is_some(),
        weak: entry.weak,
    }
}

/// Systems other than Linux that no found word covers are reported on their own.
fn add_systems(found: &mut Vec<ArchWord>, systems: &[System], hosts: &[Range<usize>]) {
    let words: Vec<Range<usize>> = found.iter().map(|w| w.range.clone()).collect();
    for system in systems {
        let start = system.range.start;
        let next = words.partition_point(|w| w.start < start);
        let covered = covering(&words, start).is_some()
            || words.get(next).is_some_and(|w| w.start < system.range.end)
            || covering(hosts, start).is_some();
        if system.name == "linux" || covered {
            continue;
        }
        found.push(ArchWord {
            range: system.range.clone(),
            word: system.text,
            kind: WordKind::System,
            vocabularies: Vocabularies::NONE,
            platforms: Vec::new(),
            system: system.name,
            system_is_written: true,
            weak: false,
        });
    }
    found.sort_by_key(|w| w.range.start);
}

fn fits(bytes: &[u8], at: usize, entry: &Entry) -> bool {
    let end = at + entry.text.len();
    // Most words that do not fit do not end there.
    if end > bytes.len() || !ends_word(bytes, end) {
        return false;
    }
    if !bytes[at..end].eq_ignore_ascii_case(entry.text.as_bytes()) {
        return false;
    }
    // x86_640 and x86_32 in a name that only looks like x86: what follows belongs to the word.
    let goes_on = entry.text.ends_with("x86")
        && matches!(bytes.get(end), Some(b'_' | b'-'))
        && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
    !goes_on
}

/// Where a word that is looked for may begin: it may not follow a letter or a digit, nor be a
/// variable's name.
fn word_starts(bytes: &[u8]) -> Vec<usize> {
    let pairs = pairs();
    let mut starts = Vec::new();
    let mut goes_on = false;
    for (at, &b) in bytes.iter().enumerate() {
        let is_letter = b.is_ascii_alphanumeric();
        if is_letter && !goes_on && may_begin(pairs, bytes, at) {
            let names_a_variable = match at.checked_sub(1).map(|before| bytes[before]) {
                Some(b'$') => true,
                Some(b'{') => at >= 2 && bytes[at - 2] == b'$',
                _ => false,
            };
            if !names_a_variable {
                starts.push(at);
            }
        }
        // Bytes of other scripts are letters, as far as we care.
        goes_on = is_letter || !b.is_ascii();
    }
    starts
}

fn ends_word(bytes: &[u8], end: usize) -> bool {
    bytes.get(end).is_none_or(|b| !b.is_ascii_alphanumeric() && b.is_ascii())
}

/// What follows the first letter of a word, in lower case: most words of a text differ there from
/// all that are looked for.
fn second_letter(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at + 1).map(u8::to_ascii_lowercase)
}

/// By the first letter of the words that are looked for, a bit for each second one.
fn pairs() -> &'static [u128; 128] {
    static PAIRS: OnceLock<[u128; 128]> = OnceLock::new();
    PAIRS.get_or_init(|| {
        let mut pairs = [0; 128];
        for word in lexicon().words().chain(systems()) {
            if let [first, second, ..] = word.as_bytes()
                && let Some(seconds) = pairs.get_mut(usize::from(*first))
            {
                *seconds |= 1 << (second & 127);
            }
        }
        pairs
    })
}

/// Whether a word that is looked for begins with the two letters at a place.
fn may_begin(pairs: &[u128; 128], bytes: &[u8], at: usize) -> bool {
    let first = usize::from(bytes[at].to_ascii_lowercase());
    let seconds = pairs.get(first).copied().unwrap_or_default();
    second_letter(bytes, at).is_some_and(|second| second < 128 && (seconds >> second) & 1 == 1)
}

fn find_systems(bytes: &[u8], starts: &[usize]) -> Vec<System> {
    let mut out = Vec::new();
    for &at in starts {
        let second = second_letter(bytes, at);
        let best = systems_starting_with(bytes[at])
            .filter(|(word, _)| word.as_bytes().get(1).copied() == second)
            .filter(|(word, _)| {
                let end = at + word.len();
                end <= bytes.len()
                    && ends_word(bytes, end)
                    && bytes[at..end].eq_ignore_ascii_case(word.as_bytes())
            })
            .max_by_key(|(word, _)| word.len());
        if let Some((word, name)) = best {
            out.push(System { range: at..at + word.len(), text: word, name });
        }
    }
    out
}

/// How far from a word the name of its system may be.
const REACH: usize = 160;

/// The system named nearest to a word, within the same blank-free stretch of text.
fn nearest_system(text: &str, range: &Range<usize>, systems: &[System]) -> Option<&'static str> {
    // Only the neighbours count: what is beyond them is farther away.
    let next = systems.partition_point(|s| s.range.start < range.end);
    let before = systems[..next].iter().rfind(|s| s.range.end <= range.start);
    let gap_before = before.map(|s| (s, s.range.end..range.start));
    let gap_after = systems.get(next).map(|s| (s, range.end..s.range.start));
    let blank = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ';' | '|' | '&' | ',');
    gap_before
        .into_iter()
        .chain(gap_after)
        .filter(|(_, gap)| gap.len() <= REACH)
        .filter(|(_, gap)| text.get(gap.clone()).is_some_and(|t| !t.contains(blank)))
        .min_by_key(|(_, gap)| gap.len())
        .map(|(system, _)| system.name)
}

fn follows_system(bytes: &[u8], systems: &[System], at: usize) -> bool {
    at > 0
        && matches!(bytes[at - 1], b'-' | b'_' | b'/' | b'.')
        && systems.binary_search_by_key(&(at - 1), |s| s.range.end).is_ok()
}

/// The range that holds a place, of ranges in order and without overlaps.
fn covering(ranges: &[Range<usize>], at: usize) -> Option<&Range<usize>> {
    let next = ranges.partition_point(|r| r.end <= at);
    ranges.get(next).filter(|r| r.contains(&at))
}

/// The hosts (with user and port) of all URLs in a text.
fn url_hosts(text: &str) -> Vec<Range<usize>> {
    let stop = |c: char| c == '/' || c.is_whitespace() || matches!(c, '"' | '\'');
    let mut out: Vec<Range<usize>> = Vec::new();
    for (colon, _) in text.match_indices(':') {
        if text[colon + 1..].starts_with("//") {
            let start = colon + 3;
            let end = text[start..].find(stop).map_or(text.len(), |n| start + n);
            out.push(start..end);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        find_words(text)
            .iter()
            .map(|w| {
                let platforms: Vec<String> = w.platforms.iter().map(ToString::to_string).collect();
                format!("{}={}", &text[w.range.clone()], platforms.join("|"))
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn finds_words_of_every_vocabulary() {
        for (text, want) in [
            ("tool-linux-amd64.tar.gz", "amd64=linux/amd64"),
            ("tool_Linux_x86_64.tar.gz", "x86_64=linux/amd64"),
            ("tool-x86-64.zip", "x86-64=linux/amd64"),
            ("node-v18.1.0-linux-x64.tar.xz", "linux-x64=linux/amd64"),
            ("chromedriver_linux64.zip", "linux64=linux/amd64"),
            ("hugo_0.1_Linux-64bit.deb", "Linux-64bit=linux/amd64"),
            ("some-linuxx64.zip", "linuxx64=linux/amd64"),
            ("foo_1.0_i386.deb", "i386=linux/386"),
            ("aws-aarch64.zip", "aarch64=linux/arm64"),
            ("arm64v8/debian", "arm64v8=linux/arm64"),
            ("rg-armv7-unknown-linux-gnueabihf", "armv7-unknown-linux-gnueabihf=linux/arm/v7"),
            ("x-aarch64-unknown-linux-musl.tgz", "aarch64-unknown-linux-musl=linux/arm64"),
            ("/usr/lib/x86_64-linux-gnu/libz.so", "x86_64-linux-gnu=linux/amd64"),
            ("/usr/lib/i386-linux-gnu", "i386-linux-gnu=linux/386"),
            ("protoc-3-linux-aarch_64.zip", "aarch_64=linux/arm64"),
            ("kubectl linux/ppc64le", "ppc64le=linux/ppc64le"),
            ("x_s390x x_riscv64", "s390x=linux/s390x riscv64=linux/riscv64"),
            ("Miniconda3-Linux-x86_64.sh", "x86_64=linux/amd64"),
            ("a-manylinux2014_aarch64.whl", "aarch64=linux/arm64"),
            ("foo-linux-386", "386=linux/386"),
            ("armhf", "armhf=linux/arm/v7|linux/arm/v6"),
            ("go1.20.linux-armv6l.tar.gz", "linux-armv6l=linux/arm/v6"),
        ] {
            assert_eq!(show(text), want, "{text}");
        }
    }

    #[test]
    fn takes_no_part_of_another_word() {
        for text in [
            "charm.tgz",
            "alarm-clock",
            "swarm",
            "xamd64",
            "amd64x",
            "v1.386.2",
            "foo-386",
            "x86_640",
            "farm64",
            "éarm64",
            "linux64x",
            "https://developer.arm.com/downloads/x.zip",
            "https://amd64.example.org:8080/x",
            "${amd64}",
            "$arm64",
        ] {
            assert_eq!(show(text), "", "{text}");
        }
    }

    #[test]
    fn other_systems_are_seen_but_are_not_linux() {
        let words = find_words("tool-darwin-arm64.zip");
        assert_eq!(words.len(), 2);
        assert_eq!((words[0].kind, words[0].system), (WordKind::System, "darwin"));
        assert_eq!(words[1].platforms[0].to_string(), "darwin/arm64");
        assert!(words.iter().all(|w| !w.is_linux()));
        assert_eq!(show("app-win64.zip"), "win64=windows/amd64");
        assert_eq!(show("aarch64-apple-darwin"), "aarch64=darwin/arm64 darwin=");
        assert_eq!(show("win_amd64.whl"), "win= amd64=windows/amd64");
        assert_eq!(show("arm-none-eabi-gcc"), "arm-none-eabi=");
        // The nearest system decides, and blanks keep words apart.
        assert!(show("linux-amd64 darwin-arm64").contains("amd64=linux/amd64"));
        assert!(show("darwin linux-arm64").ends_with("linux-arm64=linux/arm64"));
    }

    #[test]
    fn marks_common_words_and_whose_they_are() {
        let one = |text: &str| find_words(text).remove(0);
        assert!(one("x-arm.tgz").weak && one("linux-386").weak && !one("amd64").weak);
        let amd64 = one("amd64");
        assert!(amd64.vocabularies.contains(Vocabulary::Debian));
        assert!(!amd64.vocabularies.contains(Vocabulary::Uname));
        assert!(!amd64.system_is_written && one("linux_amd64").system_is_written);
        let x86_64 = one("x86_64");
        assert!(x86_64.vocabularies.contains(Vocabulary::Uname));
        let vendor: Vec<_> = one("linux64").vocabularies.iter().collect();
        assert_eq!(vendor, [Vocabulary::Vendor]);
    }

    #[test]
    fn counterparts_stay_in_the_vocabulary() {
        let arm64 = Platform::linux("arm64");
        let of = |text: &str, p: &Platform| -> Vec<&str> {
            find_words(text)[0].counterparts(p).into_iter().map(|(_, w)| w).collect()
        };
        assert_eq!(of("linux-x64", &arm64), ["linux-arm64"]);
        assert_eq!(of("x64", &arm64), ["arm64"]);
        assert_eq!(of("x86_64-linux-gnu", &arm64), ["aarch64-linux-gnu"]);
        assert_eq!(of("x86_64", &arm64), ["aarch64", "aarch_64"]);
        // amd64 is Docker Hub's word as well, which says arm64v8.
        assert_eq!(of("amd64", &arm64), ["arm64", "arm64v8"]);
        assert!(of("linux64", &arm64).is_empty());
    }

    #[test]
    fn means_covers_variants() {
        let word = find_words("amd64").remove(0);
        assert!(word.means(&"linux/amd64/v3".parse().unwrap()));
        assert!(!word.means(&"linux/arm64".parse().unwrap()));
        let arm = find_words("armv6l").remove(0);
        assert!(!arm.means(&"linux/arm/v7".parse().unwrap()));
    }

    #[test]
    fn survives_any_text() {
        for text in ["", "://", "http://", "é://ü amd64", "${", "\u{1F980}arm64", "-", "a://b://c"]
        {
            let _ = find_words(text);
        }
        assert_eq!(show("\u{1F980} arm64"), "arm64=linux/arm64");
    }
}
