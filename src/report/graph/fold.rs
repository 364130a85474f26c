//! What is said shorter: stages that the target does not need, chains, and stages that are alike.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Edge, Hue, Kind, Line, Node, Panel, Style};

/// Stages that are not needed, drawn one by one; more are one box.
const NEEDLESS: usize = 3;
/// Stages that only lead from one to the next are one box from here on.
const CHAIN: usize = 4;
/// Stages that are alike are one box from here on.
const ALIKE: usize = 6;
/// Names in the title of a box.
const TITLE: usize = 100;

/// Folds what there is too much of.
pub fn fold(panel: &mut Panel) {
    needless(panel);
    chains(panel);
    alike(panel);
    panel.nodes.iter_mut().for_each(|node| node.list = None);
}

/// Stages that become one box.
struct Group {
    members: Vec<usize>,
    name: String,
    /// Lines of names at the most, none for the first and the last only.
    names: usize,
    say: Option<String>,
}

fn needless(panel: &mut Panel) {
    let members: Vec<usize> = (0..panel.stages()).filter(|i| panel.nodes[*i].dim).collect();
    if members.len() <= NEEDLESS {
        return;
    }
    let name = format!("{} stages not needed", members.len());
    panel.edges.retain(|e| !e.dim);
    for member in &members {
        let node = &mut panel.nodes[*member];
        node.lines.truncate(1);
        node.hue = Hue::Unknown;
    }
    join(panel, vec![Group { members, name, names: 6, say: None }]);
}

fn chains(panel: &mut Panel) {
    let count = panel.stages();
    let (mut ins, mut outs) = (vec![0_usize; count], vec![0_usize; count]);
    for edge in &panel.edges {
        if let Some(out) = outs.get_mut(edge.from) {
            *out += 1;
        }
        if let Some(into) = ins.get_mut(edge.to) {
            *into += 1;
        }
    }
    let plain = |i: usize| {
        let node = &panel.nodes[i];
        node.kind == Kind::Stage && !node.wrong && !node.dim
    };
    let like = |a: usize, b: usize| {
        let (a, b) = (&panel.nodes[a], &panel.nodes[b]);
        a.hue == b.hue && a.emulated == b.emulated && a.lines.get(1) == b.lines.get(1)
    };
    let mut next: Vec<Option<usize>> = vec![None; count];
    let mut is_next = vec![false; count];
    for edge in &panel.edges {
        let (from, to) = (edge.from, edge.to);
        let one = edge.base && from < count && to < count && outs[from] == 1 && ins[to] == 1;
        if one && plain(from) && plain(to) && like(from, to) {
            next[from] = Some(to);
            is_next[to] = true;
        }
    }
    let mut groups = Vec::new();
    for first in (0..count).filter(|i| !is_next[*i]) {
        let members: Vec<usize> = std::iter::successors(Some(first), |i| next[*i]).collect();
        if members.len() >= CHAIN {
            let named = |i: &usize| panel.nodes[*i].lines.first().map_or("", |l| &l.text);
            let last = members.last().map_or("", named);
            let name = format!("{} … {last}", named(&first));
            let say = Some(format!("{} stages, each from the one before", members.len()));
            groups.push(Group { members, name, names: 0, say });
        }
    }
    join(panel, groups);
}

/// What makes a stage like another: what it says, and what it takes from where and gives to whom.
type Likeness<'p> = (Hue, bool, bool, Vec<&'p str>, Vec<Link<'p>>);
/// An arrow from or to a stage, over a source or files: direction, the other stage, the source's
/// kind and words.
type Link<'p> = (bool, Option<usize>, Hue, bool, Option<(Kind, Vec<&'p str>)>);

fn alike(panel: &mut Panel) {
    let count = panel.stages();
    let mut links: Vec<Vec<Link<'_>>> = vec![Vec::new(); count];
    let mut feeds: HashMap<usize, usize> = HashMap::new();
    for edge in &panel.edges {
        if edge.from < count && edge.to >= count {
            feeds.insert(edge.to, edge.from);
        }
    }
    for edge in panel.edges.iter().filter(|e| e.to < count) {
        let source = (edge.from >= count).then(|| {
            let node = &panel.nodes[edge.from];
            (node.kind, said(node))
        });
        let from = if edge.from < count { Some(edge.from) } else { feeds.get(&edge.from).copied() };
        if let Some(from) = from {
            links[from].push((true, Some(edge.to), edge.hue, edge.wrong, source.clone()));
        }
        links[edge.to].push((false, from, edge.hue, edge.wrong, source));
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut first: HashMap<Likeness<'_>, usize> = HashMap::new();
    for (index, mut links) in links.into_iter().enumerate() {
        let node = &panel.nodes[index];
        // Stages without arrows have nothing in common.
        if node.kind != Kind::Stage || node.dim || links.is_empty() {
            continue;
        }
        links.sort_unstable();
        links.dedup();
        let lines = node.lines.iter().skip(1).map(|l| l.text.as_str()).collect();
        let likeness = (node.hue, node.wrong, node.emulated, lines, links);
        groups.entry(*first.entry(likeness).or_insert(index)).or_default().push(index);
    }
    let groups = groups.into_values().filter(|members| members.len() >= ALIKE);
    let groups = groups
        .map(|members| {
            let name = format!("{} stages alike", members.len());
            Group { members, name, names: 4, say: None }
        })
        .collect();
    join(panel, groups);
}

/// What a source says but for its names.
fn said(node: &Node) -> Vec<&str> {
    match &node.list {
        Some(list) => {
            let tail = list.tail.as_ref().map(|t| t.text.as_str());
            list.head.as_deref().into_iter().chain(tail).collect()
        }
        None => node.lines.iter().map(|l| l.text.as_str()).collect(),
    }
}

/// Names in as few lines as they need, in no more than `max`.
fn wrapped(names: &[String], max: usize) -> Vec<Line> {
    const WIDE: usize = 48;
    if max == 0 {
        return Vec::new();
    }
    let (mut lines, mut line, mut shown) = (Vec::new(), String::new(), 0);
    for (at, name) in names.iter().enumerate() {
        let comma = if at + 1 < names.len() { "," } else { "" };
        if !line.is_empty() && line.chars().count() + name.chars().count() + 2 > WIDE {
            lines.push(std::mem::take(&mut line));
            if lines.len() == max {
                break;
            }
        }
        let space = if line.is_empty() { "" } else { " " };
        line.push_str(&format!("{space}{name}{comma}"));
        shown = at + 1;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    let mut lines: Vec<Line> = lines.into_iter().map(|l| Line::new(Style::Plain, l)).collect();
    if shown < names.len() {
        lines.push(Line::new(Style::Plain, format!("and {} more", names.len() - shown)));
    }
    lines
}

/// Draws each group as one node, in the place of its first.
fn join(panel: &mut Panel, groups: Vec<Group>) {
    if groups.is_empty() {
        return;
    }
    let mut head: Vec<usize> = (0..panel.nodes.len()).collect();
    let mut grouped = vec![false; panel.nodes.len()];
    for group in &groups {
        for member in &group.members {
            head[*member] = group.members[0];
            grouped[*member] = true;
        }
        let node = box_of(panel, group);
        panel.nodes[group.members[0]] = node;
    }
    let mut feeds: HashMap<usize, usize> = HashMap::new();
    for edge in panel.edges.iter().filter(|e| panel.nodes[e.from].kind.is_stage()) {
        feeds.insert(edge.to, head[edge.from]);
    }
    let mut into: Vec<usize> = Vec::with_capacity(panel.nodes.len());
    let mut nodes: Vec<Node> = Vec::new();
    let mut seen = HashMap::new();
    for (index, mut node) in std::mem::take(&mut panel.nodes).into_iter().enumerate() {
        let stage = head[node.stage];
        let mut same = None;
        if node.kind.is_stage() {
            if head[index] != index {
                same = Some(into[head[index]]);
            }
        } else {
            let feed = feeds.get(&index).copied();
            if grouped[node.stage] || feed.is_some_and(|f| grouped[f]) {
                let said: Vec<String> = said(&node).into_iter().map(str::to_owned).collect();
                let key = (node.kind, stage, feed, node.hue, node.wrong, said);
                same = Some(*seen.entry(key).or_insert(nodes.len())).filter(|s| *s < nodes.len());
            }
        }
        if let Some(same) = same {
            into.push(same);
            if !node.kind.is_stage() {
                absorb(&mut nodes[same], node);
            }
            continue;
        }
        into.push(nodes.len());
        node.stage = if node.kind.is_stage() { nodes.len() } else { into[stage] };
        nodes.push(node);
    }
    let mut known = HashSet::new();
    panel.nodes = nodes;
    panel.edges = std::mem::take(&mut panel.edges)
        .into_iter()
        .map(|e| Edge { from: into[e.from], to: into[e.to], ..e })
        .filter(|e| e.from != e.to && known.insert(*e))
        .collect();
}

fn box_of(panel: &Panel, group: &Group) -> Node {
    let members: Vec<&Node> = group.members.iter().map(|m| &panel.nodes[*m]).collect();
    let names: Vec<String> =
        members.iter().filter_map(|n| n.lines.first()).map(|l| l.text.clone()).collect();
    let mut node = members[0].clone();
    let mut lines = vec![Line::new(Style::Name, group.name.clone())];
    lines.extend(group.say.iter().map(|say| Line::new(Style::Plain, say)));
    lines.extend(wrapped(&names, group.names));
    let own = node.lines.iter().skip(1);
    lines.extend(own.filter(|l| members.iter().all(|m| m.lines.contains(l))).cloned());
    node.lines = lines;
    let more = names.len().saturating_sub(TITLE);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let listed = names.iter().take(TITLE).cloned().collect::<Vec<_>>().join(", ");
    node.title = format!("{}: {listed}{more}", group.name);
    node
}

/// Two sources that differ in their names only.
fn absorb(node: &mut Node, other: Node) {
    const LONG: usize = 4_000;
    if let (Some(list), Some(more)) = (&mut node.list, other.list) {
        for name in more.names {
            // A name that is there already is no other file of the one box.
            if list.names.contains(&name) {
                list.total -= 1;
            } else if list.names.len() < super::List::NAMES {
                list.names.push(name);
            }
        }
        list.total += more.total;
        node.lines = list.lines();
        if node.title.len() < LONG {
            node.title.push_str("; ");
            node.title.push_str(&other.title);
        }
    }
}
