//! The work of a check grows with the file and no faster, counted in allocations: those are the
//! same in every run, and whoever copies a state per stage, per branch or per command allocates.

use allocation_counter::{AllocationInfo, measure};
use mlint_model::ImageFacts;

#[expect(dead_code, reason = "the benches use the rest")]
#[path = "../benches/files/mod.rs"]
mod files;

use files::{FAMILIES, options};

/// What one check on two platforms allocates.
fn work(text: &str) -> AllocationInfo {
    let (options, facts) = (options(2), ImageFacts::default());
    measure(|| {
        let file = mlint_syntax::parse(text);
        mlint_lint::check(&file, &options, &facts, mlint_rules::all());
    })
}

/// Families whose work is more than a matter of size.
const OTHERWISE: &[&str] = &[
    // Each fix is proved on the whole file, up to `mlint_lint::MAX_PROOFS` of them.
    "findings",
    "goarch",
    "suppressions",
    // What the stages hold grows with the square.
    "inherit",
    "mounted",
];

/// Families with a size from which on they are linear: what is remembered per file or value grows
/// up to a bound (64 stations of a file's way, 512 pieces of a value).
const FROM_A_SIZE: &[(&str, usize)] = &[("diamond", 200), ("append", 1_000)];

/// What grows by more than the size does between two sizes, of which one is twice the other.
fn steep(name: &str, make: fn(usize) -> String, size: usize) -> Option<String> {
    let [small, large] = [size, 2 * size].map(|size| work(&make(size)));
    // A part grows with the logarithm, and some of it in leaps.
    let is_steep = |small: u64, large: u64| large * 10 > small * 25;
    let grows = is_steep(small.count_total, large.count_total)
        || is_steep(small.bytes_total, large.bytes_total);
    grows.then(|| {
        format!(
            "{name}, {size} and twice that: {} and {} allocations, {} and {} bytes",
            small.count_total, large.count_total, small.bytes_total, large.bytes_total
        )
    })
}

#[test]
fn twice_the_file_is_twice_the_work() {
    // What is made once in a process is made now.
    work(files::CLEAN);
    let families = FAMILIES.iter().filter(|f| !OTHERWISE.contains(&f.name));
    let steep: Vec<String> = families
        .filter_map(|family| {
            let from = FROM_A_SIZE.iter().find(|(name, _)| *name == family.name);
            steep(family.name, family.make, from.map_or(60, |(_, size)| *size))
        })
        .collect();
    assert!(steep.is_empty(), "these grow faster than the file:\n{}", steep.join("\n"));
}

#[test]
fn what_is_quadratic_is_seen() {
    let inherit = FAMILIES.iter().find(|f| f.name == "inherit").expect("the family");
    assert!(steep(inherit.name, inherit.make, 120).is_some());
}

#[test]
fn ten_platforms_are_five_times_two() {
    work(files::CLEAN);
    let facts = ImageFacts::default();
    let file = mlint_syntax::parse(files::CLEAN);
    let [two, ten] = [2, 10].map(|platforms| {
        let options = options(platforms);
        let check = || {
            mlint_lint::check(&file, &options, &facts, mlint_rules::all());
        };
        measure(check).count_total
    });
    assert!(ten <= 5 * two + two / 2, "{two} for 2 platforms, {ten} for 10");
}

/// Each proof looks at the whole file again; their number ends.
#[test]
fn proofs_are_bounded() {
    let family = FAMILIES.iter().find(|f| f.name == "goarch").expect("the family");
    let (options, facts) = (options(2), ImageFacts::default());
    let text = (family.make)(mlint_lint::MAX_PROOFS + 20);
    let file = mlint_syntax::parse(text);
    let report = mlint_lint::check(&file, &options, &facts, mlint_rules::all());
    let cautions = report.diagnostics.iter().flat_map(|d| &d.fixes).filter_map(|f| {
        f.caution.as_ref().filter(|caution| caution.contains("not proved by itself"))
    });
    assert!(cautions.count() >= 20);
}
