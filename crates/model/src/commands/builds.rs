//! What build tools leave behind for later commands, within a RUN and from one to the next.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    artifact::Artifact,
    effect::{Argument, Setting},
    machine::{Linkage, Machine},
};

/// A directory that `configure`, `cmake` or `meson` prepared.
#[derive(Clone, Debug)]
pub(crate) struct Configured {
    pub(crate) machine: Machine,
    pub(crate) linkage: Linkage,
    /// Where `install` goes; `None` if that is not known.
    pub(crate) prefix: Option<String>,
    /// What had a say.
    pub(crate) settings: Vec<Setting>,
    /// Nothing but results lies in the directory.
    pub(crate) own_tree: bool,
}

/// The memory of build tools. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Builds {
    configured: Arc<BTreeMap<String, Configured>>,
    /// Go's settings file: `go env -w`, `xx-go --wrap`.
    go: Arc<BTreeMap<String, Argument>>,
    /// Rust comes from the distribution, not from rustup.
    pub(crate) distro_rust: bool,
    /// What RUNs so far left in cache mounts, by id; paths are relative to the mount.
    caches: Arc<BTreeMap<String, Vec<Artifact>>>,
    /// Packages that a group brings (`apk add --virtual`), and those that are wanted anyway.
    groups: Arc<BTreeMap<String, BTreeSet<String>>>,
    wanted: Arc<BTreeSet<String>>,
    /// Packages are marked as installed automatically (`apt-mark auto`).
    pub(crate) marked_auto: bool,
    /// The programs of packages that were there when a script asked which are wanted
    /// (`apt-mark showmanual`), and of those that it marked as wanted again.
    pub(crate) listed: Arc<BTreeSet<&'static str>>,
    pub(crate) kept: Arc<BTreeSet<&'static str>>,
}

impl Builds {
    /// Remembers how a directory was configured. Where that is not certain, an older, different
    /// configuration may still be in effect.
    pub(crate) fn configure(&mut self, directory: String, mut new: Configured, certain: bool) {
        let configured = Arc::make_mut(&mut self.configured);
        if let (false, Some(old)) = (certain, configured.get(&directory)) {
            if old.machine.kind != new.machine.kind {
                new.machine = Machine::unknown();
            }
            if old.linkage != new.linkage {
                new.linkage = Linkage::Unknown;
            }
            if old.prefix != new.prefix {
                new.prefix = None;
            }
        }
        configured.insert(directory, new);
    }

    /// How a directory is configured, by itself or by the nearest directory above it.
    pub(crate) fn configured(&self, directory: &str) -> Option<(&str, &Configured)> {
        let mut at = directory;
        loop {
            if let Some((path, found)) = self.configured.get_key_value(at) {
                return Some((path, found));
            }
            at = match at.rsplit_once('/')? {
                ("", "") => return None,
                ("", _) => "/",
                (parent, _) => parent,
            };
        }
    }

    /// A value of Go's settings file.
    pub(crate) fn go(&self, name: &str) -> Option<&Argument> {
        self.go.get(name)
    }

    /// `None` takes the setting away.
    pub(crate) fn set_go(&mut self, name: &str, value: Option<Argument>) {
        let go = Arc::make_mut(&mut self.go);
        match value {
            Some(value) => go.insert(name.to_owned(), value),
            None => go.remove(name),
        };
    }

    /// A group of packages is installed.
    pub(crate) fn group(&mut self, name: &str, packages: BTreeSet<String>) {
        Arc::make_mut(&mut self.groups).entry(name.to_owned()).or_default().extend(packages);
    }

    /// Packages are installed for themselves.
    pub(crate) fn want(&mut self, packages: BTreeSet<String>) {
        Arc::make_mut(&mut self.wanted).extend(packages);
    }

    /// What goes with a group. `None` if there is no such group.
    pub(crate) fn ungroup(&mut self, name: &str, certain: bool) -> Option<Vec<String>> {
        let members = self.groups.get(name)?.clone();
        if certain {
            Arc::make_mut(&mut self.groups).remove(name);
        }
        let others = |p: &String| self.groups.iter().any(|(n, g)| n != name && g.contains(p));
        Some(members.into_iter().filter(|p| !self.wanted.contains(p) && !others(p)).collect())
    }

    /// What a cache mount held after the last RUN that used it.
    pub(crate) fn cached(&self, id: &str) -> &[Artifact] {
        self.caches.get(id).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn keep_cached(&mut self, id: String, artifacts: Vec<Artifact>) {
        if artifacts.is_empty() && !self.caches.contains_key(&id) {
            return;
        }
        Arc::make_mut(&mut self.caches).insert(id, artifacts);
    }
}
