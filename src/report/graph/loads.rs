//! What goes into a stage: files of other stages, images, the build context and the network, those
//! of one source and one machine together.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use mlint_model::{Artifact, CopyFrom, EffectKind, Linkage, Machine, Made, Stage, Station};
use mlint_syntax::Span;

use super::{
    Edge, Kind, Line, List, Node, Style,
    build::{Builder, machine_hue, machine_name},
};
use crate::report::trace::words;

/// Where files come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    Stage,
    Image,
    Context,
    Download,
}

/// What is wrong with a file of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// It is for another machine.
    Machine,
    /// It needs a C library that the image does not have.
    Libc,
}

/// Which load a file belongs to: kind of source, its name, machine and linkage, what is wrong.
type Key = (Origin, String, String, Option<Wrong>);

/// Files that go the same way and are of the same machine.
struct Load {
    names: Vec<String>,
    seen: HashSet<String>,
    machine: Machine,
    /// As they are known in full, for who points at them.
    full: Vec<String>,
    lines: BTreeSet<usize>,
}

/// The files of a stage by the instruction and the command or source that brought them there.
pub struct Brought<'t> {
    by: HashMap<(usize, Span), Vec<(&'t Artifact, &'t Station)>>,
    downloads: HashMap<Span, &'t Artifact>,
    /// Those that ADD fetches, by address: the instruction brings them, its word fetches them.
    added: HashMap<String, &'t Artifact>,
    /// How many stations of files were looked at.
    pub looked: usize,
}

impl<'t> Brought<'t> {
    /// One look at each file, whatever the number of steps.
    pub fn new(stage: &'t Stage) -> Self {
        let mut out = Self {
            by: HashMap::new(),
            downloads: HashMap::new(),
            added: HashMap::new(),
            looked: 0,
        };
        for artifact in stage.files.values() {
            let mut last = None;
            for station in &artifact.way {
                out.looked += 1;
                // What one instruction moves twice was brought by its first move.
                if station.stage != stage.index || last == Some(station.instruction) {
                    continue;
                }
                last = Some(station.instruction);
                let key = (station.instruction, station.span);
                out.by.entry(key).or_default().push((artifact, station));
            }
            if let (Made::Downloaded { url }, Some(first)) = (&artifact.made, artifact.way.first())
                && first.stage == stage.index
            {
                out.downloads.entry(first.span).or_insert(artifact);
                out.added.entry(words::value(url)).or_insert(artifact);
            }
        }
        out
    }
}

/// The loads of one stage while they are gathered.
#[derive(Default)]
struct Loads {
    by: BTreeMap<Key, Load>,
}

/// One file on its way.
struct Item {
    from: Origin,
    source: String,
    name: String,
    full: Option<String>,
    wrong: Option<Wrong>,
}

impl Loads {
    fn add(&mut self, item: Item, line: usize, machine: &Machine, linkage: Linkage) {
        let key = (item.from, item.source, machine_said(machine, linkage), item.wrong);
        let load = self.by.entry(key).or_insert_with(|| Load {
            names: Vec::new(),
            seen: HashSet::new(),
            machine: machine.clone(),
            full: Vec::new(),
            lines: BTreeSet::new(),
        });
        if load.seen.insert(item.full.clone().unwrap_or_else(|| item.name.clone())) {
            load.full.extend(item.full.or_else(|| Some(item.name.clone())));
            load.names.push(item.name);
        }
        load.lines.insert(line);
    }
}

impl<'t> Builder<'t> {
    /// What the reachable stages start from and take.
    pub fn sources(&mut self) {
        let evaluation = self.evaluation;
        for stage in evaluation.reachable() {
            self.base(stage);
            for (key, load) in self.loads(stage).by {
                self.load(stage, &key, &load);
            }
        }
    }

    fn loads(&self, stage: &'t Stage) -> Loads {
        let mut loads = Loads::default();
        let brought = Brought::new(stage);
        for step in &stage.steps {
            for effect in &step.effects {
                let files = brought.by.get(&(step.instruction, effect.span));
                let files = files.map(Vec::as_slice).unwrap_or_default();
                let line = self.line(effect.span);
                match &effect.kind {
                    EffectKind::Copy(copy) => {
                        let (from, source) = match &copy.from {
                            CopyFrom::Context => (Origin::Context, String::new()),
                            CopyFrom::Stage(index) => (Origin::Stage, ordered(*index)),
                            CopyFrom::Image(image) => (Origin::Image, words::plain(image)),
                            _ => continue,
                        };
                        let item = |name, wrong| Item {
                            from,
                            source: source.clone(),
                            name,
                            full: None,
                            wrong,
                        };
                        let fetches = copy.sources.iter().any(|a| words::is_remote(&a.value));
                        for (artifact, station) in files {
                            if fetches && matches!(artifact.made, Made::Downloaded { .. }) {
                                continue;
                            }
                            let name = shown(&station.path, artifact.folder);
                            let item = item(name, self.wrong_at(station));
                            loads.add(item, line, &artifact.machine, artifact.linkage);
                        }
                        if files.is_empty() {
                            // What comes from the network is a download.
                            let near = copy.sources.iter().filter(|a| !words::is_remote(&a.value));
                            for argument in near {
                                let item = item(words::value(&argument.value), None);
                                loads.add(item, line, &Machine::unknown(), Linkage::Unknown);
                            }
                        }
                    }
                    EffectKind::BindMount { from, source, .. } => {
                        let path = source.as_deref().unwrap_or("?");
                        let (from, source, machine) = match from {
                            CopyFrom::Stage(index) => {
                                (Origin::Stage, ordered(*index), self.machine_below(*index, path))
                            }
                            CopyFrom::Image(image) => {
                                (Origin::Image, words::plain(image), Machine::unknown())
                            }
                            _ => continue,
                        };
                        let name = words::plain(path);
                        let item = Item { from, source, name, full: None, wrong: None };
                        loads.add(item, line, &machine, Linkage::Unknown);
                    }
                    EffectKind::Download(download) => {
                        let url = words::value(&download.url);
                        let (source, name) = url_label(&url);
                        let made = brought.downloads.get(&effect.span);
                        let made = made.or_else(|| brought.added.get(&url));
                        let stations = made.iter().flat_map(|a| &a.way);
                        let wrong = stations
                            .filter(|s| s.stage == stage.index)
                            .find_map(|s| self.wrong_at(s));
                        let unknown = (Machine::unknown(), Linkage::Unknown);
                        let (machine, linkage) =
                            made.map_or(unknown, |a| (a.machine.clone(), a.linkage));
                        let full = Some(url);
                        let item = Item { from: Origin::Download, source, name, full, wrong };
                        loads.add(item, line, &machine, linkage);
                    }
                    _ => {}
                }
            }
        }
        loads
    }

    fn wrong_at(&self, station: &Station) -> Option<Wrong> {
        let key = (station.stage, station.instruction, station.path.as_str());
        self.wrong.get(&key).copied()
    }

    /// The machine of all files of a stage at or below a path, if it is one.
    fn machine_below(&self, stage: usize, path: &str) -> Machine {
        let Some(stage) = self.evaluation.stages.get(stage) else { return Machine::unknown() };
        let folder = format!("{}/", path.trim_end_matches('/'));
        let mut found: Option<&Machine> = None;
        for artifact in stage.files.values() {
            if artifact.path != path && !artifact.path.starts_with(&folder) {
                continue;
            }
            match found {
                Some(machine) if machine.kind != artifact.machine.kind => {
                    return Machine::unknown();
                }
                _ => found = Some(&artifact.machine),
            }
        }
        found.cloned().unwrap_or_else(Machine::unknown)
    }

    fn load(&mut self, stage: &Stage, key: &Key, load: &Load) {
        let (from, source, machine, wrong) = key;
        let (kind, head) = match from {
            Origin::Context => (Kind::Context, Some("build context".to_owned())),
            Origin::Image => (Kind::Image, Some(words::shortened(source, super::PATH))),
            Origin::Download if source.is_empty() => (Kind::Download, Some("download".to_owned())),
            Origin::Download => {
                let host = words::shortened(source, super::PATH);
                (Kind::Download, Some(format!("download from {host}")))
            }
            Origin::Stage => (Kind::Files, None),
        };
        let tail = match wrong {
            Some(Wrong::Machine) => {
                Some(Line::new(Style::Wrong, format!("✗ {machine}, wrong here")))
            }
            Some(Wrong::Libc) => {
                let libc = self.evaluation.final_stage().map_or("?", |s| words::libc(s.libc));
                let text = format!("✗ {machine}, the image has {libc}");
                Some(Line::new(Style::Wrong, text))
            }
            None if load.machine.platform().is_some() || kind == Kind::Files => {
                Some(Line::new(Style::Plain, machine.clone()))
            }
            None => None,
        };
        let list = List {
            head,
            names: load.names.iter().take(List::NAMES).cloned().collect(),
            total: load.names.len(),
            tail,
        };
        let at: Vec<String> = load.lines.iter().take(8).map(ToString::to_string).collect();
        let full: Vec<&str> = load.full.iter().take(50).map(String::as_str).collect();
        let index = self.nodes.len();
        let (hue, wrong) = (machine_hue(&load.machine), wrong.is_some());
        self.nodes.push(Node {
            kind,
            stage: stage.index,
            lines: list.lines(),
            hue,
            wrong,
            emulated: false,
            dim: false,
            title: format!("line {}: {} ({machine})", at.join(", "), full.join(", ")),
            list: Some(list),
        });
        let edge = |from, to| Edge { from, to, hue, wrong, base: false, dim: false };
        if let (Origin::Stage, Ok(from)) = (from, source.parse()) {
            self.edges.push(edge(from, index));
        }
        self.edges.push(edge(index, stage.index));
    }
}

/// A number that sorts as text.
fn ordered(stage: usize) -> String {
    format!("{stage:08}")
}

/// The machine, and which C library a program for it needs.
fn machine_said(machine: &Machine, linkage: Linkage) -> String {
    let name = machine_name(machine);
    let libc = match linkage {
        _ if machine.platform().is_none() => return name,
        Linkage::Static => "static",
        Linkage::Glibc => "glibc",
        Linkage::Musl => "musl",
        Linkage::Unknown => return name,
    };
    format!("{name} · {libc}")
}

/// The host of an address, and what is fetched there as briefly as it can be told from others.
pub fn url_label(url: &str) -> (String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.strip_prefix("git@").unwrap_or(rest);
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    // A lone question mark is a gap of the model's.
    let query = rest.match_indices('?').find(|(at, _)| {
        let key = rest[at + 1..].split('=').next().unwrap_or_default();
        rest[at + 1..].len() > key.len()
            && !key.is_empty()
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    });
    let (path, query) = query.map_or((rest, ""), |(at, _)| (&rest[..at], &rest[at + 1..]));
    let (host, path) = path.split_once(['/', ':']).unwrap_or((path, ""));
    let mut parts = path.trim_end_matches('/').rsplit('/').filter(|p| !p.is_empty());
    let mut name = parts.next().unwrap_or(host).to_owned();
    // Such a name says nothing without what it is of.
    if matches!(name.as_str(), "download" | "latest" | "stable" | "main" | "master" | "?")
        && let Some(before) = parts.next()
    {
        name = format!("{before}/{name}");
    }
    let reference = query.split('&').find_map(|pair| pair.strip_prefix("ref="));
    let reference = reference.or((!fragment.is_empty()).then_some(fragment));
    if let Some(reference) = reference {
        name = format!("{}@{reference}", name.strip_suffix(".git").unwrap_or(&name));
    }
    let named = host.contains('.') && !host.contains(['?', '{', '|']);
    (if named { host.to_owned() } else { String::new() }, name)
}

fn shown(path: &str, folder: bool) -> String {
    let path = words::plain(path);
    match folder {
        true => format!("{}/*", path.trim_end_matches('/')),
        false => path,
    }
}
