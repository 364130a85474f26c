//! Whether a command that fails stops its `RUN`.

use mlint_lint::Context;
use mlint_syntax::{
    Span,
    shell::{AndOrOp, Command, CommandKind, Script, parse_shell},
};

/// Whether the build stops if the command at `span` fails. True where it can't be told: most
/// commands of a `RUN` are joined with `&&`.
///
/// The shell's own rule: a status counts if the command is the script's last, or under `set -e`;
/// but not in a condition, before `||` or a pipe, and under `set -e` not before `&&`.
pub(crate) fn stops(cx: &Context<'_>, span: Span) -> bool {
    let Some((index, instruction)) = cx.instruction_at(span.start) else { return true };
    let Some(script) = instruction.shell_script() else { return true };
    let text = script.text.as_str();
    let shell = cx.file.instructions[..index].iter().rev().find_map(|i| match &i.kind {
        mlint_syntax::InstructionKind::Shell(words) => Some(words),
        _ => None,
    });
    let given = |flag: char| {
        shell.into_iter().flatten().any(|word| is_flag(&word.value, flag))
            || script
                .shebang
                .as_deref()
                .is_some_and(|line| line.split(' ').any(|w| is_flag(w, flag)))
    };
    let piped = text.contains("pipefail")
        || shell.into_iter().flatten().any(|word| word.value == "pipefail");
    let mut walk = Walk { span, errexit: given('e'), pipefail: piped };
    walk.script(&parse_shell(&script.text), true).unwrap_or(true)
}

/// Whether an argument is a bundle of flags with this one in it: `-eux`.
fn is_flag(word: &str, flag: char) -> bool {
    word.strip_prefix('-').is_some_and(|flags| !flags.starts_with('-') && flags.contains(flag))
}

struct Walk {
    /// The command that fails.
    span: Span,
    errexit: bool,
    pipefail: bool,
}

impl Walk {
    /// `None` if the command is not in there. `last`: whether the status of the list is what counts.
    fn script(&mut self, script: &Script, last: bool) -> Option<bool> {
        for (i, command) in script.commands.iter().enumerate() {
            if command.span.contains(self.span) {
                return Some(self.command(command, last && i + 1 == script.commands.len()));
            }
            self.set(command);
        }
        None
    }

    /// `set -e` and `set +e`, also as a link of a chain.
    fn set(&mut self, command: &Command) {
        match &command.kind {
            CommandKind::Simple(simple) => {
                let words: Vec<String> =
                    simple.words.iter().map_while(|word| word.as_literal()).collect();
                let Some(("set", flags)) = words.split_first().map(|(n, f)| (n.as_str(), f)) else {
                    return;
                };
                if flags.iter().any(|f| is_flag(f, 'e') || f == "errexit") {
                    self.errexit = true;
                } else if flags.iter().any(|f| f.starts_with('+') && f.contains('e')) {
                    self.errexit = false;
                }
            }
            CommandKind::AndOr { first, rest } => {
                self.set(first);
                rest.iter().for_each(|(_, command)| self.set(command));
            }
            _ => {}
        }
    }

    /// `counts`: whether this command's status is the script's.
    fn command(&mut self, command: &Command, counts: bool) -> bool {
        if command.background {
            return false;
        }
        match &command.kind {
            CommandKind::AndOr { first, rest } => self.chain(first, rest, counts),
            CommandKind::Pipeline(parts) => {
                let Some(at) = parts.iter().position(|p| p.span.contains(self.span)) else {
                    return true;
                };
                let is_last = at + 1 == parts.len();
                (is_last || self.pipefail) && self.command(&parts[at], counts)
            }
            CommandKind::Negated(_) => false,
            CommandKind::If { branches, otherwise } => {
                let mut bodies = branches.iter().map(|b| &b.body).chain(otherwise);
                match bodies.find(|body| body.span.contains(self.span)) {
                    Some(body) => self.script(body, counts).unwrap_or(true),
                    None => false,
                }
            }
            CommandKind::Case { arms, .. } => arms
                .iter()
                .find(|arm| arm.span.contains(self.span))
                .and_then(|arm| self.script(&arm.body, counts))
                .unwrap_or(true),
            CommandKind::While { condition, .. } if condition.span.contains(self.span) => false,
            CommandKind::For { body, .. }
            | CommandKind::CFor { body, .. }
            | CommandKind::While { body, .. }
            | CommandKind::Subshell(body)
            | CommandKind::Group(body) => self.script(body, counts).unwrap_or(true),
            CommandKind::Simple(_) | CommandKind::Declaration(_) => counts || self.errexit,
            _ => true,
        }
    }

    fn chain(&mut self, first: &Command, rest: &[(AndOrOp, Command)], counts: bool) -> bool {
        let parts: Vec<&Command> =
            std::iter::once(first).chain(rest.iter().map(|r| &r.1)).collect();
        let Some(at) = parts.iter().position(|p| p.span.contains(self.span)) else { return true };
        for part in &parts[..at] {
            self.set(part);
        }
        let after = rest.get(at..).unwrap_or_default();
        if let Some((_, other)) = after.iter().find(|(op, _)| *op == AndOrOp::Or) {
            return gives_up(other);
        }
        let is_last = at + 1 == parts.len();
        if !is_last {
            // A failure before `&&` is none for `set -e`.
            let errexit = std::mem::replace(&mut self.errexit, false);
            let stops = self.command(parts[at], counts);
            self.errexit = errexit;
            return stops;
        }
        self.command(parts[at], counts)
    }
}

/// Whether what follows `||` fails by itself: `exit 1`, `{ echo …; exit 1; }`.
fn gives_up(command: &Command) -> bool {
    match &command.kind {
        CommandKind::Simple(simple) => {
            let mut words = simple.words.iter().map(|word| word.as_literal());
            match words.next().flatten().as_deref() {
                Some("false") => true,
                Some("exit") => words.next().flatten().as_deref() != Some("0"),
                _ => false,
            }
        }
        CommandKind::Group(body) | CommandKind::Subshell(body) => {
            body.commands.iter().any(gives_up)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use mlint_lint::{Effect, testing::Harness};

    /// What is said to happen where a package of another architecture is installed so.
    fn effect(script: &str) -> Effect {
        let text = format!(
            "FROM debian:12\nRUN curl -fsSLo /t.deb https://example.org/t_amd64.deb\n{script}\n"
        );
        let harness = Harness::new(crate::all(), "hardcoded-arch-url");
        harness.report(&text).diagnostics[0].effect
    }

    #[test]
    fn a_failure_that_counts() {
        for script in [
            "RUN dpkg -i /t.deb",
            "RUN apt-get update && dpkg -i /t.deb && rm /t.deb",
            "RUN set -ex; dpkg -i /t.deb; rm /t.deb",
            "SHELL [\"/bin/sh\", \"-ec\"]\nRUN dpkg -i /t.deb; rm /t.deb",
            "RUN dpkg -i /t.deb || { echo no; exit 1; }",
            "RUN apt-get update; dpkg -i /t.deb",
            "RUN if true; then dpkg -i /t.deb; fi",
        ] {
            assert_eq!(effect(script), Effect::BuildFails, "{script}");
        }
    }

    #[test]
    fn a_failure_that_is_covered() {
        for script in [
            "RUN dpkg -i /t.deb; apt-get install -fy",
            "RUN dpkg -i /t.deb && rm /t.deb; apt-get install -fy",
            "RUN set -e; dpkg -i /t.deb && rm /t.deb; apt-get install -fy",
            "RUN dpkg -i /t.deb || apt-get install -fy",
            "RUN dpkg -i /t.deb || true",
            "RUN dpkg -i /t.deb | cat",
            "RUN if dpkg -i /t.deb; then echo a; fi",
        ] {
            assert_eq!(effect(script), Effect::WrongBinary, "{script}");
        }
    }
}
