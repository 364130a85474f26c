//! Platforms, normalised as containerd's `platforms` package and BuildKit do.

use std::{
    borrow::Cow,
    fmt,
    str::FromStr,
    sync::{Arc, OnceLock},
};

/// `os/architecture[/variant]`, always normalised: `arm64/v8` is `arm64`, `arm` is `arm/v7`,
/// `amd64/v1` is `amd64`, `x86_64` is `amd64`, `aarch64` is `arm64`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Platform(Arc<Parts>);

#[derive(PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Parts {
    os: String,
    arch: String,
    variant: Option<String>,
}

/// A platform that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{input}' is no platform: expected os/architecture[/variant], as in linux/arm64 or linux/arm/v7"
)]
pub struct PlatformError {
    /// What was given.
    pub input: String,
}

impl Platform {
    /// A platform from its parts, normalised.
    pub fn new(os: &str, arch: &str, variant: Option<&str>) -> Self {
        let os = match lower(os) {
            os if os == "macos" => Cow::Borrowed("darwin"),
            os => os,
        };
        let variant = variant.map(lower).filter(|v| !v.is_empty());
        let arch = lower(arch);
        let (arch, variant) = match (&*arch, variant.as_deref()) {
            ("i386" | "i486" | "i586" | "i686" | "386", _) => ("386", None),
            ("x86_64" | "x86-64" | "amd64", Some("v1") | None) => ("amd64", None),
            ("x86_64" | "x86-64" | "amd64", v) => ("amd64", v),
            ("aarch64" | "arm64", Some("8" | "v8" | "v8.0") | None) => ("arm64", None),
            ("aarch64" | "arm64", v) => ("arm64", v),
            ("armhf", _) => ("arm", Some("v7")),
            ("armel", _) => ("arm", Some("v6")),
            ("arm", None | Some("7" | "v7")) => ("arm", Some("v7")),
            ("arm", Some("5" | "v5")) => ("arm", Some("v5")),
            ("arm", Some("6" | "v6")) => ("arm", Some("v6")),
            ("arm", Some("8" | "v8")) => ("arm", Some("v8")),
            (a, v) => (a, v),
        };
        if os == "linux"
            && let Some(usual) = usual(arch, variant)
        {
            return usual.clone();
        }
        let (arch, variant) = (arch.to_owned(), variant.map(str::to_owned));
        Self(Arc::new(Parts { os: os.into_owned(), arch, variant }))
    }

    /// `linux/<arch>`.
    pub fn linux(arch: &str) -> Self {
        Self::new("linux", arch, None)
    }

    /// The platform this program was compiled for: what an unqualified local build runs on.
    pub fn host() -> Self {
        Self::linux(match std::env::consts::ARCH {
            "x86" => "386",
            "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
            "powerpc64" => "ppc64",
            other => other,
        })
    }

    /// Operating system: `linux`.
    pub fn os(&self) -> &str {
        &self.0.os
    }

    /// Architecture in GOARCH words: `amd64`, `arm64`, `arm`, `386`, `ppc64le`, `s390x`, `riscv64`.
    pub fn arch(&self) -> &str {
        &self.0.arch
    }

    /// Variant when it says more than the architecture alone: `v7` of `linux/arm/v7`.
    pub fn variant(&self) -> Option<&str> {
        self.0.variant.as_deref()
    }
}

/// The text in lower case, which most texts are.
fn lower(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|b| b.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

/// The Linux platforms that images are made for, made once: evaluations name them all the time.
fn usual(arch: &str, variant: Option<&str>) -> Option<&'static Platform> {
    const USUAL: [(&str, Option<&str>); 11] = [
        ("amd64", None),
        ("arm64", None),
        ("arm", Some("v7")),
        ("386", None),
        ("ppc64le", None),
        ("s390x", None),
        ("riscv64", None),
        ("arm", Some("v6")),
        ("arm", Some("v5")),
        ("loong64", None),
        ("mips64le", None),
    ];
    static MADE: OnceLock<Vec<Platform>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let parts = USUAL.iter().map(|(arch, variant)| Parts {
            os: "linux".to_owned(),
            arch: (*arch).to_owned(),
            variant: variant.map(str::to_owned),
        });
        parts.map(|parts| Platform(Arc::new(parts))).collect()
    });
    made.iter().find(|p| p.arch() == arch && p.variant() == variant)
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os(), self.arch())?;
        match self.variant() {
            Some(v) => write!(f, "/{v}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    /// Reads `os/arch[/variant]`; a lone architecture word means Linux, a lone `linux` the host's
    /// architecture.
    fn from_str(input: &str) -> Result<Self, PlatformError> {
        let bad = || PlatformError { input: input.to_owned() };
        let ok = |p: &str| {
            !p.is_empty()
                && p.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        let parts: Vec<&str> = input.trim().split('/').collect();
        if !parts.iter().all(|p| ok(p)) {
            return Err(bad());
        }
        match parts[..] {
            ["linux"] => Ok(Self::host()),
            [arch] => {
                let p = Self::linux(arch);
                const KNOWN: &[&str] = &[
                    "amd64", "arm64", "arm", "386", "ppc64le", "ppc64", "s390x", "riscv64",
                    "mips64le", "mips64", "mips", "mipsle", "loong64",
                ];
                if KNOWN.contains(&p.arch()) { Ok(p) } else { Err(bad()) }
            }
            [os, arch] => Ok(Self::new(os, arch, None)),
            [os, arch, variant] => Ok(Self::new(os, arch, Some(variant))),
            _ => Err(bad()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_like_containerd() {
        for (given, want) in [
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("x86_64", "linux/amd64"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/i386", "linux/386"),
        ] {
            assert_eq!(given.parse::<Platform>().unwrap().to_string(), want, "{given}");
        }
    }

    #[test]
    fn refuses_what_is_no_platform() {
        for bad in ["", "/", "linux/", "linux//v7", "a/b/c/d", "lin ux/amd64", "bogus", "$X/amd64"]
        {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }
}
