//! Several defects in one file, each of which hides what the repair of another does.

use mlint_lint::{Applicability, CheckOptions, Fix, FixOptions, FixOutcome, Report};
use mlint_model::ImageFacts;

const SEVERAL: &str = "\
ARG TARGETARCH=amd64
FROM golang:1.22 AS build
ARG TARGETARCH
COPY . .
RUN CGO_ENABLED=0 GOARCH=amd64 go build -o /app ./cmd/app
RUN curl -fsSL https://github.com/mikefarah/yq/releases/download/v4.40.5/yq_linux_amd64 -o /usr/bin/yq

FROM --platform=linux/amd64 alpine:3.19
COPY --from=build /app /app
RUN wget -O /tini https://github.com/krallin/tini/releases/download/v0.19.0/tini-$TARGETARCH
";

fn fix(text: &str) -> FixOutcome {
    let fix = |text: &str| {
        let (options, how) = (CheckOptions::default(), FixOptions::default());
        mlint_lint::fix(text, &options, &how, &ImageFacts::default(), mlint_rules::all())
    };
    let outcome = fix(text);
    assert_eq!(fix(&outcome.text).text, outcome.text, "a second run changes nothing");
    outcome
}

fn check(text: &str) -> Report {
    let (file, options) = (mlint_syntax::parse(text), CheckOptions::default());
    mlint_lint::check(&file, &options, &ImageFacts::default(), mlint_rules::all())
}

#[test]
fn all_are_repaired_at_once() {
    assert_eq!(
        fix(SEVERAL).text,
        "\
ARG TARGETARCH
FROM --platform=$BUILDPLATFORM golang:1.22 AS build
ARG TARGETARCH
COPY . .
ARG TARGETOS
RUN CGO_ENABLED=0 GOARCH=$TARGETARCH GOOS=$TARGETOS go build -o /app ./cmd/app
RUN curl -fsSL https://github.com/mikefarah/yq/releases/download/v4.40.5/yq_linux_${TARGETARCH} -o /usr/bin/yq

FROM alpine:3.19
COPY --from=build /app /app
ARG TARGETARCH
RUN wget -O /tini https://github.com/krallin/tini/releases/download/v0.19.0/tini-$TARGETARCH
"
    );
}

#[test]
fn a_tool_for_the_target_is_not_run_on_the_build_machine() {
    let run =
        SEVERAL.replace("-o /usr/bin/yq\n", "-o /usr/bin/yq && chmod +x /usr/bin/yq && yq -V\n");
    let outcome = fix(&run);
    assert!(outcome.text.contains("yq_linux_${TARGETARCH}"), "{}", outcome.text);
    assert!(outcome.text.contains("\nFROM golang:1.22 AS build\n"), "{}", outcome.text);
    let left: Vec<&str> = outcome.unapplied.iter().map(|u| u.rule).collect();
    assert_eq!(left, ["missing-build-platform"]);
    assert!(outcome.unapplied[0].reason.contains("/usr/bin/yq"), "{:?}", outcome.unapplied);
}

#[test]
fn each_fix_says_that_it_is_safe_with_the_others() {
    for diagnostic in check(SEVERAL).diagnostics.iter().filter(|d| d.rule != "base-image-platform")
    {
        let best = diagnostic.fixes.iter().map(Fix::reach).max();
        assert_eq!(best, Some(Applicability::Safe), "{diagnostic:#?}");
    }
}

#[test]
fn two_machines_in_one_image_are_no_collection() {
    let report = check(&SEVERAL.replace("--platform=linux/amd64 ", ""));
    assert!(report.diagnostics.iter().any(|d| d.rule == "hardcoded-goarch"), "{report:#?}");
}
