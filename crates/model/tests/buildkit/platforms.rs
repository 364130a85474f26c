//! Platforms: what the eleven automatic arguments say, what stages and images run on.

use mlint_model::{RunsOn, image_queries};

use crate::{ARM64, build, platform};

/// The automatic arguments in the order of BuildKit's `defaultArgs`.
const ELEVEN: [&str; 11] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETOSVERSION",
    "TARGETARCH",
    "TARGETVARIANT",
    "TARGETSTAGE",
];

#[track_caller]
fn eleven(target: &str, build_on: &str, want: [&str; 11]) {
    let text = format!("FROM x AS app\nARG {}\n", ELEVEN.join(" "));
    for (name, want) in ELEVEN.into_iter().zip(want) {
        let got = build().on(build_on).set(&text, target, name);
        assert_eq!(got, want, "{name} for {target} on {build_on}");
    }
}

#[test]
fn the_eleven_automatic_arguments() {
    let amd64 = |target: [&'static str; 5]| {
        let [platform, os, version, arch, variant] = target;
        ["linux/amd64", "linux", "", "amd64", "", platform, os, version, arch, variant, "app"]
    };
    let on_amd64 =
        |target: &str, want: [&'static str; 5]| eleven(target, "linux/amd64", amd64(want));
    on_amd64("linux/amd64", ["linux/amd64", "linux", "", "amd64", ""]);
    on_amd64("linux/arm64", ["linux/arm64", "linux", "", "arm64", ""]);
    on_amd64("linux/arm64/v8", ["linux/arm64", "linux", "", "arm64", ""]);
    on_amd64("linux/arm", ["linux/arm/v7", "linux", "", "arm", "v7"]);
    on_amd64("linux/arm/v6", ["linux/arm/v6", "linux", "", "arm", "v6"]);
    on_amd64("linux/arm/v5", ["linux/arm/v5", "linux", "", "arm", "v5"]);
    on_amd64("linux/amd64/v1", ["linux/amd64", "linux", "", "amd64", ""]);
    on_amd64("linux/amd64/v3", ["linux/amd64/v3", "linux", "", "amd64", "v3"]);
    on_amd64("linux/386", ["linux/386", "linux", "", "386", ""]);
    on_amd64("linux/ppc64le", ["linux/ppc64le", "linux", "", "ppc64le", ""]);
    on_amd64("linux/s390x", ["linux/s390x", "linux", "", "s390x", ""]);
    on_amd64("linux/riscv64", ["linux/riscv64", "linux", "", "riscv64", ""]);
    on_amd64("windows/amd64", ["windows/amd64", "windows", "", "amd64", ""]);
}

#[test]
fn the_build_platform_is_another_ones() {
    eleven(
        "linux/amd64",
        "linux/arm64",
        ["linux/arm64", "linux", "", "arm64", "", "linux/amd64", "linux", "", "amd64", "", "app"],
    );
    eleven(
        "linux/arm64",
        "linux/arm/v7",
        ["linux/arm/v7", "linux", "", "arm", "v7", "linux/arm64", "linux", "", "arm64", "", "app"],
    );
}

#[test]
fn all_eleven_reach_from_lines_without_a_declaration() {
    let text =
        format!("FROM x:{}\n", ELEVEN.map(|n| format!("${{{n}}}")).join("-").replace(['/'], ""));
    let evaluation = build().evaluate(&text, "linux/arm/v7");
    let reference = evaluation.images[0].reference.to_string();
    assert_eq!(reference, "x:linux/amd64-linux--amd64--linux/arm/v7-linux--arm-v7-default");
    assert!(evaluation.unset.is_empty());
}

#[test]
fn a_comparison_with_arm64_v8_never_matches() {
    let text = "FROM x\nARG TARGETPLATFORM\nRUN if [ \"$TARGETPLATFORM\" = linux/arm64/v8 ]; then one; else two; fi\n";
    build().has(text, "linux/arm64/v8", &["3: run two"]);
    build().lacks(text, "linux/arm64/v8", &["run one"]);
}

#[test]
fn a_stage_runs_on_the_target_by_default_and_on_what_its_flag_says() {
    for (flag, runs_on, role) in [
        ("", "linux/arm64", RunsOn::Target),
        ("--platform=$TARGETPLATFORM ", "linux/arm64", RunsOn::Target),
        ("--platform=$BUILDPLATFORM ", "linux/amd64", RunsOn::Build),
        ("--platform=linux/s390x ", "linux/s390x", RunsOn::Constant),
        ("--platform=linux/arm64/v8 ", "linux/arm64", RunsOn::Constant),
        ("--platform=linux/${TARGETARCH} ", "linux/arm64", RunsOn::Target),
    ] {
        let evaluation = build().evaluate(&format!("FROM {flag}x\n"), ARM64);
        let stage = &evaluation.stages[0].platform;
        assert_eq!(stage.platform.as_ref().map(ToString::to_string).as_deref(), Some(runs_on));
        assert_eq!(stage.role, role, "{flag}");
    }
}

#[test]
fn on_the_build_platform_the_roles_stay_what_they_are() {
    let text =
        "FROM --platform=$BUILDPLATFORM x AS b\nRUN one\nFROM y\nRUN two\nCOPY --from=b /f /\n";
    let evaluation = build().on("linux/arm64").evaluate(text, "linux/arm64");
    assert_eq!(evaluation.stages[0].platform.role, RunsOn::Build);
    assert_eq!(evaluation.emulated_steps().count(), 0);
    let evaluation = build().on("linux/arm64").evaluate(text, "linux/amd64");
    assert_eq!(evaluation.emulated_steps().count(), 1);
}

#[test]
fn the_platform_of_a_stage_base_and_of_scratch_is_not_for_from_to_say() {
    let text = "FROM --platform=linux/amd64 x AS b\nFROM --platform=linux/s390x b AS c\nFROM --platform=linux/386 scratch\nCOPY --from=c / /\n";
    let evaluation = build().evaluate(text, ARM64);
    let on: Vec<String> = evaluation
        .stages
        .iter()
        .map(|s| s.platform.platform.as_ref().unwrap().to_string())
        .collect();
    assert_eq!(on, ["linux/amd64", "linux/amd64", "linux/arm64"]);
    assert_eq!(
        evaluation.stages.iter().map(|s| s.platform.ignored).collect::<Vec<_>>(),
        [false, true, true]
    );
}

#[test]
fn the_image_is_the_targets_whatever_its_last_stage_runs_on() {
    let text = "FROM --platform=linux/amd64 golang:1\nRUN go build -o /app .\n";
    let evaluation = build().evaluate(text, ARM64);
    assert_eq!(evaluation.platform.to_string(), ARM64);
    assert_eq!(evaluation.wrong_artifacts().count(), 1);
}

#[test]
fn images_that_files_are_taken_from_are_the_targets() {
    let text = "FROM --platform=$BUILDPLATFORM x AS b\nCOPY --from=tool:1 /bin/t /\nRUN --mount=from=tool:2,target=/t true\nFROM y\nCOPY --from=b / /\n";
    let evaluation = build().evaluate(text, ARM64);
    let on: Vec<String> = evaluation
        .images
        .iter()
        .map(|i| format!("{} {}", i.reference, i.platform.as_ref().unwrap()))
        .collect();
    assert_eq!(on, ["x linux/amd64", "tool:1 linux/arm64", "tool:2 linux/arm64", "y linux/arm64"]);
}

#[test]
fn what_is_no_platform_stops_the_build() {
    let failures = build().failures("FROM --platform=linux/ x\n", ARM64);
    assert_eq!(failures, ["--platform=linux/: 'linux/' is no platform"]);
    let failures = build().failures("ARG P=\nFROM --platform=$P x\n", ARM64);
    assert_eq!(failures, ["--platform=$P: '$P' expands to no platform"]);
    // A version of Windows is a part of one.
    assert!(build().failures("FROM --platform=windows(10.0.20348)/amd64 x\n", ARM64).is_empty());
}

#[test]
fn cache_mounts_are_keyed_by_their_target_and_not_by_the_platform() {
    for on in ["linux/amd64", ARM64] {
        build().has("FROM x\nRUN --mount=type=cache,target=/c true\n", on, &["2: cache /c at /c"]);
        build().has(
            "FROM x\nRUN --mount=type=cache,id=i,target=/c true\n",
            on,
            &["2: cache i at /c"],
        );
    }
    let text = "FROM x\nARG TARGETARCH\nRUN --mount=type=cache,id=c-$TARGETARCH,target=/c true\n";
    build().has(text, ARM64, &["3: cache c-arm64 at /c"]);
}

#[test]
fn on_windows_no_shell_is_followed_and_nothing_sets_a_path() {
    let text = "FROM scratch\nENV A=${PATH:-none}\nRUN curl -O https://h/x-amd64.zip\n";
    assert_eq!(build().set(text, "windows/amd64", "A"), "none");
    build().has(text, "windows/amd64", &["3: run ?"]);
    assert!(build().set(text, "linux/amd64", "A").starts_with("/usr/local/sbin:"));
    build().has(text, "linux/amd64", &["3: download https://h/x-amd64.zip -> /x-amd64.zip"]);
}

#[test]
fn queries_ask_for_each_image_once_over_all_platforms() {
    let file = mlint_syntax::parse("FROM base-$TARGETARCH$TARGETVARIANT\n");
    let platforms = ["linux/arm", "linux/arm/v7", "linux/arm64", "linux/arm64/v8"].map(platform);
    let queries = image_queries(&file, &platforms, &build().options);
    let names: Vec<&str> = queries.iter().map(|q| q.reference.as_str()).collect();
    assert_eq!(names, ["base-armv7", "base-arm64"]);
}

#[test]
fn emulation_is_told_by_architecture() {
    let emulated = |target: &str, on: &str| {
        build().on(on).evaluate("FROM x\nRUN y\n", target).emulated_steps().count() == 1
    };
    assert!(!emulated("linux/amd64", "linux/amd64"));
    assert!(!emulated("linux/amd64/v3", "linux/amd64"));
    assert!(!emulated("linux/386", "linux/amd64"));
    assert!(emulated("linux/amd64", "linux/386"));
    assert!(emulated("linux/arm/v7", "linux/arm64"));
    assert!(!emulated("linux/arm/v6", "linux/arm/v7"));
    assert!(emulated("linux/riscv64", "linux/arm64"));
}
