//! What a check costs, without the process around it, and where the time goes: `cargo bench -p
//! mlint-rules --bench check`.

use std::{fs, hint::black_box, path::Path};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mlint_lint::{CheckOptions, FixOptions, Level};
use mlint_model::{ImageFacts, Prepared};

#[expect(dead_code, reason = "the families are for the other bench")]
mod files;

/// The command's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The Dockerfiles of the corpus.
fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let groups = fs::read_dir(root).expect("the corpus").flatten().filter(|g| g.path().is_dir());
    let cases = groups.flat_map(|group| fs::read_dir(group.path()).expect("a group").flatten());
    cases.filter_map(|case| fs::read_to_string(case.path().join("Dockerfile")).ok()).collect()
}

fn check(text: &str, options: &CheckOptions, facts: &ImageFacts) -> usize {
    let file = mlint_syntax::parse(text);
    mlint_lint::check(&file, options, facts, mlint_rules::all()).diagnostics.len()
}

/// The stages of a check of the two typical files, each with all before it.
fn typical(c: &mut Criterion) {
    let facts = ImageFacts::default();
    for (name, text) in [("clean", files::CLEAN), ("findings", files::FINDINGS)] {
        let mut group = c.benchmark_group(name);
        group.bench_function("parse", |b| b.iter(|| mlint_syntax::parse(black_box(text))));
        let file = mlint_syntax::parse(text);
        group.bench_function("prepare", |b| b.iter(|| Prepared::new(black_box(&file))));
        let prepared = Prepared::new(&file);
        for n in [1, 2, 10] {
            let options = files::options(n);
            group.throughput(Throughput::Elements(n as u64));
            group.bench_function(BenchmarkId::new("evaluate", n), |b| {
                let model = options.model();
                b.iter(|| {
                    for platform in &options.platforms {
                        black_box(prepared.evaluate(platform, &model, &facts));
                    }
                });
            });
            // Without findings that anyone proves fixes for: parse, prepare, evaluate, rules.
            let mut silent = options.clone();
            for rule in mlint_rules::all() {
                silent.levels.insert(rule.meta().name.to_owned(), Level::Off);
            }
            group.bench_function(BenchmarkId::new("check without rules", n), |b| {
                b.iter(|| check(black_box(text), &silent, &facts));
            });
            group.bench_function(BenchmarkId::new("check", n), |b| {
                b.iter(|| check(black_box(text), &options, &facts));
            });
        }
        let (options, how) = (files::options(2), FixOptions::default());
        group.bench_function("fix", |b| {
            b.iter(|| mlint_lint::fix(black_box(text), &options, &how, &facts, mlint_rules::all()));
        });
        group.finish();
    }
}

fn whole_corpus(c: &mut Criterion) {
    let (options, facts) = (CheckOptions::default(), ImageFacts::default());
    let files = corpus();
    let bytes: usize = files.iter().map(String::len).sum();
    let mut group = c.benchmark_group("corpus");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("check", |b| {
        b.iter(|| files.iter().map(|f| check(black_box(f), &options, &facts)).sum::<usize>());
    });
    group.finish();
}

criterion_group!(all, typical, whole_corpus);
criterion_main!(all);
