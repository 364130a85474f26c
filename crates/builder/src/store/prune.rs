//! Takes things out of the cache: on request, and to keep it within a size.

use std::{collections::HashSet, fs, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    Entry, Kind, Store,
    lease::{Gate, Uses},
    sweep::remove_session,
    usage::Found,
};
use crate::{error::FsError, exec::now};

/// The most that a cache takes unless something else is said: BuildKit's bound.
const USUAL_MOST: u64 = 100_000_000_000;
/// What a measurement is good for. Cache mounts grow without being counted.
const MEASURED_FOR: i64 = 24 * 60 * 60;
/// A cache that can't be brought down to its size is not looked at again for so long.
const TRY_AGAIN: i64 = 10 * 60;

/// What to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneOptions {
    /// Small things that save time, too.
    pub all: bool,
    /// Only what was not used for so many seconds.
    pub unused_for: Option<u64>,
    /// Only things of these kinds; all kinds if empty.
    pub kinds: Vec<Kind>,
    /// Remove no more than what is above this size.
    pub max_used: Option<u64>,
    /// Remove no more than what leaves this much of the disk free.
    pub min_free: Option<u64>,
    /// Never go below this size.
    pub reserved: Option<u64>,
    /// Only say what would be removed.
    pub dry_run: bool,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// These things.
    pub removed: Vec<Entry>,
    /// What would have been, if no running build used it.
    pub kept: Vec<Entry>,
    /// Bytes that are left.
    pub left: u64,
}

impl Pruned {
    /// Bytes of what was removed.
    pub fn freed(&self) -> u64 {
        size_of(&self.removed)
    }
}

fn size_of(entries: &[Entry]) -> u64 {
    entries.iter().map(|e| e.size).fold(0, u64::saturating_add)
}

impl PruneOptions {
    /// The size to come down to; nothing if all that fits is to go.
    fn goal(&self, total: u64, free: u64) -> Option<u64> {
        if self.max_used.is_none() && self.min_free.is_none() && self.reserved.is_none() {
            return None;
        }
        let lacking = self.min_free.map_or(0, |wanted| wanted.saturating_sub(free));
        let for_free = (lacking > 0).then(|| total.saturating_sub(lacking));
        let goal = match (self.max_used, for_free) {
            (Some(a), Some(b)) => a.min(b),
            (Some(one), None) | (None, Some(one)) => one,
            // With nothing but a size that is always granted, everything above it goes; where
            // enough is free, nothing does.
            (None, None) if self.min_free.is_some() => total,
            (None, None) => 0,
        };
        Some(goal.max(self.reserved.unwrap_or(0)))
    }

    fn fits(&self, entry: &Entry, now: i64) -> bool {
        let old = |seconds: u64| {
            now.saturating_sub(entry.used) >= i64::try_from(seconds).unwrap_or(i64::MAX)
        };
        entry.kind != Kind::Work
            && (self.all || !entry.kind.is_small())
            && (self.kinds.is_empty() || self.kinds.contains(&entry.kind))
            && self.unused_for.is_none_or(old)
    }
}

impl Store {
    /// Removes what the options say, the longest unused first. What a running build uses stays.
    pub fn prune(&self, options: &PruneOptions) -> Result<Pruned, FsError> {
        self.prune_but(options, None)
    }

    /// Keeps the cache within a size, the usual one if none is given: to be called when a session
    /// is done. Looks at the cache only if what was counted says that there may be something to do.
    pub fn tidy(&self, most: Option<u64>) -> Result<Option<Pruned>, FsError> {
        let most = most.unwrap_or_else(|| self.usual_most());
        let added = self.journal.added();
        if let Some(ledger) = self.ledger() {
            let bytes = ledger.bytes.saturating_add(added);
            let age = now().saturating_sub(ledger.measured);
            let stale = added > 0 && age > MEASURED_FOR;
            let above = bytes > most && (added > 0 || age > TRY_AGAIN);
            if !stale && !above {
                return Ok(None);
            }
        }
        let options = PruneOptions { all: true, max_used: Some(most), ..PruneOptions::default() };
        // What this session was doing is done: it is the newest, and goes last.
        self.prune_but(&options, Some(&self.session)).map(Some)
    }

    fn usual_most(&self) -> u64 {
        let disk = rustix::fs::statvfs(&self.root);
        disk.map_or(USUAL_MOST, |d| (d.f_blocks.saturating_mul(d.f_frsize) / 5 * 4).min(USUAL_MOST))
    }

    fn prune_but(&self, options: &PruneOptions, but: Option<&Path>) -> Result<Pruned, FsError> {
        let found = self.find(but)?;
        let total = found.iter().map(|f| f.entry.size).fold(0, u64::saturating_add);
        let free = rustix::fs::statvfs(&self.root)
            .map_or(u64::MAX, |d| d.f_bavail.saturating_mul(d.f_frsize));
        let (victims, mut pruned) = choose(found, options, options.goal(total, free), total);
        if options.dry_run {
            pruned.removed = victims.into_iter().map(|v| v.entry).collect();
        } else {
            self.remove(victims, but, &mut pruned)?;
        }
        pruned.left = total.saturating_sub(pruned.freed());
        if !options.dry_run {
            self.set_size(pruned.left)?;
        }
        Ok(pruned)
    }

    /// Renames things away while nobody begins to use one, and then deletes them at leisure. A
    /// crash in between leaves them to the next sweep.
    fn remove(
        &self,
        victims: Vec<Found>,
        but: Option<&Path>,
        pruned: &mut Pruned,
    ) -> Result<(), FsError> {
        let trash = self.temporary_dir("pruned")?;
        let gate = Gate::close(&self.root)?;
        let uses = Uses::read(&self.root, but);
        let mut failure = None;
        for (number, mut victim) in victims.into_iter().enumerate() {
            if let Some((thing, hex)) = &victim.held_as
                && uses.holds(*thing, hex)
            {
                victim.entry.in_use = true;
                pruned.kept.push(victim.entry);
                continue;
            }
            // The last first: a record without its blob is a miss, a blob without record is a
            // blob that nobody finds.
            let mut failed = false;
            for (part, path) in victim.paths.iter().enumerate().rev() {
                match fs::rename(path, trash.join(format!("{number}-{part}"))) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                        failed = true;
                        failure.get_or_insert_with(|| FsError::new("remove", path)(e));
                    }
                    _ => {}
                }
            }
            match failed {
                true => pruned.kept.push(victim.entry),
                false => pruned.removed.push(victim.entry),
            }
        }
        drop(gate);
        remove_session(&trash);
        // One thing that can't go, as somebody else's may be, keeps no other.
        failure.map_or(Ok(()), Err)
    }
}

/// What goes, the longest unused first, until the goal is reached; what is in use is told apart.
fn choose(
    found: Vec<Found>,
    options: &PruneOptions,
    goal: Option<u64>,
    total: u64,
) -> (Vec<Found>, Pruned) {
    let now = now();
    let mut fitting: Vec<Found> =
        found.into_iter().filter(|f| options.fits(&f.entry, now)).collect();
    fitting.sort_by_key(|f| (f.entry.used, f.entry.kind));
    let mut left = total;
    let (mut victims, mut pruned) = (Vec::new(), Pruned::default());
    // The index of an unpacked layer says when that was used: it goes with or after it.
    let unpacked: HashSet<String> = fitting
        .iter()
        .filter(|f| f.entry.kind == Kind::Unpacked && f.entry.in_use)
        .filter_map(|f| f.entry.id.split('-').next().map(str::to_owned))
        .collect();
    for victim in fitting {
        if goal.is_some_and(|goal| left <= goal) {
            break;
        }
        let stamps = victim.entry.kind == Kind::Record && unpacked.contains(&victim.entry.id);
        if victim.entry.in_use || stamps {
            pruned.kept.push(victim.entry);
            continue;
        }
        left = left.saturating_sub(victim.entry.size);
        victims.push(victim);
    }
    (victims, pruned)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use mlint_oci::Digest;

    use super::*;
    use crate::{
        layer::{Compression, Entry as LayerEntry, EntryKind, LayerWriter, Meta},
        store::LayerRef,
    };

    /// A layer of some size, with a record, last used so many hours ago.
    fn layer(store: &Store, name: &str, hours: u64) -> LayerRef {
        let path = store.temporary("layer");
        let mut writer = LayerWriter::create(&path, Compression::Gzip(0)).unwrap();
        let own = |id: u32| Meta { mode: 0o644, uid: id, gid: id, ..Meta::default() };
        let meta = own(rustix::process::getuid().as_raw());
        let entry = LayerEntry { path: name.into(), kind: EntryKind::File(100_000), meta };
        writer.add(&entry, &mut std::io::repeat(b'x')).unwrap();
        let made = store.put_layer(writer.finish().unwrap(), None).unwrap();
        let record = serde_json::json!({ "layer": made, "created": 0, "about": name });
        store.put_record("run", &Digest::sha256(name), &record).unwrap();
        age(&store.blob_path(&made.digest), hours);
        made
    }

    fn age(path: &Path, hours: u64) {
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    }

    fn names(entries: &[Entry]) -> Vec<&str> {
        let shown = entries.iter().filter(|e| !e.about.is_empty());
        shown.map(|e| e.about.as_str()).collect()
    }

    /// A cache with three layers, which no living session uses.
    fn three(dir: &Path) -> [LayerRef; 3] {
        let store = Store::open(dir).unwrap();
        [layer(&store, "old", 30), layer(&store, "older", 50), layer(&store, "new", 1)]
    }

    #[test]
    fn the_longest_unused_go_first_and_running_builds_keep_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let [old, older, new] = three(dir.path());
        let build = Store::open(dir.path()).unwrap();
        let store = Store::open(dir.path()).unwrap();
        let usage = store.usage().unwrap();
        assert!(usage.total > 300_000 && names(&usage.entries).len() == 3);
        // A dry run removes nothing.
        let above = PruneOptions { max_used: Some(usage.total - 1), ..PruneOptions::default() };
        let dry = PruneOptions { dry_run: true, ..above.clone() };
        assert_eq!(names(&store.prune(&dry).unwrap().removed), ["older"]);
        // A build uses the oldest: the next one goes.
        fs::write(dir.path().join("note"), "").unwrap();
        assert!(build.has_layer(&older));
        age(&build.blob_path(&older.digest), 50);
        let pruned = store.prune(&above).unwrap();
        assert_eq!((names(&pruned.removed), names(&pruned.kept)), (vec!["old"], vec!["older"]));
        assert!(pruned.left < usage.total && pruned.freed() > 100_000);
        assert!(!build.has_layer(&old) && build.has_layer(&older) && store.has_layer(&new));
        let gone = Digest::sha256("old");
        assert!(store.record::<serde_json::Value>("run", &gone).is_none(), "its record, too");
    }

    #[test]
    fn only_what_is_asked_for_goes() {
        let dir = tempfile::tempdir().unwrap();
        let [_, _, new] = three(dir.path());
        let store = Store::open(dir.path()).unwrap();
        let context = store.context_record(&Digest::sha256(b"context"));
        store.write_json(&context, &"digests").unwrap();
        let day = PruneOptions { unused_for: Some(24 * 3600), ..PruneOptions::default() };
        let kinds = PruneOptions { kinds: vec![Kind::Mount], ..PruneOptions::default() };
        assert!(store.prune(&kinds).unwrap().removed.is_empty());
        assert_eq!(names(&store.prune(&day).unwrap().removed), ["older", "old"]);
        let rest = store.prune(&PruneOptions::default()).unwrap();
        assert_eq!(names(&rest.removed), ["new"]);
        assert!(!store.blob_path(&new.digest).exists() && context.exists());
        store.prune(&PruneOptions { all: true, ..PruneOptions::default() }).unwrap();
        assert!(!context.exists());
    }

    #[test]
    fn goals_are_those_of_buildkit() {
        let options = |max_used, min_free, reserved| PruneOptions {
            max_used,
            min_free,
            reserved,
            ..PruneOptions::default()
        };
        for (max_used, min_free, reserved, want) in [
            (None, None, None, None),
            (Some(50), None, None, Some(50)),
            (Some(50), None, Some(70), Some(70)),
            (None, None, Some(30), Some(30)),
            // 20 are free.
            (None, Some(60), None, Some(60)),
            (None, Some(10), None, Some(100)),
            (Some(80), Some(60), None, Some(60)),
            (Some(80), Some(60), Some(75), Some(75)),
        ] {
            assert_eq!(options(max_used, min_free, reserved).goal(100, 20), want);
        }
    }

    #[test]
    fn a_cache_stays_within_its_size_and_is_not_looked_at_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        layer(&store, "old", 30);
        layer(&store, "new", 1);
        assert_eq!(store.tidy(Some(1 << 30)).unwrap(), None);
        assert_eq!(store.ledger().unwrap().bytes, 0, "counted when the session ends");
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        let counted = store.ledger().unwrap().bytes;
        let measured = store.usage().unwrap().total;
        assert!(counted > 200_000 && counted.abs_diff(measured) < 60_000, "{counted} {measured}");
        layer(&store, "newest", 0);
        let pruned = store.tidy(Some(250_000)).unwrap().unwrap();
        assert_eq!(names(&pruned.removed), ["old"]);
        assert!(pruned.left <= 250_000);
        assert_eq!(store.tidy(Some(250_000)).unwrap(), None);
        // A session that was killed is counted by who sweeps it.
        let before = store.ledger().unwrap().bytes;
        let dead = dir.path().join("v2/tmp/dead");
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join("uses"), "+ 7000\n=\nb 00\n+ 1000\n+ 234\n+ 5").unwrap();
        drop(Store::open(dir.path()).unwrap());
        assert_eq!(store.ledger().unwrap().bytes, before + 1239);
    }

    #[test]
    fn a_session_that_does_not_say_what_it_uses_keeps_everything() {
        let dir = tempfile::tempdir().unwrap();
        three(dir.path());
        let old = dir.path().join("v2/tmp/of-an-older-mlint");
        fs::create_dir(&old).unwrap();
        let _alive = crate::store::Lock::attempt(&old.join(".alive")).unwrap().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let pruned = store.prune(&PruneOptions::default()).unwrap();
        assert_eq!((names(&pruned.removed).len(), names(&pruned.kept).len()), (0, 3));
    }
}
