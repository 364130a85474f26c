//! What happens during a build, as it happens.

use serde::Serialize;

/// An event. Steps are named by their number in the plan.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// All that will happen is known.
    Planned {
        /// The steps, in order of their numbers.
        steps: Vec<StepInfo>,
    },
    /// A step's result came from the cache.
    Cached {
        /// Which step.
        step: usize,
    },
    /// A step began.
    Started {
        /// Which step.
        step: usize,
    },
    /// A step wrote something.
    Output {
        /// Which step.
        step: usize,
        /// Whether to its standard error.
        stderr: bool,
        /// What, in pieces as they came.
        text: String,
    },
    /// A step is done.
    Finished {
        /// Which step.
        step: usize,
        /// How long it took.
        seconds: f64,
    },
    /// A step failed.
    Failed {
        /// Which step.
        step: usize,
    },
    /// A step is left out: what it is for can't come about any more.
    Skipped {
        /// Which step.
        step: usize,
    },
    /// Bytes of layers move from or to a registry.
    Transfer {
        /// What.
        name: String,
        /// So many.
        bytes: u64,
        /// Of so many.
        total: u64,
        /// To the registry.
        up: bool,
    },
    /// Something that a user should know.
    Note {
        /// What.
        text: String,
    },
    /// Something that a user should see to.
    Warning {
        /// What.
        text: String,
    },
}

/// A step as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct StepInfo {
    /// The platforms whose images need it.
    pub platforms: Vec<String>,
    /// The stage's name, or its number.
    pub stage: String,
    /// The instruction, shortened.
    pub text: String,
    /// Where it stands in the file.
    pub place: (u32, u32),
    /// The platform that it runs on, if it is emulated.
    pub emulated: Option<String>,
}

/// Takes events; shared by all threads of a build.
pub trait Events: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);
}

/// Nobody looks.
#[derive(Debug)]
pub struct Silent;

impl Events for Silent {
    fn event(&self, _: Event) {}
}

/// `1 file`, `2 files`.
pub fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}
