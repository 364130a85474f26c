//! Whole builds for two platforms with their push, side by side: each round runs all builders, one
//! after the other, so that whatever else the machine does meets all of them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::contexts::{self, Context};
use super::middle;
use super::peers::{Order, Peer, Peers};
use crate::mlint::Mlint;
use crate::{Error, Result, run};

/// Timed rounds; one before them, for the caches, is not counted.
const ROUNDS: usize = 5;

/// A row of the table.
struct Load {
    what: &'static str,
    context: Context,
    zstd: bool,
    cached: bool,
    /// The most that mlint wants to take, as a part of BuildKit's time.
    goal: Option<f64>,
}

impl Load {
    fn order<'a>(&'a self, repository: &'a str) -> Order<'a> {
        let Self { context, zstd, cached, .. } = self;
        Order { context, repository, zstd: *zstd, cached: *cached }
    }
}

/// Measures all and prints the table in Markdown.
pub(super) fn run(mlint: Mlint, work: &Path, filter: &str) -> Result<()> {
    let peers = Peers::start(mlint, work)?;
    println!("{}\n", peers.versions()?);
    println!(
        "| build, {ROUNDS} rounds | mlint | BuildKit | buildah | mlint / BuildKit | goal | mlint's memory | pushed: mlint, BuildKit |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let loads = loads(work, &peers.host())?;
    let chosen = loads.iter().filter(|load| load.what.contains(filter));
    for (number, load) in chosen.enumerate() {
        measure(&peers, number, load)?;
        peers.tidy()?;
    }
    Ok(())
}

fn loads(work: &Path, host: &str) -> Result<Vec<Load>> {
    let load = |what, context, cached, goal| Load { what, context, zstd: false, cached, goal };
    let copy = |link| contexts::copy(work, host, link);
    let chain = || contexts::chain(work, host);
    Ok(vec![
        load("20 trivial `RUN`s", chain()?, false, Some(0.35)),
        load("20 trivial `RUN`s, cached", chain()?, true, Some(0.5)),
        load("`COPY` of 20,000 files and 500 MB", copy(false)?, false, Some(0.25)),
        load("the same `COPY` with `--link`", copy(true)?, false, None),
        Load { zstd: true, ..load("the same `COPY`, zstd", copy(false)?, false, Some(0.25)) },
        load("the same `COPY`, gzip, cached", copy(false)?, true, Some(0.5)),
        load(
            "Go, a small program, cross-compiled",
            contexts::cross(work, host, true)?,
            false,
            Some(0.9),
        ),
        load(
            "Go with net/http, cross-compiled",
            contexts::cross(work, host, false)?,
            false,
            Some(0.9),
        ),
        load("C, the foreign one under emulation", contexts::emulated(work, host)?, false, None),
    ])
}

fn measure(peers: &Peers, number: usize, load: &Load) -> Result<()> {
    let mut times = vec![Vec::new(); Peer::ALL.len()];
    let name = |round: usize| match load.cached {
        true => format!("load-{number}"),
        // A repository that holds nothing yet: all layers are uploaded.
        false => format!("load-{number}-{round}"),
    };
    for round in 0..=ROUNDS {
        let repository = name(round);
        for (peer, times) in Peer::ALL.iter().zip(&mut times) {
            // Minutes for nothing: a median minds one slow round no more than none.
            if round == 0 && *peer == Peer::Buildah {
                continue;
            }
            let took = peers.build(*peer, load.order(&repository))?;
            times.extend(took.filter(|_| round > 0));
        }
    }
    let last = name(ROUNDS);
    let sizes = [peers.pushed(Peer::Mlint, &last)?, peers.pushed(Peer::Buildkit, &last)?];
    let memory = peak_memory(&mut peers.mlint_command(load.order(&name(ROUNDS + 1))))?;
    let [mlint, buildkit, buildah] = [0, 1, 2]
        .map(|peer: usize| Some(times[peer].clone()).filter(|times| !times.is_empty()).map(middle));
    let seconds = |time: Option<f64>| time.map_or("–".to_owned(), |time| format!("{time:.2} s"));
    let ratio = mlint.zip(buildkit).map_or(f64::NAN, |(ours, theirs)| ours / theirs);
    let [ours, theirs] = sizes.map(|bytes| format!("{:.1} MB", bytes as f64 / 1e6));
    println!(
        "| {} | {} | {} | {} | {ratio:.2} | {} | {:.0} MB | {ours}, {theirs} |",
        load.what,
        seconds(mlint),
        seconds(buildkit),
        seconds(buildah),
        load.goal.map_or("–".to_owned(), |goal| format!("{goal}")),
        memory as f64 / 1e6
    );
    Ok(())
}

/// The most memory that mlint's processes held at one time, in bytes: pages that several of them
/// share count once. The programs that steps run are not mlint's.
fn peak_memory(command: &mut Command) -> Result<u64> {
    let line = run::line(command);
    let failed = |source| Error::Start { command: line.clone(), source };
    let program = std::fs::canonicalize(command.get_program());
    let program = program.map_err(failed)?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let mut peak = 0;
    while child.try_wait().map_err(failed)?.is_none() {
        peak = peak.max(held(&program));
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(peak)
}

/// Bytes of memory of all processes that run this program.
fn held(program: &Path) -> u64 {
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
    let ours = processes
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| std::fs::read_link(path.join("exe")).is_ok_and(|exe| exe == *program));
    ours.filter_map(|path| std::fs::read_to_string(path.join("smaps_rollup")).ok())
        .filter_map(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        })
        .map(|kilobytes| kilobytes * 1024)
        .sum()
}
