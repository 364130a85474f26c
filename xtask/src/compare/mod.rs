//! `cargo xtask compare`: builds the cases of `tests/compare` with mlint and with BuildKit and
//! compares the images. BuildKit's answer wins; where mlint departs from it on purpose, the case
//! says so with a reason, and a departure that is gone fails the run. `tests/compare/README.md` has
//! the format.

mod accept;
mod builders;
mod case;
mod differ;
mod image;
pub mod layout;
pub mod schemas;
mod served;
mod setup;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sha2::{Digest, Sha256};

use self::builders::{Builders, Place};
use self::case::Case;
use self::differ::{Answer, Difference};
use crate::engine::Engine;
use crate::{Error, Result, paths, run};

/// Changes when an answer is read or kept in another way.
const VERSION: u32 = 2;

/// Cases that are built at the same time: a build waits for processes more than it computes.
const AT_ONCE: usize = 4;

/// One image of so many is copied by skopeo.
const COPIED_OF: u32 = 4;

/// How the cases came out.
#[derive(Debug, Default)]
pub struct Summary {
    /// Cases that came out as they say.
    pub held: usize,
    /// Of these, with a deviation on purpose.
    pub deviations: usize,
    /// Cases that did not, with what was seen.
    pub failed: Vec<String>,
    /// What could not be looked at here.
    pub skipped: Vec<String>,
}

/// Why the comparison can't run here, if so.
pub fn obstacle() -> Option<String> {
    let missing = ["docker-registry", "skopeo"].into_iter().find(|name| run::which(name).is_none());
    Engine::obstacle().or_else(|| missing.map(|name| format!("{name} is not installed")))
}

/// Compares the cases whose name contains `filter`, and says how it went.
pub fn task(filter: &str) -> Result<bool> {
    if let Some(obstacle) = obstacle() {
        return Err(Error::unexpected("compare", "a Docker engine", obstacle));
    }
    let summary = run(filter)?;
    for line in &summary.skipped {
        println!("skipped: {line}");
    }
    Ok(summary.failed.is_empty())
}

/// Compares the cases whose name contains `filter`.
pub fn run(filter: &str) -> Result<Summary> {
    let cases = cases(filter)?;
    let start = Instant::now();
    let builders = Builders::start(&cases)?;
    let key = builders.key()?;
    let version = builders.engine.version()?;
    println!("compare: {} cases, with the BuildKit of Docker {version}", cases.len());
    let next = AtomicUsize::new(0);
    let summary = Mutex::new(Summary::default());
    let copied = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let wrong = one(&builders, case, &key, &copied)
                        .unwrap_or_else(|error| vec![error.to_string()]);
                    let mut summary = summary.lock().unwrap_or_else(|e| e.into_inner());
                    summary.note(case, wrong);
                }
            });
        }
    });
    let mut summary = summary.into_inner().unwrap_or_else(|e| e.into_inner());
    let copied: Vec<String> = copied.into_inner().unwrap_or_default().into_iter().collect();
    match accept::buildah(&builders, &copied) {
        Ok(refused) => summary.failed.extend(refused),
        Err(error @ Error::MissingProgram { .. }) => summary.skipped.push(error.to_string()),
        Err(error) => return Err(error),
    }
    println!(
        "compared: {} of {} like BuildKit ({} with a deviation on purpose) in {:.0} s; \
         {} images accepted by skopeo and docker-registry",
        summary.held,
        cases.len(),
        summary.deviations,
        start.elapsed().as_secs_f64(),
        copied.len()
    );
    Ok(summary)
}

impl Summary {
    fn note(&mut self, case: &Case, wrong: Vec<String>) {
        if wrong.is_empty() {
            self.held += 1;
            self.deviations += usize::from(!case.differs.is_empty());
            return;
        }
        println!("{} ({})", case.name, case.place);
        wrong.iter().for_each(|line| println!("    {line}"));
        self.failed.push(format!("{}: {}", case.name, wrong.join("; ")));
    }
}

/// Builds a case twice; what is wrong with it.
fn one(
    builders: &Builders,
    case: &Case,
    key: &str,
    copied: &Mutex<BTreeSet<String>>,
) -> Result<Vec<String>> {
    let place = builders.place(case)?;
    let theirs = kept_or(case, key, || builders.buildkit(case, &place))?;
    let mut wrong = Vec::new();
    match &theirs {
        Answer::Failed(_, said) if !case.fails => wrong.push(format!("BuildKit fails: {said}")),
        Answer::Built(_) if case.fails => wrong.push("BuildKit builds it".to_owned()),
        _ => {}
    }
    let ours = builders.mlint(case, &place)?;
    wrong.extend(judge(case, &differ::compare(&theirs, &ours, &case.times())));
    if let Answer::Built(_) = ours {
        wrong.extend(builders.flaws(case, &place)?);
        if case.number().is_multiple_of(COPIED_OF) {
            wrong.extend(accepted(builders, case, &place, copied)?);
        }
    }
    if std::env::var_os("KEEP").is_none() {
        fs::remove_dir_all(&place.dir).map_err(Error::file(&place.dir))?;
    }
    Ok(wrong)
}

fn accepted(
    builders: &Builders,
    case: &Case,
    place: &Place,
    copied: &Mutex<BTreeSet<String>>,
) -> Result<Option<String>> {
    let name = case.slug().display().to_string().to_lowercase();
    // Repositories' names have no two dashes in a row but one.
    let words: Vec<&str> = name.split('-').filter(|word| !word.is_empty()).collect();
    let name = words.join("-");
    let refused = accept::skopeo(builders, place, &name)?;
    if refused.is_none() {
        copied.lock().unwrap_or_else(|e| e.into_inner()).insert(name);
    }
    Ok(refused.map(|said| format!("skopeo: {said}")))
}

/// Differences that no deviation covers, and deviations that cover none.
fn judge(case: &Case, differences: &[Difference]) -> Vec<String> {
    let covers = |keys: &str, key: &str| match keys.strip_suffix('*') {
        Some(start) => key.starts_with(start),
        None => key == keys,
    };
    let open = differences.iter().filter(|difference| {
        !case.differs.iter().any(|deviation| covers(&deviation.keys, &difference.key))
    });
    let gone = case.differs.iter().filter(|deviation| {
        !differences.iter().any(|difference| covers(&deviation.keys, &difference.key))
    });
    open.map(|difference| format!("{}: {}", difference.key, difference.sides))
        .chain(gone.map(|deviation| format!("no difference any more: {}", deviation.keys)))
        .collect()
}

/// BuildKit's answer as it is kept, or asked for and kept now.
fn kept_or(case: &Case, key: &str, ask: impl FnOnce() -> Result<Answer>) -> Result<Answer> {
    let all = format!("{VERSION}\n{key}\n{}\n{}", case.name, case.source);
    let name = format!("{}.json", image::hex(&Sha256::digest(all)));
    let path = paths::cache().join("compare").join(name);
    if let Ok(bytes) = fs::read(&path)
        && let Ok(answer) = serde_json::from_slice(&bytes)
    {
        return Ok(answer);
    }
    let answer = ask()?;
    let dir = paths::cache().join("compare");
    fs::create_dir_all(&dir).map_err(Error::file(&dir))?;
    let bytes = serde_json::to_vec(&answer)
        .map_err(|e| Error::unexpected("an answer", "JSON", e.to_string()))?;
    fs::write(&path, bytes).map_err(Error::file(&path))?;
    Ok(answer)
}

/// The cases, by area.
fn cases(filter: &str) -> Result<Vec<Case>> {
    let dir = paths::root().join("tests/compare");
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&dir).map_err(Error::file(&dir))? {
        files.push(entry.map_err(Error::file(&dir))?.path());
    }
    files.sort();
    let mut cases = Vec::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "txt")) {
        let text = fs::read_to_string(file).map_err(Error::file(file))?;
        let area = file.file_stem().unwrap_or_default().to_string_lossy();
        cases.extend(case::read(&area, &text)?);
    }
    let mut names = BTreeSet::new();
    for case in &cases {
        if !names.insert(&case.name) {
            return Err(Error::unexpected(&case.place, "a name of its own", &case.name));
        }
    }
    cases.retain(|case| case.name.contains(filter));
    match cases.is_empty() {
        true => Err(Error::unexpected("compare", "a case", format!("none named {filter}"))),
        false => Ok(cases),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_cover_differences_and_must_be_there() {
        let text = "== x\n@differs /a *: here\n@differs line: gone\nFROM scratch\n";
        let case = case::read("t", text).unwrap().remove(0);
        let difference = |key: &str| Difference { key: key.to_owned(), sides: "1 | 2".to_owned() };
        let wrong = judge(&case, &[difference("/a mode"), difference("/ab mode")]);
        assert_eq!(wrong, ["/ab mode: 1 | 2", "no difference any more: line"]);
    }

    #[test]
    fn the_cases_can_be_read() {
        assert!(cases("").unwrap().iter().all(|case| !case.text.trim().is_empty() || case.fails));
    }
}
