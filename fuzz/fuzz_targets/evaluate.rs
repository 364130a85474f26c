//! Any file can be executed abstractly, on any platform, in bounded time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlint_model::{ImageFacts, Options, Prepared, dump::dump};
use mlint_syntax::parse;

fuzz_target!(|text: &str| {
    let file = parse(text);
    let prepared = Prepared::new(&file);
    let (options, facts) = (Options::default(), ImageFacts::default());
    for platform in ["linux/arm64", "linux/arm/v7"] {
        let platform = platform.parse().expect("a platform");
        dump(&prepared.evaluate(&platform, &options, &facts), text);
    }
});
