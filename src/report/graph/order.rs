//! The layered graph: which rank a node is on, and the order within a rank that crosses least.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Edge, Hue, Panel};

/// Rounds of sorting; fewer for large graphs.
const ROUNDS: usize = 24;
/// Bends of all arrows together. Where the shorter arrows use them up, the longest go straight,
/// behind what is in their way.
pub const BENDS: usize = 6_000;
/// Places on long arrows are bounded: beyond this, fewer rounds.
const LARGE: usize = 4_000;
/// Pixels of nodes in one row; more are wrapped.
const WIDE: f64 = 1_400.0;

/// Nodes and the bends of long arrows, rank by rank.
pub struct Layers {
    /// By rank, the places in their order.
    pub ranks: Vec<Vec<usize>>,
    /// By place: the node, or nothing for a bend.
    pub node: Vec<Option<usize>>,
    /// By arrow: its places from start to end.
    pub routes: Vec<Vec<usize>>,
    /// By place, its neighbours one rank up and one rank down.
    pub up: Vec<Vec<usize>>,
    /// See `up`.
    pub down: Vec<Vec<usize>>,
}

/// The level of each stage: below all that it takes from, and as near as can be to what takes from
/// it.
fn levels(panel: &Panel) -> Vec<usize> {
    let is_stage = |i: usize| panel.nodes[i].kind.is_stage();
    let count = panel.stages();
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); count];
    for edge in &panel.edges {
        if is_stage(edge.from) {
            let to = if is_stage(edge.to) { edge.to } else { panel.nodes[edge.to].stage };
            if edge.from < to {
                needs[to].push(edge.from);
            }
        }
    }
    let mut level = vec![0; count];
    for stage in 0..count {
        level[stage] = needs[stage].iter().map(|n| level[*n] + 1).max().unwrap_or(0);
    }
    // What nothing needs stays; the rest sinks to what needs it.
    let mut limit: Vec<Option<usize>> = vec![None; count];
    for stage in (0..count).rev() {
        if let Some(limit) = limit[stage] {
            level[stage] = limit;
        }
        for need in &needs[stage] {
            let above = level[stage] - 1;
            limit[*need] = Some(limit[*need].map_or(above, |l| l.min(above)));
        }
    }
    // What has no part in it stands at the end.
    let mut apart: Vec<bool> = panel.nodes[..count].iter().map(|n| n.dim).collect();
    for end in panel.edges.iter().flat_map(|e| [e.from, e.to]).filter(|i| *i < count) {
        apart[end] = false;
    }
    let last = level.iter().copied().max().unwrap_or(0);
    (0..count).filter(|i| apart[*i]).for_each(|i| level[i] = last);
    level
}

/// The rank of each node: stages of one level stand in a row and their sources in one above it,
/// both wrapped where they are too wide. Nothing leads from a stage to one of its own level, so that
/// arrows go down in any case.
fn ranks(panel: &Panel, widths: &[f64]) -> Vec<usize> {
    let mut rows: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (stage, level) in levels(panel).into_iter().enumerate() {
        rows.entry(level).or_default().push(stage);
    }
    let mut sources: Vec<Vec<usize>> = vec![Vec::new(); panel.nodes.len()];
    for index in panel.stages()..panel.nodes.len() {
        sources[panel.nodes[index].stage].push(index);
    }
    let mut rank = vec![0; panel.nodes.len()];
    let mut next = 0;
    for stages in rows.values() {
        for row in wrapped(stages, widths) {
            let above: Vec<usize> = row.iter().flat_map(|s| &sources[*s]).copied().collect();
            for row in wrapped(&above, widths).into_iter().chain([row]) {
                row.iter().for_each(|i| rank[*i] = next);
                next += 1;
            }
        }
    }
    rank
}

/// Rows of about the same width.
fn wrapped<'n>(nodes: &'n [usize], widths: &[f64]) -> Vec<&'n [usize]> {
    let total: f64 = nodes.iter().map(|i| widths[*i]).sum();
    let share = total / (total / WIDE).ceil().max(1.0);
    let (mut out, mut start, mut width) = (Vec::new(), 0, 0.0);
    for (at, node) in nodes.iter().enumerate() {
        width += widths[*node];
        if width >= share - 0.5 || at + 1 == nodes.len() {
            out.push(&nodes[start..=at]);
            (start, width) = (at + 1, 0.0);
        }
    }
    out
}

/// Arrows of one kind from one node, or to one, share their bends: a trunk.
#[derive(Default)]
struct Trunks {
    out: HashMap<Sort, usize>,
    into: HashMap<Sort, usize>,
    bends: HashMap<(Sort, bool, usize), usize>,
    joined: HashSet<(usize, usize)>,
}

/// A node and what arrows share.
type Sort = (usize, Hue, bool, bool, bool);

impl Trunks {
    fn new(edges: &[Edge]) -> Self {
        let mut new = Self::default();
        for edge in edges {
            *new.out.entry(sort(edge, edge.from)).or_default() += 1;
            *new.into.entry(sort(edge, edge.to)).or_default() += 1;
        }
        new
    }

    /// Where the arrow bends on a rank: with the more of its like.
    fn bend(&self, edge: &Edge, rank: usize) -> (Sort, bool, usize) {
        let (out, into) = (sort(edge, edge.from), sort(edge, edge.to));
        if self.out[&out] >= self.into[&into] { (out, true, rank) } else { (into, false, rank) }
    }
}

fn sort(edge: &Edge, node: usize) -> Sort {
    (node, edge.hue, edge.wrong, edge.base, edge.dim)
}

impl Layers {
    /// Ranks and bends, the places of each rank in an order that crosses little.
    pub fn new(panel: &Panel, widths: &[f64]) -> Self {
        let rank = ranks(panel, widths);
        let height = rank.iter().max().map_or(0, |r| r + 1);
        let mut layers = Self {
            ranks: vec![Vec::new(); height],
            node: (0..panel.nodes.len()).map(Some).collect(),
            routes: Vec::with_capacity(panel.edges.len()),
            up: vec![Vec::new(); panel.nodes.len()],
            down: vec![Vec::new(); panel.nodes.len()],
        };
        // Sources stand next to the stage that they serve.
        let mut order: Vec<usize> = (0..panel.nodes.len()).collect();
        order.sort_by_key(|i| (panel.nodes[*i].stage, *i));
        for node in order {
            layers.ranks[rank[node]].push(node);
        }
        let length =
            |i: &usize| rank[panel.edges[*i].to].saturating_sub(rank[panel.edges[*i].from]);
        let mut shortest_first: Vec<usize> = (0..panel.edges.len()).collect();
        shortest_first.sort_by_key(length);
        layers.routes = panel.edges.iter().map(|e| vec![e.from, e.to]).collect();
        let mut trunks = Trunks::new(&panel.edges);
        let places = layers.node.len();
        for index in shortest_first {
            let edge = &panel.edges[index];
            let left = BENDS - (layers.node.len() - places);
            let new = |r: &usize| !trunks.bends.contains_key(&trunks.bend(edge, *r));
            if (rank[edge.from] + 1..rank[edge.to]).filter(new).count() > left {
                break;
            }
            layers.bend(index, edge, (rank[edge.from], rank[edge.to]), &mut trunks);
        }
        layers.sort();
        layers
    }

    /// Puts bends on the ranks that an arrow passes.
    fn bend(&mut self, index: usize, edge: &Edge, (from, to): (usize, usize), trunks: &mut Trunks) {
        let mut route = vec![edge.from];
        for rank in from + 1..to {
            let key = trunks.bend(edge, rank);
            let bend = *trunks.bends.entry(key).or_insert(self.node.len());
            if bend == self.node.len() {
                self.node.push(None);
                self.up.push(Vec::new());
                self.down.push(Vec::new());
                self.ranks[rank].push(bend);
            }
            route.push(bend);
        }
        route.push(edge.to);
        for pair in route.windows(2) {
            if trunks.joined.insert((pair[0], pair[1])) {
                self.down[pair[0]].push(pair[1]);
                self.up[pair[1]].push(pair[0]);
            }
        }
        self.routes[index] = route;
    }

    fn sort(&mut self) {
        let rounds = if self.node.len() > LARGE { 4 } else { ROUNDS };
        let mut best = (self.crossings(), self.ranks.clone());
        for round in 0..rounds {
            let down = round % 2 == 0;
            let ranks: Vec<usize> = match down {
                true => (1..self.ranks.len()).collect(),
                false => (0..self.ranks.len().saturating_sub(1)).rev().collect(),
            };
            let mut place = self.places();
            for rank in ranks {
                let next = if down { &self.up } else { &self.down };
                let mut keyed: Vec<(f64, usize)> = self.ranks[rank]
                    .iter()
                    .enumerate()
                    .map(|(at, i)| {
                        let near = &next[*i];
                        let sum: f64 = near.iter().map(|n| place[*n]).sum();
                        let here = if near.is_empty() {
                            at as f64 / self.ranks[rank].len() as f64
                        } else {
                            sum / near.len() as f64
                        };
                        (here, *i)
                    })
                    .collect();
                keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
                let count = keyed.len() as f64;
                for (at, (_, i)) in keyed.iter().enumerate() {
                    place[*i] = (at as f64 + 0.5) / count;
                }
                self.ranks[rank] = keyed.into_iter().map(|(_, i)| i).collect();
            }
            let crossings = self.crossings();
            if crossings < best.0 {
                best = (crossings, self.ranks.clone());
            }
        }
        self.ranks = best.1;
    }

    /// Where each place is in its rank, from 0 to 1.
    fn places(&self) -> Vec<f64> {
        let mut place = vec![0.0; self.node.len()];
        for rank in &self.ranks {
            for (at, i) in rank.iter().enumerate() {
                place[*i] = (at as f64 + 0.5) / rank.len() as f64;
            }
        }
        place
    }

    /// How many pairs of arrows cross.
    pub fn crossings(&self) -> u64 {
        let mut at = vec![0; self.node.len()];
        for rank in &self.ranks {
            for (index, i) in rank.iter().enumerate() {
                at[*i] = index;
            }
        }
        let mut total = 0;
        for pair in self.ranks.windows(2) {
            // A Fenwick tree over the lower rank.
            let mut tree = vec![0_u64; pair[1].len() + 1];
            let mut seen = 0;
            for i in &pair[0] {
                let mut ends: Vec<usize> = self.down[*i].iter().map(|n| at[*n]).collect();
                ends.sort_unstable();
                for end in &ends {
                    let (mut left, mut index) = (0, end + 1);
                    while index > 0 {
                        left += tree[index];
                        index &= index - 1;
                    }
                    total += seen - left;
                }
                for end in ends {
                    let mut index = end + 1;
                    while index < tree.len() {
                        tree[index] += 1;
                        index += index & index.wrapping_neg();
                    }
                    seen += 1;
                }
            }
        }
        total
    }
}
