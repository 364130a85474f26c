//! A part of awk, over known text: fields, comparisons, `print`, `printf`, `if`, substitutions. No
//! loops and no arrays: what is not understood is not known.

mod parse;
mod run;

use super::transform::Change;

/// Longer programs are not read.
const MAX_PROGRAM: usize = 4096;
/// Longer texts are not gone through.
const MAX_TEXT: usize = 1 << 16;

/// What `awk` with these arguments does to its input; `None` where that is not understood.
pub(super) fn change(args: &[&str]) -> Option<Change> {
    let mut separator: Option<String> = None;
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut program: Option<&str> = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "-F" => separator = Some((*args.next()?).to_owned()),
            "-v" => {
                let (name, value) = args.next()?.split_once('=')?;
                variables.push((name.to_owned(), super::printf::unescape(value)));
            }
            arg if program.is_none() && arg.starts_with("-F") => {
                separator = Some(arg[2..].to_owned());
            }
            arg if program.is_none() && arg.starts_with("-v") => {
                let (name, value) = arg[2..].split_once('=')?;
                variables.push((name.to_owned(), super::printf::unescape(value)));
            }
            "--" => {}
            arg if arg.starts_with('-') || program.is_some() => return None,
            arg => program = Some(arg),
        }
    }
    let program = program.filter(|p| p.len() <= MAX_PROGRAM)?;
    let rules = parse::program(program)?;
    if let Some(separator) = separator {
        variables.push(("FS".to_owned(), super::printf::unescape(&separator)));
    }
    Some(Box::new(move |text| {
        if text.len() > MAX_TEXT {
            return None;
        }
        run::run(&rules, &variables, text)
    }))
}

#[cfg(test)]
mod tests {
    use super::change;

    #[track_caller]
    fn check(args: &[&str], input: &str, want: Option<&str>) {
        let got = change(args).and_then(|change| change(input));
        assert_eq!(got.as_deref(), want, "{args:?}");
    }

    #[test]
    fn fields() {
        check(&["{print $2}"], "a b c\n", Some("b\n"));
        check(&["-F", "/", "{ print $NF }"], "x/y/z\n", Some("z\n"));
        check(&["-F.", "{print $1}"], "1.2.3\n", Some("1\n"));
        check(&["-F: ", "/^host/{print $2}"], "a: b\nhost: x\n", Some("x\n"));
        check(&["-F[:/]", "{print $(NF-1), $1}"], "a:b/c\n", Some("b a\n"));
        check(&["{print $1\"-\"$2; exit}"], "a b\nc d\n", Some("a-b\n"));
        check(&["-F\"", "{print $2}"], "a=\"b\"\n", Some("b\n"));
        check(&["BEGIN{FS=\"-\"; OFS=\":\"} {print $1,$2}"], "a-b\n", Some("a:b\n"));
        check(&["{$1=\"x\"; print}"], "a  b\n", Some("x b\n"));
    }

    #[test]
    fn conditions() {
        check(&["NR==2"], "a\nb\n", Some("b\n"));
        check(&["{print ($1==\"x86_64\") ? \"amd64\" : \"arm64\"}"], "aarch64\n", Some("arm64\n"));
        check(
            &[
                "{if ($1 ~ /^arm/) {print \"arm\"} else if ($1 == \"x86_64\") print \"amd64\"; else print $1}",
            ],
            "x86_64\narmv7l\nriscv64\n",
            Some("amd64\narm\nriscv64\n"),
        );
        check(&["$1 == \"a\" && $2 > 9 {print $2}"], "a 10\na 9\n", Some("10\n"));
        check(&["!/x/"], "x\ny\n", Some("y\n"));
        check(&["NF"], "\na\n", Some("a\n"));
        check(&["-v", "a=amd64", "$1 == a {print $2}"], "arm64 1\namd64 2\n", Some("2\n"));
    }

    #[test]
    fn functions_and_numbers() {
        check(&["{gsub(/x86_64/, \"amd64\"); print}"], "x86_64-x86_64\n", Some("amd64-amd64\n"));
        check(&["{sub(\"a\", \"[&]\", $2); print $2}"], "a a\n", Some("[a]\n"));
        check(&["{print tolower($1) toupper($2)}"], "A b\n", Some("aB\n"));
        check(
            &["{print substr($1, 2, 3), length($1), index($1, \"c\")}"],
            "abcde\n",
            Some("bcd 5 3\n"),
        );
        check(&["{printf \"%s-%d\\n\", $1, $2}"], "a 3\n", Some("a-3\n"));
        check(&["{s += $1} END {print s * 2}"], "1\n2\n", Some("6\n"));
        check(&["{print $1 / 3}"], "1\n", None);
    }

    #[test]
    fn what_is_not_understood() {
        for program in [
            "{for (i=1;i<3;i++) print i}",
            "{a[$1]=1}",
            "{print > \"f\"}",
            "{\"uname\" | getline x; print x}",
            "{system(\"ls\")}",
            "{print match($0, /a/)}",
            "{print",
            "@include \"x\"",
        ] {
            check(&[program], "a\n", None);
        }
        let deep = format!("{{print {}1}}", "(".repeat(2000));
        check(&[&deep], "a\n", None);
    }
}
