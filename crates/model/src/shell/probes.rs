//! Commands that tell about the machine.

use std::borrow::Cow;

use super::{Call, Interpreter, Status};
use crate::{
    commands::go_setting,
    effect::EffectKind,
    machine::Libc,
    probe::Probe,
    value::{Origin, Value},
};

/// Whether a program is one that can be asked for the machine.
fn may_ask(name: &str) -> bool {
    matches!(
        name,
        "uname"
            | "arch"
            | "lscpu"
            | "dpkg"
            | "dpkg-architecture"
            | "apk"
            | "rpm"
            | "getconf"
            | "go"
            | "node"
            | "nodejs"
            | "gcc"
            | "cc"
            | "g++"
            | "c++"
            | "clang"
            | "clang++"
            | "rustc"
            | "php"
    ) || is_python(name)
}

/// Which question a command asks, if it asks one.
fn question(name: &str, args: &[&str]) -> Option<Probe> {
    Some(match (name, args) {
        ("uname", ["-m" | "-p" | "-i" | "--machine" | "--processor" | "--hardware-platform"])
        | ("arch", []) => Probe::UnameMachine,
        ("uname", [] | ["-s" | "--kernel-name" | "-o"]) => Probe::UnameSystem,
        ("dpkg", ["--print-architecture"]) => Probe::DpkgArch,
        ("dpkg-architecture", rest) => return debian(rest),
        ("apk", ["--print-arch"]) => Probe::ApkArch,
        ("rpm", ["--eval" | "-E", macro_])
            if matches!(*macro_, "%{_arch}" | "%_arch" | "%{_target_cpu}" | "%_target_cpu") =>
        {
            Probe::RpmArch
        }
        // The packages of an image are of its machine; some have none.
        ("rpm", [.., package])
            if args.iter().any(|a| is_query(a))
                && args.iter().any(|a| is_arch_format(a))
                && matches!(
                    *package,
                    "bash" | "glibc" | "rpm" | "coreutils" | "coreutils-single" | "openssl-libs"
                ) =>
        {
            Probe::RpmArch
        }
        ("getconf", ["LONG_BIT"]) => Probe::LongBit,
        ("go", ["env", "GOARCH" | "GOHOSTARCH"]) => Probe::GoArch,
        ("go", ["env", "GOOS" | "GOHOSTOS"]) => Probe::GoOs,
        ("node" | "nodejs", ["-p" | "-pe" | "--print", code]) if is_node_arch(code) => {
            Probe::NodeArch
        }
        ("node" | "nodejs", ["-e" | "--eval", code])
            if code.strip_prefix("console.log(").is_some_and(|rest| {
                rest.trim_end_matches([';', ' ']).strip_suffix(')').is_some_and(is_node_arch)
            }) =>
        {
            Probe::NodeArch
        }
        ("gcc" | "cc" | "g++" | "c++" | "clang" | "clang++", ["-dumpmachine"])
        | ("clang", ["-print-target-triple" | "--print-target-triple"]) => Probe::GccMachine,
        ("gcc", ["-print-multiarch" | "--print-multiarch"]) => Probe::DpkgTriple,
        ("rustc", ["--print", "host-tuple"] | ["--print=host-tuple"]) => Probe::RustcHost,
        ("php", ["-r", code]) if php_asks(code) => Probe::UnameMachine,
        (name, ["-c", code]) if is_python(name) && python_asks(code) => Probe::PythonMachine,
        _ => return None,
    })
}

fn is_query(word: &str) -> bool {
    word == "--query" || (word.starts_with("-q") && !word.contains("qf"))
}

fn is_arch_format(word: &str) -> bool {
    let format = word.split_once('=').map_or(word, |(_, format)| format);
    matches!(format.trim_end_matches("\\n").to_ascii_lowercase().as_str(), "%{arch}")
}

/// The name of what is asked for.
fn debian_name<'w>(args: &[&'w str]) -> Option<&'w str> {
    match args {
        ["-q" | "--query", name] => Some(name),
        [one] => one.strip_prefix("-q").or(one.strip_prefix("--query=")),
        _ => None,
    }
}

fn debian(args: &[&str]) -> Option<Probe> {
    let name = debian_name(args)?;
    Some(match name {
        "DEB_HOST_ARCH_BITS" | "DEB_BUILD_ARCH_BITS" | "DEB_TARGET_ARCH_BITS" => Probe::LongBit,
        "DEB_HOST_ARCH" | "DEB_BUILD_ARCH" | "DEB_TARGET_ARCH" => Probe::DpkgArch,
        "DEB_HOST_GNU_TYPE"
        | "DEB_BUILD_GNU_TYPE"
        | "DEB_HOST_MULTIARCH"
        | "DEB_BUILD_MULTIARCH"
        | "DEB_TARGET_MULTIARCH"
        | "DEB_TARGET_GNU_TYPE" => Probe::DpkgTriple,
        _ => return None,
    })
}

fn is_node_arch(code: &str) -> bool {
    let code = code.trim_matches([';', ' ']).replace('"', "'").replace("node:", "");
    matches!(code.as_str(), "process.arch" | "require('os').arch()" | "os.arch()")
}

fn is_python(name: &str) -> bool {
    let rest = name.strip_prefix("python").or(name.strip_prefix("pypy"));
    rest.is_some_and(|r| r.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// Programs that print the machine and nothing else.
fn python_asks(code: &str) -> bool {
    let compact: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let compact = compact.trim_end_matches(';');
    matches!(
        compact,
        "importplatform;print(platform.machine())"
            | "importplatform;printplatform.machine()"
            | "importplatform;print(platform.uname().machine)"
            | "importplatform;print(platform.uname()[4])"
            | "importos;print(os.uname().machine)"
            | "importos;print(os.uname()[4])"
            | "fromplatformimportmachine;print(machine())"
            | "print(__import__('platform').machine())"
    )
}

fn php_asks(code: &str) -> bool {
    let compact: String =
        code.chars().filter(|c| !c.is_whitespace() && !"()'\";".contains(*c)).collect();
    matches!(compact.as_str(), "echophp_unamem" | "printphp_unamem")
}

impl Interpreter<'_, '_> {
    /// `false` if the command asks nothing.
    pub(super) fn probe(&mut self, name: &str, call: &Call) -> bool {
        if name == "rustc"
            && call
                .arguments()
                .iter()
                .any(|a| ["-vV", "-Vv", "--version", "-V"].iter().any(|v| a.value.is(v)))
        {
            return self.rustc_version(call);
        }
        if !may_ask(name) {
            return false;
        }
        let args: Option<Vec<Cow<'_, str>>> =
            call.arguments().iter().map(|a| a.value.as_known()).collect();
        let Some(args) = args else { return false };
        let args: Vec<&str> = args.iter().map(|a| &**a).collect();
        if self.several_lines(name, &args, call) {
            return true;
        }
        let Some(probe) = question(name, &args) else {
            // A compiler that only tells something compiles nothing.
            let tells = |a: &&str| ["-print", "--print", "-dump"].iter().any(|t| a.starts_with(t));
            let compiler = matches!(name, "gcc" | "cc" | "g++" | "c++" | "clang" | "clang++");
            if !(compiler && args.iter().any(tells)) {
                return false;
            }
            self.print(&Value::unknown(Origin::CommandOutput, call.span));
            return true;
        };
        match (probe, args.last()) {
            (Probe::GoArch, Some(&"GOARCH")) => self.go_setting(probe, "GOARCH", call),
            (Probe::GoOs, Some(&"GOOS")) => self.go_setting(probe, "GOOS", call),
            _ => self.answer(probe, call, true),
        }
        true
    }

    /// Prints a probe's answer.
    pub(super) fn answer(&mut self, probe: Probe, call: &Call, line_end: bool) {
        let (platform, origin) = match probe {
            // Under `linux32`, the kernel tells another machine.
            Probe::UnameMachine | Probe::PythonMachine if self.other_personality => {
                (None, Origin::Probe(probe))
            }
            probe => (self.runs_on(), Origin::Probe(probe)),
        };
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

    /// Answers among other text.
    fn several_lines(&mut self, name: &str, args: &[&str], call: &Call) -> bool {
        let text = |text: &str| Value::known(text.to_owned(), Origin::Literal, call.span);
        let unknown = || Value::unknown(Origin::CommandOutput, call.span);
        match (name, args) {
            ("lscpu", []) => {
                // The other lines are left out: this is the one that is looked for.
                self.print(&text("Architecture: "));
                self.answer(Probe::UnameMachine, call, true);
            }
            ("dpkg-architecture", args) => return self.debian_part(args, call),
            ("uname", ["-a" | "--all"]) => {
                self.print(&text("Linux "));
                self.print(&unknown());
                self.print(&text(" "));
                self.answer(Probe::UnameMachine, call, false);
                self.print(&text(" GNU/Linux\n"));
            }
            ("uname", ["-sm" | "-ms"] | ["-s", "-m"] | ["-m", "-s"]) => {
                self.print(&text("Linux "));
                self.answer(Probe::UnameMachine, call, true);
            }
            ("uname", ["-srm" | "-mrs" | "-smr"]) => {
                self.print(&text("Linux "));
                self.print(&unknown());
                self.print(&text(" "));
                self.answer(Probe::UnameMachine, call, true);
            }
            ("uname", ["-om" | "-mo"]) => {
                self.answer(Probe::UnameMachine, call, false);
                self.print(&text(" GNU/Linux\n"));
            }
            ("go", ["version"]) => {
                self.print(&text("go version go"));
                self.print(&unknown());
                self.print(&text(" linux/"));
                self.answer(Probe::GoArch, call, true);
            }
            ("go", ["env", "GOOS", "GOARCH"]) => {
                self.go_setting(Probe::GoOs, "GOOS", call);
                self.go_setting(Probe::GoArch, "GOARCH", call);
            }
            (name, ["-c", code])
                if is_python(name)
                    && code.replace(' ', "")
                        == "importsysconfig;print(sysconfig.get_platform())" =>
            {
                self.print(&text("linux-"));
                self.answer(Probe::PythonMachine, call, true);
            }
            _ => return false,
        }
        self.set_status(Status::Success);
        true
    }

    /// The parts of Debian's words: `DEB_HOST_GNU_CPU` and its kin.
    fn debian_part(&mut self, args: &[&str], call: &Call) -> bool {
        let Some(name) = debian_name(args) else { return false };
        let part: fn(&str) -> Option<&str> = match name.split_once("_ARCH_") {
            Some((_, "CPU")) => |word| match word {
                "armhf" | "armel" => Some("arm"),
                word => Some(word),
            },
            None if name.ends_with("_GNU_CPU") => |word| word.split('-').next(),
            _ => return false,
        };
        let probe = if name.ends_with("_GNU_CPU") { Probe::DpkgTriple } else { Probe::DpkgArch };
        let stream = self.capture(|this| this.answer(probe, call, false));
        let value = stream.text.map(call.span, |t| part(t).map(str::to_owned));
        self.print(&value.concat(&Value::known("\n", Origin::Literal, call.span)));
        self.set_status(Status::Success);
        true
    }

    /// What `go env` says of a setting follows the environment.
    fn go_setting(&mut self, probe: Probe, name: &str, call: &Call) {
        match go_setting(self, call, name).filter(|s| !s.value.is_empty()) {
            Some(setting) => {
                let line_end = Value::known("\n", Origin::Literal, call.span);
                self.print(&setting.value.concat(&line_end));
                self.set_status(Status::Success);
            }
            None => self.answer(probe, call, true),
        }
    }

    /// `rustc -vV`: the host's line among others.
    fn rustc_version(&mut self, call: &Call) -> bool {
        let line = |text: &str| Value::known(text.to_owned(), Origin::Literal, call.span);
        let unknown = Value::unknown(Origin::CommandOutput, call.span);
        let verbose = ["-vV", "-Vv", "-v", "--verbose"];
        if !call.arguments().iter().any(|a| verbose.iter().any(|v| a.value.is(v))) {
            self.print(&unknown);
            return true;
        }
        self.print(&line("host: "));
        self.answer(Probe::RustcHost, call, true);
        true
    }
}
