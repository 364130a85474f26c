//! What each ecosystem calls each architecture.
//!
//! An architecture word has a meaning only within its vocabulary: `amd64` is Docker's, Go's and
//! Debian's, `x86_64` the kernel's, RPM's and Rust's, `x64` Node's and .NET's. [`words_of`] answers
//! "what is this platform called there", [`find_words`] "which words of which vocabulary are in
//! this text, and which platforms do they mean".

mod file_name;
mod find;
mod lexicon;
mod table;

use std::{fmt, ops};

use crate::platform::Platform;

pub use file_name::{name_without_platforms, platforms_of_folder, platforms_of_name};
pub use find::{ArchWord, WordKind, find_words};
pub use table::{ALL, Words, words_of, words_of_machine};

/// Who uses a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Vocabulary {
    /// `TARGETARCH` and Docker's platforms without the variant: `arm`.
    Docker,
    /// Docker Hub's per-architecture owners and tag suffixes: `arm32v7`, `arm64v8`.
    DockerHub,
    /// `GOARCH`.
    Go,
    /// `dpkg --print-architecture`.
    Debian,
    /// The kernel's `uname -m`.
    Uname,
    /// `apk --print-arch`.
    Apk,
    /// `rpm --eval %_arch`.
    Rpm,
    /// Rust target triples for glibc.
    RustGnu,
    /// Rust target triples for musl.
    RustMusl,
    /// GNU triples as compilers are called by (`gcc -dumpmachine` on Debian), and Debian's
    /// multiarch directories (which differ for i386 only).
    GnuTriple,
    /// Triples of musl compilers.
    MuslTriple,
    /// .NET runtime identifiers for glibc.
    DotnetRid,
    /// .NET runtime identifiers for musl.
    DotnetMuslRid,
    /// Node's `process.arch`, npm's `cpu`.
    Node,
    /// The architecture in Python wheel tags.
    Wheel,
    /// conda's sub-directories: `linux-64`.
    Conda,
    /// protoc's and Maven's `os-maven-plugin` words: `aarch_64`.
    OsMaven,
    /// Somebody's own words: `linux64`, `64bit`, `linuxx64`.
    Vendor,
}

impl Vocabulary {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Docker,
        Self::DockerHub,
        Self::Go,
        Self::Debian,
        Self::Uname,
        Self::Apk,
        Self::Rpm,
        Self::RustGnu,
        Self::RustMusl,
        Self::GnuTriple,
        Self::MuslTriple,
        Self::DotnetRid,
        Self::DotnetMuslRid,
        Self::Node,
        Self::Wheel,
        Self::Conda,
        Self::OsMaven,
        Self::Vendor,
    ];

    /// For people: "Debian's", "the kernel's".
    pub fn describe(self) -> &'static str {
        match self {
            Self::Docker => "Docker's",
            Self::DockerHub => "Docker Hub's",
            Self::Go => "Go's",
            Self::Debian => "Debian's",
            Self::Uname => "the kernel's (uname -m)",
            Self::Apk => "Alpine's",
            Self::Rpm => "RPM's",
            Self::RustGnu | Self::RustMusl => "Rust's",
            Self::GnuTriple => "GNU's",
            Self::MuslTriple => "musl's",
            Self::DotnetRid | Self::DotnetMuslRid => ".NET's",
            Self::Node => "Node's",
            Self::Wheel => "Python wheels'",
            Self::Conda => "conda's",
            Self::OsMaven => "protoc's",
            Self::Vendor => "the vendor's own",
        }
    }
}

/// A set of vocabularies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Vocabularies(u32);

impl Vocabularies {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// A set of one.
    pub const fn of(vocabulary: Vocabulary) -> Self {
        Self(1 << vocabulary as u8)
    }

    /// Whether it holds a vocabulary.
    pub const fn contains(self, vocabulary: Vocabulary) -> bool {
        self.0 & (1 << vocabulary as u8) != 0
    }

    /// Whether both share one.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether it is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its members.
    pub fn iter(self) -> impl Iterator<Item = Vocabulary> {
        Vocabulary::ALL.into_iter().filter(move |v| self.contains(*v))
    }
}

impl ops::BitOr for Vocabularies {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl ops::BitAnd for Vocabularies {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl FromIterator<Vocabulary> for Vocabularies {
    fn from_iter<I: IntoIterator<Item = Vocabulary>>(items: I) -> Self {
        items.into_iter().fold(Self::NONE, |set, v| set | Self::of(v))
    }
}

impl fmt::Debug for Vocabularies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// An ELF header's view of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Machine {
    /// `e_machine`.
    pub e_machine: u16,
    /// 64-bit class.
    pub is_64: bool,
    /// Little-endian data.
    pub little_endian: bool,
}

/// The word for a platform in a vocabulary.
pub fn word_for(platform: &Platform, vocabulary: Vocabulary) -> Option<&'static str> {
    words_of(platform)?.get(vocabulary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_answers_what_machines_answer() {
        let word = |p: &str, v| word_for(&p.parse().unwrap(), v);
        assert_eq!(word("linux/arm64", Vocabulary::Uname), Some("aarch64"));
        assert_eq!(word("linux/arm64/v9", Vocabulary::Debian), Some("arm64"));
        assert_eq!(word("linux/arm/v7", Vocabulary::Debian), Some("armhf"));
        assert_eq!(word("linux/arm/v5", Vocabulary::Debian), Some("armel"));
        assert_eq!(word("linux/arm/v6", Vocabulary::Apk), Some("armhf"));
        assert_eq!(word("linux/386", Vocabulary::Go), Some("386"));
        assert_eq!(word("linux/amd64", Vocabulary::Node), Some("x64"));
        assert_eq!(word("linux/ppc64le", Vocabulary::Debian), Some("ppc64el"));
        assert_eq!(word("linux/amd64", Vocabulary::Vendor), None);
        assert_eq!(word("windows/amd64", Vocabulary::Go), None);
        assert_eq!(word("linux/sparc", Vocabulary::Go), None);
    }

    #[test]
    fn every_row_is_a_normal_platform_and_finds_itself() {
        for row in ALL {
            let platform = row.platform();
            assert_eq!(words_of(&platform), Some(row), "{platform}");
            assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
            for vocabulary in Vocabulary::ALL {
                // A Go word like 386 counts in company only.
                let Some(word) = row.get(vocabulary) else { continue };
                let text = if word == "386" { "linux-386" } else { word };
                let found = find_words(text);
                assert!(
                    found.first().is_some_and(|w| w.means(&platform)),
                    "{word} of {platform}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn machines_are_told_apart_but_for_arm() {
        let all = |m: Machine| words_of_machine(m).map(|w| w.debian()).collect::<Vec<_>>();
        assert_eq!(all(Machine { e_machine: 62, is_64: true, little_endian: true }), ["amd64"]);
        // x32: amd64's machine in the 32-bit class is no platform.
        assert!(all(Machine { e_machine: 62, is_64: false, little_endian: true }).is_empty());
        assert_eq!(
            all(Machine { e_machine: 40, is_64: false, little_endian: true }),
            ["armhf", "armhf", "armel"]
        );
        assert_eq!(all(Machine { e_machine: 21, is_64: true, little_endian: true }), ["ppc64el"]);
    }
}
