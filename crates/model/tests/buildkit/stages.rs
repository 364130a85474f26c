//! Which stages there are, what they start from, which of them run.

use mlint_model::{ImageUser, Libc};

use crate::{ARM64, build};

fn reached(text: &str, target: &str) -> Vec<usize> {
    let build = if target.is_empty() { build() } else { build().target(target) };
    build.evaluate(text, ARM64).reachable().map(|s| s.index).collect()
}

#[test]
fn only_stages_that_the_target_reaches_run() {
    let text =
        "FROM a AS a\nFROM b AS b\nFROM c AS c\nCOPY --from=a /x /\nFROM c\nRUN --mount=from=b x\n";
    assert_eq!(reached(text, ""), [0, 1, 2, 3]);
    assert_eq!(reached(text, "c"), [0, 2]);
    assert_eq!(reached(text, "b"), [1]);
}

#[test]
fn the_target_is_found_whatever_its_case() {
    let text = "FROM a AS Alpha\nFROM b\n";
    assert_eq!(reached(text, "ALPHA"), [0]);
}

#[test]
fn a_number_is_no_target() {
    let text = "FROM a AS one\nFROM b AS two\n";
    assert_eq!(
        build().target("1").failures(text, ARM64),
        ["FROM b AS two: no stage is named '1'; there are: one, two"]
    );
}

#[test]
fn an_unknown_target_names_those_there_are() {
    let failures = build().target("x").failures("FROM a\n", ARM64);
    assert_eq!(failures, ["FROM a: no stage is named 'x'; no stage has a name"]);
}

#[test]
fn targetstage_is_the_target_as_given_or_the_last_stages_name() {
    let stage = |text: &str, target: &str| {
        let build = if target.is_empty() { build() } else { build().target(target) };
        build.set(text, ARM64, "A")
    };
    let text = "FROM a AS one\nARG TARGETSTAGE\nENV A=$TARGETSTAGE\nFROM one AS Two\nARG TARGETSTAGE\nENV A=$TARGETSTAGE\n";
    assert_eq!(stage(text, ""), "two");
    assert_eq!(stage(text, "ONE"), "ONE");
    assert_eq!(stage("FROM a\nARG TARGETSTAGE\nENV A=$TARGETSTAGE\n", ""), "default");
}

#[test]
fn names_after_from_ignore_case() {
    assert_eq!(reached("FROM a AS Builder\nFROM b\nCOPY --from=BUILDER /x /\n", ""), [0, 1]);
    assert_eq!(reached("FROM a AS builder\nFROM b\nRUN --mount=from=Builder x\n", ""), [0, 1]);
}

#[test]
fn capitals_in_from_are_an_image_and_stop_the_build() {
    let failures = build().failures("FROM a AS builder\nFROM BUILDER\n", ARM64);
    assert_eq!(
        failures,
        ["BUILDER: 'BUILDER' is read as an image here; the stage's name is 'builder'"]
    );
}

#[test]
fn of_equal_names_from_takes_the_last_before_it() {
    let text = "FROM a AS x\nFROM b AS x\nFROM x AS y\nFROM c AS x\nFROM y\n";
    assert_eq!(reached(text, ""), [1, 2, 4]);
}

#[test]
fn of_equal_names_copy_takes_the_last_of_the_file() {
    // `toCommand` looks names up when all stages are known. A manual would say "the last before".
    let before = "FROM a AS x\nFROM b AS x\nFROM c\nCOPY --from=x /f /\n";
    assert_eq!(reached(before, ""), [1, 2]);
    let after = "FROM a AS x\nFROM c AS y\nCOPY --from=x /f /\nFROM b AS x\nFROM y\n";
    assert_eq!(
        build().failures(after, ARM64),
        ["x: the stage 'x' must stand before the one that takes from it"]
    );
}

#[test]
fn a_stage_called_like_its_image_starts_from_the_image() {
    build().has(
        "FROM golang AS golang\n",
        ARM64,
        &["stage 0 golang from golang on linux/arm64 (target), libc glibc"],
    );
}

#[test]
fn a_stage_called_scratch_hides_scratch() {
    // `addState` looks for a stage of that name first.
    let evaluation = build().evaluate("FROM alpine AS scratch\nFROM scratch\n", ARM64);
    assert_eq!(evaluation.stages[1].libc, Libc::Musl);
}

#[test]
fn numbers_name_stages_for_copy() {
    assert_eq!(reached("FROM a\nFROM b\nFROM c\nCOPY --from=1 /x /\n", ""), [1, 2]);
}

#[test]
fn numbers_name_images_for_mounts() {
    let text = "FROM a\nFROM b\nRUN --mount=from=0,target=/m x\n";
    assert_eq!(reached(text, ""), [1]);
    let evaluation = build().evaluate(text, ARM64);
    let users: Vec<_> =
        evaluation.images.iter().map(|i| (i.user, i.reference.to_string())).collect();
    assert_eq!(users, [(ImageUser::From, "b".to_owned()), (ImageUser::Mount, "0".to_owned())]);
}

#[test]
fn a_number_without_a_stage_stops_the_build_wherever_it_stands() {
    let text = "FROM a\nCOPY --from=7 /x /\nFROM b\n";
    assert_eq!(build().failures(text, ARM64), ["7: there is no stage 7; the last one is 1"]);
}

#[test]
fn a_later_stage_is_no_source() {
    for from in ["late", "1"] {
        let text = format!("FROM a AS b\nCOPY --from={from} /x /\nFROM c AS late\nFROM b\n");
        assert_eq!(
            build().failures(&text, ARM64),
            [format!("{from}: the stage '{from}' must stand before the one that takes from it")]
        );
    }
    // In a stage that nobody needs, it does no harm.
    let unused = "FROM a AS b\nCOPY --from=late /x /\nFROM c AS late\n";
    assert!(build().failures(unused, ARM64).is_empty());
}

#[test]
fn a_stage_is_no_source_of_its_own() {
    let text = "FROM a AS self\nCOPY --from=self /x /\n";
    assert_eq!(
        build().failures(text, ARM64),
        ["self: a stage can't take files from itself ('self')"]
    );
}

#[test]
fn a_variable_in_copy_from_stops_the_build() {
    let text = "ARG S=a\nFROM a AS a\nFROM b\nARG S\nCOPY --from=$S /x /\n";
    assert_eq!(
        build().failures(text, ARM64),
        ["$S: --from takes no variables; name a stage FROM that image and use its name"]
    );
}

#[test]
fn a_base_that_expands_to_nothing_stops_the_build() {
    let text = "ARG BASE=\nFROM $BASE\n";
    assert_eq!(build().failures(text, ARM64), ["$BASE: base name ($BASE) should not be blank"]);
}

#[test]
fn a_stage_has_the_files_directory_shell_and_user_of_its_base_stage() {
    let text = "FROM alpine AS b\nWORKDIR /w\nUSER 10\nSHELL [\"/bin/bash\", \"-ec\"]\nCOPY <<E /w/f\nx\nE\nFROM b\nRUN tool $(cat f) ~ && false\n";
    build().has(text, ARM64, &["stage 1 from stage 0 on linux/arm64 (target), libc musl"]);
    build().has(text, ARM64, &["9: run tool x ?"]);
}

#[test]
fn shell_persists_and_another_shell_is_not_read_as_sh() {
    let text = "FROM x AS b\nSHELL [\"pwsh\", \"-c\"]\nFROM b\nRUN tool a | other\n";
    build().has(text, ARM64, &["4: run ?"]);
}

#[test]
fn base_names_in_quotes_or_with_escapes_are_words() {
    build().has(
        "ARG V=1\nFROM \"x:$V\"\n",
        ARM64,
        &["stage 0 from x:1 on linux/arm64 (target), libc ?"],
    );
}
