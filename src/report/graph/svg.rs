//! The picture as SVG: no fonts or scripts from elsewhere, light and dark, the same bytes for the
//! same file. No meaning by colour alone: machines are written, what is wrong has a ✗.

use std::{
    collections::{BTreeSet, HashSet},
    fmt::Write as _,
};

use super::{
    Edge, Hue, Kind, Node, Panel, Picture, Style,
    layout::{LINE, Laid, PAD, Rect, lay, width},
};
use crate::report::text::style::one_line;

const MARGIN: f64 = 24.0;
const HEAD: f64 = 34.0;
/// Panels stand side by side up to this width.
const WIDE: f64 = 1500.0;

/// Line and filling on a light background.
pub fn light(hue: Hue) -> (&'static str, &'static str) {
    match hue {
        Hue::Amd64 => ("#0067a3", "#e2f0fa"),
        Hue::Arm64 => ("#a86500", "#fdf0d8"),
        Hue::Arm => ("#00735a", "#dcf4ec"),
        Hue::I386 => ("#3a7f9e", "#e4f3f8"),
        Hue::Riscv64 => ("#95458f", "#f7e7f4"),
        Hue::S390x => ("#6b5d00", "#f6f1cf"),
        Hue::Ppc64le => ("#5546a0", "#eae7f9"),
        Hue::Target => ("#4f7d12", "#e9f5d8"),
        Hue::Other => ("#505860", "#eceef0"),
        Hue::Any => ("#6e7781", "#f4f6f8"),
        Hue::Unknown => ("#6e7781", "#ffffff"),
    }
}

fn dark(hue: Hue) -> (&'static str, &'static str) {
    match hue {
        Hue::Amd64 => ("#58b4e8", "#0c2c42"),
        Hue::Arm64 => ("#f0ae3c", "#3d2a08"),
        Hue::Arm => ("#3cc8a0", "#07352a"),
        Hue::I386 => ("#8cc8dc", "#12303a"),
        Hue::Riscv64 => ("#dd9ad4", "#3a1c37"),
        Hue::S390x => ("#e0cf52", "#332e08"),
        Hue::Ppc64le => ("#b0a4f4", "#28224c"),
        Hue::Target => ("#a4d65e", "#1f3009"),
        Hue::Other => ("#b4bcc4", "#22282e"),
        Hue::Any => ("#9aa4ae", "#1b2128"),
        Hue::Unknown => ("#9aa4ae", "#0d1117"),
    }
}

/// Text for an element or an attribute. Characters that XML does not know are none here.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A number as short as it goes.
fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// The height of a panel's title and notes.
fn head(panel: &Panel) -> f64 {
    HEAD + LINE * panel.notes.len() as f64
}

/// The picture.
pub fn render(picture: &Picture) -> String {
    let laid: Vec<Laid> = picture.panels.iter().map(lay).collect();
    let titles: Vec<String> =
        picture.panels.iter().map(|p| format!("for {}", p.platforms.join(", "))).collect();
    let sizes: Vec<(f64, f64)> = (0..laid.len())
        .map(|i| {
            let (panel, (w, h)) = (&picture.panels[i], laid[i].size);
            let notes = panel.notes.iter().map(|n| width(n, Style::Plain));
            let w = notes.fold(w.max(width(&titles[i], Style::Name)), f64::max);
            (w, h + head(panel))
        })
        .collect();
    let row_end = |from: usize| {
        let (mut end, mut x) = (from, MARGIN);
        while end < sizes.len() && (end == from || x + sizes[end].0 <= WIDE) {
            x += sizes[end].0 + 2.0 * MARGIN;
            end += 1;
        }
        (end, x - 2.0 * MARGIN)
    };
    let (mut right, mut from) = (0.0, 0);
    while from < sizes.len() {
        let (end, x) = row_end(from);
        (right, from) = (f64::max(right, x), end);
    }
    let name = format!("{}, built on {}", picture.name, picture.build);
    let total = f64::max(right, f64::max(width(&name, Style::Name), 640.0)) + MARGIN;
    let (keys, depth) = keys(&legend(picture), total, MARGIN + HEAD - 12.0);
    let mut places = Vec::with_capacity(laid.len());
    let (mut y, mut from) = (MARGIN + HEAD + depth + MARGIN, 0);
    while from < sizes.len() {
        let (end, _) = row_end(from);
        let mut x = MARGIN;
        for (w, _) in &sizes[from..end] {
            places.push((x, y));
            x += w + 2.0 * MARGIN;
        }
        y += sizes[from..end].iter().map(|s| s.1).fold(0.0, f64::max) + 2.0 * MARGIN;
        from = end;
    }
    let mut out = String::new();
    header(&mut out, picture, total, y - MARGIN);
    let _ = writeln!(
        out,
        "<text class=\"h\" x=\"{}\" y=\"{}\">{}</text>",
        n(MARGIN),
        n(MARGIN + 12.0),
        escaped(&name)
    );
    out.push_str(&keys);
    for (index, panel) in picture.panels.iter().enumerate() {
        let (x, y) = places[index];
        let _ = writeln!(out, "<g transform=\"translate({} {})\">", n(x), n(y));
        let _ = writeln!(out, "<text class=\"p\" y=\"12\">{}</text>", escaped(&titles[index]));
        for (line, note) in panel.notes.iter().enumerate() {
            let y = n(12.0 + LINE * (line + 1) as f64);
            let _ = writeln!(out, "<text y=\"{y}\">{}</text>", escaped(note));
        }
        let _ = writeln!(out, "<g transform=\"translate(0 {})\">", n(head(panel)));
        draw(&mut out, panel, &laid[index]);
        out.push_str("</g></g>\n");
    }
    out.push_str("</svg>\n");
    out
}

fn header(out: &mut String, picture: &Picture, w: f64, h: f64) {
    let (w, h) = (n(w.ceil()), n(h.ceil()));
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\" aria-labelledby=\"title desc\">"
    );
    let platforms: Vec<String> = picture.panels.iter().flat_map(|p| p.platforms.clone()).collect();
    let _ = writeln!(
        out,
        "<title id=\"title\">What {} does for {}</title>",
        escaped(&picture.name),
        escaped(&platforms.join(", "))
    );
    let wrong = picture.panels.iter().flat_map(|p| {
        p.nodes
            .iter()
            .filter(|n| n.wrong)
            .map(move |n| format!(" On {}: {}.", p.platforms.join(", "), n.title))
    });
    let wrong: String = wrong.take(20).collect();
    let said = if wrong.is_empty() {
        " Nothing wrong is seen.".to_owned()
    } else {
        format!(" Wrong:{wrong}")
    };
    let _ = writeln!(
        out,
        "<desc id=\"desc\">Stages as boxes, files as arrows between them, coloured by machine.{}</desc>",
        escaped(&said)
    );
    out.push_str("<style>\ntext{font:12px \"DejaVu Sans\",Verdana,\"Segoe UI\",Helvetica,Arial,sans-serif;fill:#1f2328}\n\
        .m{font-family:\"DejaVu Sans Mono\",Menlo,Consolas,monospace}\n\
        .b,.p,.h{font-weight:bold;font-size:14px}.w{font-weight:bold;fill:#b00d26}\n\
        .bg{fill:#fff}path{fill:none;stroke-width:1.6}.base{stroke-width:1.6;stroke-dasharray:1 0}\
        .files{stroke-width:2.4}.bad{stroke-width:4}.emu{stroke-dasharray:7 4}.dim{opacity:.65}\
        .gone{stroke-dasharray:2 4}.unk{stroke-dasharray:3 3}rect{stroke-width:1.6}\n");
    let mut hues: BTreeSet<Hue> =
        picture.panels.iter().flat_map(|p| p.nodes.iter().map(|n| n.hue)).collect();
    // The legend uses these two.
    hues.extend([Hue::Any, Hue::Unknown]);
    hues.extend(picture.panels.iter().flat_map(|p| p.edges.iter().map(|e| e.hue)));
    let rules = |out: &mut String, colours: fn(Hue) -> (&'static str, &'static str)| {
        for hue in &hues {
            let ((stroke, fill), class) = (colours(*hue), hue.class());
            let _ = writeln!(
                out,
                "rect.{class}{{fill:{fill};stroke:{stroke}}}path.{class}{{stroke:{stroke}}}polygon.{class}{{fill:{stroke}}}"
            );
        }
    };
    rules(out, light);
    out.push_str("rect.wrong{fill:#ffe6e9;stroke:#c8102e;stroke-width:3}rect.rim{stroke:#c8102e;stroke-width:3}path.wrong{stroke:#c8102e}polygon.wrong{fill:#c8102e}\n");
    out.push_str("@media (prefers-color-scheme:dark){\ntext{fill:#e6edf3}.w{fill:#ff8f9b}.bg{fill:#0d1117}\n");
    rules(out, dark);
    out.push_str("rect.wrong{fill:#4a0f18;stroke:#ff5a6e}rect.rim{stroke:#ff5a6e}path.wrong{stroke:#ff5a6e}polygon.wrong{fill:#ff5a6e}\n}\n</style>\n");
    out.push_str("<rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n");
}

fn draw(out: &mut String, panel: &Panel, laid: &Laid) {
    // Wrong ones last, so that they are on top.
    let mut order: Vec<usize> = (0..panel.edges.len()).collect();
    order.sort_by_key(|i| (panel.edges[*i].wrong, *i));
    // What arrows share is drawn once: lines on top of each other look thicker.
    let mut drawn = HashSet::new();
    for index in order {
        arrow(out, &panel.edges[index], &laid.edges[index], &mut drawn);
    }
    for (node, rect) in panel.nodes.iter().zip(&laid.nodes) {
        draw_node(out, node, *rect);
    }
}

/// A piece of a line: its class, and where it starts and ends.
type Piece = (&'static str, &'static str, String, String);

fn arrow(out: &mut String, edge: &Edge, points: &[(f64, f64)], drawn: &mut HashSet<Piece>) {
    let class = if edge.wrong { "wrong" } else { edge.hue.class() };
    let kind = match (edge.dim, edge.wrong, edge.base) {
        (true, ..) => "gone dim",
        (_, true, _) => "bad",
        (_, _, true) => "base",
        _ if edge.hue == Hue::Unknown => "files unk",
        _ => "files",
    };
    let Some(((x, y), rest)) = points.split_first().map(|(p, rest)| (*p, rest)) else { return };
    let (mut path, mut before, mut pen) = (String::new(), (x, y), false);
    let last = rest.len().saturating_sub(1);
    for (at, (x, y)) in rest.iter().enumerate() {
        let y = if at == last { y - 7.0 } else { *y };
        let start = format!("{} {}", n(before.0), n(before.1));
        if !drawn.insert((class, kind, start.clone(), format!("{} {}", n(*x), n(y)))) {
            (before, pen) = ((*x, y), false);
            continue;
        }
        if !pen {
            let _ = write!(path, "M{start}");
            pen = true;
        }
        if (x - before.0).abs() < 0.05 {
            let _ = write!(path, "V{}", n(y));
        } else {
            let middle = n((before.1 + y) / 2.0);
            let _ = write!(path, "C{} {middle} {} {middle} {} {}", n(before.0), n(*x), n(*x), n(y));
        }
        before = (*x, y);
    }
    let _ = writeln!(out, "<path class=\"{class} {kind}\" d=\"{path}\"/>");
    let (x, y) = before;
    let dim = if edge.dim { " dim" } else { "" };
    let _ = writeln!(
        out,
        "<polygon class=\"{class}{dim}\" points=\"{},{} {},{} {},{}\"/>",
        n(x - 5.0),
        n(y - 1.0),
        n(x + 5.0),
        n(y - 1.0),
        n(x),
        n(y + 7.0)
    );
}

fn draw_node(out: &mut String, node: &Node, rect: Rect) {
    let dim = if node.dim { " class=\"dim\"" } else { "" };
    let _ = writeln!(out, "<g{dim}><title>{}</title>", escaped(&node.title));
    // A stage that goes wrong inside keeps the colour of its platform, with a red rim.
    let is_stage = node.kind.is_stage();
    let class = if node.wrong && !is_stage { "wrong" } else { node.hue.class() };
    let style = match () {
        () if node.wrong && is_stage && node.emulated => " rim emu",
        () if node.wrong && is_stage => " rim",
        () if node.dim => " gone",
        () if node.emulated => " emu",
        () if node.hue == Hue::Unknown && !node.wrong => " unk",
        () => "",
    };
    let round = match node.kind {
        Kind::Stage | Kind::Final => 4.0,
        Kind::Files => 9.0,
        _ => rect.h.min(34.0) / 2.0,
    };
    if node.kind == Kind::Final {
        let r = Rect { x: rect.x - 4.0, y: rect.y - 4.0, w: rect.w + 8.0, h: rect.h + 8.0 };
        shape(out, r, class, "", 7.0);
    }
    shape(out, rect, class, style, round);
    let mut y = rect.y + PAD + 10.0;
    for line in &node.lines {
        let class = match line.style {
            Style::Name => " class=\"b\"",
            Style::Path => " class=\"m\"",
            Style::Wrong => " class=\"w\"",
            Style::Plain => "",
        };
        let _ = writeln!(
            out,
            "<text{class} x=\"{}\" y=\"{}\">{}</text>",
            n(rect.x + PAD),
            n(y),
            escaped(&line.text)
        );
        y += LINE;
    }
    out.push_str("</g>\n");
}

fn shape(out: &mut String, r: Rect, class: &str, style: &str, round: f64) {
    let _ = writeln!(
        out,
        "<rect class=\"{class}{style}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
        n(r.x),
        n(r.y),
        n(r.w),
        n(r.h),
        n(round)
    );
}

/// What the signs mean that are in the picture: class, style, words.
fn legend(picture: &Picture) -> Vec<(&'static str, &'static str, &'static str)> {
    let nodes = || picture.panels.iter().flat_map(|p| &p.nodes);
    let hues: BTreeSet<Hue> = nodes().map(|n| n.hue).collect();
    let mut keys: Vec<(&str, &str, &str)> = hues
        .into_iter()
        .map(|h| (h.class(), if h == Hue::Unknown { " unk" } else { "" }, h.meaning()))
        .collect();
    if nodes().any(|n| n.emulated) {
        keys.push(("any", " emu", "steps run under emulation"));
    }
    if nodes().any(|n| n.wrong) {
        keys.push(("wrong", "", "✗ wrong machine, or it fails"));
    }
    if nodes().any(|n| n.dim) {
        keys.push(("any", " gone", "not needed for the target"));
    }
    keys.push(("any", " final", "becomes the image"));
    keys
}

fn keys(legend: &[(&str, &str, &str)], total: f64, top: f64) -> (String, f64) {
    let mut out = String::new();
    let (mut x, mut y) = (MARGIN, top + 8.0 + LINE);
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"{}\">Stages in the colour of the platform that they run on, files in that of their machine:</text>",
        n(MARGIN),
        n(top + 10.0)
    );
    for (class, style, words) in legend {
        let wide = 34.0 + width(words, Style::Plain) + 22.0;
        if x > MARGIN && x + wide > total {
            (x, y) = (MARGIN, y + 24.0);
        }
        let plain = if *style == " final" { "" } else { *style };
        if *style == " final" {
            shape(&mut out, Rect { x: x - 3.0, y: y - 3.0, w: 30.0, h: 20.0 }, class, "", 5.0);
        }
        shape(&mut out, Rect { x, y, w: 24.0, h: 14.0 }, class, plain, 3.0);
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\">{}</text>",
            n(x + 34.0),
            n(y + 11.0),
            escaped(words)
        );
        x += wide;
    }
    (out, y + 18.0 - top)
}
