//! `{a,b}` and `{1..3}`: one word becomes several.

use mlint_syntax::{
    LogicalText, Span,
    shell::{Quote, ShellWord, WordPart},
};

/// More words than this are not made.
const MAX_WORDS: usize = 256;
/// Braces in each other.
const MAX_DEPTH: u32 = 8;

/// A piece of a word: text of one meaning, or a part that is none.
#[derive(Clone, Debug)]
enum Atom<'w> {
    /// `{`, `,` or `}` without quotes.
    Sign(char, LogicalText),
    /// Other text without quotes.
    Text(LogicalText),
    Part(&'w WordPart),
}

/// Whether there are braces in the word that might mean several words.
pub(super) fn has_braces(word: &ShellWord) -> bool {
    let plain = |sign: &str| {
        word.parts.iter().any(|part| {
            matches!(part, WordPart::Literal { text, quote: Quote::None, .. }
                if text.as_str().contains(sign))
        })
    };
    plain("{") && plain("}") && (plain(",") || plain(".."))
}

/// The words that a word with braces stands for; one if it has none that mean anything. `None` if
/// there are too many.
pub(super) fn expand(word: &ShellWord) -> Option<Vec<ShellWord>> {
    let atoms = atoms(word);
    let expanded = several(&atoms, 0)?;
    Some(expanded.into_iter().map(|atoms| built(atoms, word.span)).collect())
}

fn atoms(word: &ShellWord) -> Vec<Atom<'_>> {
    let mut out = Vec::new();
    for part in &word.parts {
        let WordPart::Literal { text, quote: Quote::None, .. } = part else {
            out.push(Atom::Part(part));
            continue;
        };
        let mut from = 0;
        for (at, sign) in text.as_str().match_indices(['{', ',', '}']) {
            if from < at {
                out.push(Atom::Text(text.slice(from as u32, at as u32)));
            }
            let slice = text.slice(at as u32, at as u32 + 1);
            out.push(Atom::Sign(sign.chars().next().unwrap_or(','), slice));
            from = at + 1;
        }
        if from < text.as_str().len() {
            out.push(Atom::Text(text.slice(from as u32, text.len())));
        }
    }
    out
}

fn built(atoms: Vec<Atom<'_>>, span: Span) -> ShellWord {
    let parts = atoms.into_iter().map(|atom| match atom {
        Atom::Part(part) => part.clone(),
        Atom::Sign(_, text) | Atom::Text(text) => {
            let span = text.full_span();
            WordPart::Literal { text, span, quote: Quote::None }
        }
    });
    ShellWord { span, parts: parts.collect() }
}

fn several<'w>(atoms: &[Atom<'w>], depth: u32) -> Option<Vec<Vec<Atom<'w>>>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut from = 0;
    while let Some(open) = atoms[from..].iter().position(|a| is_sign(a, '{')).map(|i| i + from) {
        if let Some((close, commas)) = group(&atoms[open..]) {
            let inner = &atoms[open + 1..open + close];
            if let Some(choices) = choices(inner, &commas, depth)? {
                return combined(&atoms[..open], choices, &atoms[open + close + 1..], depth);
            }
        }
        from = open + 1;
    }
    Some(vec![atoms.to_vec()])
}

fn is_sign(atom: &Atom<'_>, wanted: char) -> bool {
    matches!(atom, Atom::Sign(sign, _) if *sign == wanted)
}

/// From a `{` to its `}`, with the commas between, counted after the brace.
fn group(atoms: &[Atom<'_>]) -> Option<(usize, Vec<usize>)> {
    let (mut depth, mut commas) = (0usize, Vec::new());
    for (i, atom) in atoms.iter().enumerate() {
        match atom {
            Atom::Sign('{', _) => depth += 1,
            Atom::Sign('}', _) => {
                depth -= 1;
                if depth == 0 {
                    return Some((i, commas));
                }
            }
            Atom::Sign(',', _) if depth == 1 => commas.push(i - 1),
            _ => {}
        }
    }
    None
}

/// What stands between the commas, or the members of `a..b`; `Some(None)` if it is neither.
fn choices<'w>(
    inner: &[Atom<'w>],
    commas: &[usize],
    depth: u32,
) -> Option<Option<Vec<Vec<Atom<'w>>>>> {
    if commas.is_empty() {
        let [Atom::Text(text)] = inner else { return Some(None) };
        return sequence(text);
    }
    let mut out = Vec::new();
    let mut from = 0;
    for end in commas.iter().copied().chain([inner.len()]) {
        out.extend(several(&inner[from..end], depth + 1)?);
        if out.len() > MAX_WORDS {
            return None;
        }
        from = end + 1;
    }
    Some(Some(out))
}

fn sequence<'w>(text: &LogicalText) -> Option<Option<Vec<Vec<Atom<'w>>>>> {
    let parts: Vec<&str> = text.as_str().split("..").collect();
    let (first, last, step) = match parts[..] {
        [first, last] => (first, last, 1),
        [first, last, step] => match step.parse::<i64>() {
            Ok(step) => (first, last, step.saturating_abs().max(1)),
            Err(_) => return Some(None),
        },
        _ => return Some(None),
    };
    let letter = |t: &str| match t.as_bytes() {
        [b] if b.is_ascii_alphabetic() => Some(i64::from(*b)),
        _ => None,
    };
    let numbers = first.parse::<i64>().ok().zip(last.parse::<i64>().ok());
    let letters = letter(first).zip(letter(last));
    let Some((from, to)) = numbers.or(letters) else { return Some(None) };
    let count = from.checked_sub(to)?.checked_abs()? / step + 1;
    if count > MAX_WORDS as i64 {
        return None;
    }
    let padded = |t: &str| t.trim_start_matches('-').starts_with('0') && t.len() > 1;
    let width = if padded(first) || padded(last) { first.len().max(last.len()) } else { 0 };
    let sign = if from <= to { step } else { -step };
    let members = (0..count).map(|i| {
        let number = from + sign * i;
        let member = match numbers {
            Some(_) => format!("{number:0width$}"),
            None => char::from(number as u8).to_string(),
        };
        vec![Atom::Text(crate::value::text_at(&member, text.full_span()))]
    });
    Some(Some(members.collect()))
}

fn combined<'w>(
    before: &[Atom<'w>],
    choices: Vec<Vec<Atom<'w>>>,
    after: &[Atom<'w>],
    depth: u32,
) -> Option<Vec<Vec<Atom<'w>>>> {
    let tails = several(after, depth + 1)?;
    if choices.len() * tails.len() > MAX_WORDS {
        return None;
    }
    let mut out = Vec::new();
    for choice in &choices {
        for tail in &tails {
            out.push([before, choice, tail].concat());
        }
    }
    Some(out)
}
