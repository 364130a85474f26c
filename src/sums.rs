//! Sums of downloads, looked up because the user said so: for findings that can't be repaired
//! without them.

use std::{collections::BTreeMap, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use mlint_lint::{FixOptions, Rule};
use mlint_model::{Fact, ImageFacts, SumQuery};
use mlint_oci::Digest;
use mlint_registry::{SumOptions, look_up_sum};

use crate::{
    engine::{Job, each, guarded},
    report::text::style::one_line,
    talk,
};

/// How many files are fetched for one Dockerfile at the most.
const MAX_FILES: usize = 32;

/// How often answers may lead to new questions: a fix lets an address follow the platform, and then
/// the sum beside it is that of one file.
const MAX_ROUNDS: usize = 3;

/// Looks up what findings ask for, each sum once, and hands the answers to the jobs. With `first`
/// it is what findings ask for once these fixes are applied.
pub fn look_up(mut jobs: Vec<Job>, first: Option<&FixOptions>, images: &ImageFacts) -> Vec<Job> {
    let mut known: BTreeMap<SumQuery, Fact<Digest>> = BTreeMap::new();
    for _ in 0..MAX_ROUNDS {
        let asked = each(jobs.iter().collect(), |job| {
            guarded(|| asked(job, first, images)).unwrap_or_default()
        });
        if asked.iter().all(Vec::is_empty) {
            break;
        }
        for (job, asked) in jobs.iter_mut().zip(asked) {
            let room = MAX_FILES.saturating_sub(job.options.sums.len());
            let answers = asked.into_iter().enumerate().map(|(i, query)| {
                let answer = match known.get(&query) {
                    Some(answer) => answer.clone(),
                    None if i >= room => {
                        let why = format!("more than {MAX_FILES} would have to be downloaded");
                        Fact::Unavailable(why)
                    }
                    None => {
                        let answer = fetch(&query);
                        known.insert(query.clone(), answer.clone());
                        answer
                    }
                };
                (query, answer)
            });
            let answers: Vec<_> = answers.collect();
            job.options.sums = job.options.sums.with(answers);
        }
    }
    jobs
}

/// The sums that a file's findings ask for, as the fixes leave it.
fn asked(job: &Job, first: Option<&FixOptions>, images: &ImageFacts) -> Vec<SumQuery> {
    let only = first.and_then(|options| options.only.as_ref());
    let wanted = |rule: &&&dyn Rule| {
        only.is_none_or(|only| only.iter().any(|name| *name == rule.meta().name))
    };
    let all = mlint_rules::all();
    let rules: Vec<&dyn Rule> = all.iter().filter(wanted).copied().collect();
    let Some(first) = first else {
        return mlint_lint::sums_asked(&job.file, &job.options, images, &rules);
    };
    let fixed = mlint_lint::fix(&job.source.text, &job.options, first, images, all).text;
    mlint_lint::sums_asked(&mlint_syntax::parse(fixed), &job.options, images, &rules)
}

/// One sum, with a line on a terminal that moves while the file comes.
fn fetch(query: &SumQuery) -> Fact<Digest> {
    let place = one_line(public(&query.url));
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} sum of {msg}  {bytes}") {
        bar.set_style(style);
    }
    bar.set_message(place.clone());
    bar.enable_steady_tick(Duration::from_millis(100));
    let answer = look_up_sum(query, &SumOptions::default(), Some(&|n| bar.inc(n)));
    bar.finish_and_clear();
    match &answer {
        Fact::Unavailable(why) => {
            talk::note(&format!("the sum of {place} is not known: {}", one_line(why)));
        }
        _ => talk::note(&format!("downloaded {place} for its sum")),
    }
    answer
}

/// An address as it may be shown: without a login, and without a query, where tokens stand.
fn public(url: &str) -> &str {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let rest = plain.split_once("://").map_or(plain, |(_, rest)| rest);
    let authority = rest.find('/').unwrap_or(rest.len());
    match rest[..authority].rfind('@') {
        Some(at) => &rest[at + 1..],
        None => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_and_queries_are_not_shown() {
        for (url, shown) in [
            ("https://me:pw@h.example/a/b@1?token=t#x", "h.example/a/b@1"),
            ("http://h.example:8080/a", "h.example:8080/a"),
            ("https://me:p@w@h.example", "h.example"),
        ] {
            assert_eq!(public(url), shown);
        }
    }
}
