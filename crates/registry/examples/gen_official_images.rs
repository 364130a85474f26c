//! Makes `data/official-images.bin` from the list of official images:
//! `cargo run -p mlint-registry --example gen_official_images -- official-images.tsv`.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let source = std::env::args().nth(1).ok_or("usage: gen_official_images SOURCE.tsv")?;
    let text = fs::read_to_string(&source).map_err(|e| format!("can't read {source}: {e}"))?;
    let bytes = mlint_registry::table::generate(&text)?;
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/official-images.bin");
    fs::write(&out, bytes)?;
    Ok(())
}
