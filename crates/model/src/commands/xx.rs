//! xx, the helpers for cross-compilation of `tonistiigi/xx`: they take the target from the
//! stage's arguments, and without those build for where they run.

use mlint_oci::{Platform, Reference};

use super::{
    built::{base_image, setting, settings},
    options::Line,
};
use crate::{
    effect::{Argument, EffectKind},
    machine::{Libc, Linkage, Machine, MachineKind, MachineSource},
    probe::Probe,
    shell::{Call, Interpreter, Status},
    value::{Origin, Truth, Value},
};

/// What xx calls an architecture: Go's word, the kernel's, Debian's, Alpine's, RPM's, the first
/// part of its triple. ARM goes by variant.
const WORDS: &[(&str, &str, [&str; 5])] = &[
    ("amd64", "", ["x86_64", "amd64", "x86_64", "x86_64", "x86_64"]),
    ("arm64", "", ["aarch64", "arm64", "aarch64", "aarch64", "aarch64"]),
    ("arm", "v7", ["armv7l", "armhf", "armv7", "armv7hl", "arm"]),
    ("arm", "v6", ["armv6l", "armel", "armhf", "armv6hl", "arm"]),
    ("arm", "v5", ["armv5l", "armel", "armel", "armv5tel", "arm"]),
    ("386", "", ["i386", "i386", "x86", "i386", "i686"]),
    ("riscv64", "", ["riscv64", "riscv64", "riscv64", "riscv64", "riscv64"]),
    ("ppc64le", "", ["ppc64le", "ppc64el", "ppc64le", "ppc64le", "powerpc64le"]),
    ("s390x", "", ["s390x", "s390x", "s390x", "s390x", "s390x"]),
    ("loong64", "", ["loongarch64", "loong64", "loongarch64", "loongarch64", "loongarch64"]),
];

/// Vendors that xx leaves out of the triple.
const SILENT_VENDORS: &[&str] = &["debian", "ubuntu", "rhel", "fedora", "centos", "rocky", "ol"];

/// What xx builds for.
struct Target {
    /// `None` if an argument says it and is not known.
    platform: Option<Platform>,
    /// The argument that decides; `None` if none is set.
    decided_by: Option<(&'static str, Argument)>,
}

fn target(shell: &Interpreter<'_, '_>, call: &Call) -> Target {
    let given = |name: &str| shell.environment(call, name).filter(|a| !a.value.is_empty());
    for name in ["TARGETPLATFORM", "TARGETPAIR", "TARGETARCH"] {
        let Some(argument) = given(name) else { continue };
        let part = |name: &str| Some(given(name)?.value.as_known()?.into_owned());
        let platform = argument.value.as_known().and_then(|text| match name {
            "TARGETARCH" => {
                let os = part("TARGETOS").unwrap_or_else(|| "linux".to_owned());
                Some(Platform::new(&os, &text, part("TARGETVARIANT").as_deref()))
            }
            "TARGETPAIR" => match text.split_once('-')? {
                (os, arm) if arm.starts_with("armv") => {
                    Some(Platform::new(os, "arm", Some(&arm[3..])))
                }
                (os, arch) => Some(Platform::new(os, arch, None)),
            },
            _ => text.parse().ok(),
        });
        return Target { platform, decided_by: Some((name, argument)) };
    }
    Target { platform: shell.runs_on(), decided_by: None }
}

impl Target {
    /// A text that follows from it.
    fn value(&self, text: impl Into<std::sync::Arc<str>>, call: &Call) -> Value {
        match &self.decided_by {
            Some((_, argument)) => argument.value.derived(text, call.span),
            None => Value::known(text, Origin::Probe(Probe::UnameMachine), call.span),
        }
    }

    fn words(&self) -> Option<&'static [&'static str; 5]> {
        let platform = self.platform.as_ref()?;
        let variant = match platform.arch() {
            "arm" => platform.variant().filter(|v| matches!(*v, "v5" | "v6")).unwrap_or("v7"),
            _ => "",
        };
        let row = WORDS.iter().find(|(arch, v, _)| *arch == platform.arch() && *v == variant)?;
        Some(&row.2)
    }
}

/// The machine that xx's compilers make code for.
pub(super) fn machine(shell: &Interpreter<'_, '_>, call: &Call) -> Machine {
    let target = target(shell, call);
    let kind = target.platform.map_or(MachineKind::Unknown, MachineKind::Platform);
    match target.decided_by {
        Some((name, Argument { value, span })) => {
            Machine { kind, source: MachineSource::Setting { name: name.to_owned(), value, span } }
        }
        None => Machine { kind, source: MachineSource::StagePlatform },
    }
}

/// `ID` of the distribution, as far as the base image's name tells.
fn vendor(shell: &Interpreter<'_, '_>, call: &Call) -> Option<String> {
    if let Some(given) = shell.environment(call, "XX_VENDOR").filter(|v| !v.value.is_empty()) {
        return given.value.as_known().map(std::borrow::Cow::into_owned);
    }
    if shell.state.libc == Libc::Musl {
        return Some("alpine".to_owned());
    }
    let image = base_image(shell)?;
    let reference = Reference::parse(&image).ok()?;
    let name = reference.official_name()?;
    match name {
        "debian" | "ubuntu" | "fedora" | "centos" => Some(name.to_owned()),
        "golang" | "rust" | "gcc" | "buildpack-deps" | "python" | "node"
            if shell.state.libc == Libc::Glibc =>
        {
            Some("debian".to_owned())
        }
        _ => None,
    }
}

/// xx's triple; `arm` and `riscv` replace the first part for those (as xx-cargo does).
fn triple(
    platform: &Platform,
    words: &[&str; 5],
    vendor: &str,
    libc: &str,
    (arm, riscv): (Option<&str>, Option<&str>),
) -> Option<String> {
    let alpine = vendor == "alpine";
    let first = words[4];
    match platform.os() {
        "linux" => {}
        "windows" => {
            let first = if platform.arch() == "arm" { "armv7" } else { first };
            return Some(format!("{first}-w64-mingw32"));
        }
        _ => return None,
    }
    let (first, abi) = match (platform.arch(), platform.variant()) {
        ("arm", Some("v6")) => (if alpine { "armv6" } else { "arm" }, alpine),
        ("arm", Some("v5")) => (if alpine { "armv5" } else { "arm" }, false),
        ("arm", _) => (arm.unwrap_or(if alpine { "armv7" } else { "arm" }), true),
        ("riscv64", _) => (riscv.unwrap_or(first), false),
        ("386", _) if alpine => ("i586", false),
        _ => (first, false),
    };
    let abi = match (platform.arch(), abi) {
        ("arm", true) => "eabihf",
        ("arm", false) => "eabi",
        _ => "",
    };
    let vendor = match SILENT_VENDORS.contains(&vendor) {
        true => String::new(),
        false => format!("-{vendor}"),
    };
    Some(format!("{first}{vendor}-linux-{libc}{abi}"))
}

fn libc(shell: &Interpreter<'_, '_>, call: &Call, target: &Target) -> Option<String> {
    if let Some(given) = shell.environment(call, "XX_LIBC").filter(|v| !v.value.is_empty()) {
        return given.value.as_known().map(std::borrow::Cow::into_owned);
    }
    if target.platform.as_ref()?.os() == "windows" {
        return Some("mingw32".to_owned());
    }
    match shell.state.libc {
        Libc::Musl => Some("musl".to_owned()),
        Libc::Glibc => Some("gnu".to_owned()),
        Libc::None | Libc::Unknown => None,
    }
}

fn triple_of(shell: &Interpreter<'_, '_>, call: &Call, target: &Target) -> Option<String> {
    let vendor = vendor(shell, call)?;
    let libc = libc(shell, call, target)?;
    triple(target.platform.as_ref()?, target.words()?, &vendor, &libc, (None, None))
}

/// The triple that `xx-cargo` builds for: rustup's, wherever there is rustup or no Alpine.
pub(super) fn cargo_triple(shell: &Interpreter<'_, '_>, call: &Call) -> Option<Value> {
    let target = target(shell, call);
    let libc = libc(shell, call, &target)?;
    let distro = shell.state.builds.distro_rust && shell.state.libc == Libc::Musl;
    let vendor = if distro { "alpine" } else { "unknown" };
    let rust = (Some("armv7"), Some("riscv64gc"));
    let text = triple(target.platform.as_ref()?, target.words()?, vendor, &libc, rust)?;
    Some(target.value(text, call))
}

/// The C compiler that xx chooses.
pub(super) fn compiler(shell: &Interpreter<'_, '_>, call: &Call) -> Value {
    let target = target(shell, call);
    match triple_of(shell, call, &target) {
        Some(triple) => target.value(format!("{triple}-clang"), call),
        None => Value::unknown(Origin::CommandOutput, call.span),
    }
}

/// How xx's C compilers link: to what the stage has, for the target.
pub(super) fn linkage(shell: &Interpreter<'_, '_>, line: &Line) -> Linkage {
    match () {
        () if line.has(&["-c", "-E", "-S", "-shared", "-nostdlib"]) => Linkage::Unknown,
        () if line.has(&["-static", "--static", "-static-pie"]) => Linkage::Static,
        () => Linkage::dynamic(shell.state.libc),
    }
}

/// What `xx-go --wrap` writes.
pub(super) fn go_settings(shell: &Interpreter<'_, '_>, call: &Call) -> Vec<(&'static str, Value)> {
    let target = target(shell, call);
    let unknown = || Value::unknown(Origin::CommandOutput, call.span);
    let Some(platform) = &target.platform else {
        return vec![("GOOS", unknown()), ("GOARCH", unknown())];
    };
    let mut out = vec![
        ("GOOS", target.value(platform.os(), call)),
        ("GOARCH", target.value(platform.arch(), call)),
    ];
    match (platform.arch(), platform.variant()) {
        ("arm", variant) => {
            let version = variant.unwrap_or("v7").trim_start_matches('v');
            out.push(("GOARM", target.value(version, call)));
        }
        ("amd64", Some(level)) => out.push(("GOAMD64", target.value(level, call))),
        _ => {}
    }
    if shell.state.toolchains.contains(&crate::knowledge::Toolchain::C) {
        out.push(("CC", compiler(shell, call)));
    }
    out
}

/// `xx-info`: what it prints.
pub(super) fn info(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let target = target(shell, call);
    let question = call.text(1).unwrap_or("triple".into()).into_owned();
    if question == "is-cross" {
        let cross = match (&target.platform, shell.runs_on()) {
            (Some(made), Some(runs)) => {
                Truth::from(made.os() != runs.os() || made.arch() != runs.arch())
            }
            _ => Truth::Unknown,
        };
        shell.set_status(Status::from(cross));
        return true;
    }
    let answer = match question.as_str() {
        "env" => None,
        "vendor" => vendor(shell, call).map(|v| Value::known(v, Origin::BaseEnv, call.span)),
        "libc" => libc(shell, call, &target).map(|l| Value::known(l, Origin::BaseEnv, call.span)),
        question => text_answer(shell, call, &target, question).map(|t| target.value(t, call)),
    };
    let text = answer.as_ref().and_then(|a| Some(a.as_known()?.into_owned()));
    shell.effect(EffectKind::Ask { probe: Probe::XxInfo, answer: text }, call.span);
    let origin = match &target.decided_by {
        Some(_) => Origin::CommandOutput,
        None => Origin::Probe(Probe::UnameMachine),
    };
    let value = match question.as_str() {
        "env" => environment(shell, call, &target),
        _ => answer.unwrap_or_else(|| Value::unknown(origin, call.span)),
    };
    let line_end = Value::known("\n", Origin::Literal, call.span);
    shell.print(&value.concat(&line_end));
    shell.set_status(Status::Success);
    true
}

fn text_answer(
    shell: &Interpreter<'_, '_>,
    call: &Call,
    target: &Target,
    question: &str,
) -> Option<String> {
    let platform = target.platform.as_ref()?;
    let word = |at: usize| Some(target.words()?[at].to_owned());
    match question {
        "arch" => Some(platform.arch().to_owned()),
        "os" => Some(platform.os().to_owned()),
        "variant" => Some(platform.variant().unwrap_or_default().to_owned()),
        "march" => word(0),
        "debian-arch" => word(1),
        "alpine-arch" => word(2),
        "rhel-arch" => word(3),
        "pkg-arch" => match vendor(shell, call)?.as_str() {
            "debian" | "ubuntu" => word(1),
            "alpine" => word(2),
            "rhel" | "fedora" | "centos" | "rocky" | "ol" => word(3),
            _ => Some(platform.arch().to_owned()),
        },
        "triple" => triple_of(shell, call, target),
        "sysroot" => {
            let runs_on = shell.runs_on()?;
            match shell.state.libc == Libc::Musl && runs_on.arch() != platform.arch() {
                true => Some(format!("/{}/", triple_of(shell, call, target)?)),
                false => Some("/".to_owned()),
            }
        }
        _ => None,
    }
}

/// `xx-info env`: one assignment a line.
fn environment(shell: &Interpreter<'_, '_>, call: &Call, target: &Target) -> Value {
    let names = [
        ("XX_OS", "os"),
        ("XX_ARCH", "arch"),
        ("XX_MARCH", "march"),
        ("XX_PKG_ARCH", "pkg-arch"),
        ("XX_TRIPLE", "triple"),
        ("TARGETOS", "os"),
        ("TARGETARCH", "arch"),
        ("TARGETVARIANT", "variant"),
    ];
    let mut parts = Vec::new();
    for (name, question) in names {
        let word = |text: &str| Value::known(text, Origin::Literal, call.span);
        if !parts.is_empty() {
            parts.push(word("\n"));
        }
        parts.push(word(&format!("{name}=")));
        parts.push(match text_answer(shell, call, target, question) {
            Some(text) => target.value(text, call),
            None => Value::unknown(Origin::CommandOutput, call.span),
        });
    }
    Value::join(&parts)
}

/// What `xx-clang` prints instead of compiling. `false` if it compiles.
pub(super) fn clang(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read_long(call.arguments(), &[]);
    let target = target(shell, call);
    let triple = triple_of(shell, call, &target);
    let line_end = Value::known("\n", Origin::Literal, call.span);
    let unknown = || Value::unknown(Origin::CommandOutput, call.span);
    if line.has(&["--print-target-triple", "-print-target-triple"]) {
        let value = triple.map_or_else(unknown, |t| target.value(t, call));
        shell.print(&value.concat(&line_end));
    } else if line.has(&["--print-cmake-defines", "-print-cmake-defines"]) {
        let value = triple.map_or_else(unknown, |t| {
            let head = "-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
                        -DCMAKE_ASM_COMPILER=clang -DCMAKE_C_COMPILER_TARGET=";
            let word = |text: &str| Value::known(text, Origin::Literal, call.span);
            let triple = target.value(t, call);
            Value::join(&[
                word(head),
                triple.clone(),
                word(" -DCMAKE_CXX_COMPILER_TARGET="),
                triple.clone(),
                word(" -DCMAKE_ASM_COMPILER_TARGET="),
                triple,
            ])
        });
        shell.print(&value.concat(&line_end));
    } else if !line.has(&["--setup-target-triple", "--wrap", "--unwrap"]) {
        return false;
    }
    shell.set_status(Status::Success);
    true
}

/// `xx-verify FILE…`: stops the build at a file that is not for the target.
pub(super) fn verify(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let line = Line::read(call.arguments(), &[]);
    let Some(platform) = target(shell, call).platform else { return true };
    let needs_static = line.has(&["--static"]);
    for file in &line.operands {
        let found = shell.path(&file.value).and_then(|p| shell.state.files.find(&p));
        let Some(artifact) = found.filter(|a| a.certain && !a.folder) else { continue };
        let other = artifact
            .machine
            .platform()
            .filter(|m| m.os() != platform.os() || m.arch() != platform.arch());
        let dynamic = matches!(artifact.linkage, Linkage::Glibc | Linkage::Musl);
        // Whether a program of Go has C in it, is not certain.
        let go = matches!(
            artifact.made,
            crate::artifact::Made::Compiled { tool: crate::effect::Tool::Go, .. }
        );
        if let Some(other) = other {
            let message = format!("xx-verify stops the build: {} is for {other}", artifact.path);
            shell.command_fails(call.span, message);
        } else if needs_static && dynamic && !go {
            let message = format!("xx-verify stops the build: {} is not static", artifact.path);
            shell.command_fails(call.span, message);
        }
    }
    true
}

/// Settings that xx looks at.
pub(super) fn found_settings(
    shell: &Interpreter<'_, '_>,
    call: &Call,
) -> Vec<crate::effect::Setting> {
    let all = settings(shell, call, &["TARGETPLATFORM", "TARGETPAIR", "TARGETARCH"]);
    setting(&all, "TARGETPLATFORM").or(all.first()).cloned().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triples_of_xx() {
        let of = |platform: &str, vendor: &str, libc: &str| {
            let target = Target { platform: platform.parse().ok(), decided_by: None };
            let words = target.words()?;
            triple(target.platform.as_ref()?, words, vendor, libc, (None, None))
        };
        for (platform, vendor, libc, want) in [
            ("linux/amd64", "debian", "gnu", "x86_64-linux-gnu"),
            ("linux/arm64", "alpine", "musl", "aarch64-alpine-linux-musl"),
            ("linux/arm/v7", "debian", "gnu", "arm-linux-gnueabihf"),
            ("linux/arm/v7", "alpine", "musl", "armv7-alpine-linux-musleabihf"),
            ("linux/arm/v6", "debian", "gnu", "arm-linux-gnueabi"),
            ("linux/arm/v6", "alpine", "musl", "armv6-alpine-linux-musleabihf"),
            ("linux/386", "alpine", "musl", "i586-alpine-linux-musl"),
            ("linux/ppc64le", "ubuntu", "gnu", "powerpc64le-linux-gnu"),
            ("windows/amd64", "debian", "mingw32", "x86_64-w64-mingw32"),
        ] {
            assert_eq!(of(platform, vendor, libc).as_deref(), Some(want), "{platform} {vendor}");
        }
        assert_eq!(of("linux/sparc64", "debian", "gnu"), None);
    }
}
