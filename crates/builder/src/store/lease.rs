//! What living sessions use: no prune takes it away from them.
//!
//! Each session writes down what it uses, in a file of its directory, before it looks whether the
//! thing is there. It does so while it shares the gate; a prune reads all these files and takes
//! things away while it has the gate alone. So a thing is either gone before the session looks, or
//! written down before the prune does.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, Write},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

use super::{lock::Lock, sweep::ALIVE};
use crate::error::FsError;

/// The gate's name below the root.
const GATE: &str = "gate";
/// The file of a session's directory that says what it uses and what it added.
pub(super) const JOURNAL: &str = "uses";

/// What can be used, and so must stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Thing {
    Blob,
    Unpacked,
    Index,
    Mount,
}

impl Thing {
    fn mark(self) -> char {
        match self {
            Self::Blob => 'b',
            Self::Unpacked => 'l',
            Self::Index => 'i',
            Self::Mount => 'm',
        }
    }

    /// How a use of this thing is written.
    pub fn named(self, hex: &str) -> String {
        format!("{} {hex}", self.mark())
    }
}

/// A session's own file, and the gate.
#[derive(Debug)]
pub(super) struct Journal(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    gate: File,
    file: File,
    written: HashSet<String>,
    added: u64,
}

impl Journal {
    /// Opens the journal that the session's directory has.
    pub fn open(root: &Path, session: &Path) -> Result<Self, FsError> {
        let path = session.join(JOURNAL);
        let file =
            File::options().append(true).open(&path).map_err(FsError::new("write", &path))?;
        let (gate, written) = (open_gate(root)?, HashSet::new());
        Ok(Self(Mutex::new(Inner { gate, file, written, added: 0 })))
    }

    /// Says that the session uses a thing from now on.
    pub fn hold(&self, thing: Thing, hex: &str) -> io::Result<()> {
        let name = thing.named(hex);
        let mut inner = self.inner();
        if inner.written.contains(&name) {
            return Ok(());
        }
        wait_for(&inner.gate, FlockOperation::LockShared)?;
        let written = writeln!(inner.file, "{name}");
        let opened = flock(&inner.gate, FlockOperation::Unlock);
        written?;
        opened?;
        inner.written.insert(name);
        Ok(())
    }

    /// Says that the cache grew by so many bytes.
    pub fn add(&self, bytes: u64) {
        let mut inner = self.inner();
        inner.added += bytes;
        // What can't be written down is only counted later, when the cache is measured.
        let _ = writeln!(inner.file, "+ {bytes}");
    }

    /// Says that all that was added is counted: the cache was measured.
    pub fn counted(&self) {
        let mut inner = self.inner();
        inner.added = 0;
        let _ = writeln!(inner.file, "=");
    }

    /// By how much the cache grew in this session, beyond what was counted.
    pub fn added(&self) -> u64 {
        self.inner().added
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sum of what a session's journal says that it added, and nobody has counted.
pub(super) fn added_by(session: &Path) -> u64 {
    let text = fs::read_to_string(session.join(JOURNAL)).unwrap_or_default();
    let open = text.rsplit("=\n").next().unwrap_or_default();
    let sizes = open.lines().filter_map(|line| line.strip_prefix("+ ")?.parse::<u64>().ok());
    sizes.fold(0, u64::saturating_add)
}

/// The gate, held alone.
pub(super) struct Gate(File);

impl Gate {
    /// Waits until no session is writing down a use.
    pub fn close(root: &Path) -> Result<Self, FsError> {
        let gate = open_gate(root)?;
        wait_for(&gate, FlockOperation::LockExclusive)
            .map_err(FsError::new("lock", &root.join(GATE)))?;
        Ok(Self(gate))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Closing the file would do it, too.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// What living sessions use.
#[derive(Debug, Default)]
pub(super) struct Uses {
    names: HashSet<String>,
    /// A session that does not say what it uses, as an older mlint's does not.
    silent: bool,
}

impl Uses {
    /// Reads what all living sessions use, but for one.
    pub fn read(root: &Path, but: Option<&Path>) -> Self {
        let mut uses = Self::default();
        for entry in fs::read_dir(root.join("tmp")).into_iter().flatten().flatten() {
            let dir = entry.path();
            if but == Some(dir.as_path()) || Lock::is_free(&dir.join(ALIVE)) {
                continue;
            }
            match fs::read_to_string(dir.join(JOURNAL)) {
                Ok(text) => uses.names.extend(text.lines().map(str::to_owned)),
                // It may have ended just now.
                Err(_) => uses.silent |= dir.exists(),
            }
        }
        uses
    }

    /// Whether somebody uses the thing.
    pub fn holds(&self, thing: Thing, hex: &str) -> bool {
        self.silent || self.names.contains(&thing.named(hex))
    }
}

fn open_gate(root: &Path) -> Result<File, FsError> {
    let path = root.join(GATE);
    File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(FsError::new("lock", &path))
}

fn wait_for(gate: &File, operation: FlockOperation) -> io::Result<()> {
    loop {
        match flock(gate, operation) {
            Err(Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}
