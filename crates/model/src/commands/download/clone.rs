//! Whole trees from version control, and the files of a release.

use super::{
    super::options::{Line, below},
    record, record_tree, url_file_name,
};
use crate::{
    effect::{Argument, Fetcher},
    shell::{Call, Interpreter},
    value::{Origin, Value},
};

pub(super) fn git(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    #[rustfmt::skip]
    let values = [
        "-b", "--branch", "--depth", "-c", "-C", "-o", "--origin", "-j", "--jobs", "--config",
        "--filter", "--reference", "--separate-git-dir", "--template", "--shallow-since", "-u",
        "--git-dir", "--work-tree", "--server-option", "--bundle-uri",
    ];
    let line = Line::read(call.arguments(), &values);
    if line.operand(0).as_deref() != Some("clone") {
        return matches!(
            line.operand(0).as_deref(),
            Some(
                "checkout" | "fetch" | "pull" | "submodule" | "config" | "init" | "reset" | "apply"
            )
        );
    }
    let Some(url) = line.operands.get(1) else { return true };
    let named = match line.operands.get(2) {
        Some(folder) => Some(folder.value.clone()),
        None => url_file_name(&url.value)
            .map(|n| n.map(call.span, |t| Some(t.strip_suffix(".git").unwrap_or(t).to_owned()))),
    };
    let output = match (named, line.value(&["-C"])) {
        (Some(name), Some(folder)) if !name.known_prefix().starts_with('/') => {
            Some(below(&folder.value, &name, call.span))
        }
        (named, _) => named,
    };
    record_tree(shell, Fetcher::Git, url, output, call.span);
    true
}

/// `svn checkout URL folder`, `hg clone URL folder`.
pub(super) fn other(shell: &mut Interpreter<'_, '_>, name: &str, call: &Call) -> bool {
    let values = ["-r", "--revision", "--username", "--password", "-b", "--branch", "-u"];
    let line = Line::read(call.arguments(), &values);
    let verbs: &[&str] = match name {
        "svn" => &["checkout", "co", "export"],
        _ => &["clone", "branch", "checkout"],
    };
    if !line.operand(0).is_some_and(|verb| verbs.contains(&&*verb)) {
        return false;
    }
    let Some(url) = line.operands.get(1).filter(|u| u.value.spelling().contains("://")) else {
        return true;
    };
    let output = match line.operands.get(2) {
        Some(folder) => Some(folder.value.clone()),
        None => url_file_name(&url.value).filter(|n| !n.is_empty()),
    };
    record_tree(shell, Fetcher::Git, url, output, call.span);
    true
}

/// `gh release download TAG --repo owner/name --pattern 'x_*_amd64.deb'`: the pattern stands for
/// the file in an address made like GitHub's.
pub(super) fn release(shell: &mut Interpreter<'_, '_>, call: &Call) -> bool {
    let values = [
        "-R",
        "--repo",
        "-p",
        "--pattern",
        "-D",
        "--dir",
        "-O",
        "--output",
        "-A",
        "--archive",
        "-n",
        "--asset-name",
    ];
    let line = Line::read(call.arguments(), &values);
    if line.operand(0).as_deref() != Some("release")
        || line.operand(1).as_deref() != Some("download")
    {
        return false;
    }
    let text = |text: &str| Value::known(text, Origin::Literal, call.span);
    let unknown = || Value::unknown(Origin::CommandOutput, call.span);
    let repo = line.value(&["-R", "--repo"]).map_or_else(unknown, |r| r.value.clone());
    let tag = line.operands.get(2).map_or_else(unknown, |t| t.value.clone());
    for pattern in line.values(&["-p", "--pattern", "-n", "--asset-name"]) {
        let url = Value::join([
            &text("https://github.com/"),
            &repo,
            &text("/releases/download/"),
            &tag,
            &text("/"),
            &pattern.value,
        ]);
        let name = match line.value(&["-O", "--output"]) {
            Some(output) => output.value.clone(),
            None => pattern.value.clone(),
        };
        let path = match line.value(&["-D", "--dir"]) {
            Some(folder) => below(&folder.value, &name, call.span),
            None => name,
        };
        // What a star stands for is not known: a gap in the name.
        let path = match path.as_known() {
            Some(known) if known.contains('*') => {
                text(&known.replace('*', &crate::value::GAP.to_string()))
            }
            _ => path,
        };
        let url = Argument { value: url, span: pattern.span };
        let path = Some(path).filter(|p| !p.is("-"));
        record(shell, Fetcher::Other, &url, path, call.span);
    }
    true
}
