//! How Go prints what ends up in histories, and the names of signals.

/// A duration of nanoseconds as Go writes it: `1m30s`, `500ms`, `0s`.
pub fn duration(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let all = nanoseconds.unsigned_abs();
    let with_fraction = |value: u64, unit: u64, name: &str| {
        let digits = unit.ilog10() as usize;
        let fraction =
            if digits == 0 { String::new() } else { format!("{:0digits$}", value % unit) };
        match fraction.trim_end_matches('0') {
            "" => format!("{}{name}", value / unit),
            fraction => format!("{}.{fraction}{name}", value / unit),
        }
    };
    const SECOND: u64 = 1_000_000_000;
    let text = match all {
        0 => "0s".to_owned(),
        1..1_000 => format!("{all}ns"),
        1_000..1_000_000 => with_fraction(all, 1_000, "µs"),
        1_000_000..SECOND => with_fraction(all, 1_000_000, "ms"),
        _ => {
            let minutes = all / SECOND / 60;
            let seconds = with_fraction(all % (60 * SECOND), SECOND, "s");
            match (minutes / 60, minutes % 60) {
                (0, 0) => seconds,
                (0, minutes) => format!("{minutes}m{seconds}"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
            }
        }
    };
    format!("{sign}{text}")
}

/// A number as Go's `%q` writes it: the character of that code in quotes.
pub fn quoted_number(number: u32) -> String {
    let c = char::from_u32(number).unwrap_or('\u{fffd}');
    let text = match c {
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\\' | '\'' => format!("\\{c}"),
        '\0'..=' ' | '\u{7f}' if c != ' ' => format!("\\x{number:02x}"),
        '\u{80}'..='\u{a0}' | '\u{ad}' => format!("\\u{number:04x}"),
        c => c.to_string(),
    };
    format!("'{text}'")
}

/// Whether STOPSIGNAL takes it: a number but zero, or a name with or without SIG.
pub fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<i64>() {
        return number != 0;
    }
    let upper = text.to_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let offset = |rest: &str, most: u32| rest.parse().is_ok_and(|n: u32| (1..=most).contains(&n));
    if let Some(rest) = name.strip_prefix("RTMIN+") {
        return offset(rest, 15);
    }
    if let Some(rest) = name.strip_prefix("RTMAX-") {
        return offset(rest, 14);
    }
    SIGNALS.contains(&name)
}

/// Linux's signals.
const SIGNALS: [&str; 37] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL",
    "PIPE", "POLL", "PROF", "PWR", "QUIT", "RTMAX", "RTMIN", "SEGV", "STKFLT", "STOP", "SYS",
    "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU",
    "XFSZ", "UNUSED",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        for (nanoseconds, want) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (500_000_000, "500ms"),
            (5_000_000_000, "5s"),
            (1_250_000_000, "1.25s"),
            (90_000_000_000, "1m30s"),
            (5_400_000_000_000, "1h30m0s"),
        ] {
            assert_eq!(duration(nanoseconds), want);
        }
    }

    #[test]
    fn numbers_in_quotes() {
        for (number, want) in [
            (0, "'\\x00'"),
            (3, "'\\x03'"),
            (10, "'\\n'"),
            (33, "'!'"),
            (39, "'\\''"),
            (127, "'\\x7f'"),
        ] {
            assert_eq!(quoted_number(number), want);
        }
    }

    #[test]
    fn signals() {
        for good in ["9", "SIGQUIT", "quit", "SIGRTMIN+3", "RTMAX-14", "usr1", "99"] {
            assert!(is_signal(good), "{good}");
        }
        for bad in ["", "0", "SIGWHAT", "RTMIN+16", "SIGRTMAX-0", "SIG"] {
            assert!(!is_signal(bad), "{bad}");
        }
    }
}
