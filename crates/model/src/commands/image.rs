//! What the name of the image below a stage tells to those who run in it.

use mlint_oci::Reference;

use crate::{shell::Interpreter, stage::Base};

/// A version by its first two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) major: u32,
    pub(super) minor: Option<u32>,
}

/// The reference of the image that the stage, by way of the stages below it, starts from.
pub(super) fn reference(shell: &Interpreter<'_, '_>) -> Option<Reference> {
    let stages = &shell.world.plan.stages;
    let mut at = shell.world.stage;
    loop {
        match &stages.get(at)?.base {
            Base::Image { reference } => return Reference::parse(&reference.as_known()?).ok(),
            // A base stands before what is on it.
            Base::Stage(below) if *below < at => at = *below,
            _ => return None,
        }
    }
}

/// The version in the tag of that image: 3.11 of `python:3.11-slim`.
pub(super) fn version(shell: &Interpreter<'_, '_>) -> Option<Version> {
    let reference = reference(shell)?;
    let tag = reference.tag()?;
    let mut numbers = tag.split('-').next()?.split('.');
    let major = numbers.next()?.parse().ok()?;
    Some(Version { major, minor: numbers.next().and_then(|n| n.parse().ok()) })
}

/// Whether the stage stands on the official image of this name.
pub(super) fn is_official(shell: &Interpreter<'_, '_>, name: &str) -> bool {
    reference(shell).is_some_and(|r| r.official_name() == Some(name))
}
