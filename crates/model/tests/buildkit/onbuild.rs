//! ONBUILD of stages, and what the configuration of a known base image says.

use std::sync::Arc;

use mlint_model::{ConfigQuery, ImageFacts, config_queries};
use mlint_oci::ContainerConfig;

use crate::{ARM64, Build, build, platform};

/// A build that knows the configuration of `base` for linux/arm64.
fn knowing(config: ContainerConfig) -> Build {
    let query = ConfigQuery { reference: "base".to_owned(), platform: platform(ARM64) };
    Build { facts: ImageFacts::default().with_configs([(query, Arc::new(config))]), ..build() }
}

fn triggers(triggers: &[&str]) -> Build {
    let on_build = triggers.iter().map(|t| (*t).to_owned()).collect();
    knowing(ContainerConfig { on_build, ..ContainerConfig::default() })
}

#[test]
fn triggers_of_a_stage_fire_in_stages_on_it_and_once() {
    let text = "FROM x AS a\nONBUILD RUN tool\nFROM a AS b\nFROM b\n";
    let evaluation = build().evaluate(text, ARM64);
    let stages: Vec<usize> = evaluation.commands().map(|(s, ..)| s.index).collect();
    assert_eq!(stages, [1]);
}

#[test]
fn triggers_come_before_the_stages_own_instructions() {
    let text = "FROM x AS a\nONBUILD ENV V=1\nFROM a\nENV A=$V\n";
    assert_eq!(build().set(text, ARM64, "A"), "1");
}

#[test]
fn what_a_trigger_takes_from_is_needed_where_it_fires() {
    let text = "FROM x AS dep\nRUN curl -o /t https://h/t-linux-amd64\nFROM y AS a\nONBUILD COPY --from=dep /t /t\nFROM a\n";
    let evaluation = build().evaluate(text, ARM64);
    assert_eq!(evaluation.reachable().map(|s| s.index).collect::<Vec<_>>(), [0, 1, 2]);
    build().has(text, ARM64, &["file /t: linux/amd64 ? downloaded, lines 2 4"]);
    // Not where it is only said.
    let evaluation = build().target("a").evaluate(text, ARM64);
    assert_eq!(evaluation.reachable().map(|s| s.index).collect::<Vec<_>>(), [1]);
}

#[test]
fn triggers_of_a_known_image_fire_in_the_stage_on_it() {
    let text = "ARG V=1\nFROM base\nRUN own\n";
    triggers(&["ARG TARGETARCH", "RUN curl -O https://h/t-$TARGETARCH"]).has(
        text,
        ARM64,
        &[
            "2: arg TARGETARCH=arm64 <TARGETARCH>",
            "2: download https://h/t-arm64 <TARGETARCH> -> /t-arm64",
            "3: run own",
        ],
    );
}

#[test]
fn what_a_trigger_of_an_image_does_stands_at_the_base_in_from() {
    let text = "FROM base\n";
    let evaluation = triggers(&["RUN curl -o /t https://h/t-linux-amd64"]).evaluate(text, ARM64);
    let (_, step, effect) = evaluation.effects().next().expect("a download");
    assert_eq!(&text[step.span.range()], "base");
    assert_eq!(&text[effect.span.range()], "base");
    assert_eq!(step.instruction, 0);
}

#[test]
fn triggers_of_an_image_are_spent_in_the_first_stage() {
    let text = "FROM base AS a\nFROM a\n";
    let evaluation = triggers(&["RUN tool"]).evaluate(text, ARM64);
    assert_eq!(evaluation.commands().map(|(s, ..)| s.index).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_trigger_of_an_image_may_take_from_a_stage_of_the_file() {
    let text = "FROM x AS dep\nRUN curl -o /t https://h/t-linux-amd64\nFROM base\n";
    triggers(&["COPY --from=dep /t /t"]).has(
        text,
        ARM64,
        &["file /t: linux/amd64 ? downloaded, lines 2 3"],
    );
}

#[test]
fn a_trigger_that_is_no_instruction_is_passed_over() {
    let text = "FROM base\nRUN own\n";
    triggers(&["BOGUS", "FROM x", "ONBUILD RUN a", ""]).has(text, ARM64, &["2: run own"]);
}

#[test]
fn the_configuration_of_another_platform_is_not_this_ones() {
    let build = triggers(&["RUN tool"]);
    build.lacks("FROM base\n", "linux/amd64", &["run tool"]);
}

#[test]
fn the_environment_of_a_known_image_is_all_there_is() {
    let config =
        ContainerConfig { env: vec!["V=1".to_owned(), "W=a=b".to_owned()], ..Default::default() };
    let build = knowing(config);
    assert_eq!(build.set("FROM base\nENV A=$V-$W-${X:-none}\n", ARM64, "A"), "1-a=b-none");
    build.has("FROM base\nENV A=$X\n", ARM64, &["2: unset X"]);
    assert!(build.set("FROM base\nENV A=$PATH\n", ARM64, "A").starts_with("/usr/local/sbin"));
    // An ARG of its name takes a variable of the image over.
    assert_eq!(build.set("FROM base\nARG V=2\nENV A=$V\n", ARM64, "A"), "2");
}

#[test]
fn directory_user_and_shell_of_a_known_image() {
    let config = ContainerConfig {
        working_dir: "/w/".to_owned(),
        user: "app:app".to_owned(),
        shell: Some(vec!["/bin/bash".to_owned(), "-ec".to_owned()]),
        ..Default::default()
    };
    let text = "FROM base\nCOPY f.sh .\nRUN cd && tool\nWORKDIR sub\nCOPY g.sh ./\n";
    let build = knowing(config);
    build.has(
        text,
        ARM64,
        &[
            "file /w/f.sh: any ? context f.sh, lines 2",
            "file /w/sub/g.sh: any ? context g.sh, lines 5",
        ],
    );
    let shell = Some(vec!["powershell".to_owned(), "-Command".to_owned()]);
    knowing(ContainerConfig { shell, ..Default::default() }).has(
        "FROM base\nRUN curl -O https://h/x\n",
        ARM64,
        &["2: run ?"],
    );
}

#[test]
fn configurations_are_asked_for_per_platform_that_a_stage_runs_on() {
    let file = mlint_syntax::parse(
        "FROM --platform=$BUILDPLATFORM go AS b\nFROM base\nCOPY --from=b /f /\nCOPY --from=tool /g /\nFROM unused\nFROM base\n",
    );
    let file = mlint_syntax::parse(file.text.replace("FROM unused\nFROM base\n", ""));
    let platforms = [platform("linux/amd64"), platform(ARM64)];
    let queries = config_queries(&file, &platforms, &build().options);
    let said: Vec<String> =
        queries.iter().map(|q| format!("{} {}", q.reference, q.platform)).collect();
    assert_eq!(said, ["go linux/amd64", "base linux/amd64", "base linux/arm64"]);
}
