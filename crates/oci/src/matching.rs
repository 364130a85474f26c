//! Which of the platforms on offer serves the one asked for, as containerd (and so BuildKit and
//! Docker) decides it.

use crate::platform::Platform;

/// How well an image fits a platform, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compatibility {
    /// The same platform.
    Exact,
    /// The same architecture in an older variant: arm/v6 for arm/v7.
    LowerVariant,
    /// Another architecture that the processor (mostly) runs as well: 386 for amd64, arm/v7 for
    /// arm64. containerd takes it, and the image's `uname -m` and libraries are the other
    /// architecture's.
    OtherArchitecture,
}

/// All platforms whose images containerd runs for `want`, best first.
pub fn candidates(want: &Platform) -> Vec<Platform> {
    let of =
        |arch: &str, variant: Option<String>| Platform::new(want.os(), arch, variant.as_deref());
    let mut out = vec![want.clone()];
    let number = |v: &str| v.strip_prefix('v').and_then(|n| n.parse::<u32>().ok());
    match want.arch() {
        "amd64" => {
            if let Some(version @ 2..=9) = want.variant().and_then(number) {
                out.extend((1..version).rev().map(|v| of("amd64", Some(format!("v{v}")))));
            }
            out.push(of("386", None));
        }
        "arm" => {
            let version = want.variant().and_then(number).unwrap_or(7).min(8);
            out.extend((5..version).rev().map(|v| of("arm", Some(format!("v{v}")))));
        }
        "arm64" => {
            out.extend(lower_arm64(want.variant().unwrap_or("v8")).map(|v| of("arm64", Some(v))));
            out.extend((5..=8).rev().map(|v| of("arm", Some(format!("v{v}")))));
        }
        _ => {}
    }
    out
}

/// The variants below an arm64 one: v9.2 → v9.1, v9.0 (`v9`), v8.7 … v8.0 (`v8`). Armv9.N
/// includes Armv8.(N+5).
fn lower_arm64(variant: &str) -> impl Iterator<Item = String> {
    let text = variant.strip_prefix('v').unwrap_or(variant);
    let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
    let (major, minor) = (major.parse().unwrap_or(8_u32), minor.parse().unwrap_or(0_u32).min(9));
    let name = |major: u32, minor: u32| match minor {
        0 => format!("v{major}"),
        minor => format!("v{major}.{minor}"),
    };
    let (nine, eight) = match major {
        9 => (minor, (minor + 6).min(10)),
        8 => (0, minor),
        _ => (0, 0),
    };
    (0..nine).rev().map(move |m| name(9, m)).chain((0..eight).rev().map(move |m| name(8, m)))
}

/// How well an image of platform `have` serves `want`; nothing if it does not.
pub fn compatibility(want: &Platform, have: &Platform) -> Option<Compatibility> {
    if want == have {
        Some(Compatibility::Exact)
    } else if !candidates(want).contains(have) {
        None
    } else if want.arch() == have.arch() {
        Some(Compatibility::LowerVariant)
    } else {
        Some(Compatibility::OtherArchitecture)
    }
}

/// The best of what is on offer; of equals the first.
pub fn best<T>(
    want: &Platform,
    offers: impl IntoIterator<Item = (Platform, T)>,
) -> Option<(T, Compatibility)> {
    let order = candidates(want);
    offers
        .into_iter()
        .filter_map(|(have, item)| {
            let rank = order.iter().position(|p| *p == have)?;
            Some((rank, item, compatibility(want, &have)?))
        })
        .min_by_key(|(rank, _, _)| *rank)
        .map(|(_, item, fit)| (item, fit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(p: &str) -> Vec<String> {
        candidates(&p.parse().unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn candidates_are_containerds() {
        assert_eq!(names("linux/amd64"), ["linux/amd64", "linux/386"]);
        assert_eq!(
            names("linux/amd64/v3"),
            ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64", "linux/386"]
        );
        assert_eq!(names("linux/arm/v7"), ["linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]);
        assert_eq!(
            names("linux/arm64"),
            ["linux/arm64", "linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"]
        );
        assert_eq!(
            names("linux/arm64/v9.1")[..4],
            ["linux/arm64/v9.1", "linux/arm64/v9", "linux/arm64/v8.6", "linux/arm64/v8.5"]
        );
        assert_eq!(names("linux/s390x"), ["linux/s390x"]);
    }

    #[test]
    fn the_best_offer_wins_whatever_the_order() {
        let offers = ["linux/386", "linux/arm/v5", "linux/arm/v7", "windows/amd64"];
        let pick = |want: &str| {
            let offers = offers.iter().map(|o| (o.parse().unwrap(), *o));
            best(&want.parse().unwrap(), offers)
        };
        assert_eq!(pick("linux/arm/v8"), Some(("linux/arm/v7", Compatibility::LowerVariant)));
        assert_eq!(pick("linux/arm64"), Some(("linux/arm/v7", Compatibility::OtherArchitecture)));
        assert_eq!(pick("linux/amd64"), Some(("linux/386", Compatibility::OtherArchitecture)));
        assert_eq!(pick("linux/riscv64"), None);
    }
}
