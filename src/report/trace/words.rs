//! How values and their ways are put into words. A way reads from here to where the text was
//! written: `arm64 ← ARCH (line 7) ← uname -m (line 6)`.

use mlint_model::{
    Content, Hop, HopKind, Libc, Linkage, Machine, MachineKind, Made, Manager, Origin, Piece,
    PlatformPart, Probe, Tool, Toolchain, Value,
};
use mlint_oci::Platform;
use mlint_syntax::Span;

use crate::report::{lines::Lines, text::style::one_line};

/// Longer texts are shown without their middle.
const LONG: usize = 400;
/// The same for the text at the head of a way.
const LONG_HEAD: usize = 40;
/// More ways than this are counted only.
const WAYS: usize = 8;

/// Where a part of a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The part, as shown.
    pub text: String,
    /// The stations, from here to where it was written.
    pub steps: Vec<String>,
    /// Whether the part is not known.
    pub unknown: bool,
    /// Whether it is a release's number or a base image's setting: of little interest to who asks for machines.
    dull: bool,
}

/// A remark under a row: a text and the way it took, or only one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What is remarked on; empty for what stands in the row.
    pub text: String,
    /// ` ← ` and so on; may be empty.
    pub way: String,
}

impl Note {
    /// A sentence.
    pub fn said(text: impl Into<String>) -> Self {
        Self { text: text.into(), way: String::new() }
    }

    /// In one line.
    pub fn line(&self) -> String {
        match (self.text.is_empty(), self.way.is_empty()) {
            (false, false) => format!("{} {}", self.text, self.way),
            (true, _) => self.way.clone(),
            (_, true) => self.text.clone(),
        }
    }
}

impl Way {
    /// As a remark.
    pub fn note(&self) -> Note {
        Note { text: self.text.clone(), way: self.way() }
    }

    /// `← this ← that`.
    pub fn way(&self) -> String {
        self.steps.iter().map(|s| format!("← {s}")).collect::<Vec<_>>().join(" ")
    }
}

/// A name of a file or a text with the model's gaps as `?`, without control characters, and not
/// longer than is useful.
pub fn plain(text: &str) -> String {
    shortened(&one_line(&text.replace(mlint_model::GAP, "?")), LONG)
}

/// A value as far as it is known: `?` for what is not, `{a|b}` for what depends on a condition.
pub fn value(value: &Value) -> String {
    plain(&value.to_string())
}

/// Whether ADD fetches it.
pub fn is_remote(value: &Value) -> bool {
    let start = value.known_prefix();
    ["http://", "https://", "git://", "git@"].iter().any(|scheme| start.starts_with(scheme))
}

/// The text without its middle if it is longer than `max` characters.
pub fn shortened(text: &str, max: usize) -> String {
    let count = text.chars().count();
    if count <= max {
        return text.to_owned();
    }
    let (head, tail) = (max * 2 / 3, max - max * 2 / 3 - 1);
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{start}…{end}")
}

/// The names of variables that had a say in a value.
pub fn names(value: &Value, out: &mut Vec<String>) {
    for piece in value.all_pieces() {
        for hop in piece.trail.hops() {
            if !hop.name.is_empty() && !out.iter().any(|n| **n == *hop.name) {
                out.push(hop.name.to_string());
            }
        }
    }
}

/// The ways of all parts of a value that took one. `defined` is the variable that the value is
/// given to where it is shown.
pub fn ways(value: &Value, lines: &Lines<'_>, defined: Option<(&str, Span)>) -> Vec<Way> {
    let mut out = Vec::new();
    for piece in value.all_pieces() {
        if let Some(way) = way(piece, lines, defined)
            && !out.contains(&way)
        {
            out.push(way);
        }
    }
    out
}

/// The same as remarks, dull ones left out unless `all` are wanted.
pub fn notes(
    value: &Value,
    lines: &Lines<'_>,
    defined: Option<(&str, Span)>,
    all: bool,
) -> Vec<Note> {
    let ways = ways(value, lines, defined);
    let mut shown: Vec<Note> = ways
        .iter()
        .filter(|w| all || !w.dull || (defined.is_some() && ways.len() == 1))
        .map(Way::note)
        .collect();
    if shown.len() > WAYS {
        let more = shown.len() - WAYS;
        shown.truncate(WAYS);
        shown.push(Note::said(format!("and {more} more")));
    }
    shown
}

fn at(span: Span, lines: &Lines<'_>) -> String {
    format!("line {}", lines.line_of(span.start) + 1)
}

fn way(piece: &Piece, lines: &Lines<'_>, defined: Option<(&str, Span)>) -> Option<Way> {
    let text = match &piece.content {
        Content::Known(text) => shortened(&one_line(text), LONG_HEAD),
        Content::Unknown => "?".to_owned(),
        Content::Alternatives(_) => shortened(&value(&Value::new([piece.clone()])), LONG_HEAD),
    };
    let hops = piece.trail.hops();
    let mut steps = Vec::new();
    let mut newest_first = hops.iter().rev().peekable();
    while let Some(hop) = newest_first.next() {
        let here = defined.is_some_and(|(name, span)| *hop.name == *name && hop.span == span);
        let defines = |hop: &Hop| {
            !matches!(
                hop.kind,
                HopKind::Used
                    | HopKind::Printed
                    | HopKind::Transformed
                    | HopKind::Guarded
                    | HopKind::StandIn
            )
        };
        let told = hop.kind == HopKind::Used
            && newest_first.peek().is_some_and(|next| defines(next) && next.name == hop.name);
        if !here && !told {
            steps.extend(step(hop, lines));
        }
    }
    steps.extend(origin(piece, &hops, defined, lines));
    steps.dedup();
    let unknown = piece.content == Content::Unknown;
    if steps.is_empty() {
        return None;
    }
    // What base images set is seldom the question, if it is known.
    let dull = match piece.origin {
        Origin::BaseEnv => !unknown,
        _ => piece.is_literal() && is_version(&text),
    };
    Some(Way { text, steps, unknown, dull })
}

fn is_version(text: &str) -> bool {
    let rest = text.strip_prefix('v').unwrap_or(text);
    rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn step(hop: &Hop, lines: &Lines<'_>) -> Option<String> {
    let name = one_line(&hop.name);
    let place = at(hop.span, lines);
    Some(match hop.kind {
        HopKind::GlobalArg => format!("global ARG {name} ({place})"),
        HopKind::Arg => format!("ARG {name} ({place})"),
        HopKind::Env => format!("ENV {name} ({place})"),
        HopKind::Assigned => format!("{name}= ({place})"),
        HopKind::Used if !name.is_empty() => format!("${name} ({place})"),
        HopKind::Transformed => format!("rewritten ({place})"),
        HopKind::StandIn => format!("in the place of ${name} ({place})"),
        HopKind::Guarded => {
            let source = lines.text().get(hop.span.range()).unwrap_or_default();
            format!("branch on {} ({place})", shortened(&one_line(source.trim()), 30))
        }
        _ => return None,
    })
}

fn origin(
    piece: &Piece,
    hops: &[&Hop],
    defined: Option<(&str, Span)>,
    lines: &Lines<'_>,
) -> Option<String> {
    let oldest = hops.first().copied();
    let place = at(piece.span, lines);
    Some(match &piece.origin {
        Origin::Literal => {
            let line = |span: Span| lines.line_of(span.start);
            let default = hops.iter().find(|h| {
                h.kind != HopKind::Used && line(h.span) == line(piece.span) && !h.name.is_empty()
            });
            match default {
                // `ARG X=here` and `X=here`: the station tells it.
                Some(hop)
                    if defined
                        .is_some_and(|(name, span)| *hop.name == *name && hop.span == span) =>
                {
                    return None;
                }
                Some(hop) if matches!(hop.kind, HopKind::Arg | HopKind::GlobalArg) => {
                    "its default".to_owned()
                }
                Some(_) => return None,
                None if oldest.is_none() => return None,
                None => format!("written at {place}"),
            }
        }
        Origin::Target(part) => automatic(&format!("TARGET{}", part_name(*part)), oldest),
        Origin::Build(part) => automatic(&format!("BUILD{}", part_name(*part)), oldest),
        Origin::TargetStage => automatic("TARGETSTAGE", oldest),
        Origin::Probe(probe) => format!("{} ({place})", probe.command()),
        Origin::BuildArg => "--build-arg".to_owned(),
        Origin::BaseEnv => "environment of the base image".to_owned(),
        Origin::CommandOutput => format!("output of a program ({place})"),
        Origin::File => format!("read from a file ({place})"),
        Origin::Unset => format!("nothing here sets it ({place})"),
        Origin::Join => format!("by a condition that is not known ({place})"),
        _ => format!("not followed ({place})"),
    })
}

fn automatic(name: &str, oldest: Option<&Hop>) -> String {
    match oldest {
        Some(hop) if *hop.name == *name => "automatic".to_owned(),
        _ => format!("automatic {name}"),
    }
}

fn part_name(part: PlatformPart) -> &'static str {
    match part {
        PlatformPart::Platform => "PLATFORM",
        PlatformPart::Os => "OS",
        PlatformPart::OsVersion => "OSVERSION",
        PlatformPart::Arch => "ARCH",
        PlatformPart::Variant => "VARIANT",
    }
}

/// The name of an origin in JSON, with what tells it from its like.
pub fn origin_name(origin: &Origin) -> (&'static str, Option<String>) {
    match origin {
        Origin::Literal => ("literal", None),
        Origin::Target(part) => ("target", Some(format!("TARGET{}", part_name(*part)))),
        Origin::Build(part) => ("build", Some(format!("BUILD{}", part_name(*part)))),
        Origin::TargetStage => ("target-stage", None),
        Origin::Probe(probe) => ("probe", Some(probe.command().to_owned())),
        Origin::BuildArg => ("build-arg", None),
        Origin::BaseEnv => ("base-env", None),
        Origin::CommandOutput => ("command-output", None),
        Origin::File => ("file", None),
        Origin::Unset => ("unset", None),
        Origin::Join => ("join", None),
        _ => ("opaque", None),
    }
}

/// The name of a hop in JSON.
pub fn hop_name(kind: HopKind) -> &'static str {
    match kind {
        HopKind::GlobalArg => "global-arg",
        HopKind::Arg => "arg",
        HopKind::Env => "env",
        HopKind::Assigned => "assigned",
        HopKind::Printed => "printed",
        HopKind::Transformed => "transformed",
        HopKind::Guarded => "guarded",
        HopKind::StandIn => "stand-in",
        _ => "used",
    }
}

/// A toolchain that compiles, as people call it.
pub fn tool(tool: Tool) -> &'static str {
    match tool {
        Tool::Go => "Go",
        Tool::Rust => "Rust",
        Tool::C => "C",
        Tool::Make => "make",
        Tool::DotNet => ".NET",
        Tool::Java => "Java",
        Tool::Node => "Node",
        Tool::Zig => "Zig",
        _ => "a compiler",
    }
}

/// A package manager.
pub fn manager(manager: Manager) -> &'static str {
    match manager {
        Manager::Apt => "apt",
        Manager::Dpkg => "dpkg",
        Manager::Apk => "apk",
        Manager::Rpm => "rpm",
        Manager::Pip => "pip",
        Manager::Npm => "npm",
        Manager::Go => "go install",
        Manager::Cargo => "cargo install",
        Manager::Gem => "gem",
        Manager::Pacman => "pacman",
        Manager::Conda => "conda",
        _ => "a package manager",
    }
}

/// A toolchain of an image.
pub fn toolchain(toolchain: Toolchain) -> &'static str {
    match toolchain {
        Toolchain::Go => "Go",
        Toolchain::Rust => "Rust",
        Toolchain::C => "C",
        Toolchain::Node => "Node",
        Toolchain::Python => "Python",
        Toolchain::DotNet => ".NET",
        Toolchain::Java => "Java",
        Toolchain::Ruby => "Ruby",
        Toolchain::Php => "PHP",
        Toolchain::Zig => "Zig",
        _ => "other",
    }
}

/// A machine and how a file is linked; `target` is called so where several are compared.
pub fn machine(machine: &Machine, linkage: Linkage, target: Option<&Platform>) -> String {
    let on = match &machine.kind {
        MachineKind::Platform(platform) if Some(platform) == target => {
            "for the target platform".to_owned()
        }
        MachineKind::Platform(platform) => format!("for {platform}"),
        MachineKind::Independent => return "runs on any machine".to_owned(),
        MachineKind::Unknown => return "machine not known".to_owned(),
    };
    match linkage {
        Linkage::Static => format!("{on}, static"),
        Linkage::Glibc => format!("{on}, needs glibc"),
        Linkage::Musl => format!("{on}, needs musl"),
        Linkage::Unknown => on,
    }
}

/// A C library.
pub fn libc(libc: Libc) -> &'static str {
    match libc {
        Libc::Glibc => "glibc",
        Libc::Musl => "musl",
        Libc::None => "no C library",
        Libc::Unknown => "C library not known",
    }
}

/// What made a file: a word to put before its path.
pub fn made(made: &Made) -> String {
    match made {
        Made::Compiled { tool: with, .. } => format!("compiled by {}", tool(*with)),
        Made::Downloaded { .. } => "downloaded".to_owned(),
        Made::Installed { manager: with } => format!("installed by {}", manager(*with)),
        Made::Unpacked => "unpacked".to_owned(),
        Made::Context { .. } => "from the context".to_owned(),
        Made::Written => "written here".to_owned(),
        Made::Image { reference } if reference.is_empty() => "of the base".to_owned(),
        Made::Image { reference } => format!("of {}", plain(reference)),
        _ => "made".to_owned(),
    }
}

/// The words of a probe.
pub fn probe(probe: Probe) -> &'static str {
    probe.command()
}
