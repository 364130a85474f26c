//! Packages that are installed, and paths that packages own.

pub mod arch_library_path;
pub mod arch_specific_package;
mod follow;
pub mod single_arch_package;
pub(crate) mod source;

use mlint_model::{EffectKind, Stage};

/// `dpkg --add-architecture amd64`
fn wants_others(stage: &Stage) -> bool {
    stage.effects().any(|(_, e)| match &e.kind {
        EffectKind::Command(c) => c.argv.iter().any(|a| a.value.is("--add-architecture")),
        _ => false,
    })
}
