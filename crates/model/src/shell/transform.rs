//! What `sed`, `tr`, `cut`, `awk` and their kin do to a text.

use super::sed;

/// A change of a text; `None` where it fails.
pub(super) type Change = Box<dyn Fn(&str) -> Option<String>>;

/// What a filter with these arguments does to a text; `None` where that is not understood, or where
/// it reads files.
pub(super) fn transformation(name: &str, args: &[&str]) -> Option<Change> {
    match name {
        "sed" => sed_change(args),
        "tr" => tr(args),
        "cut" => cut(args),
        "awk" | "gawk" | "mawk" => awk(args),
        "head" | "tail" => head_tail(name == "head", args),
        "sort" | "uniq" if args.is_empty() => {
            let sorts = name == "sort";
            Some(Box::new(move |text| {
                let mut lines: Vec<&str> = text.lines().collect();
                if sorts {
                    lines.sort_unstable();
                } else {
                    lines.dedup();
                }
                Some(lines.iter().map(|l| format!("{l}\n")).collect())
            }))
        }
        "rev" if args.is_empty() => Some(Box::new(|text| {
            Some(text.lines().map(|l| l.chars().rev().collect::<String>() + "\n").collect())
        })),
        "xargs" if args.is_empty() => Some(Box::new(|text| {
            Some(text.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
        })),
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

/// The characters of a `tr` set, in order.
fn tr_set(set: &str) -> Option<Vec<char>> {
    let mut out = Vec::new();
    let set = super::printf::unescape(set);
    let set = match set.as_str() {
        "[:upper:]" => "A-Z",
        "[:lower:]" => "a-z",
        "[:digit:]" => "0-9",
        "[:space:]" => " \t\n\r\u{b}\u{c}",
        other if other.contains("[:") => return None,
        other => other,
    };
    let chars: Vec<char> = set.chars().collect();
    let mut i = 0;
    while i < chars.len() {
        if i + 2 < chars.len() && chars[i + 1] == '-' && chars[i] <= chars[i + 2] {
            out.extend((chars[i]..=chars[i + 2]).take(512));
            i += 3;
        } else {
            out.push(chars[i]);
            i += 1;
        }
    }
    Some(out)
}

fn tr(args: &[&str]) -> Option<Change> {
    match args {
        ["-d", set] => {
            let set = tr_set(set)?;
            Some(Box::new(move |text| Some(text.chars().filter(|c| !set.contains(c)).collect())))
        }
        [from, to] if !from.starts_with('-') => {
            let (from, to) = (tr_set(from)?, tr_set(to)?);
            Some(Box::new(move |text| {
                let change = |c: char| match from.iter().position(|f| *f == c) {
                    Some(i) => to.get(i).or(to.last()).copied().unwrap_or(c),
                    None => c,
                };
                Some(text.chars().map(change).collect())
            }))
        }
        _ => None,
    }
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
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = |prefix: &str| match arg.strip_prefix(prefix) {
            Some("") => args.next().map(|v| (*v).to_owned()),
            Some(attached) => Some(attached.to_owned()),
            None => None,
        };
        match &arg[..arg.len().min(2)] {
            "-d" => delimiter = value("-d")?,
            "-f" => fields = Some(value("-f")?),
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

/// `awk '{print $N}'`, with `-F`.
fn awk(args: &[&str]) -> Option<Change> {
    let mut separator: Option<String> = None;
    let mut program: Option<&str> = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "-F" => separator = Some((*args.next()?).to_owned()),
            arg if arg.starts_with("-F") => separator = Some(arg[2..].to_owned()),
            arg if arg.starts_with('-') || program.is_some() => return None,
            arg => program = Some(arg),
        }
    }
    let compact: String = program?.chars().filter(|c| !c.is_whitespace() && *c != ';').collect();
    let field = compact.strip_prefix("{print$")?.strip_suffix('}')?.to_owned();
    let from_end = match field.as_str() {
        "NF" => Some(0),
        other => {
            other.strip_prefix("(NF-").and_then(|n| n.strip_suffix(')')?.parse::<usize>().ok())
        }
    };
    let number: Option<usize> = field.parse().ok();
    let separator = separator.map(|s| s.trim_matches(['[', ']', '\'', '"']).replace("\\", ""));
    if (from_end.is_none() && number.is_none())
        || separator.as_ref().is_some_and(|s| s.chars().count() != 1)
    {
        return None;
    }
    Some(Box::new(move |text| {
        let mut out = String::new();
        for line in text.lines() {
            let fields: Vec<&str> = match &separator {
                Some(separator) => line.split(separator.as_str()).collect(),
                None => line.split_whitespace().collect(),
            };
            let picked = match (from_end, number) {
                (Some(n), _) => fields.len().checked_sub(n + 1).map_or("", |i| fields[i]),
                (_, Some(0)) => line,
                (_, Some(n)) => fields.get(n - 1).copied().unwrap_or(""),
                _ => "",
            };
            out.push_str(picked);
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
    let count: usize = count.parse().ok()?;
    Some(Box::new(move |text| {
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
            ("tr", &["-s", " "], "a  b", None),
            ("cut", &["-d/", "-f2"], "linux/arm64\n", Some("arm64\n")),
            ("cut", &["-d", "-", "-f", "1,3"], "a-b-c\n", Some("a-c\n")),
            ("cut", &["-c2-"], "v1.2\n", Some("1.2\n")),
            ("awk", &["{print $2}"], "a b c\n", Some("b\n")),
            ("awk", &["-F", "/", "{ print $NF }"], "x/y/z\n", Some("z\n")),
            ("awk", &["-F.", "{print $1}"], "1.2.3\n", Some("1\n")),
            ("awk", &["NR==1"], "a\n", None),
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
