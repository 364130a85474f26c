//! The picture in Graphviz's language.

use std::fmt::Write as _;

use super::{Kind, Picture};

fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The graph.
pub fn render(picture: &Picture) -> String {
    let mut out = String::from(
        "digraph dockerfile {\n  rankdir=TB;\n  node [shape=box, style=filled, fontname=\"sans-serif\", fontsize=11];\n",
    );
    for (p, panel) in picture.panels.iter().enumerate() {
        let head = [panel.platforms.join(", ")];
        let label: Vec<String> = head.iter().chain(&panel.notes).map(|l| quoted(l)).collect();
        let label = label.join("\\n");
        let _ = writeln!(out, "  subgraph cluster_{p} {{\n    label=\"{label}\";");
        for (n, node) in panel.nodes.iter().enumerate() {
            let lines: Vec<String> = node.lines.iter().map(|l| quoted(&l.text)).collect();
            let (stroke, fill) = super::svg::light(node.hue);
            let shape = match node.kind {
                Kind::Stage | Kind::Final => "box",
                Kind::Files => "note",
                _ => "ellipse",
            };
            let stroke = if node.wrong { "#c8102e" } else { stroke };
            let style = match (node.dim, node.emulated) {
                (true, _) => "dotted",
                (_, true) => "filled,dashed",
                _ => "filled",
            };
            let rims = if node.kind == Kind::Final { 2 } else { 1 };
            let _ = writeln!(
                out,
                "    p{p}n{n} [label=\"{}\", shape={shape}, style=\"{style}\", color=\"{stroke}\", fillcolor=\"{fill}\", peripheries={rims}];",
                lines.join("\\n")
            );
        }
        for edge in &panel.edges {
            let colour = if edge.wrong { "#c8102e" } else { super::svg::light(edge.hue).0 };
            let more = match (edge.wrong, edge.dim) {
                (true, _) => ", penwidth=3, label=\"✗\"",
                (_, true) => ", style=dotted",
                _ => "",
            };
            let _ = writeln!(
                out,
                "    p{p}n{} -> p{p}n{} [color=\"{colour}\"{more}];",
                edge.from, edge.to
            );
        }
        out.push_str("  }\n");
    }
    out.push_str("}\n");
    out
}
