//! Which platforms a file or a folder is for by its own name.

use super::{Vocabularies, Vocabulary, WordKind, find::find_words};
use crate::platform::Platform;

/// The words of compilers: a name with one says what is made there, not what it runs on.
fn is_compiler_s(vocabularies: Vocabularies) -> bool {
    let triples = Vocabularies::of(Vocabulary::RustGnu)
        | Vocabularies::of(Vocabulary::RustMusl)
        | Vocabularies::of(Vocabulary::GnuTriple)
        | Vocabularies::of(Vocabulary::MuslTriple);
    vocabularies.intersects(triples)
}

/// The Linux platforms that a file is for by its name: `Dockerfile.arm64`, `Dockerfile.linux-amd64`,
/// `app.x64.arm64.Dockerfile`. Empty where it says nothing, or not plainly: a word
/// that is a common one as well (`arm`, `x86`), another system, a compiler's target
/// (`aarch64-unknown-linux-gnu`, `cross-arm64`).
pub fn platforms_of_name(name: &str) -> Vec<Platform> {
    let parts = || name.split(|c: char| !c.is_ascii_alphanumeric());
    let says_target = |part: &str| {
        let part = part.to_ascii_lowercase();
        ["cross", "toolchain", "qemu"].iter().any(|word| part.contains(word)) || part == "unknown"
    };
    if parts().any(says_target) {
        return Vec::new();
    }
    let mut platforms: Vec<Platform> = Vec::new();
    for word in find_words(name) {
        let is_compound = word.kind == WordKind::SystemAndArch && is_compiler_s(word.vocabularies);
        if !word.is_linux() || is_compound {
            return Vec::new();
        }
        let Some(platform) = word.platforms.into_iter().next().filter(|_| !word.weak) else {
            continue;
        };
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    platforms
}

/// The same for a folder. One that names its system as well (`linux.aarch64`, `linux-arm64`) says
/// nothing: toolchains for a target lie in such folders as well as images for it.
pub fn platforms_of_folder(name: &str) -> Vec<Platform> {
    let has_system = find_words(name).iter().any(|word| word.system_is_written);
    if has_system { Vec::new() } else { platforms_of_name(name) }
}

/// A file's name without the words for platforms and what separates them, to tell which files are
/// the same one for other platforms: `Dockerfile.arm64` and `Dockerfile`.
pub fn name_without_platforms(name: &str) -> String {
    let mut rest = String::with_capacity(name.len());
    let mut at = 0;
    for word in find_words(name) {
        rest.push_str(&name[at..word.range.start]);
        at = word.range.end;
    }
    rest.push_str(&name[at..]);
    let parts = rest.split(['.', '-', '_']).filter(|part| !part.is_empty() && *part != "linux");
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_a_platform() {
        for (name, want) in [
            ("Dockerfile.arm64", "linux/arm64"),
            ("Dockerfile-x86_64", "linux/amd64"),
            ("Dockerfile_amd64", "linux/amd64"),
            ("Dockerfile.fips.amd64", "linux/amd64"),
            ("Dockerfile.linux.arm64", "linux/arm64"),
            ("aarch64.Dockerfile", "linux/arm64"),
            ("app-armhf.dockerfile", "linux/arm/v7"),
            ("Dockerfile.arm32v6", "linux/arm/v6"),
            ("arm64v8", "linux/arm64"),
            ("X64", "linux/amd64"),
        ] {
            let found: Vec<String> =
                platforms_of_name(name).iter().map(ToString::to_string).collect();
            assert_eq!(found, [want], "{name}");
        }
        let both = platforms_of_name("release.x64.arm64.dockerfile");
        assert_eq!(both.len(), 2);
    }

    #[test]
    fn names_that_say_none() {
        for name in [
            "Dockerfile",
            "Dockerfile.armory",
            "Dockerfile.arm",
            "amd64ish",
            "x86",
            "Dockerfile.windows-amd64",
            "darwin.aarch64",
            "Dockerfile.aarch64-unknown-linux-gnu",
            "Dockerfile.i686-unknown-linux-musl",
            "aarch64-linux-gnu",
            "android-x86_64",
            "Dockerfile.cross-arm64",
            "crossbuild.amd64",
        ] {
            assert!(platforms_of_name(name).is_empty(), "{name}");
        }
    }

    #[test]
    fn folders_with_a_system_say_nothing() {
        assert_eq!(platforms_of_folder("arm32v7").len(), 1);
        assert!(platforms_of_folder("linux-s390x").is_empty());
        assert!(platforms_of_folder("linux.aarch64").is_empty());
    }

    #[test]
    fn names_of_the_same_file() {
        let plain = |name: &str| name_without_platforms(name);
        assert_eq!(plain("Dockerfile.arm64"), plain("Dockerfile"));
        assert_eq!(plain("Dockerfile.linux-x86_64"), plain("Dockerfile"));
        assert_eq!(plain("app.arm64.Dockerfile"), plain("app.Dockerfile"));
        assert_ne!(plain("Dockerfile.dev"), plain("Dockerfile"));
    }
}
