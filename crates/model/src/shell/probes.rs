//! Commands that tell about the machine.

use super::{Call, Interpreter, Status};
use crate::{
    commands::go_setting,
    effect::EffectKind,
    machine::Libc,
    probe::Probe,
    value::{Origin, Value},
};

/// Which question a command asks, if it asks one.
fn question(name: &str, call: &Call) -> Option<Probe> {
    let args: Vec<String> = call
        .arguments()
        .iter()
        .map(|a| a.value.as_known().map(std::borrow::Cow::into_owned))
        .collect::<Option<_>>()?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Some(match (name, &args[..]) {
        ("uname", ["-m" | "-p" | "-i" | "--machine" | "--processor"]) | ("arch", []) => {
            Probe::UnameMachine
        }
        ("uname", [] | ["-s" | "--kernel-name" | "-o"]) => Probe::UnameSystem,
        ("dpkg", ["--print-architecture"]) => Probe::DpkgArch,
        ("dpkg-architecture", rest) => match rest.join("").trim_start_matches("-q") {
            "DEB_HOST_ARCH" | "DEB_BUILD_ARCH" | "DEB_TARGET_ARCH" => Probe::DpkgArch,
            "DEB_HOST_GNU_TYPE"
            | "DEB_BUILD_GNU_TYPE"
            | "DEB_HOST_MULTIARCH"
            | "DEB_BUILD_MULTIARCH"
            | "DEB_TARGET_MULTIARCH"
            | "DEB_TARGET_GNU_TYPE" => Probe::DpkgTriple,
            _ => return None,
        },
        ("apk", ["--print-arch"]) => Probe::ApkArch,
        ("rpm", ["--eval" | "-E", macro_])
            if matches!(*macro_, "%{_arch}" | "%_arch" | "%{_target_cpu}") =>
        {
            Probe::RpmArch
        }
        ("getconf", ["LONG_BIT"]) => Probe::LongBit,
        ("go", ["env", "GOARCH" | "GOHOSTARCH"]) => Probe::GoArch,
        ("go", ["env", "GOOS" | "GOHOSTOS"]) => Probe::GoOs,
        ("node", ["-p" | "-pe", code]) if code.trim_matches([';', ' ']) == "process.arch" => {
            Probe::NodeArch
        }
        ("node", ["-e", code]) if code.contains("process.arch") && code.contains("log") => {
            Probe::NodeArch
        }
        ("gcc" | "cc" | "g++" | "clang", ["-dumpmachine"]) => Probe::GccMachine,
        ("rustc", ["--print", "host-tuple"]) => Probe::RustcHost,
        ("python" | "python3", ["-c", code]) if code.contains("platform.machine()") => {
            Probe::PythonMachine
        }
        _ => return None,
    })
}

impl Interpreter<'_, '_> {
    /// `false` if the command asks nothing.
    pub(super) fn probe(&mut self, name: &str, call: &Call) -> bool {
        if name == "rustc"
            && call
                .arguments()
                .iter()
                .any(|a| a.value.is("-vV") || a.value.is("--version") || a.value.is("-V"))
        {
            return self.rustc_version(call);
        }
        let Some(probe) = question(name, call) else { return false };
        // What `go env GOARCH` says follows the environment.
        let setting = match (probe, call.text(2).as_deref()) {
            (Probe::GoArch, Some("GOARCH")) => go_setting(self, call, "GOARCH"),
            (Probe::GoOs, Some("GOOS")) => go_setting(self, call, "GOOS"),
            _ => None,
        };
        if let Some(setting) = setting.filter(|s| !s.value.is_empty()) {
            let line_end = Value::known("\n", Origin::Literal, call.span);
            self.print(&setting.value.concat(&line_end));
            self.set_status(Status::Success);
            return true;
        }
        self.answer(probe, call, true);
        true
    }

    /// Prints a probe's answer.
    pub(super) fn answer(&mut self, probe: Probe, call: &Call, line_end: bool) {
        let (platform, origin) = (self.runs_on(), Origin::Probe(probe));
        let musl = self.state.libc == Libc::Musl;
        let answer = platform.and_then(|p| probe.answer(&p, musl));
        self.effect(EffectKind::Ask { probe, answer: answer.clone() }, call.span);
        let value = match answer {
            Some(text) => Value::known(text, origin, call.span),
            None => Value::unknown(origin, call.span),
        };
        self.print(&value);
        if line_end {
            self.print(&Value::known("\n", Origin::Literal, call.span));
        }
        self.set_status(Status::Success);
    }

    /// `rustc -vV`: the host's line among others.
    fn rustc_version(&mut self, call: &Call) -> bool {
        let line = |text: &str| Value::known(text.to_owned(), Origin::Literal, call.span);
        let unknown = Value::unknown(Origin::CommandOutput, call.span);
        if !call.arguments().iter().any(|a| a.value.is("-vV")) {
            self.print(&unknown);
            return true;
        }
        self.print(&line("host: "));
        self.answer(Probe::RustcHost, call, true);
        true
    }
}
