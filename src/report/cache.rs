//! What the cache holds and what was removed from it, as text and as JSON.

use std::io::{self, Write};

use mlint_builder::{
    image::rfc3339,
    store::{Entry, Kind, Pruned, Usage},
};
use serde_json::{Value, json};

use super::text::style::one_line;

/// What a kind is called in front of people.
fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::Layer => "layers of steps",
        Kind::Base => "layers of base images",
        Kind::Unpacked => "unpacked layers",
        Kind::Mount => "cache mounts",
        Kind::Download => "downloads of ADD",
        Kind::Record => "records",
        Kind::Context => "digests of contexts",
        Kind::Fact => "answers of registries",
        Kind::Work => "work in progress",
    }
}

/// One kind, summed up.
struct Row {
    kind: Kind,
    size: u64,
    items: usize,
    in_use: u64,
    used: i64,
}

fn rows(entries: &[Entry]) -> Vec<Row> {
    let all = Kind::ALL.into_iter().map(|kind| {
        let mut row = Row { kind, size: 0, items: 0, in_use: 0, used: 0 };
        for entry in entries.iter().filter(|e| e.kind == kind) {
            row.size += entry.size;
            row.items += 1;
            row.in_use += if entry.in_use { entry.size } else { 0 };
            row.used = row.used.max(entry.used);
        }
        row
    });
    all.filter(|row| row.items > 0).collect()
}

/// A table of kinds, or of all things, the largest first.
///
/// # Errors
/// When the stream can't be written.
pub fn usage(usage: &Usage, verbose: bool, now: i64, out: &mut dyn Write) -> io::Result<()> {
    if verbose {
        writeln!(out, "{:>9}  {:<21}  {:<14}  {:<12}  ABOUT", "SIZE", "KIND", "LAST USED", "ID")?;
        let mut entries: Vec<&Entry> = usage.entries.iter().collect();
        entries.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.id.cmp(&b.id)));
        for entry in entries {
            let id: String = entry.id.chars().take(12).collect();
            let used = if entry.in_use { "in use".to_owned() } else { ago(now - entry.used) };
            let line = format!(
                "{:>9}  {:<21}  {used:<14}  {id:<12}  {}",
                bytes(entry.size),
                label(entry.kind),
                one_line(&entry.about)
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{:<21}  {:>9}  {:>6}  {:>9}  LAST USED", "KIND", "SIZE", "ITEMS", "IN USE")?;
    let rows = rows(&usage.entries);
    for row in &rows {
        let in_use = if row.in_use > 0 { bytes(row.in_use) } else { String::new() };
        writeln!(
            out,
            "{:<21}  {:>9}  {:>6}  {in_use:>9}  {}",
            label(row.kind),
            bytes(row.size),
            row.items,
            ago(now - row.used)
        )?;
    }
    let items: usize = rows.iter().map(|row| row.items).sum();
    writeln!(out, "{:<21}  {:>9}  {items:>6}", "total", bytes(usage.total))
}

/// The same as one document.
pub fn usage_json(usage: &Usage) -> Value {
    let kinds: Vec<Value> = rows(&usage.entries)
        .iter()
        .map(|row| {
            json!({
                "kind": row.kind.name(),
                "size": row.size,
                "items": row.items,
                "in_use": row.in_use,
                "last_used": rfc3339(row.used),
            })
        })
        .collect();
    json!({
        "version": 1,
        "total": usage.total,
        "kinds": kinds,
        "entries": entries(&usage.entries),
    })
}

fn entries(entries: &[Entry]) -> Vec<Value> {
    let one = |entry: &Entry| {
        json!({
            "kind": entry.kind.name(),
            "id": entry.id,
            "size": entry.size,
            "last_used": rfc3339(entry.used),
            "about": entry.about,
            "in_use": entry.in_use,
        })
    };
    entries.iter().map(one).collect()
}

/// What has gone, or would go.
///
/// # Errors
/// When the stream can't be written.
pub fn pruned(pruned: &Pruned, dry_run: bool, out: &mut dyn Write) -> io::Result<()> {
    for row in rows(&pruned.removed) {
        writeln!(out, "{:<21}  {:>9}  {:>6}", label(row.kind), bytes(row.size), row.items)?;
    }
    let (freed, left) = (bytes(pruned.freed()), bytes(pruned.left));
    match dry_run {
        true => writeln!(out, "would free {freed}, and leave {left}")?,
        false => writeln!(out, "freed {freed}, {left} are left")?,
    }
    if !pruned.kept.is_empty() {
        let size = pruned.kept.iter().map(|e| e.size).sum();
        let (things, size) = (pruned.kept.len(), bytes(size));
        writeln!(out, "kept {size} ({things} things), which running builds use")?;
    }
    Ok(())
}

/// The same as one document.
pub fn pruned_json(pruned: &Pruned, dry_run: bool) -> Value {
    json!({
        "version": 1,
        "dry_run": dry_run,
        "freed": pruned.freed(),
        "left": pruned.left,
        "removed": entries(&pruned.removed),
        "kept": entries(&pruned.kept),
    })
}

/// `1.2 GB`.
pub fn bytes(size: u64) -> String {
    let mut value = size as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 999.95 || unit == "GB" {
            return match unit {
                "B" => format!("{size} B"),
                unit => format!("{value:.1} {unit}"),
            };
        }
        value /= 1000.0;
    }
    format!("{size} B")
}

/// `5 minutes ago`, roughly.
fn ago(seconds: i64) -> String {
    let (count, unit) = match seconds {
        ..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: Kind, size: u64, used: i64, about: &str) -> Entry {
        let (id, about) = (format!("{size:064x}"), about.to_owned());
        Entry { kind, id, size, used, about, in_use: size == 4096 }
    }

    #[test]
    fn a_table_of_kinds_and_one_of_things() {
        let entries = vec![
            entry(Kind::Mount, 4096, 10, "/root/.cache linux/arm64"),
            entry(Kind::Layer, 2_000_000, 7000, "RUN make\nall"),
            entry(Kind::Layer, 1_500_000_000, 3000, ""),
        ];
        let shown = Usage { total: 1_502_004_096, entries };
        let text = |verbose| {
            let mut out = Vec::new();
            usage(&shown, verbose, 7200, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let table = "KIND                        SIZE   ITEMS     IN USE  LAST USED\n\
                     layers of steps           1.5 GB       2             3 minutes ago\n\
                     cache mounts              4.1 kB       1     4.1 kB  1 hour ago\n\
                     total                     1.5 GB       3\n";
        assert_eq!(text(false), table);
        let list = "     SIZE  KIND                   LAST USED       ID            ABOUT\n   \
                    1.5 GB  layers of steps        1 hour ago      000000000000\n   \
                    2.0 MB  layers of steps        3 minutes ago   000000000000  RUN make all\n   \
                    4.1 kB  cache mounts           in use          000000000000  \
                    /root/.cache linux/arm64\n\n";
        assert_eq!(text(true), format!("{list}{table}"));
    }

    #[test]
    fn sizes() {
        for (size, want) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_999, "1.0 MB"),
            (5_000_000_000_000, "5000.0 GB"),
        ] {
            assert_eq!(bytes(size), want);
        }
    }
}
