//! Where nodes and arrows are: sizes from text, one row per rank, columns as near to what they are
//! connected with as their neighbours allow.

use unicode_width::UnicodeWidthChar;

use super::{Kind, Node, Panel, Style, order::Layers};

/// Pixels from one line of text to the next.
pub const LINE: f64 = 17.0;
/// Pixels between a node's edge and its text.
pub const PAD: f64 = 10.0;
/// Pixels between two nodes, a node and an arrow that passes it, two arrows.
const BETWEEN: [f64; 3] = [26.0, 16.0, 7.0];
const RANKS: f64 = 40.0;
const BEND: f64 = 10.0;

/// A rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// Left.
    pub x: f64,
    /// Top.
    pub y: f64,
    /// Width.
    pub w: f64,
    /// Height.
    pub h: f64,
}

/// A panel with its places.
#[derive(Debug)]
pub struct Laid {
    /// By node.
    pub nodes: Vec<Rect>,
    /// By arrow: its points; it goes straight down through each pair.
    pub edges: Vec<Vec<(f64, f64)>>,
    /// The whole.
    pub size: (f64, f64),
}

/// The width of a text, a little more than most fonts need.
pub fn width(text: &str, style: Style) -> f64 {
    let em = text.chars().map(|c| match style {
        Style::Path => 0.61 * c.width().unwrap_or(1) as f64,
        _ => advance(c),
    });
    let size = if style == Style::Name { 14.0 * 1.08 } else { 12.0 };
    em.sum::<f64>() * size
}

fn advance(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | '·' => 0.36,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '-' => 0.44,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 1.0,
        'A'..='Z' | '0'..='9' => 0.72,
        c if c.is_ascii() => 0.65,
        c => c.width().unwrap_or(1).max(1) as f64,
    }
}

fn size(node: &Node) -> (f64, f64) {
    let widest = node.lines.iter().map(|l| width(&l.text, l.style)).fold(40.0, f64::max);
    (widest + 2.0 * PAD, node.lines.len() as f64 * LINE + 2.0 * PAD - 4.0)
}

/// The rows of a panel.
pub fn layers(panel: &Panel) -> Layers {
    let widths: Vec<f64> = panel.nodes.iter().map(|n| size(n).0 + BETWEEN[0]).collect();
    Layers::new(panel, &widths)
}

/// Lays a panel out.
pub fn lay(panel: &Panel) -> Laid {
    let layers = layers(panel);
    let sizes: Vec<(f64, f64)> = panel.nodes.iter().map(size).collect();
    let half = |place: usize| layers.node[place].map_or(BEND / 2.0, |n| sizes[n].0 / 2.0);
    let centres = columns(&layers, &half);
    let mut nodes = vec![Rect::default(); panel.nodes.len()];
    let mut y = 0.0;
    let mut bands = Vec::with_capacity(layers.ranks.len());
    for rank in &layers.ranks {
        let real = rank.iter().filter_map(|p| layers.node[*p]);
        let height = real.clone().map(|n| sizes[n].1).fold(0.0, f64::max);
        for n in real {
            let (w, h) = sizes[n];
            // Sources hang just above their stage; stages stand at the top of their row.
            let is_stage = panel.nodes[n].kind.is_stage();
            let top = if is_stage { y } else { y + height - h };
            nodes[n] = Rect { x: centres[n] - w / 2.0, y: top, w, h };
        }
        bands.push((y, y + height));
        y += if height > 0.0 { height + RANKS } else { 0.0 };
    }
    let edges = routes(panel, &layers, &centres, &nodes, &bands);
    let right = nodes.iter().map(|r| r.x + r.w);
    let bent = edges.iter().flatten().map(|p| p.0 + 4.0);
    let right = right.chain(bent).fold(0.0, f64::max);
    Laid { nodes, edges, size: (right, (y - RANKS).max(0.0)) }
}

/// The centre of each place. Each round pulls every place to the mean of its neighbours, as far as
/// the order and the widths allow.
fn columns(layers: &Layers, half: &dyn Fn(usize) -> f64) -> Vec<f64> {
    let apart = |a: usize, b: usize| {
        let bends = [a, b].iter().filter(|p| layers.node[**p].is_none()).count();
        half(a) + BETWEEN[bends] + half(b)
    };
    let mut x = vec![0.0; layers.node.len()];
    for rank in &layers.ranks {
        let mut at = 0.0;
        for (index, place) in rank.iter().enumerate() {
            at += if index > 0 { apart(rank[index - 1], *place) } else { half(*place) };
            x[*place] = at;
        }
    }
    let rounds = if layers.node.len() > 4_000 { 8 } else { 40 };
    for round in 0..rounds {
        let all: Vec<usize> = match round % 2 {
            0 => (0..layers.ranks.len()).collect(),
            _ => (0..layers.ranks.len()).rev().collect(),
        };
        for rank in all {
            let rank = &layers.ranks[rank];
            let wanted: Vec<(f64, f64)> = rank
                .iter()
                .map(|place| {
                    let near = layers.up[*place].iter().chain(&layers.down[*place]);
                    let straight = |n: &usize| {
                        if layers.node[*n].is_none() && layers.node[*place].is_none() {
                            8.0
                        } else {
                            1.0
                        }
                    };
                    let (mut sum, mut weight) = (0.0, 0.0);
                    for n in near {
                        sum += x[*n] * straight(n);
                        weight += straight(n);
                    }
                    if weight == 0.0 { (x[*place], 0.1) } else { (sum / weight, weight) }
                })
                .collect();
            let settled = settle(rank, &wanted, &apart);
            for (place, centre) in rank.iter().zip(settled) {
                x[*place] = centre;
            }
        }
    }
    let left = (0..x.len()).map(|i| x[i] - half(i)).fold(f64::MAX, f64::min);
    x.iter_mut().for_each(|x| *x = ((*x - left) * 2.0).ceil() / 2.0);
    x
}

/// The places nearest to those wanted that keep order and distance: neighbours that would overlap
/// move as one.
fn settle(rank: &[usize], wanted: &[(f64, f64)], apart: &dyn Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut offset = Vec::with_capacity(rank.len());
    let mut at = 0.0;
    for (index, place) in rank.iter().enumerate() {
        if index > 0 {
            at += apart(rank[index - 1], *place);
        }
        offset.push(at);
    }
    // Blocks: mean, weight, members.
    let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
    for (index, (want, weight)) in wanted.iter().enumerate() {
        let mut block = (want - offset[index], *weight, 1);
        while let Some(last) = blocks.last().filter(|last| last.0 > block.0) {
            let weight = last.1 + block.1;
            block = ((last.0 * last.1 + block.0 * block.1) / weight, weight, last.2 + block.2);
            blocks.pop();
        }
        blocks.push(block);
    }
    let means = blocks.iter().flat_map(|(mean, _, members)| std::iter::repeat_n(*mean, *members));
    means.zip(&offset).map(|(mean, offset)| mean + offset).collect()
}

fn routes(
    panel: &Panel,
    layers: &Layers,
    centres: &[f64],
    nodes: &[Rect],
    bands: &[(f64, f64)],
) -> Vec<Vec<(f64, f64)>> {
    // Arrows at one side of a node spread over its width in the order of where they go.
    // Those that go on together leave together.
    let mut out: Vec<Vec<(f64, usize, usize)>> = vec![Vec::new(); nodes.len()];
    let mut into: Vec<Vec<(f64, usize, usize)>> = vec![Vec::new(); nodes.len()];
    for (index, route) in layers.routes.iter().enumerate() {
        let edge = &panel.edges[index];
        let (next, last) = (route[1], route[route.len() - 2]);
        out[edge.from].push((centres[next], next, index));
        into[edge.to].push((centres[last], last, index));
    }
    let mut start = vec![0.0; panel.edges.len()];
    let mut end = vec![0.0; panel.edges.len()];
    for (ports, x) in [(&mut out, &mut start), (&mut into, &mut end)] {
        for (node, ports) in ports.iter_mut().enumerate() {
            ports.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
            let together = |a: usize, b: usize| a == b && layers.node[a].is_none();
            let apart = ports.windows(2).filter(|p| !together(p[0].1, p[1].1)).count();
            let step = (nodes[node].w / (apart as f64 + 2.0)).min(30.0);
            let (mut at, mut before) = (0, None);
            for (_, next, edge) in ports.iter() {
                at += usize::from(before.is_some_and(|b| !together(b, *next)));
                before = Some(*next);
                let middle = nodes[node].x + nodes[node].w / 2.0;
                x[*edge] = middle + (at as f64 - apart as f64 / 2.0) * step;
            }
        }
    }
    let mut rank_of = vec![0; layers.node.len()];
    for (rank, places) in layers.ranks.iter().enumerate() {
        places.iter().for_each(|p| rank_of[*p] = rank);
    }
    let point = |(index, route): (usize, &Vec<usize>)| {
        let edge = &panel.edges[index];
        let from = &nodes[edge.from];
        let leaves = bands[rank_of[route[0]]].1;
        let mut points = vec![(start[index], from.y + from.h), (start[index], leaves)];
        for bend in &route[1..route.len() - 1] {
            let (top, bottom) = bands[rank_of[*bend]];
            // A row of bends alone has no height, and arrows need none there.
            if top == bottom {
                continue;
            }
            points.extend([(centres[*bend], top), (centres[*bend], bottom)]);
        }
        let to = &nodes[edge.to];
        // The image's stage has a second rim.
        let rim = if panel.nodes[edge.to].kind == Kind::Final { 4.0 } else { 0.0 };
        let tip = to.y - rim;
        points.extend([(end[index], bands[rank_of[edge.to]].0.min(tip)), (end[index], tip)]);
        points
    };
    layers.routes.iter().enumerate().map(point).collect()
}
