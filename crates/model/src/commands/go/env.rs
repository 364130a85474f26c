//! Go's settings: the environment, and the file that `go env -w` writes.

use mlint_syntax::Span;

use super::super::{options::Line, xx};
use crate::{
    effect::Argument,
    files::join,
    shell::{Call, Interpreter},
    value::{HopKind, Origin, Truth, Value},
};

/// A setting of Go: a variable that is set and not empty, else what `go env -w` wrote.
pub(crate) fn go_setting(shell: &Interpreter<'_, '_>, call: &Call, name: &str) -> Option<Argument> {
    let variable = shell.environment(call, name);
    match (variable, shell.state.builds.go(name)) {
        (Some(variable), Some(_)) if !variable.value.is_empty() => Some(variable),
        (_, Some(written)) => Some(written.clone()),
        (variable, None) => variable,
    }
}

/// Known text, split at blanks.
pub(super) fn split(value: &Value, span: Span) -> Vec<Argument> {
    let Some(text) = value.as_known() else { return Vec::new() };
    let mut out = Vec::new();
    let mut from = 0;
    for word in text.split_inclusive(char::is_whitespace) {
        let end = from + word.trim_end().len();
        if end > from
            && let Some(value) = value.slice(from..end)
        {
            out.push(Argument { value, span });
        }
        from += word.len();
    }
    out
}

/// `go env`: asks, writes (`-w`), takes back (`-u`). `true` if it printed what it prints.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, call: &Call, words: &[Argument]) -> bool {
    let line = Line::read_long(words, &[]);
    if line.has(&["-w"]) {
        for word in &line.operands {
            let prefix = word.value.known_prefix();
            let Some((name, _)) = prefix.split_once('=') else { continue };
            let Some(value) = word.value.without_prefix(name.len() + 1) else { continue };
            let value = match (shell.is_reached(), shell.state.builds.go(name)) {
                (false, Some(old)) => Value::one_of([old.value.clone(), value], word.span),
                _ => value,
            };
            let value = value.hop(HopKind::Assigned, name, word.span);
            shell.state.builds.set_go(name, Some(Argument { value, span: word.span }));
        }
        return true;
    }
    if line.has(&["-u"]) {
        for word in &line.operands {
            if let Some(name) = word.value.as_known() {
                shell.state.builds.set_go(&name, None);
            }
        }
        return true;
    }
    if line.operands.is_empty() || !line.options.is_empty() {
        return false;
    }
    let line_end = Value::known("\n", Origin::Literal, call.span);
    for word in &line.operands {
        let answer = word.value.as_known().and_then(|name| answer(shell, call, &name));
        let answer = answer.unwrap_or_else(|| Value::unknown(Origin::CommandOutput, call.span));
        shell.print(&answer.concat(&line_end));
    }
    true
}

fn answer(shell: &Interpreter<'_, '_>, call: &Call, name: &str) -> Option<Value> {
    let known = |text: String| Value::known(text, Origin::BaseEnv, call.span);
    let given = go_setting(shell, call, name).filter(|s| !s.value.is_empty());
    if let Some(given) = given {
        return Some(given.value);
    }
    let platform = super::target(shell, "go", call).machine.platform().cloned();
    Some(match name {
        "GOPATH" => known(join(shell.state.home.as_deref()?, "go")),
        "GOMODCACHE" => {
            let path = answer(shell, call, "GOPATH")?;
            known(join(path.as_known()?.split(':').next()?, "pkg/mod"))
        }
        "GOCACHE" => known(join(shell.state.home.as_deref()?, ".cache/go-build")),
        "GOBIN" | "GOFLAGS" => Value::empty(),
        "GOROOT" if super::toolchain(shell).is_some() => known("/usr/local/go".to_owned()),
        "GOEXE" if platform?.os() == "windows" => known(".exe".to_owned()),
        "GOEXE" => Value::empty(),
        "CGO_ENABLED" => match super::target(shell, "go", call).cgo.enabled {
            Truth::Yes => known("1".to_owned()),
            Truth::No => known("0".to_owned()),
            Truth::Unknown => return None,
        },
        _ => return None,
    })
}

/// `xx-go --wrap` writes the target into Go's settings, for every `go` that follows.
pub(super) fn wrap(shell: &mut Interpreter<'_, '_>, call: &Call) {
    let written = xx::go_settings(shell, call);
    for (name, value) in written {
        let value = value.hop(HopKind::Assigned, name, call.span);
        shell.state.builds.set_go(name, Some(Argument { value, span: call.span }));
    }
}

pub(super) fn unwrap(shell: &mut Interpreter<'_, '_>) {
    for name in ["GOOS", "GOARCH", "GOARM", "GOAMD64", "CC", "CXX"] {
        shell.state.builds.set_go(name, None);
    }
}
