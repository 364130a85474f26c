//! How the cost of a check grows with the file: `cargo bench -p mlint-rules --bench growth` prints
//! a table of all families, `… -- NAME…` of some. Each figure is the median time of several checks,
//! divided by the size: a row of equal figures is linear growth.
//!
//! `… -- --once NAME SIZE [PLATFORMS]` checks one file once and prints what it found; for counting
//! instructions: `valgrind --tool=callgrind TARGET/release/deps/growth-… --once chain 100`.

use std::{
    env,
    hint::black_box,
    io::{self, Write as _},
    time::{Duration, Instant},
};

use mlint_model::ImageFacts;

mod files;

/// The command's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use files::{FAMILIES, options};

fn main() -> io::Result<()> {
    // Cargo says `--bench` to every bench.
    let words: Vec<String> = env::args().skip(1).filter(|a| a != "--bench").collect();
    let mut out = io::stdout();
    if words.first().is_some_and(|w| w == "--once") {
        return writeln!(out, "{}", once(&words[1..]));
    }
    let wanted = |name: &str| words.is_empty() || words.iter().any(|w| w == name);
    writeln!(out, "{:<14}{:<44}µs per unit at size", "family", "unit")?;
    for family in FAMILIES.iter().filter(|f| wanted(f.name)) {
        let points = family.sizes.iter().map(|&size| (size, (family.make)(size), 2));
        row(&mut out, family.name, family.counts, points)?;
    }
    if wanted("platforms") {
        let points = [1, 2, 5, 10].into_iter().map(|n| (n, files::CLEAN.to_owned(), n));
        row(&mut out, "platforms", "platforms, the clean file", points)?;
    }
    Ok(())
}

fn once(words: &[String]) -> String {
    let number = |at: usize| words.get(at).and_then(|w| w.parse::<usize>().ok());
    let (Some(name), Some(size)) = (words.first(), number(1)) else {
        return "--once NAME SIZE [PLATFORMS]".to_owned();
    };
    let text = match name.as_str() {
        "clean" => files::CLEAN.to_owned(),
        "typical" => files::FINDINGS.to_owned(),
        _ => match FAMILIES.iter().find(|f| f.name == name) {
            Some(family) => (family.make)(size),
            None => return format!("there is no family {name}"),
        },
    };
    let findings = check(&text, number(2).unwrap_or(2));
    format!("{} lines, {findings} findings", text.lines().count())
}

#[inline(never)]
fn check(text: &str, platforms: usize) -> usize {
    let file = mlint_syntax::parse(black_box(text));
    let (options, facts) = (options(platforms), ImageFacts::default());
    mlint_lint::check(&file, &options, &facts, mlint_rules::all()).diagnostics.len()
}

/// One line of the table; each point is a size, its file and a number of platforms.
fn row(
    out: &mut impl io::Write,
    name: &str,
    counts: &str,
    points: impl Iterator<Item = (usize, String, usize)>,
) -> io::Result<()> {
    write!(out, "{name:<14}{counts:<44}")?;
    for (size, text, platforms) in points {
        let time = median(|| check(&text, platforms));
        write!(out, " {size:>6}: {:<8.1}", time.as_secs_f64() * 1e6 / size as f64)?;
        out.flush()?;
    }
    writeln!(out)
}

/// Of some runs: as many as go into a third of a second, three at least, one if it takes long.
fn median(run: impl Fn() -> usize) -> Duration {
    let mut times = Vec::new();
    let begin = Instant::now();
    loop {
        let start = Instant::now();
        black_box(run());
        times.push(start.elapsed());
        let (enough, long) = (Duration::from_millis(300), Duration::from_secs(3));
        if begin.elapsed() > long || begin.elapsed() > enough && times.len() >= 3 {
            break;
        }
    }
    times.sort_unstable();
    times[times.len() / 2]
}
