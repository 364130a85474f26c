//! What `sed`, `tr`, `cut`, `awk` and their kin do to a text.

use super::{awk, sed};

/// A change of a text; `None` where it fails.
pub(super) type Change = Box<dyn Fn(&str) -> Option<String>>;

/// What a filter with these arguments does to a text; `None` where that is not understood, or where
/// it reads files.
pub(super) fn transformation(name: &str, args: &[&str]) -> Option<Change> {
    match name {
        "sed" => sed_change(args),
        "tr" => tr(args),
        "cut" => cut(args),
        "awk" | "gawk" | "mawk" => awk::change(args),
        "head" | "tail" => head_tail(name == "head", args),
        "sort" | "uniq" => sorted(name == "sort", args),
        "rev" if args.is_empty() => Some(Box::new(|text| {
            Some(text.lines().map(|l| l.chars().rev().collect::<String>() + "\n").collect())
        })),
        "tac" if args.is_empty() => {
            Some(Box::new(|text| Some(text.split_inclusive('\n').rev().collect())))
        }
        "wc" => count(args),
        "xargs" if args.is_empty() => Some(Box::new(|text| {
            Some(text.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        })),
        "paste" => match args {
            ["-s", "-d", mark] | ["-sd", mark] | ["-sd", mark, "-"] | ["-s", "-d", mark, "-"] => {
                let mark = (*mark).to_owned();
                (mark.chars().count() == 1).then(|| -> Change {
                    Box::new(move |text| Some(text.lines().collect::<Vec<_>>().join(&mark) + "\n"))
                })
            }
            _ => None,
        },
        _ => None,
    }
}

fn sed_change(args: &[&str]) -> Option<Change> {
    let (mut extended, mut quiet) = (false, false);
    let mut expressions: Vec<String> = Vec::new();
    let mut operands: Vec<&str> = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "-E" | "-r" | "--regexp-extended" => extended = true,
            "-n" | "--quiet" | "--silent" => quiet = true,
            "-e" | "--expression" => expressions.push((*args.next()?).to_owned()),
            "-ne" | "-en" => {
                quiet = true;
                expressions.push((*args.next()?).to_owned());
            }
            "-nE" | "-En" | "-nr" | "-rn" => (quiet, extended) = (true, true),
            "-nEe" | "-nre" | "-Ene" | "-rne" => {
                (quiet, extended) = (true, true);
                expressions.push((*args.next()?).to_owned());
            }
            arg if arg.starts_with("--expression=") => {
                expressions.push(arg["--expression=".len()..].to_owned());
            }
            "-u" | "--unbuffered" | "--posix" => {}
            "-Ee" | "-re" => {
                extended = true;
                expressions.push((*args.next()?).to_owned());
            }
            arg if arg.starts_with('-') && arg.len() > 1 => return None,
            arg => operands.push(arg),
        }
    }
    if expressions.is_empty() && !operands.is_empty() {
        expressions.push(operands.remove(0).to_owned());
    }
    if !operands.is_empty() {
        return None;
    }
    let script = sed::Script::parse(&expressions, extended, quiet)?;
    Some(Box::new(move |text| script.apply(text)))
}

fn sorted(sorts: bool, args: &[&str]) -> Option<Change> {
    let (mut unique, mut reverse, mut numeric) = (!sorts, false, false);
    for arg in args {
        let flags = arg.strip_prefix('-').filter(|_| sorts)?;
        for flag in flags.chars() {
            match flag {
                'u' => unique = true,
                'r' => reverse = true,
                'n' => numeric = true,
                _ => return None,
            }
        }
    }
    Some(Box::new(move |text| {
        let mut lines: Vec<&str> = text.lines().collect();
        if numeric {
            let numbers: Option<Vec<i64>> = lines.iter().map(|l| l.trim().parse().ok()).collect();
            numbers?;
            lines.sort_by_key(|l| l.trim().parse::<i64>().unwrap_or_default());
        } else if sorts {
            lines.sort_unstable();
        }
        if unique {
            lines.dedup();
        }
        if reverse {
            lines.reverse();
        }
        Some(lines.iter().map(|l| format!("{l}\n")).collect())
    }))
}

fn count(args: &[&str]) -> Option<Change> {
    let [flag] = args else { return None };
    let flag = flag.chars().nth(1).filter(|c| flag.len() == 2 && "lwcm".contains(*c))?;
    Some(Box::new(move |text| {
        let count = match flag {
            'l' => text.matches('\n').count(),
            'w' => text.split_whitespace().count(),
            'c' => text.len(),
            _ => text.chars().count(),
        };
        Some(format!("{count}\n"))
    }))
}

/// The characters of a `tr` set, in order.
fn tr_set(set: &str) -> Option<Vec<char>> {
    let mut out = Vec::new();
    let mut rest = super::printf::unescape(set);
    while !rest.is_empty() {
        if let Some(class) = rest.strip_prefix("[:").and_then(|r| r.split_once(":]")) {
            let (ranges, tail): (&[(char, char)], String) = match class.0 {
                "upper" => (&[('A', 'Z')], class.1.to_owned()),
                "lower" => (&[('a', 'z')], class.1.to_owned()),
                "digit" => (&[('0', '9')], class.1.to_owned()),
                "alpha" => (&[('A', 'Z'), ('a', 'z')], class.1.to_owned()),
                "alnum" => (&[('0', '9'), ('A', 'Z'), ('a', 'z')], class.1.to_owned()),
                "blank" => (&[(' ', ' '), ('\t', '\t')], class.1.to_owned()),
                "space" => (&[(' ', ' '), ('\t', '\r')], class.1.to_owned()),
                "punct" => (&[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')], class.1.to_owned()),
                _ => return None,
            };
            ranges.iter().for_each(|(from, to)| out.extend(*from..=*to));
            rest = tail;
            continue;
        }
        let mut chars = rest.chars();
        let first = chars.next()?;
        let ahead = chars.as_str();
        let end = ahead.strip_prefix('-').and_then(|r| r.chars().next());
        rest = match end {
            Some(last) if first <= last => {
                out.extend((first..=last).take(512));
                ahead[1 + last.len_utf8()..].to_owned()
            }
            _ => {
                out.push(first);
                ahead.to_owned()
            }
        };
    }
    Some(out)
}

fn tr(args: &[&str]) -> Option<Change> {
    let (mut complement, mut delete, mut squeeze) = (false, false, false);
    let mut sets: Vec<Vec<char>> = Vec::new();
    for arg in args {
        match arg.strip_prefix('-') {
            Some("-") if sets.is_empty() => {}
            Some(flags) if sets.is_empty() && !flags.is_empty() => {
                for flag in flags.chars() {
                    match flag {
                        'c' | 'C' => complement = true,
                        'd' => delete = true,
                        's' => squeeze = true,
                        _ => return None,
                    }
                }
            }
            _ => sets.push(tr_set(arg)?),
        }
    }
    let mut sets = sets.into_iter();
    let (from, to) = (sets.next()?, sets.next());
    let first = from.clone();
    if sets.next().is_some() || (to.is_none() && !delete && !squeeze) {
        return None;
    }
    let is_in = move |c: char| from.contains(&c) != complement;
    let position = move |c: char| first.iter().position(|f| *f == c);
    Some(Box::new(move |text| {
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            let new = match &to {
                _ if !is_in(c) => c,
                _ if delete => continue,
                Some(to) if complement => to.last().copied().unwrap_or(c),
                Some(to) => {
                    let at = position(c);
                    at.and_then(|i| to.get(i).or(to.last())).copied().unwrap_or(c)
                }
                None => c,
            };
            let squeezed = match &to {
                Some(to) => to.contains(&new),
                None => is_in(new),
            };
            if squeeze && squeezed && out.ends_with(new) {
                continue;
            }
            out.push(new);
        }
        Some(out)
    }))
}

/// `1`, `2-`, `-3`, `1-2`, in a list: numbers from 1.
fn in_list(list: &str, number: usize) -> Option<bool> {
    let mut found = false;
    for item in list.split(',') {
        let (from, to) = match item.split_once('-') {
            None => (item.parse().ok()?, item.parse().ok()?),
            Some((from, to)) => (
                if from.is_empty() { 1 } else { from.parse().ok()? },
                if to.is_empty() { usize::MAX } else { to.parse().ok()? },
            ),
        };
        found |= (from..=to).contains(&number);
    }
    Some(found)
}

fn cut(args: &[&str]) -> Option<Change> {
    let (mut delimiter, mut fields, mut columns) = ("\t".to_owned(), None, None);
    let mut only_delimited = false;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = |prefix: &str| match arg.strip_prefix(prefix) {
            Some("") => args.next().map(|v| (*v).to_owned()),
            Some(attached) => Some(attached.to_owned()),
            None => None,
        };
        match arg.get(..2).unwrap_or(arg) {
            "-d" => delimiter = value("-d")?,
            "-f" => fields = Some(value("-f")?),
            "-s" if *arg == "-s" => only_delimited = true,
            "-c" | "-b" => columns = Some(value(&arg[..2])?),
            _ => return None,
        }
    }
    let by_fields = fields.is_some();
    let list = fields.or(columns)?;
    in_list(&list, 1)?;
    Some(Box::new(move |text| {
        let mut out = String::new();
        for line in text.lines() {
            if by_fields && line.contains(&delimiter) {
                let kept: Vec<&str> = line
                    .split(&delimiter)
                    .enumerate()
                    .filter(|(i, _)| in_list(&list, i + 1) == Some(true))
                    .map(|(_, f)| f)
                    .collect();
                out.push_str(&kept.join(&delimiter));
            } else if by_fields && only_delimited {
                continue;
            } else if by_fields {
                out.push_str(line);
            } else {
                let kept =
                    line.chars().enumerate().filter(|(i, _)| in_list(&list, i + 1) == Some(true));
                out.extend(kept.map(|(_, c)| c));
            }
            out.push('\n');
        }
        Some(out)
    }))
}

fn head_tail(head: bool, args: &[&str]) -> Option<Change> {
    let (unit, count) = match args {
        [] => ('n', "10"),
        [flag, count] if matches!(*flag, "-n" | "-c") => (flag.chars().last()?, *count),
        [arg] => match arg.strip_prefix("-n").or(arg.strip_prefix("-c")) {
            Some(count) => (arg.chars().nth(1)?, count),
            None => ('n', arg.strip_prefix('-')?),
        },
        _ => return None,
    };
    // `tail -n +2`: from the second line on; `head -n -1`: all but the last.
    let (from_start, to_end) = (!head && count.starts_with('+'), head && count.starts_with('-'));
    let count: usize = count.trim_start_matches(['+', '-']).parse().ok()?;
    Some(Box::new(move |text| {
        if from_start || to_end {
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            let range = match (unit, head) {
                ('n', true) => 0..lines.len().saturating_sub(count),
                ('n', false) => count.saturating_sub(1).min(lines.len())..lines.len(),
                _ => return None,
            };
            return Some(lines[range].concat());
        }
        if unit == 'c' {
            let chars: Vec<char> = text.chars().collect();
            let range = if head {
                0..count.min(chars.len())
            } else {
                chars.len().saturating_sub(count)..chars.len()
            };
            return Some(chars[range].iter().collect());
        }
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let range = if head {
            0..count.min(lines.len())
        } else {
            lines.len().saturating_sub(count)..lines.len()
        };
        Some(lines[range].concat())
    }))
}

#[cfg(test)]
mod tests {
    use super::transformation;

    #[test]
    fn filters_over_known_text() {
        for (name, args, input, want) in [
            ("tr", &["-d", "\\n"][..], "a\nb\n", Some("ab")),
            ("tr", &["A-Z", "a-z"], "Linux", Some("linux")),
            ("tr", &["[:upper:]", "[:lower:]"], "Linux", Some("linux")),
            ("tr", &["/", "-"], "linux/arm64", Some("linux-arm64")),
            ("tr", &["-s", " "], "a  b", Some("a b")),
            ("tr", &["-cd", "0-9."], "v1.2\n", Some("1.2")),
            ("tr", &["-d", "[:space:]"], " a b\n", Some("ab")),
            ("tr", &["_A-Z", "-a-z"], "X86_64", Some("x86-64")),
            ("tr", &["-x", "a", "b"], "a", None),
            ("sort", &["-u"], "b\na\nb\n", Some("a\nb\n")),
            ("sort", &["-rn"], "2\n10\n", Some("10\n2\n")),
            ("sort", &["-k2"], "b\n", None),
            ("uniq", &[], "a\na\nb\n", Some("a\nb\n")),
            ("wc", &["-l"], "a\nb\n", Some("2\n")),
            ("tac", &[], "a\nb\n", Some("b\na\n")),
            ("paste", &["-sd", ","], "a\nb\n", Some("a,b\n")),
            ("tail", &["-n", "+2"], "a\nb\nc\n", Some("b\nc\n")),
            ("head", &["-n", "-1"], "a\nb\n", Some("a\n")),
            ("cut", &["-sd:", "-f2"], "a\nb:c\n", None),
            ("cut", &["-s", "-d:", "-f2"], "a\nb:c\n", Some("c\n")),
            ("cut", &["-d/", "-f2"], "linux/arm64\n", Some("arm64\n")),
            ("cut", &["-d", "-", "-f", "1,3"], "a-b-c\n", Some("a-c\n")),
            ("cut", &["-c2-"], "v1.2\n", Some("1.2\n")),
            ("awk", &["{print $2}"], "a b c\n", Some("b\n")),
            ("awk", &["-F", "/", "{ print $NF }"], "x/y/z\n", Some("z\n")),
            ("awk", &["-F.", "{print $1}"], "1.2.3\n", Some("1\n")),
            ("awk", &["NR==1"], "a\nb\n", Some("a\n")),
            ("head", &["-n1"], "a\nb\n", Some("a\n")),
            ("head", &["-1"], "a\nb\n", Some("a\n")),
            ("tail", &["-n", "1"], "a\nb\n", Some("b\n")),
            ("sed", &["-e", "s/a/b/", "-e", "s/b/c/"], "a", Some("c")),
            ("sed", &["-E", "s/(a)(b)/\\2\\1/"], "ab", Some("ba")),
            ("sed", &["-n", "s/^x=//p"], "y=1\nx=2\n", Some("2\n")),
            ("sed", &["s/a/b/", "file"], "a", None),
        ] {
            let got = transformation(name, args).and_then(|change| change(input));
            assert_eq!(got.as_deref(), want, "{name} {args:?}");
        }
    }
}
