//! The picture as a Mermaid flowchart.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{
    Hue, Kind, Picture, Style,
    fit::{self, Room},
};

/// Arrows that Mermaid draws where nobody set `maxEdges`, on GitHub for one.
const EDGES: usize = 500;
/// Characters that it reads where nobody set `maxTextSize`; bytes are never fewer.
const TEXT: usize = 50_000;

/// The picture with so much left out that Mermaid draws it; its notes say what.
pub fn fitted(picture: Picture) -> Picture {
    let fits = |picture: &Picture| {
        let edges: usize = picture.panels.iter().map(|p| p.edges.len()).sum();
        edges + picture.panels.len() <= EDGES && render(picture).len() <= TEXT
    };
    let mut out = picture.clone();
    let mut share = EDGES / picture.panels.len().max(1);
    while !fits(&out) && share >= 4 {
        out = picture.clone();
        for panel in &mut out.panels {
            fit::fit(panel, Room { nodes: share, edges: share });
        }
        share = share * 2 / 3;
    }
    while !fits(&out) && out.panels.len() > 1 {
        let gone = out.panels.pop().map(|p| p.platforms.join(", ")).unwrap_or_default();
        if let Some(last) = out.panels.last_mut() {
            last.notes.push(format!("{gone} is not drawn"));
        }
    }
    out
}

/// Text that Mermaid takes as it is, whatever it holds.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | ' ' | '/' | ':' | '-' | '_' | ',' | '=' | '+' => {
                out.push(c)
            }
            '.' => out.push('.'),
            c if c.is_alphanumeric() => out.push(c),
            c => {
                let _ = write!(out, "#{};", u32::from(c));
            }
        }
    }
    out
}

fn colours(hue: Hue) -> (&'static str, &'static str) {
    super::svg::light(hue)
}

/// The flowchart.
pub fn render(picture: &Picture) -> String {
    let mut out = String::from("flowchart TB\n");
    let mut styles = String::new();
    let mut hues = BTreeSet::new();
    let mut links = 0;
    let mut strokes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (p, panel) in picture.panels.iter().enumerate() {
        for note in &panel.notes {
            // Braces would start a directive.
            let note = note.replace(['{', '}'], "");
            let _ = writeln!(out, "  %% {}: {note}", panel.platforms.join(", "));
        }
        let mut title = quoted(&panel.platforms.join(", "));
        for note in &panel.notes {
            let _ = write!(title, "<br/>{}", quoted(note));
        }
        let _ = writeln!(out, "  subgraph p{p}[\"{title}\"]");
        out.push_str("    direction TB\n");
        for (n, node) in panel.nodes.iter().enumerate() {
            let lines: Vec<String> = node
                .lines
                .iter()
                .map(|line| match line.style {
                    Style::Name | Style::Wrong => format!("<b>{}</b>", quoted(&line.text)),
                    _ => quoted(&line.text),
                })
                .collect();
            let text = lines.join("<br/>");
            let (open, close) = match node.kind {
                Kind::Stage => ("[", "]"),
                Kind::Final => ("[[", "]]"),
                Kind::Files => ("(", ")"),
                _ => ("([", "])"),
            };
            hues.insert(node.hue);
            let class = if node.dim { "dim" } else { node.hue.class() };
            let _ = writeln!(out, "    p{p}n{n}{open}\"{text}\"{close}:::{class}");
            let mut own = Vec::new();
            if node.wrong {
                own.push(if node.kind.is_stage() {
                    "stroke:#c8102e,stroke-width:3px"
                } else {
                    "fill:#ffe6e9,stroke:#c8102e,stroke-width:3px"
                });
            }
            if node.emulated {
                own.push("stroke-dasharray:6 3");
            }
            if !own.is_empty() {
                let _ = writeln!(styles, "  style p{p}n{n} {}", own.join(","));
            }
        }
        for edge in &panel.edges {
            let arrow = match (edge.dim, edge.wrong, edge.base) {
                (true, ..) => "-.->",
                (_, true, _) => "==>",
                _ => "-->",
            };
            let label = if edge.wrong { "|\"✗\"|" } else { "" };
            let _ = writeln!(out, "    p{p}n{} {arrow}{label} p{p}n{}", edge.from, edge.to);
            let colour = match (edge.wrong, edge.dim) {
                (true, _) => "#c8102e",
                (_, true) => "#9aa0a6",
                _ => colours(edge.hue).0,
            };
            strokes.entry(colour).or_default().push(links.to_string());
            links += 1;
        }
        out.push_str("  end\n");
    }
    for hue in hues {
        let (stroke, fill) = colours(hue);
        let _ =
            writeln!(out, "  classDef {} fill:{fill},stroke:{stroke},color:#1f2328", hue.class());
    }
    out.push_str("  classDef dim fill:#ffffff,stroke:#9aa0a6,color:#6e7781,stroke-dasharray:2 3\n");
    // Panels stand below each other: side by side they are shrunk beyond reading.
    for p in 1..picture.panels.len() {
        let _ = writeln!(out, "  p{} ~~~ p{p}", p - 1);
    }
    for p in 0..picture.panels.len() {
        let _ = writeln!(styles, "  style p{p} fill:none,stroke:#9aa0a6");
    }
    out.push_str(&styles);
    for (colour, links) in strokes {
        let _ = writeln!(out, "  linkStyle {} stroke:{colour}", links.join(","));
    }
    out
}
