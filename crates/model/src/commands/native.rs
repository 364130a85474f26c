//! Compilers of many languages, as a table: which words compile, where the result lands, what
//! names the target and what links statically.

mod table;

use table::{Default, ROWS, Row};

use super::{
    built::{Built, Place, record},
    options::Line,
    triple::{triple_linkage, triple_machine},
};
use crate::{
    effect::{Argument, Setting, Tool},
    files::{file_name, join},
    machine::{Linkage, Machine},
    shell::{Call, Interpreter},
};

/// `false` if the program is none of these, or does something else here.
pub(super) fn run(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let mut rows = ROWS.iter().filter(|r| r.program == name).peekable();
    if rows.peek().is_none() {
        return false;
    }
    for row in rows {
        if let Some(words) = words_of(row, call.arguments()) {
            return compile(shell, row, &words, call);
        }
    }
    // Something that prints, perhaps.
    false
}

/// The words behind the verb, options before it included. `None` if the verb is another.
fn words_of(row: &Row, arguments: &[Argument]) -> Option<Vec<Argument>> {
    let mut wanted = row.verb.split_whitespace().peekable();
    let mut out = Vec::new();
    let mut words = arguments.iter();
    while wanted.peek().is_some() {
        let word = words.next()?;
        let text = word.value.known_prefix();
        // rebar3's `as prod release`, mix's `do a, b`.
        let is_profile = row.program == "rebar3" && text == "as";
        match () {
            () if wanted.peek() == Some(&&*text) => {
                wanted.next();
            }
            () if is_profile => {
                words.next()?;
            }
            () if text.starts_with(['-', '+']) => out.push(word.clone()),
            () => return None,
        }
    }
    out.extend(words.cloned());
    Some(out)
}

fn compile(shell: &mut Interpreter<'_, '_>, row: &Row, words: &[Argument], call: &Call) -> bool {
    let words: Vec<Argument> = words.iter().map(|w| with_equals(w, row)).collect();
    let line = Line::read_long(&words, row.values);
    let asks = line.has(&["--version", "-version", "--help", "-v"]) && line.operands.is_empty();
    if asks {
        return false;
    }
    let target = row.target.iter().find_map(|name| {
        let found = line.value(&[name])?;
        let (value, span) = (found.value.clone(), found.span);
        Some(Setting { name: (*name).to_owned(), value, span })
    });
    let native = Machine::native(shell.runs_on().as_ref());
    let machine = match &target {
        _ if row.independent => Machine::independent(),
        Some(target) if target.name == "--arch" && target.value.is("native") => native,
        Some(target) => triple_machine(shell, target),
        None => native,
    };
    let says_static = words.iter().any(|w| {
        let text = w.value.spelling();
        row.statics
            .iter()
            .any(|s| text == *s || s.len() > 3 && text.split([' ', ':', '=']).any(|t| t == *s))
    });
    let triple = target.as_ref().map(|t| t.value.spelling());
    let linkage = match &triple {
        _ if row.independent => Linkage::Unknown,
        _ if says_static => Linkage::Static,
        // Swift's SDK for musl is its static one.
        Some(triple) if row.program == "swift" && triple.contains("musl") => Linkage::Static,
        Some(triple) => triple_linkage(triple),
        None => Linkage::dynamic(shell.state.libc),
    };
    let places = places(shell, row, &line);
    let settings = target.into_iter().collect();
    record(shell, call, Built { tool: tool(row), machine, linkage, cgo: None, places, settings });
    true
}

fn tool(row: &Row) -> Tool {
    match row.program {
        "ghc" | "stack" | "cabal" => Tool::Haskell,
        "swift" | "swiftc" => Tool::Swift,
        "mix" | "rebar3" => Tool::Erlang,
        "native-image" => Tool::NativeImage,
        "gnatmake" => Tool::C,
        _ => Tool::Other,
    }
}

/// Nim and others put a colon where the rest puts `=`: `--cpu:arm64`, `-o:app`. dmd glues: `-ofapp`.
fn with_equals(word: &Argument, row: &Row) -> Argument {
    let text = word.value.known_prefix();
    let named = |name: &&&str| {
        text.strip_prefix(**name).is_some_and(|rest| {
            rest.starts_with(':') || (row.program == "dmd" && **name == "-of" && !rest.is_empty())
        })
    };
    let Some(name) = row.values.iter().filter(|n| named(n)).max_by_key(|n| n.len()) else {
        return word.clone();
    };
    let skip = name.len() + usize::from(text[name.len()..].starts_with([':', '=']));
    match word.value.without_prefix(skip) {
        Some(rest) => {
            let head = crate::value::Value::known(
                format!("{name}="),
                crate::value::Origin::Literal,
                word.span,
            );
            Argument { value: head.concat(&rest), span: word.span }
        }
        None => word.clone(),
    }
}

fn places(shell: &Interpreter<'_, '_>, row: &Row, line: &Line) -> Vec<Place> {
    if let Some(output) = line.value(row.output) {
        return shell.path(&output.value).map(Place::file).into_iter().collect();
    }
    let folder = line.value(row.folder).map(|f| shell.path(&f.value));
    let stem = |extension: Option<&str>| {
        let source = line.operands.iter().rev().find_map(|o| {
            let text = o.value.as_known()?;
            text.contains('.').then(|| text.into_owned())
        })?;
        let (path, _) = source.rsplit_once('.')?;
        let path = match extension {
            Some(extension) => format!("{path}.{extension}"),
            None if row.program == "ghc" || row.program == "nim" => path.to_owned(),
            None => file_name(path).to_owned(),
        };
        match &folder {
            Some(folder) => Some(join(folder.as_deref()?, file_name(&path))),
            None => shell.absolute(&path),
        }
    };
    let below = |name: &str| shell.directory.as_ref().map(|d| join(d, name));
    let place = match (row.default, &folder) {
        (Default::Stem, _) => stem(None).map(Place::file),
        (Default::StemWith(extension), _) => stem(Some(extension)).map(Place::file),
        (_, Some(folder)) => folder.clone().map(Place::folder),
        (Default::Folder(name), None) => below(name).map(|f| Place::folder(f).guessed()),
        (Default::Name(name), None) => below(name).map(Place::file),
        (Default::Home(name), None) => {
            let home = shell.state.home.as_ref();
            home.map(|h| Place::folder(join(h, name)).guessed())
        }
        (Default::Nowhere, None) => None,
    };
    place.into_iter().collect()
}
