//! HEALTHCHECK, which brings a small language of its own.

use crate::error::{SyntaxError, SyntaxErrorKind as Kind};
use crate::tree::{CommandLine, Flag, Instruction, InstructionKind};

use super::arguments::command_line;
use super::json;
use super::keyword::excerpt;

/// Reads the arguments; errors from `first_error` on are those of the flags.
pub(super) fn parse(
    instruction: &Instruction,
    errors: &mut Vec<SyntaxError>,
    first_error: usize,
) -> InstructionKind {
    let rest = &instruction.rest;
    let mut error = |span, kind| errors.push(SyntaxError { span, kind, in_trigger: false });
    let text = rest.as_str();
    if text.is_empty() {
        let span = instruction.keyword.full_span();
        error(span, Kind::MissingArgument { instruction: "HEALTHCHECK" });
        return InstructionKind::Invalid;
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    let arguments = rest.slice((text.len() - after.trim_start().len()) as u32, rest.len());
    if word.eq_ignore_ascii_case("none") {
        // BuildKit does not look at the flags of NONE.
        errors.truncate(first_error);
        if !arguments.is_empty() {
            let span = arguments.full_span();
            errors.push(SyntaxError {
                span,
                kind: Kind::HealthcheckNoneArguments,
                in_trigger: false,
            });
        }
        return InstructionKind::Healthcheck(None);
    }
    if !word.eq_ignore_ascii_case("cmd") {
        let span = rest.span(0, end as u32);
        error(span, Kind::HealthcheckType { word: excerpt(word) });
        return InstructionKind::Invalid;
    }
    for flag in &instruction.flags {
        check_flag(flag, errors);
    }
    let line = command_line(&arguments, json::parse(&arguments), errors);
    let empty = match &line {
        Some(CommandLine::Shell(text)) => text.is_empty(),
        Some(CommandLine::Exec(strings)) => strings.is_empty(),
        None => return InstructionKind::Invalid,
    };
    if empty {
        let span = rest.full_span();
        errors.push(SyntaxError { span, kind: Kind::HealthcheckCommand, in_trigger: false });
    }
    InstructionKind::Healthcheck(line)
}

fn check_flag(flag: &Flag, errors: &mut Vec<SyntaxError>) {
    let Some(value) = &flag.value else { return };
    let text = value.as_str();
    let (valid, expected) = match flag.name.as_str() {
        "interval" | "timeout" | "start-period" | "start-interval" => {
            let valid = text.is_empty() || nanoseconds(text).is_some_and(|n| n == 0.0 || n >= 1e6);
            (valid, "a duration of 1ms or more, such as 30s or 1m30s")
        }
        "retries" => {
            let digits = text.strip_prefix('+').unwrap_or(text);
            let valid = text.is_empty()
                || (digits.bytes().all(|b| b.is_ascii_digit())
                    && digits.parse::<u32>().is_ok_and(|n| i32::try_from(n).is_ok()));
            (valid, "a number from 0 on")
        }
        _ => return,
    };
    if !valid {
        let (name, text) = (excerpt(flag.name.as_str()), excerpt(text));
        let kind = Kind::InvalidFlagValue { flag: name, value: text, expected };
        errors.push(SyntaxError { span: value.span(), kind, in_trigger: false });
    }
}

/// A duration as Go writes it: `1h30m`, `1.5s`, `0`.
fn nanoseconds(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0.0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        rest = &rest[end..];
        total += number * unit;
    }
    // Go keeps a duration in 64 bits.
    (total <= i64::MAX as f64).then_some(sign * total)
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        let rows = [
            ("1s", Some(1e9)),
            ("1m30s", Some(90e9)),
            ("1.5ms", Some(1.5e6)),
            ("0", Some(0.0)),
            ("-1s", Some(-1e9)),
            ("10", None),
            ("s", None),
            ("", None),
            ("1x", None),
            (".s", None),
            ("9999999999h", None),
        ];
        for (text, expected) in rows {
            assert_eq!(nanoseconds(text), expected, "{text}");
        }
    }
}
