//! Platforms for which the same happens share a panel.

use mlint_model::Evaluation;

use super::{Hue, Panel, build::hue_of};

/// Stands for the target's name where panels are compared.
const TARGET: &str = "\u{fffc}";

/// Panels that differ only in the target become one, and speak of the target.
pub fn merged(panels: Vec<Panel>, evaluations: &[Evaluation]) -> Vec<Panel> {
    let mut out: Vec<(Panel, Panel)> = Vec::new();
    for (panel, evaluation) in panels.into_iter().zip(evaluations) {
        let name = evaluation.platform.to_string();
        let neutral = neutral(&panel, &name, hue_of(&evaluation.platform));
        match out.iter_mut().find(|(_, seen)| *seen == neutral) {
            Some((same, _)) => {
                if let [_] = same.platforms[..] {
                    let first = std::mem::take(&mut same.platforms);
                    *same = Panel { platforms: first, ..spoken(&neutral) };
                }
                same.platforms.push(name);
            }
            None => out.push((panel, neutral)),
        }
    }
    out.into_iter().map(|(panel, _)| panel).collect()
}

/// The panel without the target's name and colour.
fn neutral(panel: &Panel, name: &str, target: Hue) -> Panel {
    let mut panel = panel.clone();
    panel.platforms.clear();
    let hue = |hue: &mut Hue| {
        if *hue == target {
            *hue = Hue::Target;
        }
    };
    for node in &mut panel.nodes {
        hue(&mut node.hue);
        node.title = node.title.replace(name, TARGET);
        for line in &mut node.lines {
            line.text = line.text.replace(name, TARGET);
        }
    }
    panel.edges.iter_mut().for_each(|e| hue(&mut e.hue));
    panel
}

fn spoken(neutral: &Panel) -> Panel {
    let said = |text: &str| {
        let role = text.replace(&format!("{TARGET} · target"), "target platform");
        role.replace(TARGET, "the target platform")
    };
    let mut panel = neutral.clone();
    for node in &mut panel.nodes {
        node.title = said(&node.title);
        for line in &mut node.lines {
            line.text = said(&line.text);
        }
    }
    panel
}
