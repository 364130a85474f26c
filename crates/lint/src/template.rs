//! Files that are no Dockerfiles, or not yet: templates that a program fills in before a build. What
//! the other rules would say about them is about text that nobody builds from.

use mlint_syntax::{Dockerfile, Instruction, Span, SyntaxErrorKind};

/// Why a file is no Dockerfile, and where that shows first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoDockerfile {
    pub(crate) span: Span,
    /// The mark of a template as it stands there; none where the file is something else.
    pub(crate) mark: Option<String>,
}

/// Whether a file is a template or no Dockerfile at all. A builder stops at both: what is asked for
/// is a mark where no Dockerfile can have one, as an instruction, as the image of a `FROM`, or with
/// syntax of its own. In a `RUN`, `{{` is an argument like others.
pub(crate) fn no_dockerfile(file: &Dockerfile) -> Option<NoDockerfile> {
    let mut marks: Vec<Span> = unknown(file)
        .filter(|(_, keyword)| begins_with_mark(keyword))
        .map(|(span, keyword)| mark_in(file, span.start, keyword).unwrap_or(span))
        .collect();
    marks.extend(file.instructions.iter().filter_map(|i| mark_in_instruction(file, i)));
    if let Some(span) = marks.into_iter().min_by_key(|span| span.start) {
        return Some(NoDockerfile { span, mark: Some(file.text[span.range()].to_owned()) });
    }
    let first = file.instructions.first()?;
    let (span, _) = unknown(file).find(|(span, _)| first.span.contains(*span))?;
    Some(NoDockerfile { span, mark: None })
}

/// The places of keywords that are nothing like an instruction's.
fn unknown(file: &Dockerfile) -> impl Iterator<Item = (Span, &str)> {
    file.errors.iter().filter(|error| !error.in_trigger).filter_map(|error| match &error.kind {
        SyntaxErrorKind::UnknownInstruction { keyword, suggestion: None } => {
            Some((error.span, keyword.as_str()))
        }
        _ => None,
    })
}

/// Whether an unknown keyword is how a template language begins.
fn begins_with_mark(keyword: &str) -> bool {
    const BEGINNINGS: [&str; 6] = ["{{", "{%", "<%", "[%", "%%", "m4_"];
    const MACROS: [&str; 8] = [
        "define(",
        "undefine(",
        "include(",
        "sinclude(",
        "ifdef(",
        "ifelse(",
        "divert(",
        "changequote(",
    ];
    BEGINNINGS.iter().chain(&MACROS).any(|start| keyword.starts_with(start))
        || keyword == "dnl"
        || placeholder(keyword).is_some_and(|mark| mark == keyword)
}

/// The mark of a template in what a builder reads by itself: the image of a `FROM`, which can hold
/// no such text, and the values of `ARG` and `FROM` with an expansion that only a template has.
fn mark_in_instruction(file: &Dockerfile, instruction: &Instruction) -> Option<Span> {
    let keyword = instruction.keyword.as_str();
    let (is_from, is_arg) =
        (keyword.eq_ignore_ascii_case("FROM"), keyword.eq_ignore_ascii_case("ARG"));
    if !is_from && !is_arg {
        return None;
    }
    let text = file.text.get(instruction.span.range())?;
    // Development container templates.
    let option = text.find("${templateOption:");
    let mark = |start: &str| text.find(start).filter(|_| is_from);
    let at = option.or_else(|| mark("{{")).or_else(|| mark("{%")).or_else(|| mark("<%")).or_else(
        || {
            let found = placeholder(text).filter(|_| is_from)?;
            text.find(found)
        },
    )?;
    let start = instruction.span.start + at as u32;
    mark_in(file, start, &text[at..])
}

/// The whole mark that begins at an offset: up to its end on the same line.
fn mark_in(file: &Dockerfile, start: u32, text: &str) -> Option<Span> {
    const ENDS: [(&str, &str); 5] =
        [("{{", "}}"), ("{%", "%}"), ("<%", "%>"), ("[%", "%]"), ("${", "}")];
    let line = file.text.get(start as usize..)?.lines().next()?;
    let whole = match ENDS.iter().find(|(begin, _)| line.starts_with(begin)) {
        Some((begin, end)) => line.find(end).map_or(begin.len(), |at| at + end.len()),
        None => placeholder(line).filter(|mark| line.starts_with(mark)).unwrap_or(text).len(),
    };
    Some(Span::new(start, start + whole.min(line.len()) as u32))
}

/// `@NAME@` and `%%NAME%%` in a text.
fn placeholder(text: &str) -> Option<&str> {
    ["@", "%%"].iter().find_map(|fence| {
        text.match_indices(fence).find_map(|(at, _)| {
            let inner = &text[at + fence.len()..];
            let end = inner.find(fence)?;
            let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            let fits = end > 0 && inner.as_bytes()[..end].iter().all(|b| is_name(*b));
            fits.then(|| &text[at..at + fence.len() + end + fence.len()])
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<Option<String>> {
        no_dockerfile(&mlint_syntax::parse(text)).map(|n| n.mark)
    }

    fn mark(text: &str) -> Option<String> {
        found(text).expect("no Dockerfile")
    }

    #[test]
    fn templates() {
        assert_eq!(mark("{{ if .a }}\nFROM a\n{{ end }}\n").as_deref(), Some("{{ if .a }}"));
        assert_eq!(mark("FROM a:{{ .version }}\n").as_deref(), Some("{{ .version }}"));
        assert_eq!(mark("FROM a\n%%ENV%%\nRUN true\n").as_deref(), Some("%%ENV%%"));
        assert_eq!(mark("FROM @BASE@\nRUN true\n").as_deref(), Some("@BASE@"));
        assert_eq!(mark("FROM a\n@INSTALL@\n").as_deref(), Some("@INSTALL@"));
        assert_eq!(
            mark("FROM a\n{% for x in y %}\nRUN x\n{% endfor %}\n").as_deref(),
            Some("{% for x in y %}")
        );
        assert_eq!(mark("FROM <%= base %>\n").as_deref(), Some("<%= base %>"));
        assert_eq!(mark("define(`A', `b')\nFROM a\n").as_deref(), Some("define(`A',"));
        assert_eq!(
            mark("ARG V=\"${templateOption:version}\"\nFROM a:$V\n").as_deref(),
            Some("${templateOption:version}")
        );
    }

    #[test]
    fn something_else() {
        assert_eq!(found("let a = 1\nlet b = 2\n"), Some(None));
        assert_eq!(found("#!/bin/sh\necho a\n"), Some(None));
    }

    #[test]
    fn dockerfiles() {
        for text in [
            "FROM a\nRUN docker inspect -f '{{.Id}}' a\n",
            "FROM a\nRUN x \\\n {{.a}}\n",
            "FROM a\nRUN cat <<EOF > /t\n{{ if .a }}\n%%B%%\n{{ end }}\nEOF\n",
            "FROM a\nENV FORMAT={{.Name}}\n",
            "FROM a\nRUN sed s#@PREFIX@#/usr#g -i /f\n",
            "FROM a@sha256:0f3c9a0e5b7e4d9c1f2a3b4c5d6e7f800f3c9a0e5b7e4d9c1f2a3b4c5d6e7f80\n",
            "FORM a\nRUN b\n",
            "FROM a\nbanana\n",
            "FROM a\nONBUILD {{ x }}\n",
            "",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
