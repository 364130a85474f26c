//! The shell tree as compact text, for tests and for people.

use std::fmt::Write;

use super::ast::*;

/// The script as nested lists: `(cmd …)`, `(if …)`, with the words' parts told apart.
pub fn dump(script: &Script) -> String {
    let mut out = String::new();
    commands(script, &mut out);
    out
}

fn commands(script: &Script, out: &mut String) {
    for (i, one) in script.commands.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        command(one, out);
    }
}

fn list(head: &str, out: &mut String, body: impl FnOnce(&mut String)) {
    let _ = write!(out, "({head}");
    body(out);
    out.push(')');
}

fn script(head: &str, inner: &Script, out: &mut String) {
    list(head, out, |out| {
        if !inner.commands.is_empty() {
            out.push(' ');
        }
        commands(inner, out);
    });
}

fn substitution(sign: &str, inner: &Script, out: &mut String) {
    let _ = write!(out, "{sign}[");
    commands(inner, out);
    out.push(']');
}

fn command(one: &Command, out: &mut String) {
    match &one.kind {
        CommandKind::Simple(simple) => list("cmd", out, |out| {
            simple.assignments.iter().for_each(|a| spaced(out, |out| assignment(a, out)));
            words(&simple.words, out);
        }),
        CommandKind::Declaration(declaration) => list(&declaration.keyword.value, out, |out| {
            for argument in &declaration.arguments {
                spaced(out, |out| match argument {
                    DeclarationArgument::Assignment(a) => assignment(a, out),
                    DeclarationArgument::Word(w) => word(w, out),
                });
            }
        }),
        CommandKind::Pipeline(all) => list("pipe", out, |out| {
            all.iter().for_each(|c| spaced(out, |out| command(c, out)));
        }),
        CommandKind::AndOr { first, rest } => list("list", out, |out| {
            spaced(out, |out| command(first, out));
            for (op, next) in rest {
                out.push_str(if *op == AndOrOp::And { " &&" } else { " ||" });
                spaced(out, |out| command(next, out));
            }
        }),
        CommandKind::Negated(inner) => {
            list("not", out, |out| spaced(out, |out| command(inner, out)));
        }
        CommandKind::Subshell(inner) => script("subshell", inner, out),
        CommandKind::Group(inner) => script("group", inner, out),
        CommandKind::Function { name, body } => list("function ", out, |out| {
            out.push_str(&name.value);
            spaced(out, |out| command(body, out));
        }),
        CommandKind::Test(test) => list("test", out, |out| spaced(out, |out| condition(test, out))),
        CommandKind::Arithmetic(text) => {
            let _ = write!(out, "(arith {:?})", text.value);
        }
        CommandKind::Opaque => out.push_str("(opaque)"),
        compound => self::compound(compound, out),
    }
    for redirect in &one.redirects {
        spaced(out, |out| redirection(redirect, out));
    }
    if one.background {
        out.push_str(" &");
    }
}

fn compound(kind: &CommandKind, out: &mut String) {
    match kind {
        CommandKind::If { branches, otherwise } => list("if", out, |out| {
            for branch in branches {
                spaced(out, |out| script("when", &branch.condition, out));
                spaced(out, |out| script("then", &branch.body, out));
            }
            if let Some(otherwise) = otherwise {
                spaced(out, |out| script("else", otherwise, out));
            }
        }),
        CommandKind::Case { word: subject, arms } => list("case ", out, |out| {
            word(subject, out);
            for arm in arms {
                out.push_str(" [");
                for (i, pattern) in arm.patterns.iter().enumerate() {
                    out.push_str(if i > 0 { "|" } else { "" });
                    word(pattern, out);
                }
                let end = match arm.end {
                    CaseEnd::Break => "",
                    CaseEnd::FallThrough => ";&",
                    CaseEnd::Continue => ";;&",
                };
                let _ = write!(out, "]{end}");
                spaced(out, |out| script("do", &arm.body, out));
            }
        }),
        CommandKind::For { variable, words: list_of, select, body } => {
            list(if *select { "select " } else { "for " }, out, |out| {
                out.push_str(&variable.value);
                if let Some(all) = list_of {
                    out.push_str(" in");
                    words(all, out);
                }
                spaced(out, |out| script("do", body, out));
            });
        }
        CommandKind::CFor { header, body } => list("for ", out, |out| {
            let _ = write!(out, "{:?} ", header.value);
            script("do", body, out);
        }),
        CommandKind::While { until, condition, body } => {
            list(if *until { "until" } else { "while" }, out, |out| {
                spaced(out, |out| script("when", condition, out));
                spaced(out, |out| script("do", body, out));
            });
        }
        _ => {}
    }
}

fn spaced(out: &mut String, body: impl FnOnce(&mut String)) {
    out.push(' ');
    body(out);
}

fn words(all: &[ShellWord], out: &mut String) {
    all.iter().for_each(|w| spaced(out, |out| word(w, out)));
}

fn assignment(one: &Assignment, out: &mut String) {
    out.push_str(&one.name.value);
    if let Some(index) = &one.index {
        out.push('[');
        word(index, out);
        out.push(']');
    }
    out.push_str(if one.append { "+=" } else { "=" });
    match &one.value {
        AssignmentValue::Word(value) => word(value, out),
        AssignmentValue::Array(all) => list("array", out, |out| words(all, out)),
    }
}

fn redirection(redirect: &Redirect, out: &mut String) {
    if let Some(fd) = redirect.fd {
        let _ = write!(out, "{fd}");
    }
    let (sign, target) = match &redirect.kind {
        RedirectKind::Input(w) => ("<", w),
        RedirectKind::Output(w) => (">", w),
        RedirectKind::Append(w) => (">>", w),
        RedirectKind::ReadWrite(w) => ("<>", w),
        RedirectKind::OutputAndError { append: false, target } => ("&>", target),
        RedirectKind::OutputAndError { append: true, target } => ("&>>", target),
        RedirectKind::Duplicate(w) => (">&", w),
        RedirectKind::HereString(w) => ("<<<", w),
        RedirectKind::HereDoc { body, strip_tabs, .. } => {
            (if *strip_tabs { "<<-" } else { "<<" }, body)
        }
    };
    out.push_str(sign);
    word(target, out);
}

fn condition(test: &Condition, out: &mut String) {
    let all = |head: &str, inner: &[Condition], out: &mut String| {
        list(head, out, |out| inner.iter().for_each(|c| spaced(out, |out| condition(c, out))));
    };
    match test {
        Condition::Unary { op, operand } => list(&op.value, out, |out| {
            spaced(out, |out| word(operand, out));
        }),
        Condition::Binary { op, left, right } => list(&op.value, out, |out| {
            spaced(out, |out| word(left, out));
            spaced(out, |out| word(right, out));
        }),
        Condition::Word(w) => word(w, out),
        Condition::Not(inner) => all("!", std::slice::from_ref(inner), out),
        Condition::And(inner) => all("&&", inner, out),
        Condition::Or(inner) => all("||", inner, out),
    }
}

/// Quoted parts stand in their quotes, an escaped one after a backslash.
fn word(one: &ShellWord, out: &mut String) {
    for part in &one.parts {
        match part {
            WordPart::Literal { text, quote, .. } => {
                let text = text.replace('\n', "\\n");
                let _ = match quote {
                    Quote::None => write!(out, "{text}"),
                    Quote::Escaped => write!(out, "\\{text}"),
                    Quote::Single => write!(out, "'{text}'"),
                    Quote::Double => write!(out, "\"{text}\""),
                };
            }
            WordPart::Param(param) => parameter(param, out),
            WordPart::CommandSub { script: inner, quoted, .. } => {
                substitution(if *quoted { "\"$" } else { "$" }, inner, out);
            }
            WordPart::Arithmetic { parts, .. } => {
                out.push_str("$((");
                word(&ShellWord { parts: parts.clone(), ..ShellWord::default() }, out);
                out.push_str("))");
            }
            WordPart::ProcessSub { script: inner, output, .. } => {
                substitution(if *output { ">" } else { "<" }, inner, out);
            }
            WordPart::Opaque(_) => out.push_str("(opaque)"),
        }
    }
}

fn parameter(param: &Param, out: &mut String) {
    let Some(op) = param.op.as_deref() else {
        let _ = write!(out, "${}", param.name);
        return index(param, out);
    };
    let _ = write!(out, "${{{}", param.name);
    index(param, out);
    let colon = |null: bool| if null { ":" } else { "" };
    let mut binary = |sign: &str, operand: &ShellWord| {
        out.push_str(sign);
        word(operand, out);
    };
    match op {
        ParamOp::Default { null, word } => binary(&format!("{}-", colon(*null)), word),
        ParamOp::Assign { null, word } => binary(&format!("{}=", colon(*null)), word),
        ParamOp::Required { null, word } => binary(&format!("{}?", colon(*null)), word),
        ParamOp::Alternative { null, word } => binary(&format!("{}+", colon(*null)), word),
        ParamOp::TrimPrefix { longest, pattern } => {
            binary(if *longest { "##" } else { "#" }, pattern);
        }
        ParamOp::TrimSuffix { longest, pattern } => {
            binary(if *longest { "%%" } else { "%" }, pattern);
        }
        ParamOp::Replace { scope, pattern, replacement } => {
            let sign = match scope {
                ReplaceScope::First => "/",
                ReplaceScope::All => "//",
                ReplaceScope::Prefix => "/#",
                ReplaceScope::Suffix => "/%",
            };
            binary(sign, pattern);
            binary("/", replacement);
        }
        ParamOp::Substring { offset, length } => {
            binary(":", offset);
            if let Some(length) = length {
                binary(":", length);
            }
        }
        ParamOp::Length => out.push_str(" length"),
        ParamOp::Indirect => out.push_str(" indirect"),
        ParamOp::Names => out.push_str(" names"),
        ParamOp::Upper { all } => out.push_str(if *all { "^^" } else { "^" }),
        ParamOp::Lower { all } => out.push_str(if *all { ",," } else { "," }),
        ParamOp::Transform(sign) => {
            let _ = write!(out, "@{sign}");
        }
        ParamOp::Opaque => out.push_str(" opaque"),
    }
    out.push('}');
}

fn index(param: &Param, out: &mut String) {
    if let Some(index) = &param.index {
        out.push('[');
        word(index, out);
        out.push(']');
    }
}
