//! What a check costs, without the process around it: `cargo bench --bench check`.

use std::{fs, hint::black_box, path::Path};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mlint_lint::{CheckOptions, FixOptions};
use mlint_model::ImageFacts;

/// The Dockerfiles of the corpus.
fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let groups = fs::read_dir(root).expect("the corpus").flatten().filter(|g| g.path().is_dir());
    let cases = groups.flat_map(|group| fs::read_dir(group.path()).expect("a group").flatten());
    cases.filter_map(|case| fs::read_to_string(case.path().join("Dockerfile")).ok()).collect()
}

fn check(text: &str, options: &CheckOptions, facts: &ImageFacts) -> usize {
    let file = mlint_syntax::parse(text);
    mlint_lint::check(&file, options, facts, mlint_rules::all()).diagnostics.len()
}

fn benches(c: &mut Criterion) {
    let (options, facts) = (CheckOptions::default(), ImageFacts::default());
    let files = corpus();
    let bytes: usize = files.iter().map(String::len).sum();
    let mut group = c.benchmark_group("corpus");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("check", |b| {
        b.iter(|| files.iter().map(|f| check(black_box(f), &options, &facts)).sum::<usize>());
    });
    group.finish();
    let clean = files.iter().filter(|f| check(f, &options, &facts) == 0).max_by_key(|f| f.len());
    let clean = clean.expect("a clean file");
    c.bench_function("check one clean file", |b| {
        b.iter(|| check(black_box(clean), &options, &facts));
    });
    let worst = files.iter().max_by_key(|f| check(f, &options, &facts)).expect("a file");
    c.bench_function("fix the file with most findings", |b| {
        let how = FixOptions::default();
        b.iter(|| mlint_lint::fix(black_box(worst), &options, &how, &facts, mlint_rules::all()));
    });
}

criterion_group!(all, benches);
criterion_main!(all);
