//! Prints what the model believes of Dockerfiles: `cargo run -p mlint-model --example dump --
//! PLATFORM PATH…`.

use mlint_model::{ImageFacts, Options, Prepared, dump::dump};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let platform = args.next().ok_or("usage: dump PLATFORM PATH…")?.parse()?;
    for path in args {
        let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
        let file = mlint_syntax::parse(text.as_str());
        let prepared = Prepared::new(&file);
        let start = std::time::Instant::now();
        let evaluation = prepared.evaluate(&platform, &Options::default(), &ImageFacts::default());
        let took = start.elapsed();
        use std::io::Write as _;
        writeln!(std::io::stdout(), "{path} ({took:?})\n{}", dump(&evaluation, &text))?;
    }
    Ok(())
}
