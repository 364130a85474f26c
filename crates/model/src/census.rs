//! Counts what an evaluation knows of a file and what it does not.
//!
//! The figure that matters is the **unknown share**: of the commands that have values which depend
//! on an architecture, how many have one that stays unknown. A *command* here is a place in the
//! file: a command of a RUN, a COPY, an ADD or an ENV; one in a loop or function counts once. It is
//! relevant, and for that reason unknown, by [`Cause`].
//!
//! An unknown version is no unknown architecture, so two readings of an unknown part are used.
//! *Told*: it once was the platform (an argument or a probe's answer, spoilt on its way), or it
//! comes from a variable named for an architecture (`dpkgArch`, `BUILD_ARCH`, `TARGET_TRIPLE`), or
//! it is one of several texts that name different architectures. *Open*: that, or any part which is
//! not from a variable named for a version, a date, a mirror and the like, while nothing else in
//! the text names an architecture. The open reading is taken for addresses, where the part that is
//! missing is so often the architecture; the told one for everything else.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::AddAssign,
};

use mlint_oci::arch::{WordKind, find_words};
use mlint_syntax::{Dockerfile, InstructionKind, Span};

use crate::{
    artifact::Artifact,
    commands::machine_of_name,
    effect::{CopyFrom, Effect, EffectKind},
    evaluation::Evaluation,
    machine::MachineKind,
    value::{Content, Piece, Truth, Value},
};

/// Why a command counts among those whose architecture stays unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A download's address has a part that may be the architecture (open reading). Relevant is
    /// every address that names an architecture, follows the platform, or has such a part.
    Address,
    /// A compiler makes code for a machine that is not known. Relevant is every compile whose
    /// result is not independent of the machine.
    Compile,
    /// A file is run whose machine is not known. Relevant is every run of a file that the
    /// Dockerfile brought and that is not independent of the machine.
    Program,
    /// A download, compile, installation, copy or run hangs on a condition that asks for the
    /// platform (told reading) and is not decided. Relevant are the decided ones, too.
    Condition,
    /// A probe's answer is not known. Relevant is every probe.
    Answer,
    /// A word (a package, a path, a variable's value, any argument) follows the platform, but not
    /// all of that is known (told reading). Relevant is every word that follows the platform, and
    /// every package that names an architecture.
    Word,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Address, Self::Compile, Self::Program, Self::Condition, Self::Answer, Self::Word];

    /// What is unknown, as a noun.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Address => "address of a download",
            Self::Compile => "machine of a compile",
            Self::Program => "machine of a program that is run",
            Self::Condition => "condition on the platform",
            Self::Answer => "answer of a probe",
            Self::Word => "word that follows the platform",
        }
    }
}

/// A command with an architecture that stays unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCommand {
    /// Its place.
    pub span: Span,
    /// Why; at least one.
    pub causes: BTreeSet<Cause>,
}

/// Something that may be known wholly, in part, or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Knowing {
    /// Wholly.
    pub known: usize,
    /// In part: an address with a gap or with alternatives.
    pub partly: usize,
    /// Not at all.
    pub unknown: usize,
}

impl Knowing {
    fn of(known: bool) -> Self {
        Self { known: usize::from(known), partly: 0, unknown: usize::from(!known) }
    }
}

/// Files of the image by machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machines {
    /// For the platform that the image is made for.
    pub target: usize,
    /// For the platform that the build runs on, where that is another one.
    pub build: usize,
    /// For a third one.
    pub other: usize,
    /// They run everywhere.
    pub independent: usize,
    /// Not known.
    pub unknown: usize,
}

/// The figures of one file on one platform, or the sums of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Stages that the target needs.
    pub stages: usize,
    /// RUN steps in them.
    pub runs: usize,
    /// Commands that are run.
    pub commands: usize,
    /// Those of them whose program is not known: `$TOOL x`, and a whole RUN that another shell or
    /// interpreter reads.
    pub opaque: usize,
    /// Conditions on the way to what is done, by whether they are decided. Those that only lead to
    /// assignments are not seen here; what they leave undecided shows in the values.
    pub conditions: Knowing,
    /// Downloads by their address.
    pub downloads: Knowing,
    /// Compiles by their machine.
    pub compiles: Knowing,
    /// Files that the Dockerfile brings into the image.
    pub files: Machines,
    /// Commands with a value that depends on an architecture.
    pub relevant: usize,
    /// Those of them where one stays unknown, by cause; a command may have several.
    pub causes: BTreeMap<Cause, usize>,
    /// Those of them where one stays unknown.
    pub unknown: usize,
}

impl Census {
    /// Commands whose architecture stays unknown, over all where there is one to know; `None`
    /// without any.
    pub fn unknown_share(&self) -> Option<f64> {
        (self.relevant > 0).then(|| self.unknown as f64 / self.relevant as f64)
    }
}

impl AddAssign for Knowing {
    fn add_assign(&mut self, other: Self) {
        self.known += other.known;
        self.partly += other.partly;
        self.unknown += other.unknown;
    }
}

impl AddAssign<&Census> for Census {
    fn add_assign(&mut self, other: &Census) {
        self.stages += other.stages;
        self.runs += other.runs;
        self.commands += other.commands;
        self.opaque += other.opaque;
        self.conditions += other.conditions;
        self.downloads += other.downloads;
        self.compiles += other.compiles;
        self.files.target += other.files.target;
        self.files.build += other.files.build;
        self.files.other += other.files.other;
        self.files.independent += other.files.independent;
        self.files.unknown += other.files.unknown;
        self.relevant += other.relevant;
        self.unknown += other.unknown;
        for (cause, count) in &other.causes {
            *self.causes.entry(*cause).or_default() += count;
        }
    }
}

/// What is gathered about one command.
#[derive(Default)]
struct Site {
    relevant: bool,
    causes: BTreeSet<Cause>,
    /// `Some(false)` for a command whose program is known at every visit.
    opaque: Option<bool>,
    downloads: Knowing,
    compiles: Knowing,
}

impl Site {
    fn relevant(&mut self, relevant: bool, unknown: bool, cause: Cause) {
        self.relevant |= relevant || unknown;
        if unknown {
            self.causes.insert(cause);
        }
    }
}

/// Counts what `evaluation` knows of `file`, and lists the commands with an unknown architecture in
/// file order. Only stages that the target needs count.
pub fn census(file: &Dockerfile, evaluation: &Evaluation) -> (Census, Vec<UnknownCommand>) {
    let mut sites: BTreeMap<(Span, usize), Site> = BTreeMap::new();
    let mut conditions: BTreeMap<(Span, usize), bool> = BTreeMap::new();
    let mut census = Census::default();
    for stage in evaluation.reachable() {
        census.stages += 1;
        for step in &stage.steps {
            let instruction = file.instructions.get(step.instruction);
            let is_run = instruction.is_some_and(|i| matches!(i.kind, InstructionKind::Run(_)));
            census.runs += usize::from(is_run);
        }
    }
    for (stage, _, effect) in evaluation.effects() {
        for guard in &effect.guards {
            let decided = conditions.entry((guard.span, stage.index)).or_insert(true);
            *decided &= guard.taken != Truth::Unknown;
        }
        note(sites.entry((effect.span, stage.index)).or_default(), effect, evaluation);
    }
    for decided in conditions.values() {
        census.conditions += Knowing::of(*decided);
    }
    let mut list = Vec::new();
    for ((span, _), site) in sites {
        census.commands += usize::from(site.opaque.is_some());
        census.opaque += usize::from(site.opaque == Some(true));
        census.downloads += site.downloads;
        census.compiles += site.compiles;
        census.relevant += usize::from(site.relevant);
        census.unknown += usize::from(!site.causes.is_empty());
        for cause in &site.causes {
            *census.causes.entry(*cause).or_default() += 1;
        }
        if !site.causes.is_empty() {
            list.push(UnknownCommand { span, causes: site.causes });
        }
    }
    for artifact in evaluation.final_artifacts() {
        count_file(&mut census.files, artifact, evaluation);
    }
    (census, list)
}

fn count_file(files: &mut Machines, artifact: &Artifact, evaluation: &Evaluation) {
    let count = match &artifact.machine.kind {
        MachineKind::Independent => &mut files.independent,
        MachineKind::Unknown => &mut files.unknown,
        _ if !artifact.machine.is_wrong_for(&evaluation.platform) => &mut files.target,
        MachineKind::Platform(p) if *p == evaluation.build_platform => &mut files.build,
        MachineKind::Platform(_) => &mut files.other,
    };
    *count += 1;
}

/// Takes one effect into its command's account.
fn note(site: &mut Site, effect: &Effect, evaluation: &Evaluation) {
    match &effect.kind {
        EffectKind::Command(command) => {
            let name = command.argv.first().map(|a| &a.value);
            let opaque = name.is_none_or(|n| n.texts().is_none());
            site.opaque = Some(site.opaque.unwrap_or_default() || opaque);
            for word in &command.argv {
                site.relevant(word.value.follows_platform(), is_spoilt(&word.value), Cause::Word);
            }
        }
        EffectKind::Download(download) => {
            site.downloads += address(&download.url);
            let names = names_architecture(&download.url) || download.url.follows_platform();
            let open = hides_architecture(&download.url, true)
                && machine_of_name(&download.url, &evaluation.platform).kind
                    != MachineKind::Independent;
            site.relevant(names, open, Cause::Address);
        }
        EffectKind::Install(install) => {
            for package in install.packages.iter().map(|p| &p.value) {
                let names = names_architecture(package) || package.follows_platform();
                site.relevant(names, hides_architecture(package, false), Cause::Word);
            }
        }
        EffectKind::Compile(compile) => {
            let kind = &compile.machine.kind;
            let unknown = *kind == MachineKind::Unknown;
            site.compiles += Knowing::of(!unknown);
            site.relevant(*kind != MachineKind::Independent, unknown, Cause::Compile);
        }
        EffectKind::Execute { machine, .. } => {
            let unknown = machine.kind == MachineKind::Unknown;
            site.relevant(machine.kind != MachineKind::Independent, unknown, Cause::Program);
        }
        EffectKind::Ask { answer, .. } => site.relevant(true, answer.is_none(), Cause::Answer),
        // The sum of a file that follows the platform is as unknown as the file.
        EffectKind::Checksum { .. } => {}
        // What a mount brings counts where it is used.
        EffectKind::BindMount { .. } => {}
        // An ARG only lets a value in.
        EffectKind::SetEnv { kept: false, .. } => {}
        EffectKind::SetEnv { value, .. } => {
            site.relevant(value.follows_platform(), is_spoilt(value), Cause::Word);
        }
        EffectKind::Label { .. } => {}
        // Not followed: whatever it does with these words is not known.
        EffectKind::Foreign(_) => site.relevant(true, true, Cause::Program),
        EffectKind::Copy(copy) => {
            let from_image = matches!(copy.from, CopyFrom::Image(_) | CopyFrom::Unknown);
            for word in copy.sources.iter().chain([&copy.dest]).map(|a| &a.value) {
                let unknown = hides_architecture(word, false) && !from_image;
                site.relevant(word.follows_platform(), unknown, Cause::Word);
            }
        }
        EffectKind::CacheMount { id, .. } => {
            site.relevant(id.follows_platform(), is_spoilt(id), Cause::Word);
        }
    }
    if matters(&effect.kind) {
        for guard in &effect.guards {
            let Some(subject) = &guard.subject else { continue };
            let asks = subject.follows_platform() || hides_architecture(subject, false);
            site.relevant(asks, asks && guard.taken == Truth::Unknown, Cause::Condition);
        }
    }
}

/// Whether it matters on which platforms it happens.
fn matters(kind: &EffectKind) -> bool {
    matches!(
        kind,
        EffectKind::Download(_)
            | EffectKind::Compile(_)
            | EffectKind::Install(_)
            | EffectKind::Execute { .. }
            | EffectKind::Copy(_)
    )
}

fn address(url: &Value) -> Knowing {
    let mut knowing = Knowing::default();
    if url.as_known().is_some() {
        knowing.known = 1;
    } else if !url.all_pieces().iter().any(|p| matches!(p.content, Content::Known(_))) {
        knowing.unknown = 1;
    } else {
        knowing.partly = 1;
    }
    knowing
}

/// Architecture words of the known text, without those that prove little.
fn words(value: &Value) -> Vec<&'static str> {
    let found = find_words(&value.spelling());
    let counts = found.into_iter().filter(|w| {
        w.kind != WordKind::System && !w.platforms.is_empty() && (!w.weak || w.system_is_written)
    });
    counts.map(|w| w.word).collect()
}

fn names_architecture(value: &Value) -> bool {
    !words(value).is_empty()
        || value.pieces().iter().any(|piece| match &piece.content {
            Content::Alternatives(values) => values.iter().any(names_architecture),
            _ => false,
        })
}

/// Whether something of it was the platform and is not known any more.
fn is_spoilt(value: &Value) -> bool {
    value.all_pieces().iter().any(|p| p.content == Content::Unknown && p.origin.follows_platform())
}

/// Whether a part that is not known may be an architecture, in the told or in the open reading.
fn hides_architecture(value: &Value, open: bool) -> bool {
    let open = open && words(value).is_empty();
    value.pieces().iter().any(|piece| match &piece.content {
        Content::Known(_) => false,
        Content::Unknown => {
            piece.origin.follows_platform()
                || match named_for(piece) {
                    Some(Named::Architecture) => true,
                    Some(Named::Version) => false,
                    None => open,
                }
        }
        Content::Alternatives(values) => {
            let mut named: Vec<Vec<&str>> = values.iter().map(words).collect();
            named.dedup();
            named.len() > 1 || values.iter().any(|v| hides_architecture(v, open))
        }
    })
}

/// What the name of a variable says about its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Architecture,
    Version,
}

/// Endings of a name's parts that tell of an architecture, and of what is none.
const ARCHITECTURE: &[&str] =
    &["arch", "architecture", "platform", "triple", "triplet", "machine", "cpu", "rid", "goarch"];
const VERSION: &[&str] = &[
    "version", "ver", "vers", "tag", "ref", "rev", "revision", "commit", "branch", "sha", "sha1",
    "sha256", "sha512", "digest", "hash", "checksum", "date", "release", "latest", "channel",
    "mirror", "suite", "codename", "distro", "series", "major", "minor", "patch", "token", "id",
];

/// What the names of the variables that a piece went through tell; an architecture's name counts
/// more than another.
fn named_for(piece: &Piece) -> Option<Named> {
    let mut result = None;
    for hop in piece.trail.hops() {
        match name_tells(&hop.name) {
            Some(Named::Architecture) => return Some(Named::Architecture),
            Some(Named::Version) => result = Some(Named::Version),
            None => {}
        }
    }
    result
}

fn name_tells(name: &str) -> Option<Named> {
    let lower = name.to_ascii_lowercase();
    let parts = || lower.split(|c: char| !c.is_ascii_alphanumeric());
    // `dpkgArch`, but not `elasticsearch`.
    let is_arch = |part: &str| {
        ARCHITECTURE.contains(&part) || (part.ends_with("arch") && !part.ends_with("search"))
    };
    let is_version =
        |part: &str| VERSION.iter().any(|v| part == *v || (v.len() > 4 && part.ends_with(v)));
    // `ARCH_VERSION` is a version, `VERSION_ARCH` an architecture: the last word is the noun.
    parts().rev().find_map(|part| match part {
        part if is_arch(part) => Some(Named::Architecture),
        part if is_version(part) => Some(Named::Version),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
