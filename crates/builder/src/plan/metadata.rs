//! Instructions that change the image's config only.

use mlint_oci::config::Healthcheck;
use mlint_syntax::{CommandLine, Instruction, InstructionKind, KeyValue, Word};
use serde_json::json;

use super::{
    flags, ports,
    stage::{StageState, text_of},
    stages::{expansion, trigger_text},
    words,
};
use crate::problem::{BuildError, Problem};

impl StageState {
    pub(super) fn metadata(&mut self, instruction: &Instruction) -> Result<(), BuildError> {
        let known: &[&str] = match &instruction.kind {
            InstructionKind::Healthcheck(_) => {
                &["interval", "timeout", "start-period", "start-interval", "retries"]
            }
            _ => &[],
        };
        flags::check(instruction, known)?;
        match &instruction.kind {
            InstructionKind::Arg(pairs) => self.arg(pairs)?,
            InstructionKind::Env(pairs) => self.env(pairs)?,
            InstructionKind::Label(pairs) => self.label(pairs)?,
            InstructionKind::Cmd(command) => {
                let argv = self.argv(command);
                self.commit(format!("CMD {}", quoted(&argv)), None);
                self.config.config.cmd = unless_empty(argv);
                // As BuildKit writes it, on every platform.
                self.config.config.args_escaped = Some(true);
                self.cmd_set = true;
            }
            InstructionKind::Entrypoint(command) => {
                let argv = self.argv(command);
                self.commit(format!("ENTRYPOINT {}", quoted(&argv)), None);
                self.config.config.entrypoint = unless_empty(argv);
                if !self.cmd_set {
                    self.config.config.cmd = None;
                }
            }
            InstructionKind::Expose(words) => self.expose(words)?,
            InstructionKind::User(word) => {
                let user = self.expand(word)?;
                self.commit(format!("USER {user}"), None);
                self.config.config.user = user;
            }
            InstructionKind::Volume(words) => self.volume(words)?,
            InstructionKind::StopSignal(word) => {
                let signal = self.expand(word)?;
                if !words::is_signal(&signal) {
                    let (what, expected) =
                        ("STOPSIGNAL".to_owned(), "a signal, as in SIGQUIT or 3");
                    return Err(Problem::BadValue { what, value: signal, expected }.at(word.span()));
                }
                self.commit(format!("STOPSIGNAL {signal}"), None);
                self.config.config.stop_signal = Some(signal);
            }
            InstructionKind::Shell(words) => {
                let shell: Vec<String> = words.iter().map(|w| w.value.clone()).collect();
                self.commit(format!("SHELL [{}]", shell.join(" ")), None);
                self.config.config.shell = Some(shell);
            }
            InstructionKind::Healthcheck(command) => {
                let check = self.healthcheck(instruction, command.as_ref())?;
                self.commit(format!("HEALTHCHECK {}", health(&check)), None);
                self.config.config.healthcheck = Some(check);
            }
            // Leaves no trace in the history.
            InstructionKind::Onbuild(inner) => {
                self.config.config.on_build.push(trigger_text(instruction, inner));
            }
            InstructionKind::Maintainer(text) => {
                let author = text.as_str().trim().to_owned();
                self.commit(format!("MAINTAINER {author}"), None);
                self.config.author = Some(author);
            }
            _ => {
                let what = instruction.keyword.as_str().to_uppercase();
                return Err(Problem::unsupported(what).at(instruction.keyword.full_span()));
            }
        }
        Ok(())
    }

    fn arg(&mut self, pairs: &[KeyValue]) -> Result<(), BuildError> {
        let set = self.scope.arg(pairs).into_result().map_err(expansion)?;
        let said = pairs.iter().map(|pair| {
            // An ARG without any value leaves a variable of that name as it is.
            match set.iter().find(|(_, _, span)| *span == pair.span) {
                Some((name, value, _)) => format!("{name}={}", text_of(value)),
                None => pair.key.as_str().to_owned(),
            }
        });
        let entry = format!("ARG {}", said.collect::<Vec<_>>().join(" "));
        self.commit(entry, None);
        Ok(())
    }

    fn env(&mut self, pairs: &[KeyValue]) -> Result<(), BuildError> {
        let set = self.scope.env(pairs).into_result().map_err(expansion)?;
        let said = set.iter().map(|(name, value, _)| format!("{name}={}", text_of(value)));
        let entry = format!("ENV {}", said.collect::<Vec<_>>().join(" "));
        self.commit(entry, None);
        Ok(())
    }

    fn label(&mut self, pairs: &[KeyValue]) -> Result<(), BuildError> {
        let mut said = vec!["LABEL".to_owned()];
        for pair in pairs {
            let key = self.expand(&pair.key)?;
            let value = match &pair.value {
                Some(value) => self.expand(value)?,
                None => String::new(),
            };
            said.push(format!("{key}={value}"));
            self.config.config.labels.insert(key, value);
        }
        self.commit(said.join(" "), None);
        Ok(())
    }

    fn volume(&mut self, words: &[Word]) -> Result<(), BuildError> {
        let mut paths = Vec::new();
        for word in words {
            let path = self.expand(word)?;
            if path.trim().is_empty() {
                let (what, value) = ("VOLUME".to_owned(), path);
                let expected = "a path: it is empty after expansion";
                return Err(Problem::BadValue { what, value, expected }.at(word.span()));
            }
            self.config.config.volumes.insert(path.clone(), json!({}));
            paths.push(path);
        }
        self.commit(format!("VOLUME [{}]", paths.join(" ")), None);
        Ok(())
    }

    fn argv(&self, command: &CommandLine) -> Vec<String> {
        match command {
            CommandLine::Exec(argv) => argv.iter().map(|a| a.value.clone()).collect(),
            CommandLine::Shell(text) => {
                let mut argv = self.shell();
                argv.push(text.as_str().to_owned());
                argv
            }
        }
    }

    fn expose(&mut self, words: &[Word]) -> Result<(), BuildError> {
        let mut all = Vec::new();
        // The history has them in the order of the words as written.
        let mut sorted: Vec<&Word> = words.iter().collect();
        sorted.sort_by_key(|word| word.as_str());
        for word in sorted {
            // One variable may hold several ports.
            for spec in self.scope.expand_words(word).map_err(expansion)? {
                let Some(ports) = ports::expand(&spec.text) else {
                    let (what, value) = ("EXPOSE".to_owned(), spec.text);
                    let expected = "a port, as in 80, 53/udp or 8000-8010";
                    return Err(Problem::BadValue { what, value, expected }.at(spec.span));
                };
                all.extend(ports);
            }
        }
        self.commit(format!("EXPOSE [{}]", all.join(" ")), None);
        for port in all {
            self.config.config.exposed_ports.insert(port, json!({}));
        }
        Ok(())
    }

    fn healthcheck(
        &self,
        instruction: &Instruction,
        command: Option<&CommandLine>,
    ) -> Result<Healthcheck, BuildError> {
        let mut check = Healthcheck::default();
        let duration = |name: &str| -> Result<i64, BuildError> {
            let Some(flag) = instruction.flag(name) else { return Ok(0) };
            let text = flag.value.as_ref().map(|v| v.as_str()).unwrap_or_default();
            parse_duration(text).ok_or_else(|| {
                Problem::BadValue {
                    what: format!("--{name}"),
                    value: text.to_owned(),
                    expected: "a duration, as in 30s or 1m30s",
                }
                .at(flag.span)
            })
        };
        check.interval = duration("interval")?;
        check.timeout = duration("timeout")?;
        check.start_period = duration("start-period")?;
        check.start_interval = duration("start-interval")?;
        if let Some(flag) = instruction.flag("retries") {
            let text = flag.value.as_ref().map(|v| v.as_str()).unwrap_or_default();
            check.retries = text.parse().map_err(|_| {
                let (what, value) = ("--retries".to_owned(), text.to_owned());
                Problem::BadValue { what, value, expected: "a number" }.at(flag.span)
            })?;
        }
        check.test = match command {
            None => vec!["NONE".to_owned()],
            Some(CommandLine::Exec(argv)) => std::iter::once("CMD".to_owned())
                .chain(argv.iter().map(|a| a.value.clone()))
                .collect(),
            Some(CommandLine::Shell(text)) => {
                vec!["CMD-SHELL".to_owned(), text.as_str().to_owned()]
            }
        };
        Ok(check)
    }
}

/// An empty list leaves the field out.
fn unless_empty(argv: Vec<String>) -> Option<Vec<String>> {
    (!argv.is_empty()).then_some(argv)
}

/// A health check as Go prints it in a history.
fn health(check: &Healthcheck) -> String {
    let times = [check.interval, check.timeout, check.start_period, check.start_interval];
    let times: Vec<String> = times.iter().map(|t| format!("{:?}", words::duration(*t))).collect();
    let retries = words::quoted_number(u32::try_from(check.retries).unwrap_or(u32::MAX));
    format!("&{{{} {} {retries}}}", quoted(&check.test), times.join(" "))
}

/// As Go prints a list of strings in a history.
fn quoted(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|a| format!("{a:?}")).collect();
    format!("[{}]", words.join(" "))
}

/// A duration in Go's words, in nanoseconds.
fn parse_duration(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total = 0f64;
    if rest.is_empty() {
        return None;
    }
    if rest == "0" {
        return Some(0);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_len = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let factor = match &rest[..unit_len] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number * factor;
        rest = &rest[unit_len..];
    }
    (total < i64::MAX as f64).then_some(total as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_command_line_leaves_the_field_out() {
        assert_eq!(unless_empty(Vec::new()), None);
        assert_eq!(unless_empty(vec![String::new()]), Some(vec![String::new()]));
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("30s"), Some(30_000_000_000));
        assert_eq!(parse_duration("1m30s"), Some(90_000_000_000));
        assert_eq!(parse_duration("500ms"), Some(500_000_000));
        assert_eq!(parse_duration("1.5h"), Some(5_400_000_000_000));
        for bad in ["", "30", "s", "1x", "-1s", "1..2s"] {
            assert_eq!(parse_duration(bad), None, "{bad}");
        }
    }
}
