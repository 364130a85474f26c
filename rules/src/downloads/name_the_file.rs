//! Names the file that a project has for the target, where its name for one machine says nothing.

use std::ops::Range;

use mlint_lint::{Context, ProposedFix};
use mlint_model::{EffectKind, Piece, Value};
use mlint_oci::Platform;
use mlint_syntax::{Edit, EditSet, Span};

use crate::{
    downloads::{checksum, shell_case, unmarked_arch_asset::Site},
    support::{is_run, shown},
};

/// The pieces of a value, each with the bytes that it has in [`shown`].
pub(super) fn placed(value: &Value) -> impl Iterator<Item = (&Piece, Range<usize>)> {
    let mut at = 0;
    value.pieces().iter().map(move |piece| {
        let start = at;
        at += piece.text().map_or(1, str::len);
        (piece, start..at)
    })
}

/// A part of a text in the file, and what it becomes.
struct Change {
    place: Span,
    before: String,
    after: String,
}

impl Change {
    /// The change that puts something into the gap of a value's text: as much of the text around
    /// it as stands in the file in one piece.
    fn around(value: &Value, gap: &Range<usize>) -> Option<Self> {
        let text = shown(value);
        let (piece, bytes) = placed(value).find(|(_, bytes)| {
            bytes.start <= gap.start && gap.end <= bytes.end && bytes.start < gap.end.max(1)
        })?;
        if !piece.is_literal() {
            return None;
        }
        let from = text[..gap.start].rfind('/').map_or(0, |slash| slash + 1).max(bytes.start);
        let to = text[gap.end..]
            .find(['/', '?', '#'])
            .map_or(text.len(), |end| gap.end + end)
            .min(bytes.end);
        let source = piece.source.as_ref()?;
        let spans = source.pieces((from - bytes.start) as u32, (to - bytes.start) as u32);
        let [place] = <[Span; 1]>::try_from(spans).ok()?;
        Some(Self {
            place,
            before: text[from..gap.start].to_owned(),
            after: text[gap.end..to].to_owned(),
        })
    }

    fn edit(&self, expression: &str) -> Edit {
        Edit { span: self.place, text: format!("{}{expression}{}", self.before, self.after) }
    }
}

pub(super) fn fix(cx: &Context<'_>, site: &Site<'_>) -> Option<ProposedFix> {
    let gap = site.asset.gap.clone()?;
    let change = Change::around(&site.download.url, &gap)?;
    let (home, _) = cx.instruction_at(change.place.start)?;
    if home == site.step.instruction && is_run(cx, home) {
        case_fix(cx, site, &gap, change)
    } else {
        named_fix(cx, site, home, &change)
    }
}

/// A `case` with the names of the files.
fn case_fix(
    cx: &Context<'_>,
    site: &Site<'_>,
    gap: &Range<usize>,
    change: Change,
) -> Option<ProposedFix> {
    let Site { evaluation, step, asset, .. } = site;
    let mut arms: Vec<(String, String)> = Vec::new();
    let mut names: Vec<(Platform, String)> = Vec::new();
    for platform in [&asset.owner].into_iter().chain(&cx.options.platforms) {
        let text = asset.text(platform)?;
        names.push((platform.clone(), format!("{}{text}{}", change.before, change.after)));
        let arm = (platform.arch().to_owned(), text.to_owned());
        match arms.iter().find(|(arch, _)| *arch == arm.0) {
            Some(known) if *known != arm => return None,
            Some(_) => {}
            None => arms.push(arm),
        }
    }
    let variables = match arms.first() {
        Some((_, own)) if own.is_empty() => ["suffix", "asset_suffix"],
        _ => ["asset", "asset_name"],
    };
    let variable = shell_case::free_name(cx, &variables);
    let expression = format!("${{{variable}}}");
    let mut edits = EditSet::new();
    edits.insert(change.edit(&expression)).ok()?;
    let mut named_elsewhere = false;
    for (instruction, mention) in mentions(site, gap) {
        if instruction != step.instruction {
            named_elsewhere = true;
        } else if mention.place != change.place {
            edits.insert(mention.edit(&expression)).ok()?;
        }
    }
    let instruction = cx.file.instructions.get(step.instruction)?;
    edits.insert(shell_case::before(cx, instruction, variable, &arms)?).ok()?;
    shell_case::declare_for(cx, evaluation, &[step.instruction], &mut edits)?;
    let title = "download the target's file";
    let fix = if checksum::is_beside(cx, evaluation, step) {
        ProposedFix::needs_look(title, edits)
            .because(checksum::CAUTION)
            .revealing("single-arch-checksum")
    } else if named_elsewhere {
        ProposedFix::needs_look(title, edits)
            .because("the file's name stands in other instructions too")
    } else {
        ProposedFix::safe(title, edits)
    };
    Some(fix.keeping(&asset.owner).alike(names).or_nothing())
}

/// `${TARGETARCH}` in a name that every platform's file has.
fn named_fix(
    cx: &Context<'_>,
    site: &Site<'_>,
    home: usize,
    change: &Change,
) -> Option<ProposedFix> {
    let Site { evaluation, asset, .. } = site;
    let (named, own) = (asset.named?, asset.owner.arch());
    for platform in cx.options.platforms.iter().filter(|p| **p != asset.owner) {
        if asset.text(platform)? != named.replace(own, platform.arch()) {
            return None;
        }
    }
    let mut edits = EditSet::new();
    edits.insert(change.edit(&named.replace(own, "${TARGETARCH}"))).ok()?;
    shell_case::declare_for(cx, evaluation, &[home], &mut edits)?;
    let name = format!("{}{named}{}", change.before, change.after);
    let fix = ProposedFix::needs_look("download the target's file", edits)
        .because(format!("the file for {} is then taken by its other name, {name}", asset.owner))
        .revealing("single-arch-checksum");
    Some(fix)
}

/// Where else the file is named, if it got its name from the URL: the instruction, and the change.
fn mentions(site: &Site<'_>, gap: &Range<usize>) -> Vec<(usize, Change)> {
    let Some(output) = &site.download.output else { return Vec::new() };
    let path = shown(output);
    let url = site.url.split(['?', '#']).next().unwrap_or_default();
    let name = url.rsplit('/').next().unwrap_or_default();
    let name_start = url.len() - name.len();
    let is_name = |value: &Value| {
        let text = shown(value);
        !text.contains("://") && text.rsplit('/').next() == Some(name)
    };
    // What is written as the file's name stays what it is.
    let written = site.step.effects.iter().any(|e| match &e.kind {
        EffectKind::Command(c) if e.span == site.effect.span => {
            c.argv.iter().any(|a| is_name(&a.value))
        }
        _ => false,
    });
    if gap.start < name_start || path.rsplit('/').next() != Some(name) || written {
        return Vec::new();
    }
    let inside = gap.start - name_start..gap.end - name_start;
    let mut found: Vec<(usize, Change)> = Vec::new();
    for (_, step, effect) in site.evaluation.effects() {
        let EffectKind::Command(command) = &effect.kind else { continue };
        for argument in &command.argv {
            if !is_name(&argument.value) {
                continue;
            }
            let at = shown(&argument.value).len() - name.len();
            let change = Change::around(&argument.value, &(at + inside.start..at + inside.end));
            if let Some(change) = change
                && !found.iter().any(|(_, known)| known.place == change.place)
            {
                found.push((step.instruction, change));
            }
        }
    }
    found
}
