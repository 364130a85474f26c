//! Executes a plan.

mod bases;
mod cache_key;
mod caches;
mod copy;
mod identity;
mod known;
mod layout;
mod memo;
mod mounts;
mod owner;
mod record;
mod remote;
mod run;
mod schedule;
mod seed;
mod snapshot;
mod ssh;
mod workdir;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use mlint_oci::Digest;
use mlint_registry::Client;

pub use bases::{fetch_layer, resolve_images, resolved};
pub(crate) use layout::Layout;
pub use layout::{LayoutImage, layout_platforms, resolve_layout};
pub use schedule::execute;
pub use snapshot::Snapshot;

use crate::{
    context::{Context, FileDigests, Ignore},
    events::{Event, Events},
    exchange::{Imported, Note},
    image::layer_steps,
    layer::{LayerIndex, View, entry::ImagePath},
    plan::{MountSource, Op, Plan, StepId},
    problem::{At, BuildError, Problem},
    remote::Commit,
    request::{BuildRequest, NamedSource},
    reshape::compressed,
    sandbox::{Session, emulation::Emulation},
    store::{LayerRef, LayerStoreError, Lock, Store},
};
use memo::Memo;
use record::{ContentKey, Fresh, Grown, Key, Made, Record};

/// The name of the build context among what is remembered.
const CONTEXT: &str = "context";

/// Everything that executing steps needs.
pub struct Exec<'a> {
    /// The session.
    pub session: &'a Session,
    /// The cache.
    pub store: &'a Store,
    /// The registries.
    pub client: &'a Client,
    /// Where requests run.
    pub runtime: &'a tokio::runtime::Handle,
    /// What to do.
    pub plan: &'a Plan,
    /// What was asked for.
    pub request: &'a BuildRequest,
    /// Who is told.
    pub events: &'a dyn Events,
    /// How programs of other platforms run.
    pub emulation: Option<Emulation>,
    /// What caches elsewhere know.
    pub imported: Imported,
    /// The steps whose layers the images have.
    shipped: HashSet<StepId>,
    contexts: Memo<Arc<LoadedContext>>,
    urls: Memo<remote::Known>,
    commits: Memo<Commit>,
    results: Mutex<Vec<Option<Arc<StepResult>>>>,
    /// What was learnt besides, for caches elsewhere.
    noted: Mutex<Vec<Note>>,
    /// What this build made: platforms share it even where the cache is not to be used.
    made: Mutex<HashMap<(String, Digest), Record>>,
}

/// The context, and what is known of its files.
pub struct LoadedContext {
    /// The context.
    pub context: Context,
    /// Digests of its files.
    pub digests: FileDigests,
}

/// What a step made.
#[derive(Debug)]
pub struct StepResult {
    /// The file system after it.
    pub snapshot: Snapshot,
    /// When its layer was made, in seconds since 1970; `None` for base images.
    pub created: Option<i64>,
    /// How long it took, now.
    pub seconds: f64,
    /// Whether it came from the cache.
    pub cached: bool,
    /// The record that it is found by; `None` for base images.
    pub key: Option<Key>,
    /// The record that its content is found by, if that has one of its own.
    pub content: Option<ContentKey>,
}

impl<'a> Exec<'a> {
    /// Prepares; nothing runs yet.
    pub fn new(
        session: &'a Session,
        store: &'a Store,
        client: &'a Client,
        runtime: &'a tokio::runtime::Handle,
        plan: &'a Plan,
        request: &'a BuildRequest,
        events: &'a dyn Events,
    ) -> Self {
        let results = Mutex::new((0..plan.steps.len()).map(|_| None).collect());
        Self {
            session,
            store,
            client,
            runtime,
            plan,
            request,
            events,
            emulation: None,
            imported: Imported::default(),
            shipped: plan.images.iter().flat_map(|image| layer_steps(plan, image)).collect(),
            noted: Mutex::default(),
            contexts: Memo::default(),
            urls: Memo::default(),
            commits: Memo::default(),
            results,
            made: Mutex::default(),
        }
    }

    /// What a step made, once it is done.
    pub fn result(&self, id: StepId) -> Option<Arc<StepResult>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner).get(id)?.clone()
    }

    /// The file system after a step; the empty one for `None`.
    pub fn snapshot(&self, id: Option<StepId>) -> Snapshot {
        match id.and_then(|id| self.result(id)) {
            Some(result) => result.snapshot.clone(),
            None => Snapshot::empty(),
        }
    }

    /// Writes down what was learnt about the context's files, and which layers were of use.
    pub fn finish(&self) -> Result<(), BuildError> {
        let mut noted = HashSet::new();
        for result in (0..self.plan.steps.len()).filter_map(|id| self.result(id)) {
            for layer in &result.snapshot.layers {
                if noted.insert(layer.digest.clone()) {
                    self.store.note_use(layer);
                }
            }
        }
        let named = self.request.contexts.iter().enumerate();
        let named = named.filter(|(_, c)| matches!(c.source, NamedSource::Directory { .. }));
        let names = named.map(|(number, _)| context_name(number));
        for name in std::iter::once(CONTEXT.to_owned()).chain(names) {
            if let Some(loaded) = self.contexts.known(&name) {
                loaded.digests.save(self.store)?;
            }
        }
        Ok(())
    }

    /// Takes a lock of the cache, unless the build is interrupted meanwhile.
    pub fn lock(&self, kind: &str, name: &str) -> Result<Lock, BuildError> {
        lock(self.session, self.store, kind, name)
    }

    /// Asks until there is an answer, unless the build is interrupted meanwhile.
    pub fn until<T>(
        &self,
        ask: impl FnMut() -> Result<Option<T>, BuildError>,
    ) -> Result<T, BuildError> {
        until(self.session, ask)
    }

    /// Whether to give up.
    pub fn interrupted(&self) -> bool {
        self.session.cancel().is_cancelled()
    }

    fn step(&self, id: StepId) -> Result<(), BuildError> {
        let step = &self.plan.steps[id];
        let span = step.origin.span;
        if self.interrupted() {
            return Err(Problem::Interrupted.into());
        }
        let start = Instant::now();
        let parent = self.snapshot(step.parent);
        let (snapshot, created, cached, key, content) = match &step.op {
            Op::Base(number) => {
                let StepResult { snapshot, created, cached, key, content, .. } =
                    self.base_result(*number);
                (snapshot, created, cached, key, content)
            }
            Op::Run(op) => self.grown(id, &parent, self.run(id, op, &parent)).at(span)?,
            Op::Copy(op) => self.grown(id, &parent, self.copy(id, op, &parent)).at(span)?,
            Op::Workdir(op) => self.grown(id, &parent, self.workdir(id, op, &parent)).at(span)?,
        };
        let seconds = start.elapsed().as_secs_f64();
        self.events.event(match cached {
            true => Event::Cached { step: id },
            false => Event::Finished { step: id, seconds },
        });
        let result = StepResult { snapshot, created, seconds, cached, key, content };
        self.results.lock().unwrap_or_else(PoisonError::into_inner)[id] = Some(Arc::new(result));
        Ok(())
    }

    fn base_result(&self, number: usize) -> StepResult {
        let snapshot = Snapshot::of(self.plan.bases[number].layers.clone());
        StepResult { snapshot, created: None, seconds: 0.0, cached: true, key: None, content: None }
    }

    fn grown(
        &self,
        id: StepId,
        parent: &Snapshot,
        made: Result<Made, BuildError>,
    ) -> Result<Grown, BuildError> {
        let Made { mut layer, created, cached, settled, key, content } = made?;
        let wanted = self.request.compression;
        // Made for another output, or by a step whose layer no image had.
        if self.shipped.contains(&id) && layer.compression != Some(wanted) {
            layer = compressed(self, &layer, wanted)?;
        }
        let content = content.filter(|_| settled);
        Ok((parent.with(layer), Some(created), cached, settled.then_some(key), content))
    }

    /// The build context, or a named one; read when the first step needs it.
    fn context(&self, source: MountSource) -> Result<Arc<LoadedContext>, BuildError> {
        let MountSource::Named(number) = source else {
            let BuildRequest { context, ignore, .. } = self.request;
            return self.contexts.get(CONTEXT, || match context {
                Some(root) => self.load_context(root, ignore.as_ref()),
                None => Err(Problem::NoContext.into()),
            });
        };
        let Some(named) = self.request.contexts.get(number) else {
            return Err(Problem::NoContext.into());
        };
        match &named.source {
            NamedSource::Directory { path, ignore } => self
                .contexts
                .get(&context_name(number), || self.load_context(path, ignore.as_ref())),
            NamedSource::Remote(address) => self.remote_context(address),
            NamedSource::Image(_) | NamedSource::Layout { .. } => Err(Problem::NoContext.into()),
        }
    }

    /// A context of this machine as it is now; nothing for what can't change.
    fn context_again(&self, source: MountSource) -> Result<Option<Context>, BuildError> {
        let BuildRequest { context, ignore, contexts, .. } = self.request;
        let (root, ignore) = match source {
            MountSource::Context => (context.as_ref(), ignore.as_ref()),
            MountSource::Named(number) => match contexts.get(number).map(|named| &named.source) {
                Some(NamedSource::Directory { path, ignore }) => (Some(path), ignore.as_ref()),
                _ => (None, None),
            },
            MountSource::Step(_) => (None, None),
        };
        let Some(root) = root else { return Ok(None) };
        Ok(Some(read_context(root, ignore)?))
    }

    fn load_context(
        &self,
        root: &std::path::Path,
        ignore: Option<&(String, String)>,
    ) -> Result<Arc<LoadedContext>, BuildError> {
        let context = read_context(root, ignore)?;
        let digests = FileDigests::load(self.store, root);
        Ok(Arc::new(LoadedContext { context, digests }))
    }

    /// Waits for a request, unless the build is interrupted.
    pub fn wait<T>(&self, request: impl Future<Output = T>) -> Result<T, BuildError> {
        wait(self.runtime, self.session, request)
    }

    /// Brings a layer's archive here.
    pub fn fetch(&self, layer: &LayerRef) -> Result<(), BuildError> {
        bases::fetch(self, layer)
    }

    /// What a layer holds.
    pub fn index(&self, layer: &LayerRef) -> Result<Arc<LayerIndex>, BuildError> {
        if !self.store.has_index(layer) {
            self.fetch(layer)?;
        }
        self.healed(layer, || self.store.index(layer))
    }

    /// What is read of a layer's archive. One that was damaged on this disk is fetched once more,
    /// if there is somewhere to fetch it from.
    fn healed<T>(
        &self,
        layer: &LayerRef,
        read: impl Fn() -> Result<T, LayerStoreError>,
    ) -> Result<T, BuildError> {
        match read() {
            Err(LayerStoreError::Damaged { .. })
                if layer.origin.is_some() || self.imported.has(layer) =>
            {
                self.fetch(layer)?;
                Ok(read()?)
            }
            other => Ok(other?),
        }
    }

    /// A layer's archive, here and whole.
    pub fn whole_layer(&self, layer: &LayerRef) -> Result<std::path::PathBuf, BuildError> {
        self.fetch(layer)?;
        self.healed(layer, || self.store.whole_layer(layer))
    }

    /// The error for an unpacked file that is not what it was.
    pub fn changed(&self, layer: &LayerRef, path: &ImagePath) -> BuildError {
        match self.store.discard_unpacked(layer, path.display()) {
            Ok(error) => error.into(),
            Err(error) => error.into(),
        }
    }

    /// What a file system shows.
    pub fn view(&self, snapshot: &Snapshot) -> Result<View, BuildError> {
        let mut view = View::default();
        for (number, layer) in snapshot.layers.iter().enumerate() {
            view.apply(number, &*self.index(layer)?);
        }
        Ok(view)
    }

    /// A layer's directory.
    pub fn unpacked(&self, layer: &LayerRef) -> Result<std::path::PathBuf, BuildError> {
        if let Some(path) = self.store.look_over(layer)? {
            let name = layer.digest.short();
            let text = format!(
                "the cache's unpacked layer {name} was changed on this disk ({path}): it is unpacked anew"
            );
            self.events.event(Event::Warning { text });
        }
        if !self.store.is_unpacked(layer) {
            self.fetch(layer)?;
        }
        self.healed(layer, || self.store.unpacked(layer, &|| self.interrupted()))
    }

    /// The directories of all layers, topmost first, as overlays want them.
    pub fn lower_dirs(&self, snapshot: &Snapshot) -> Result<Vec<std::path::PathBuf>, BuildError> {
        use rayon::prelude::*;
        let mut dirs: Vec<_> = snapshot
            .layers
            .par_iter()
            .map(|layer| self.unpacked(layer))
            .collect::<Result<_, _>>()?;
        dirs.reverse();
        Ok(dirs)
    }
}

/// Walks a context; `ignore` is its ignore file's name and text.
fn read_context(
    root: &std::path::Path,
    ignore: Option<&(String, String)>,
) -> Result<Context, BuildError> {
    let ignore = match ignore {
        Some((file, text)) => Ignore::parse(file, text)?,
        None => Ignore::default(),
    };
    Ok(Context::read(root, &ignore)?)
}

/// What a named context is called among what is remembered.
fn context_name(number: usize) -> String {
    format!("context {number}")
}

/// Takes a lock of the cache.
fn lock(session: &Session, store: &Store, kind: &str, name: &str) -> Result<Lock, BuildError> {
    until(session, || Ok(store.try_lock(kind, name)?))
}

/// Asks again and again until there is an answer: who holds what is wanted may need minutes, so the
/// session can be told to stop meanwhile.
fn until<T>(
    session: &Session,
    mut ask: impl FnMut() -> Result<Option<T>, BuildError>,
) -> Result<T, BuildError> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if session.cancel().is_cancelled() {
            return Err(Problem::Interrupted.into());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Waits for a request, unless the session is told to stop.
pub fn wait<T>(
    runtime: &tokio::runtime::Handle,
    session: &Session,
    request: impl Future<Output = T>,
) -> Result<T, BuildError> {
    runtime.block_on(async {
        tokio::pin!(request);
        loop {
            tokio::select! {
                done = &mut request => return Ok(done),
                () = tokio::time::sleep(Duration::from_millis(50)) => {
                    if session.cancel().is_cancelled() {
                        return Err(Problem::Interrupted.into());
                    }
                }
            }
        }
    })
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
