//! Makes `data/official-images.bin` from the list of official images:
//! `cargo run -p mlint-registry --example gen_official_images -- official-images.tsv`.

use std::{collections::BTreeMap, error::Error, fs, path::Path};

use mlint_registry::table::{Lookup, Table};

fn main() -> Result<(), Box<dyn Error>> {
    let source = std::env::args().nth(1).ok_or("usage: gen_official_images SOURCE.tsv")?;
    let text = fs::read_to_string(&source).map_err(|e| format!("can't read {source}: {e}"))?;
    let bytes = mlint_registry::table::generate(&text)?;
    verify(&text, Table::new(&bytes)?)?;
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/official-images.bin");
    fs::write(&out, bytes)?;
    Ok(())
}

/// Looks every tag of the source up again; of a tag in several rows the last counts.
fn verify(source: &str, table: Table<'_>) -> Result<(), Box<dyn Error>> {
    let mut want = BTreeMap::new();
    for line in source.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        for tag in fields[2].split(' ').filter(|t| !t.is_empty()) {
            want.insert((fields[0], tag), fields[1]);
        }
    }
    for ((image, tag), platforms) in want {
        let Lookup::Platforms(found) = table.lookup(image, tag)? else {
            return Err(format!("{image}:{tag} is not in the table").into());
        };
        let platforms: Result<Vec<_>, _> = platforms.split(',').map(str::parse).collect();
        if found != platforms? {
            return Err(format!("{image}:{tag} has other platforms in the table").into());
        }
    }
    Ok(())
}
