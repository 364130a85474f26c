//! Prints what the model believes of Dockerfiles: `cargo run -p mlint-model --example dump --
//! PLATFORM PATH…`. With `--time`, prints how long parsing and evaluating take instead.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use mlint_model::{ImageFacts, Options, Prepared, dump::dump};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let timed = args.first().is_some_and(|a| a == "--time");
    if timed {
        args.remove(0);
    }
    let [platform, paths @ ..] = &args[..] else {
        return Err("usage: dump [--time] PLATFORM PATH…".into());
    };
    let platform = platform.parse()?;
    let (options, facts) = (Options::default(), ImageFacts::default());
    let mut out = std::io::stdout().lock();
    for path in paths {
        let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
        if !timed {
            let file = mlint_syntax::parse(text.as_str());
            let evaluation = Prepared::new(&file).evaluate(&platform, &options, &facts);
            writeln!(out, "{path}\n{}", dump(&evaluation, &text))?;
            continue;
        }
        let file = mlint_syntax::parse(text.as_str());
        let prepare = best(|| drop(Prepared::new(&file)));
        let prepared = Prepared::new(&file);
        let evaluate = best(|| drop(prepared.evaluate(&platform, &options, &facts)));
        let lines = text.lines().count();
        writeln!(
            out,
            "{evaluate:>10.1?} evaluate {prepare:>10.1?} prepare {lines:>6} lines {path}"
        )?;
    }
    Ok(())
}

/// The best of some rounds.
fn best(mut run: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..10 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    best
}
