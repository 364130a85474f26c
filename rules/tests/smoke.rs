//! Damaged files of the corpus go through parser, model and rules: the small brother of the fuzz
//! targets in `fuzz/`, always with the same damage.

use std::{fs, path::Path};

use mlint_lint::{CheckOptions, check};
use mlint_model::{ImageFacts, evaluate};
use mlint_syntax::parse;

const FILES: usize = 2_000;

/// Rules and proofs take longest: every so many files they are asked, too.
const CHECKED: usize = 20;

/// What changes the meaning of what stands around it.
const PIECES: [&str; 24] = [
    "\n",
    "\\\n",
    "\\",
    "\"",
    "'",
    "$",
    "${",
    "}",
    "$(",
    ")",
    "`",
    "<<E\n",
    "\nE\n",
    "# ",
    "; ",
    " | ",
    " && ",
    "if ",
    "case x in ",
    "FROM a\n",
    "RUN ",
    "COPY --from=",
    "[\"",
    "\u{a0}é",
];

/// A small generator (xorshift), so that every run sees the same files.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap()
    }

    fn boundary(&mut self, text: &str) -> usize {
        let mut at = self.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

fn dockerfiles(folder: &Path, found: &mut Vec<String>) {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            dockerfiles(&path, found);
        } else if path.file_name().is_some_and(|name| name == "Dockerfile") {
            found.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn damaged_files_are_checked_without_a_panic() {
    let mut files = Vec::new();
    dockerfiles(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus"), &mut files);
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let (options, facts) = (CheckOptions::default(), ImageFacts::default());
    let mut broken = 0;
    for round in 0..FILES {
        let mut text = files[numbers.below(files.len())].clone();
        for _ in 0..=numbers.below(5) {
            let start = numbers.boundary(&text);
            let end = text.floor_char_boundary((start + numbers.below(8)).min(text.len()));
            text.replace_range(start..end.max(start), PIECES[numbers.below(PIECES.len())]);
        }
        let file = parse(text.as_str());
        let printed: usize = file.elements.iter().map(|e| e.span.len() as usize).sum();
        assert_eq!(printed, text.len(), "{text:?}");
        broken += usize::from(!file.errors.is_empty());
        evaluate(&file, &options.platforms[round % 2], &options.model(), &facts);
        if round % CHECKED != 0 {
            continue;
        }
        let report = check(&file, &options, &facts, mlint_rules::all());
        assert_eq!(report.verdicts.len(), options.platforms.len());
        for diagnostic in &report.diagnostics {
            assert!(text.get(diagnostic.span.range()).is_some(), "{diagnostic:?} in {text:?}");
        }
    }
    assert!(broken > FILES / 10 && broken < FILES, "{broken} of {FILES} have errors");
}
