//! Target triples: `aarch64-linux-gnu`, `x86_64-unknown-linux-musl`, `x86_64-w64-mingw32`.

use mlint_oci::Platform;

use super::names::platform_in;
use crate::{
    effect::Setting,
    machine::{Linkage, Machine, MachineKind, MachineSource},
    shell::Interpreter,
};

/// What a triple (or a compiler's name with one in front) is for. `None` if that can't be told:
/// bare metal, an unknown architecture.
pub(super) fn triple_kind(text: &str, target: &Platform) -> Option<MachineKind> {
    let text = text.to_ascii_lowercase();
    if text.starts_with("wasm32") || text.starts_with("wasm64") {
        return Some(MachineKind::Independent);
    }
    let system = match () {
        () if text.contains("mingw") => "windows",
        () if text.contains("android") => "android",
        // `arm-none-eabi`: no system at all.
        () if text.split('-').any(|p| matches!(p, "none" | "elf")) && !text.contains("linux") => {
            return None;
        }
        () => return platform_in(&text, target).map(MachineKind::Platform),
    };
    let arch = platform_in(text.split('-').next().unwrap_or_default(), &Platform::linux("amd64"))?;
    Some(MachineKind::Platform(Platform::new(system, arch.arch(), None)))
}

/// The machine of a triple given by a setting.
pub(super) fn triple_machine(shell: &Interpreter<'_, '_>, setting: &Setting) -> Machine {
    let source = MachineSource::Setting {
        name: setting.name.clone(),
        value: setting.value.clone(),
        span: setting.span,
    };
    let text = setting.value.as_known();
    let kind = text.and_then(|t| triple_kind(&t, shell.world.target));
    Machine { kind: kind.unwrap_or(MachineKind::Unknown), source }
}

/// Which C library the triple links to.
pub(super) fn triple_linkage(text: &str) -> Linkage {
    match () {
        () if text.contains("mingw") || text.contains("windows") => Linkage::Unknown,
        () if text.contains("musl") => Linkage::Musl,
        () if text.contains("gnu") => Linkage::Glibc,
        () => Linkage::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_and_architectures() {
        let arm64 = Platform::linux("arm64");
        for (triple, want) in [
            ("aarch64-linux-gnu", "linux/arm64"),
            ("x86_64-unknown-linux-musl", "linux/amd64"),
            ("x86_64-w64-mingw32-gcc", "windows/amd64"),
            ("i686-w64-mingw32", "windows/386"),
            ("aarch64-linux-android21-clang", "android/arm64"),
            ("aarch64-apple-darwin", "darwin/arm64"),
            ("armv6-alpine-linux-musleabihf", "linux/arm/v6"),
            ("arm-linux-gnueabihf-g++", "linux/arm/v7"),
            ("arm-linux-gnueabi-gcc", "linux/arm/v5"),
            ("x86-linux-musl", "linux/386"),
            ("powerpc64le-linux-gnu-gcc-12", "linux/ppc64le"),
            ("x86_64-pc-windows-gnu", "windows/amd64"),
            ("wasm32-unknown-unknown", "any"),
            ("arm-none-eabi-gcc", "-"),
            ("aarch64-none-elf-gcc", "-"),
            ("gcc", "-"),
            ("thing", "-"),
        ] {
            let got = match triple_kind(triple, &arm64) {
                Some(MachineKind::Platform(p)) => p.to_string(),
                Some(_) => "any".to_owned(),
                None => "-".to_owned(),
            };
            assert_eq!(got, want, "{triple}");
        }
    }
}
