//! What is left out of a picture that would hold more than can be read, and what says so.

use std::collections::{HashMap, HashSet};

use super::{Edge, Kind, Panel};

/// How much a panel may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Nodes.
    pub nodes: usize,
    /// Arrows.
    pub edges: usize,
}

/// Of a picture. The largest of the files in public repositories need a third of it.
pub const PICTURE: Room = Room { nodes: 400, edges: 400 };

fn fits(panel: &Panel, room: Room) -> bool {
    panel.nodes.len() <= room.nodes && panel.edges.len() <= room.edges
}

/// Leaves out what is least telling, until the rest has room. What is wrong is left out last.
pub fn fit(panel: &mut Panel, room: Room) {
    if fits(panel, room) {
        return;
    }
    direct(panel);
    if panel.nodes.len() > room.nodes {
        nodes(panel, room.nodes);
    }
    if panel.edges.len() > room.edges {
        edges(panel, room.edges);
    }
}

/// Files between stages are told by their arrow alone, but for wrong ones.
fn direct(panel: &mut Panel) {
    let told = |i: usize| panel.nodes[i].kind == Kind::Files && !panel.nodes[i].wrong;
    let mut from: HashMap<usize, usize> = HashMap::new();
    for edge in panel.edges.iter().filter(|e| told(e.to)) {
        from.insert(edge.to, edge.from);
    }
    let mut known = HashSet::new();
    let mut edges: Vec<Edge> = Vec::new();
    for edge in panel.edges.iter().filter(|e| !told(e.to)) {
        let edge = match from.get(&edge.from) {
            Some(stage) => Edge { from: *stage, ..*edge },
            None => *edge,
        };
        if known.insert(edge) {
            edges.push(edge);
        }
    }
    let keep: Vec<bool> = (0..panel.nodes.len()).map(|i| !told(i)).collect();
    let told = keep.iter().filter(|k| !**k).count();
    panel.edges = edges;
    only(panel, &keep);
    if told > 0 {
        panel.notes.push(format!("{told} lists of files between stages are not drawn"));
    }
}

/// The stages nearest to the image, and their sources.
fn nodes(panel: &mut Panel, room: usize) {
    const FAR: usize = usize::MAX / 2;
    let count = panel.stages();
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); panel.nodes.len()];
    for edge in &panel.edges {
        needs[edge.to].push(edge.from);
    }
    let mut distance = vec![FAR; panel.nodes.len()];
    let mut queue: Vec<usize> =
        (0..count).filter(|i| panel.nodes[*i].kind == Kind::Final).collect();
    queue.iter().for_each(|i| distance[*i] = 0);
    let mut at = 0;
    while let Some(node) = queue.get(at).copied() {
        at += 1;
        for need in &needs[node] {
            if distance[*need] == FAR {
                distance[*need] = distance[node] + 1;
                queue.push(*need);
            }
        }
    }
    // What is wrong comes right after the image, with the stages that it goes between.
    let wrong: Vec<usize> = (0..panel.nodes.len()).filter(|i| panel.nodes[*i].wrong).collect();
    for node in wrong {
        let stages = needs[node].iter().copied().chain([panel.nodes[node].stage, node]);
        for near in stages.collect::<Vec<_>>() {
            distance[near] = distance[near].min(1);
        }
    }
    let mut order: Vec<usize> = (0..panel.nodes.len()).collect();
    order.sort_by_key(|i| {
        let stage = panel.nodes[*i].stage;
        (distance[*i].max(distance[stage]), *i >= count, *i)
    });
    let mut keep = vec![false; panel.nodes.len()];
    order.iter().take(room).for_each(|i| keep[*i] = true);
    let gone =
        |stages: bool| (0..keep.len()).filter(|i| !keep[*i] && (*i < count) == stages).count();
    let (stages, sources) = (gone(true), gone(false));
    only(panel, &keep);
    panel.notes.push(format!("{stages} stages and {sources} sources are not drawn"));
}

fn edges(panel: &mut Panel, room: usize) {
    let mut order: Vec<usize> = (0..panel.edges.len()).collect();
    order.sort_by_key(|i| {
        let edge = &panel.edges[*i];
        let into_image = panel.nodes[edge.to].kind == Kind::Final;
        let rank = match (edge.wrong, edge.base, into_image) {
            (true, ..) => 0,
            (_, true, _) => 1,
            (.., true) => 2,
            _ => 3,
        };
        (rank, *i)
    });
    let gone = order.len() - room;
    order.truncate(room);
    order.sort_unstable();
    panel.edges = order.into_iter().map(|i| panel.edges[i]).collect();
    panel.notes.push(format!("{gone} arrows are not drawn"));
    // A source without its arrow says nothing.
    let mut keep: Vec<bool> = panel.nodes.iter().map(|n| n.kind.is_stage()).collect();
    panel.edges.iter().for_each(|e| keep[e.from] = true);
    only(panel, &keep);
}

/// Takes away nodes, and arrows from and to them.
fn only(panel: &mut Panel, keep: &[bool]) {
    let mut into = vec![None; panel.nodes.len()];
    let mut next = 0;
    for (index, keep) in keep.iter().enumerate() {
        if *keep {
            into[index] = Some(next);
            next += 1;
        }
    }
    // A source stays with its stage only.
    let nodes = std::mem::take(&mut panel.nodes).into_iter().enumerate();
    let kept = nodes.filter(|(i, _)| into[*i].is_some());
    panel.nodes = kept
        .map(|(i, mut node)| {
            node.stage = into[node.stage].or(into[i]).unwrap_or_default();
            node
        })
        .collect();
    panel.edges = std::mem::take(&mut panel.edges)
        .into_iter()
        .filter_map(|e| Some(Edge { from: into[e.from]?, to: into[e.to]?, ..e }))
        .collect();
}
