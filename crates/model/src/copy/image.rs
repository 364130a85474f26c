//! What COPY takes from an image, or from what a stage has of its image.

use mlint_oci::{Platform, Reference};
use mlint_syntax::InstructionKind;

use super::{Copier, Place};
use crate::{
    artifact::{Artifact, Made},
    effect::CopyFrom,
    files::{Selected, file_name},
    knowledge,
    machine::{Libc, Machine, MachineSource},
    stage::Base,
    value::{Origin, Value},
};

/// Folders of a root file system that hold machine code.
const PROGRAM_FOLDERS: &[&str] = &[
    "/bin/",
    "/sbin/",
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/local/bin/",
    "/usr/local/sbin/",
    "/lib/",
    "/lib64/",
    "/usr/lib/",
    "/usr/lib64/",
    "/usr/local/lib/",
    "/usr/libexec/",
    "/usr/local/go",
];

/// Folders of a root file system that hold none.
const DATA_FOLDERS: &[&str] =
    &["/etc/", "/usr/share/", "/var/lib/ca-certificates/", "/usr/local/share/"];

/// Names that folders of results have as often as programs.
const FOLDER_NAMES: &[&str] = &[
    "app",
    "artifacts",
    "assets",
    "bin",
    "build",
    "config",
    "data",
    "dist",
    "docker",
    "export",
    "home",
    "install",
    "lib",
    "opt",
    "out",
    "output",
    "release",
    "root",
    "rootfs",
    "sbin",
    "scripts",
    "src",
    "static",
    "target",
    "tools",
    "usr",
];

/// Files of text by their names without, or by their extensions.
const TEXTS: &[&str] = &["license", "licence", "notice", "copying", "readme", "changelog"];
const TEXT_EXTENSIONS: &[&str] =
    &["txt", "md", "json", "yaml", "yml", "toml", "conf", "ini", "html", "pem", "crt", "xml"];

/// An image, or a stage, that something is taken from.
pub(super) struct Whole {
    pub(super) reference: String,
    pub(super) platform: Option<Platform>,
    /// Nothing was done to the image.
    pub(super) untouched: bool,
}

fn is_text(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let (stem, extension) = lower.split_once('.').unwrap_or((&lower, ""));
    let last = extension.rsplit('.').next().unwrap_or_default();
    TEXTS.contains(&stem) || TEXT_EXTENSIONS.contains(&last)
}

/// Whether something called `name` is the program that the image is there for: `uv` of
/// `astral-sh/uv`.
fn is_main_program(reference: &str, name: &str) -> bool {
    Reference::parse(reference).is_ok_and(|reference| {
        let repository = reference.repository();
        name == repository.rsplit('/').next().unwrap_or(repository)
    })
}

/// Whether it is the image of the xx scripts.
pub(super) fn is_xx(reference: &str) -> bool {
    Reference::parse(reference).is_ok_and(|r| r.repository() == "tonistiigi/xx")
}

impl Place<'_> {
    /// Whether a file, if it is one, lands in a folder of programs.
    fn is_among_programs(&self) -> bool {
        let folder = match self.folder {
            true => self.target,
            false => self.target.rsplit_once('/').map_or("", |(folder, _)| folder),
        };
        !self.parents && (folder.ends_with("/bin") || folder.ends_with("/sbin"))
    }
}

impl Copier<'_, '_> {
    /// What an image has at a path.
    pub(super) fn taken_from_image(
        &self,
        name: &str,
        path: &str,
        place: &Place<'_>,
    ) -> Vec<Selected> {
        if path == "/" && is_xx(name) {
            // A few scripts that run everywhere.
            return Vec::new();
        }
        let whole =
            Whole { reference: name.to_owned(), platform: self.content_of(name), untouched: true };
        vec![self.of_image(whole, path, place)]
    }

    fn content_of(&self, image: &str) -> Option<Platform> {
        let reference = Value::known(image, Origin::Literal, self.step.span);
        knowledge::content(&reference, Some(self.world.target))
    }

    /// Whether a stage is its image and nothing more.
    pub(super) fn is_untouched(&self, stage: usize) -> bool {
        let prepared = self.world.prepared;
        let changes = |at: &mlint_syntax::Instruction| {
            matches!(
                at.kind,
                InstructionKind::Run(_)
                    | InstructionKind::Copy { .. }
                    | InstructionKind::Add { .. }
            )
        };
        let (Some(outline), Some(planned)) =
            (prepared.outline.stages.get(stage), self.world.plan.stages.get(stage))
        else {
            return false;
        };
        let body = prepared.file.instructions.get(outline.body.clone()).unwrap_or_default();
        matches!(planned.base, Base::Image { .. })
            && planned.triggers.is_empty()
            && !body.iter().any(changes)
    }

    /// A part of an image's (or a stage's) own root file system.
    pub(super) fn of_image(&self, whole: Whole, path: &str, place: &Place<'_>) -> Selected {
        let below = |folders: &[&str]| {
            folders.iter().any(|f| path.starts_with(f) || path == f.trim_end_matches('/'))
        };
        let name = file_name(path);
        let Whole { reference, platform, untouched } = whole;
        let of_packages =
            || Machine { source: MachineSource::Packages, ..Machine::native(platform.as_ref()) };
        let in_program_folder = below(PROGRAM_FOLDERS);
        // A name that is no folder's, and ends up among programs or is the image's own.
        let lands_as_program = !name.is_empty()
            && !name.contains(['*', '?', '['])
            && !FOLDER_NAMES.contains(&name)
            && (place.is_among_programs()
                || untouched && !place.folder && is_main_program(&reference, name))
            && !in_program_folder;
        // Where commands of the stage made programs, a pattern is for those.
        let made_here = !untouched && name.contains(['*', '?', '[']);
        let machine = match () {
            () if is_text(name) || below(DATA_FOLDERS) => Machine::independent(),
            () if in_program_folder && !(made_here && path.contains("bin/")) => of_packages(),
            // What the commands of a stage made may be for any machine.
            () if lands_as_program && untouched => of_packages(),
            () => Machine::unknown(),
        };
        let is_program = lands_as_program || machine.platform().is_some() && path.contains("bin/");
        // Whether a program there is a script or static, its path does not tell.
        let certain = false;
        let folder = !is_program && !is_text(name) && !name.contains('.');
        let made = Made::Image { reference };
        let artifact = Artifact {
            certain,
            way: Vec::new(),
            ..self.new_artifact(path.to_owned(), made, machine, folder)
        };
        let top = if folder { String::new() } else { name.to_owned() };
        Selected { artifact, top, rest: String::new() }
    }

    /// A whole root file system comes: where there was none, its programs are the stage's.
    pub(super) fn take_root(&mut self, from: &CopyFrom) {
        if !self.state.rootless {
            return;
        }
        match from {
            CopyFrom::Stage(stage) => {
                let Some(Some(other)) = self.world.done.get(*stage) else { return };
                self.state.userland = other.userland.clone();
                self.state.libc = other.libc;
            }
            CopyFrom::Image(name) => {
                self.state.userland = self.content_of(name);
                self.state.libc = knowledge::image(name).libc;
            }
            _ => return,
        }
        self.state.rootless = self.state.libc == Libc::None;
    }
}
