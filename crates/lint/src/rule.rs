//! What a rule is, and what it says about itself.

use crate::{
    context::Context,
    diagnostic::{Confidence, Effect, Severity},
    finding::Sink,
};

/// A rule: looks at one Dockerfile's evaluations and reports findings.
pub trait Rule: Sync {
    /// What the rule says about itself.
    fn meta(&self) -> &'static Meta;

    /// Looks at all evaluations and reports, each finding with the platform it holds on. The same
    /// finding on several platforms is reported once per platform and becomes one diagnostic.
    fn check(&self, cx: &Context<'_>, sink: &mut Sink<'_>);
}

/// What a rule says about itself. Documentation, `explain` and the tests read the same.
#[derive(Debug, PartialEq, Eq)]
pub struct Meta {
    /// Kebab-case name.
    pub name: &'static str,
    /// Which family it belongs to.
    pub group: Group,
    /// One sentence without a final stop.
    pub summary: &'static str,
    /// The page: Markdown, without the title.
    pub docs: &'static str,
    /// How bad its findings are, unless one says otherwise.
    pub severity: Severity,
    /// How sure, unless a finding says otherwise.
    pub confidence: Confidence,
    /// What happens, unless a finding says otherwise.
    pub effect: Effect,
    /// Whether it asks for facts about images, which need a registry or the table.
    pub needs_image_facts: bool,
    /// Whether its findings come with a fix.
    pub fixes: FixAvailability,
}

/// Whether the findings of a rule come with a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FixAvailability {
    /// Each finding has one.
    Always,
    /// It depends on the finding.
    Sometimes,
    /// None has one.
    None,
}

/// The families of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// Arguments, variables and the words in them.
    Values,
    /// What comes from the network.
    Downloads,
    /// Stages and what flows between them.
    Stages,
    /// Compilers and their settings.
    Toolchains,
    /// C libraries and cgo.
    Libc,
    /// Packages that are installed, and paths that packages own.
    Packages,
    /// Base images.
    Images,
    /// Cache mounts.
    Caches,
    /// What an image says about itself: labels.
    Metadata,
    /// mlint itself: syntax errors, suppressions.
    Meta,
}

impl Group {
    /// All groups, in the order of the index page.
    pub const ALL: [Self; 10] = [
        Self::Values,
        Self::Downloads,
        Self::Stages,
        Self::Toolchains,
        Self::Libc,
        Self::Packages,
        Self::Images,
        Self::Caches,
        Self::Metadata,
        Self::Meta,
    ];

    /// The folder's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Downloads => "downloads",
            Self::Stages => "stages",
            Self::Toolchains => "toolchains",
            Self::Libc => "libc",
            Self::Packages => "packages",
            Self::Images => "images",
            Self::Caches => "caches",
            Self::Metadata => "metadata",
            Self::Meta => "meta",
        }
    }

    /// What it is about, for the index page.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Values => "arguments, variables and the words in them",
            Self::Downloads => "what comes from the network",
            Self::Stages => "stages and what flows between them",
            Self::Toolchains => "compilers and their settings",
            Self::Libc => "C libraries and cgo",
            Self::Packages => "packages and paths",
            Self::Images => "base images",
            Self::Caches => "cache mounts",
            Self::Metadata => "what an image says about itself",
            Self::Meta => "the file itself and its suppressions",
        }
    }
}

impl FixAvailability {
    /// For tables and JSON: `always`, `sometimes`, `none`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Sometimes => "sometimes",
            Self::None => "none",
        }
    }
}

/// Declares a rule's type with its [`Meta`]; the doc comment becomes both the type's documentation
/// and the rule's page.
///
/// ```
/// use mlint_lint::{Context, Meta, Rule, Sink, declare_rule};
///
/// declare_rule! {
///     /// What it finds, why it matters.
///     pub struct NoTabs {
///         name: "no-tabs",
///         group: Values,
///         summary: "Tabs are not allowed",
///         severity: Note,
///         confidence: High,
///         effect: Latent,
///         needs_image_facts: false,
///         fixes: None,
///     }
/// }
///
/// impl Rule for NoTabs {
///     fn meta(&self) -> &'static Meta {
///         &Self::META
///     }
///     fn check(&self, _: &Context<'_>, _: &mut Sink<'_>) {}
/// }
///
/// assert_eq!(NoTabs.meta().docs.trim(), "What it finds, why it matters.");
/// ```
#[macro_export]
macro_rules! declare_rule {
    (
        $(#[doc = $doc:literal])+
        $vis:vis struct $ty:ident {
            name: $name:literal,
            group: $group:ident,
            summary: $summary:literal,
            severity: $severity:ident,
            confidence: $confidence:ident,
            effect: $effect:ident,
            needs_image_facts: $facts:literal,
            fixes: $fixes:ident $(,)?
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Default)]
        $vis struct $ty;

        impl $ty {
            /// What the rule says about itself.
            pub const META: $crate::Meta = $crate::Meta {
                name: $name,
                group: $crate::Group::$group,
                summary: $summary,
                docs: concat!($($doc, "\n"),+),
                severity: $crate::Severity::$severity,
                confidence: $crate::Confidence::$confidence,
                effect: $crate::Effect::$effect,
                needs_image_facts: $facts,
                fixes: $crate::FixAvailability::$fixes,
            };
        }
    };
}
