//! What a rule says: a diagnostic with its place, its platforms, and its fixes.

use mlint_oci::Platform;
use mlint_syntax::{EditSet, Span};

/// How bad, from least to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Right but slow: emulated.
    Advice,
    /// Probably breaks, or only in some branch.
    Warning,
    /// A target platform fails to build or ships a wrong binary.
    Error,
}

/// How sure, apart from how bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Confidence {
    /// A guess from names.
    Low,
    /// Some value on the way is unknown.
    Medium,
    /// Every value on the way is known.
    High,
}

/// What happens on the platforms that a diagnostic names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// It only bites other platforms, or later.
    Latent,
    /// The step runs under emulation.
    Emulated,
    /// The image holds a binary of another machine.
    WrongBinary,
    /// The build stops.
    BuildFails,
}

/// How far a fix may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Applicability {
    /// To be read only.
    Display,
    /// Needs a look: applied with `--unsafe`.
    Unsafe,
    /// The platform that worked before provably behaves as before.
    Safe,
}

/// A second place that explains the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Where.
    pub span: Span,
    /// What is to be seen there.
    pub message: String,
}

/// A repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What it does, as an imperative: "drop the default".
    pub title: String,
    /// How far it may be trusted.
    pub applicability: Applicability,
    /// Why it is not safe, if it is not: a sentence without a final stop.
    pub caution: Option<String>,
    /// Not shown to be safe alone, but safe together with the other fixes of the file, as `fix`
    /// applies them: one defect can hide what the repair of another does.
    pub together: bool,
    /// The change.
    pub edits: EditSet,
}

impl Fix {
    /// What `fix` makes of it: a fix that is safe only together with others counts as safe there.
    pub fn reach(&self) -> Applicability {
        if self.together { Applicability::Safe } else { self.applicability }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule's name.
    pub rule: &'static str,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What happens.
    pub effect: Effect,
    /// What happens on which platform, why: one sentence without a final stop.
    pub message: String,
    /// The platforms it breaks, in the order asked for; never empty.
    pub platforms: Vec<Platform>,
    /// The place.
    pub span: Span,
    /// A short text under the place, if the message does not say it all.
    pub label: Option<String>,
    /// The way to it ("amd64 comes from the default at line 3").
    pub related: Vec<Related>,
    /// What to do.
    pub help: Option<String>,
    /// Repairs, the best one first.
    pub fixes: Vec<Fix>,
}

/// The outlook for one platform, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Builds natively, right binaries.
    Ok,
    /// Right, but steps run under emulation.
    Emulated,
    /// Something may be wrong; no proof either way.
    AtRisk,
    /// Builds, and ships a binary of another machine.
    WrongBinary,
    /// The build stops.
    BuildFails,
}

/// The verdict for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformVerdict {
    /// The platform.
    pub platform: Platform,
    /// The outlook.
    pub verdict: Verdict,
    /// RUN steps that run under emulation.
    pub emulated_steps: usize,
}

/// What `check` says about one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Findings, by place.
    pub diagnostics: Vec<Diagnostic>,
    /// One per platform asked for, in that order.
    pub verdicts: Vec<PlatformVerdict>,
}

macro_rules! names {
    ($($ty:ident { $($variant:ident => $name:literal),* $(,)? })*) => {$(
        impl $ty {
            /// The name used in every output format.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
        impl std::fmt::Display for $ty {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl std::str::FromStr for $ty {
            type Err = ();
            fn from_str(s: &str) -> Result<Self, ()> {
                match s { $($name => Ok(Self::$variant),)* _ => Err(()) }
            }
        }
    )*};
}

names! {
    Severity { Note => "note", Advice => "advice", Warning => "warning", Error => "error" }
    Confidence { Low => "low", Medium => "medium", High => "high" }
    Effect { Latent => "latent", Emulated => "emulated", WrongBinary => "wrong-binary", BuildFails => "build-fails" }
    Applicability { Display => "display", Unsafe => "unsafe", Safe => "safe" }
    Verdict { Ok => "ok", Emulated => "emulated", AtRisk => "at-risk", WrongBinary => "wrong-binary", BuildFails => "build-fails" }
}
