//! COPY, ADD, and the mounts of RUN.

mod image;

use std::sync::Arc;

use mlint_syntax::{CopySource, Heredoc, Instruction, Span, Word, word};

use image::Whole;

use crate::{
    artifact::{Artifact, Made, Station},
    cache::{self, Mount},
    commands::{machine_of_name, name_by_pattern, place, url_file_name},
    context::{ContextEntry, ContextPath},
    effect::{Argument, Copy, CopyFrom, Download, Effect, EffectKind, Fetcher, Sharing},
    evaluation::ImageUser,
    expand::expand,
    files::{Selected, absolute, file_name, is_text, join},
    machine::{Linkage, Machine, MachineKind, MachineSource},
    plan::{Source, mount, mount_option},
    run::{StageState, World},
    stage::{Base, Step, UnsetUse},
    value::{Origin, Value},
};

fn effect(kind: EffectKind, span: Span) -> Effect {
    Effect { kind, span, certain: true, guards: Vec::new() }
}

/// Flags of COPY and ADD in which variables are expanded.
const EXPANDED_FLAGS: &[&str] = &["chown", "chmod", "checksum"];

/// Where a COPY puts a source.
struct Place<'p> {
    target: &'p str,
    /// The target is a folder.
    folder: bool,
    /// `--parents`: the source's own folders come along.
    parents: bool,
}

struct Copier<'c, 'e> {
    world: &'c World<'e>,
    step: &'c mut Step,
    state: &'c mut StageState,
}

impl Copier<'_, '_> {
    fn expand(&mut self, word: &Word) -> Value {
        let expansion = self.state.scope.expand(word);
        let unset: Vec<UnsetUse> = expansion.unset;
        self.step.unset.extend(unset);
        if self.step.failure.is_none() {
            self.step.failure = expansion.failure;
        }
        expansion.value
    }

    fn station(&self, path: String) -> Station {
        let (stage, instruction) = (self.world.stage, self.step.instruction);
        Station { stage, instruction, span: self.step.span, path }
    }

    fn absolute(&self, path: &str) -> Option<String> {
        match (&self.state.directory, path.starts_with('/')) {
            (_, true) => Some(absolute("/", path)),
            (Some(directory), _) => Some(absolute(directory, path)),
            (None, _) => None,
        }
    }

    /// An artifact made by this instruction.
    fn new_artifact(&self, path: String, made: Made, machine: Machine, folder: bool) -> Artifact {
        let way = vec![self.station(path.clone())];
        Artifact {
            path,
            folder,
            made,
            content: None,
            machine,
            linkage: Linkage::Unknown,
            way,
            certain: true,
        }
    }
}

/// COPY and ADD.
pub(crate) fn copy(
    world: &World<'_>,
    state: &mut StageState,
    step: &mut Step,
    instruction: &Instruction,
    sources: &[CopySource],
    dest: &Word,
    is_add: bool,
) {
    let from_flag = instruction.flag("from").and_then(|f| f.value.as_ref());
    let from = match from_flag.map(|w| world.plan.source(ImageUser::Copy, world.stage, w.as_str()))
    {
        None => CopyFrom::Context,
        Some(Source::Stage(stage)) => CopyFrom::Stage(stage),
        Some(Source::Image(name)) => CopyFrom::Image(name),
        Some(Source::Named(name)) => CopyFrom::Named(name),
        Some(Source::Unknown) => CopyFrom::Unknown,
    };
    let mut copier = Copier { world, step, state };
    let mut checksum = None;
    for flag in instruction.flags.iter().filter(|f| EXPANDED_FLAGS.contains(&f.name.as_str())) {
        if let Some(word) = &flag.value {
            let value = copier.expand(word);
            checksum = Some(value).filter(|_| is_add && flag.name == "checksum").or(checksum);
        }
    }
    let parents = instruction
        .flag("parents")
        .is_some_and(|f| f.value.as_ref().is_none_or(|v| v.as_str() != "false"));
    let dest_value = copier.expand(dest);
    let ends_in_slash = {
        let end = dest_value.known_suffix();
        end.ends_with('/') || end.ends_with("/.") || end == "."
    };
    let target = dest_value.as_known().and_then(|t| copier.absolute(&t));
    let dest = Argument { value: dest_value, span: dest.span() };
    let mut arguments = Vec::new();
    let mut heredocs = Vec::new();
    for source in sources {
        match source {
            CopySource::Path(word) => {
                arguments.push(Argument { value: copier.expand(word), span: word.span() });
            }
            CopySource::Heredoc(index) => heredocs.extend(instruction.heredocs.get(*index)),
        }
    }
    let folder = ends_in_slash
        || sources.len() > 1
        || target.as_ref().is_some_and(|t| copier.state.files.is_folder(t));
    for heredoc in heredocs {
        let Some(target) = &target else { continue };
        let path = if folder { join(target, &heredoc.name) } else { target.clone() };
        let content = copier.heredoc(heredoc);
        let artifact = copier.new_artifact(path, Made::Written, Machine::independent(), false);
        copier.state.files.put(Artifact { content: Some(content), ..artifact });
    }
    for argument in &arguments {
        if is_add
            && from == CopyFrom::Context
            && copier.add_remote(argument, target.as_deref(), folder)
        {
            if let Some(sums) = checksum.clone() {
                copier.step.effects.push(effect(EffectKind::Checksum { sums }, argument.span));
            }
            continue;
        }
        let Some(target) = &target else { continue };
        let place = Place { target, folder, parents };
        copier.one_source(&from, argument, &place, is_add);
    }
    let span = copier.step.span;
    let kind = Copy { from, sources: arguments, dest, target };
    copier.step.effects.push(effect(EffectKind::Copy(kind), span));
}

impl Copier<'_, '_> {
    /// `ADD https://…`, `ADD git@…`.
    fn add_remote(&mut self, source: &Argument, target: Option<&str>, folder: bool) -> bool {
        let text = source.value.spelling();
        let is_git = text.starts_with("git@") || text.starts_with("git://") || {
            (text.starts_with("https://") || text.starts_with("http://"))
                && text.split(['#', '?']).next().is_some_and(|t| t.ends_with(".git"))
        };
        if !is_git && !text.starts_with("http://") && !text.starts_with("https://") {
            return false;
        }
        let path = target.map(|target| match (folder && !is_git, url_file_name(&source.value)) {
            (true, Some(name)) => match name.as_known() {
                Some(name) if !name.is_empty() => join(target, &name),
                _ => target.to_owned(),
            },
            _ => target.to_owned(),
        });
        let output = path.as_ref().map(|p| Value::known(p.as_str(), Origin::Literal, source.span));
        let download = Download {
            tool: if is_git { Fetcher::Git } else { Fetcher::Add },
            url: source.value.clone(),
            url_span: source.span,
            output,
        };
        self.step.effects.push(effect(EffectKind::Download(download), source.span));
        if let Some(path) = path.filter(|_| !is_git) {
            let machine = machine_of_name(&source.value, self.world.target);
            let made = Made::Downloaded { url: source.value.clone() };
            let artifact = self.new_artifact(path, made, machine, false);
            self.state.files.put(artifact);
        }
        true
    }

    /// A here-document's text; without quotes around its delimiter, variables are expanded.
    fn heredoc(&mut self, heredoc: &Heredoc) -> Value {
        if !heredoc.expand {
            return Value::literal(&heredoc.body);
        }
        let parsed = word::parse_heredoc_body(&heredoc.body);
        let expansion = expand(&parsed, &|name| self.state.scope.binding(name));
        self.step.unset.extend(expansion.unset);
        if self.step.failure.is_none() {
            self.step.failure = expansion.failure;
        }
        expansion.value
    }

    fn one_source(&mut self, from: &CopyFrom, source: &Argument, place_: &Place<'_>, is_add: bool) {
        let Some(text) = source.value.as_known() else { return };
        let (base, kept) = match (place_.parents, text.split_once("/./")) {
            (false, _) => ("", text.as_ref()),
            (true, Some((base, kept))) => (base, kept),
            (true, None) => ("", text.as_ref()),
        };
        let path = absolute(&absolute("/", base), kept);
        let is_root = path == "/";
        let mut selected = match from {
            CopyFrom::Stage(stage) => self.taken_from_stage(*stage, source, &path, place_),
            CopyFrom::Image(name) => self.taken_from_image(name, &path, place_),
            CopyFrom::Context => vec![self.of_context(source, ContextPath::main(&path), is_add)],
            CopyFrom::Named(name) => {
                let path = ContextPath { context: Some(name.as_str().into()), path };
                vec![self.of_context(source, path, is_add)]
            }
            _ => return,
        };
        let (stage, instruction, span) = (self.world.stage, self.step.instruction, self.step.span);
        let station = |path: String| Station { stage, instruction, span, path };
        if let [one] = &mut selected[..] {
            name_by_pattern(one, kept, place_.folder);
        }
        let parents =
            place_.parents.then(|| kept.rsplit_once('/').map_or("", |(folder, _)| folder));
        let (target, folder) = match parents {
            // Contents of a folder keep the folder's own name as well.
            Some(_) if selected.iter().all(|s| s.top.is_empty()) => {
                (join(place_.target, kept), true)
            }
            Some(folder) => (join(place_.target, folder), true),
            None => (place_.target.to_owned(), place_.folder),
        };
        place(&mut self.state.files, selected, &target, folder, true, station);
        if is_root && target == "/" {
            self.take_root(from);
        }
    }

    /// What a stage has at a path.
    fn taken_from_stage(
        &self,
        stage: usize,
        source: &Argument,
        path: &str,
        place: &Place<'_>,
    ) -> Vec<Selected> {
        let Some(Some(state)) = self.world.done.get(stage) else { return Vec::new() };
        let mut selected = state.files.select(path);
        if !selected.is_empty() {
            for one in &mut selected {
                self.world.settle(one, source.span);
            }
            return selected;
        }
        // Nothing that the Dockerfile brought: a part of the base image, or of a package.
        let reference = match &self.world.plan.stages[stage].base {
            Base::Image { reference } => reference.to_string(),
            Base::Context { name } => {
                let path =
                    ContextPath { context: Some(name.as_str().into()), path: path.to_owned() };
                return vec![self.of_context(source, path, false)];
            }
            _ => String::new(),
        };
        if path == "/" && image::is_xx(&reference) {
            return Vec::new();
        }
        let whole = Whole {
            reference,
            platform: state.userland.clone(),
            untouched: self.is_untouched(stage),
        };
        vec![self.of_image(whole, path, place)]
    }

    /// A part of a context: what is known of it, else what its name tells.
    fn of_context(&self, source: &Argument, path: ContextPath, is_add: bool) -> Selected {
        let name = file_name(&path.path).to_owned();
        let is_pattern = name.contains(['*', '?', '[']);
        let is_archive = is_add
            && [".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tar.zst"]
                .iter()
                .any(|e| name.ends_with(e));
        let machine = match is_text(&name) {
            true => Machine::independent(),
            false => machine_of_name(&source.value, self.world.target),
        };
        let looks_like_file =
            !is_archive && (name.contains('.') && !name.starts_with('.') || is_text(&name));
        // Of an archive only what it holds lands in the image.
        let place = (!is_archive).then(|| path.clone());
        let artifact = Artifact {
            way: Vec::new(),
            folder: !looks_like_file,
            ..self.new_artifact(path.path.clone(), Made::Context { path: place }, machine, false)
        };
        let top = if artifact.folder || is_pattern { String::new() } else { name.clone() };
        let mut selected = Selected { artifact, top, rest: String::new() };
        if is_archive || is_pattern {
            return selected;
        }
        match self.world.entry(&path) {
            Some(ContextEntry::Folder) => {
                selected.artifact.folder = true;
                selected.top = String::new();
            }
            Some(ContextEntry::File(_)) => {
                selected.artifact.folder = false;
                selected.top = name;
                self.world.look_at(&mut selected.artifact, source.span);
            }
            Some(ContextEntry::Missing) | None => {}
        }
        selected
    }
}

impl World<'_> {
    /// Says of a part of a copied folder whether it is a folder itself.
    fn settle(&self, selected: &mut Selected, span: Span) {
        let Made::Context { path: Some(path) } = &selected.artifact.made else { return };
        if !selected.artifact.folder && self.entry(path) == Some(&ContextEntry::Folder) {
            selected.artifact.folder = true;
            selected.top = String::new();
        }
        self.look_at(&mut selected.artifact, span);
    }

    /// Adds to a file of the context what is known of it.
    pub(crate) fn look_at(&self, artifact: &mut Artifact, span: Span) {
        let Made::Context { path: Some(path) } = &artifact.made else { return };
        if artifact.content.is_some() || artifact.folder {
            return;
        }
        let Some(ContextEntry::File(file)) = self.entry(path) else { return };
        if let Some(machine) = &file.machine {
            artifact.machine = Machine {
                kind: MachineKind::Platform(machine.clone()),
                source: MachineSource::Elf,
            };
            artifact.linkage = file.linkage;
        } else if let Some(text) = &file.text {
            artifact.machine = Machine::independent();
            artifact.content = Some(Value::known(Arc::clone(text), Origin::File, span));
        }
    }
}

/// Records the mounts of a RUN and makes what bind mounts bring visible.
pub(crate) fn mounts(
    world: &World<'_>,
    state: &mut StageState,
    step: &mut Step,
    instruction: &Instruction,
) -> Vec<Mount> {
    let mut mounted = Vec::new();
    let mut copier = Copier { world, step, state };
    for flag in instruction.flags.iter().filter(|f| f.name == "mount") {
        let Some(options) = mount(flag) else { continue };
        let kind =
            mount_option(&options, &["type"]).map_or("bind", Word::as_str).to_ascii_lowercase();
        let mut value = |keys: &[&str]| {
            let word = mount_option(&options, keys)?;
            Some(copier.expand(word))
        };
        let target = value(&["target", "dst", "destination"]);
        let id = value(&["id"]);
        let source = value(&["source", "src"]);
        match kind.as_str() {
            "cache" => {
                let target = target.unwrap_or_default();
                let explicit_id = id.is_some();
                let id = id.unwrap_or_else(|| target.clone());
                let path = target.as_known().and_then(|t| copier.absolute(&t));
                let key = id.as_known().map(std::borrow::Cow::into_owned);
                mounted.extend(path.and_then(|p| cache::mount(copier.state, p, key)));
                let sharing = sharing(mount_option(&options, &["sharing"]));
                let kind = EffectKind::CacheMount {
                    explicit_id,
                    id,
                    target,
                    sharing,
                    compiles: Vec::new(),
                };
                copier.step.effects.push(effect(kind, flag.span));
            }
            "tmpfs" => {
                let path = target.as_ref().and_then(Value::as_known);
                let path = path.and_then(|t| copier.absolute(&t));
                mounted.extend(path.and_then(|p| cache::mount(copier.state, p, None)));
            }
            "bind" => {
                let from = mount_option(&options, &["from"]).map(Word::as_str);
                let path = target.as_ref().and_then(Value::as_known);
                let Some(path) = path.and_then(|t| copier.absolute(&t)) else { continue };
                let source = source.unwrap_or_default();
                let known = source.as_known().map(|source| absolute("/", &source));
                let Some(mount) = cache::mount(copier.state, path.clone(), None) else { continue };
                mounted.push(mount);
                let kind = EffectKind::BindMount {
                    from: copier.mount_source(from),
                    source: known.clone(),
                    target: path.clone(),
                };
                copier.bind(from, known.as_deref().unwrap_or("/"), flag.span, &path);
                copier.step.effects.push(effect(kind, flag.span));
            }
            _ => {}
        }
    }
    mounted
}

fn sharing(word: Option<&Word>) -> Sharing {
    match word.map(Word::as_str) {
        None | Some("shared") => Sharing::Shared,
        Some("private") => Sharing::Private,
        Some("locked") => Sharing::Locked,
        Some(_) => Sharing::Unknown,
    }
}

impl Copier<'_, '_> {
    fn mount_source(&self, from: Option<&str>) -> CopyFrom {
        let Some(from) = from else { return CopyFrom::Context };
        match self.world.plan.source(ImageUser::Mount, self.world.stage, from) {
            Source::Stage(stage) => CopyFrom::Stage(stage),
            Source::Named(name) => CopyFrom::Named(name),
            Source::Image(_) if from.contains('$') => CopyFrom::Unknown,
            Source::Image(name) => CopyFrom::Image(name),
            Source::Unknown => CopyFrom::Unknown,
        }
    }

    fn bind(&mut self, from: Option<&str>, source: &str, span: Span, target: &str) {
        let plan = self.world.plan;
        let taken = from.map(|from| plan.source(ImageUser::Mount, self.world.stage, from));
        let argument = || Argument { value: Value::known(source, Origin::Literal, span), span };
        let selected = match taken {
            None => vec![self.of_context(&argument(), ContextPath::main(source), false)],
            Some(Source::Named(name)) => {
                let path = ContextPath { context: Some(name.into()), path: absolute("/", source) };
                vec![self.of_context(&argument(), path, false)]
            }
            Some(Source::Stage(stage)) => match self.world.done.get(stage) {
                Some(Some(state)) => {
                    let mut selected = state.files.select(source);
                    selected.iter_mut().for_each(|one| self.world.settle(one, span));
                    selected
                }
                _ => return,
            },
            Some(Source::Image(_) | Source::Unknown) => return,
        };
        let (stage, instruction, span) = (self.world.stage, self.step.instruction, self.step.span);
        let station = |path: String| Station { stage, instruction, span, path };
        place(&mut self.state.files, selected, target, false, true, station);
    }
}
