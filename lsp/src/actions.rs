//! Code actions: a quick fix for each fix, and all safe ones at once.

use std::collections::HashMap;

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, TextEdit, WorkspaceEdit,
};
use mlint_lint::{Applicability, FixOptions};
use mlint_syntax::{Edit, Span};

use crate::{convert::Encoding, document::Document};

/// `source.fixAll.mlint`: all safe fixes, as `mlint fix` applies them.
pub(crate) fn fix_all_kind() -> CodeActionKind {
    CodeActionKind::from(format!("{}.mlint", CodeActionKind::SOURCE_FIX_ALL.as_str()))
}

/// The actions for a place of a document.
pub(crate) fn actions(
    document: &mut Document,
    params: &CodeActionParams,
    encoding: Encoding,
) -> Vec<CodeActionOrCommand> {
    let wanted = |kind: &CodeActionKind| {
        params.context.only.as_ref().is_none_or(|only| only.iter().any(|o| covers(o, kind)))
    };
    let mut actions = Vec::new();
    if wanted(&CodeActionKind::QUICKFIX) {
        actions.extend(quick_fixes(document, params, encoding));
    }
    // Never offered unasked: a light bulb on every line would say nothing.
    if params.context.only.is_some() && wanted(&fix_all_kind()) {
        actions.extend(fix_all(document, encoding));
    }
    actions.into_iter().map(CodeActionOrCommand::CodeAction).collect()
}

/// Whether an asked-for kind covers another: `source.fixAll` covers `source.fixAll.mlint`.
fn covers(asked: &CodeActionKind, kind: &CodeActionKind) -> bool {
    kind.as_str()
        .strip_prefix(asked.as_str())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || asked.as_str().is_empty())
}

fn quick_fixes(
    document: &mut Document,
    params: &CodeActionParams,
    encoding: Encoding,
) -> Vec<CodeAction> {
    let at = document.converter(encoding).span(params.range);
    let findings = document.report().diagnostics.clone();
    let converter = document.converter(encoding);
    let mut actions = Vec::new();
    for finding in findings.iter().filter(|f| touches(f.span, at)) {
        let shown = converter.diagnostic(finding, &document.uri, false);
        let mut preferred = true;
        for fix in finding.fixes.iter().filter(|f| f.applicability != Applicability::Display) {
            let safe = fix.applicability == Applicability::Safe;
            let title = match &fix.caution {
                _ if safe => format!("{} ({})", fix.title, finding.rule),
                _ if fix.together => {
                    format!("{} ({}, safe with the file's other fixes)", fix.title, finding.rule)
                }
                Some(caution) => format!("{} ({}, look first: {caution})", fix.title, finding.rule),
                None => format!("{} ({}, look first)", fix.title, finding.rule),
            };
            let edits = fix.edits.as_slice().iter().map(|e| converter.edit(e)).collect();
            actions.push(CodeAction {
                title,
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: Some(vec![shown.clone()]),
                edit: Some(workspace_edit(document, edits)),
                is_preferred: Some(safe && preferred),
                ..CodeAction::default()
            });
            preferred &= !safe;
        }
    }
    actions
}

fn fix_all(document: &Document, encoding: Encoding) -> Option<CodeAction> {
    let outcome = mlint_lint::fix(
        &document.text,
        &document.options,
        &FixOptions::default(),
        &document.facts,
        mlint_rules::all(),
    );
    let edit = narrow(&document.text, &outcome.text)?;
    let edit = document.converter(encoding).edit(&edit);
    Some(CodeAction {
        title: "Apply all safe fixes of mlint".to_owned(),
        kind: Some(fix_all_kind()),
        edit: Some(workspace_edit(document, vec![edit])),
        ..CodeAction::default()
    })
}

fn workspace_edit(document: &Document, edits: Vec<TextEdit>) -> WorkspaceEdit {
    WorkspaceEdit {
        changes: Some(HashMap::from([(document.uri.clone(), edits)])),
        ..WorkspaceEdit::default()
    }
}

/// Whether a finding is meant by a cursor or selection; a cursor at either end counts.
fn touches(finding: Span, selection: Span) -> bool {
    finding.start <= selection.end && selection.start <= finding.end
}

/// The smallest single edit that turns `old` into `new`; `None` if they are equal.
fn narrow(old: &str, new: &str) -> Option<Edit> {
    if old == new {
        return None;
    }
    let same = |pair: &(char, char)| pair.0 == pair.1;
    let start: usize =
        old.chars().zip(new.chars()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let tail: usize = old_rest
        .chars()
        .rev()
        .zip(new_rest.chars().rev())
        .take_while(same)
        .map(|(c, _)| c.len_utf8())
        .sum();
    Some(Edit {
        span: Span::new(start as u32, (old.len() - tail) as u32),
        text: new_rest[..new_rest.len() - tail].to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_edit() {
        for (old, new) in
            [("abc", "abXc"), ("é🚀", "é🚁"), ("aaa", "aa"), ("", "x"), ("x", ""), ("ab", "ba")]
        {
            let edit = narrow(old, new).unwrap();
            let mut text = old.to_owned();
            text.replace_range(edit.span.range(), &edit.text);
            assert_eq!(text, new);
        }
        assert_eq!(narrow("same", "same"), None);
    }

    #[test]
    fn kinds_cover_their_children() {
        let kind = |s: &'static str| CodeActionKind::from(s);
        assert!(covers(&kind("source"), &fix_all_kind()));
        assert!(covers(&kind("source.fixAll"), &fix_all_kind()));
        assert!(covers(&kind(""), &CodeActionKind::QUICKFIX));
        assert!(!covers(&kind("source.fixAllOther"), &fix_all_kind()));
        assert!(!covers(&kind("quickfix"), &fix_all_kind()));
    }
}
