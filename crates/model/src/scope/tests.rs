//! Section by section: what BuildKit does with ARG and ENV.

use mlint_syntax::{Dockerfile, InstructionKind, parse};

use super::*;

/// Runs all instructions of `text` for linux/arm64 on linux/amd64 and gives the scope of the last
/// stage at its end. Images bring `BASE=base` and nothing else.
fn run(text: &str, build_args: &[(&str, &str)]) -> StageScope {
    run_all(text, build_args).pop().expect("a stage")
}

fn run_all(text: &str, build_args: &[(&str, &str)]) -> Vec<StageScope> {
    let file: Dockerfile = parse(text);
    let build_args = build_args.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let mut global = GlobalScope::new(
        &Platform::linux("arm64"),
        &Platform::linux("amd64"),
        build_args,
        None,
        file.escape,
    );
    let mut shared: Option<Arc<GlobalScope>> = None;
    let mut names: Vec<String> = Vec::new();
    let mut stages: Vec<StageScope> = Vec::new();
    for instruction in &file.instructions {
        match &instruction.kind {
            InstructionKind::From { image, name } => {
                let global = shared.get_or_insert_with(|| Arc::new(global.clone()));
                let base = global.expand(image).into_text().unwrap();
                stages.push(match names.iter().rposition(|n| *n == base) {
                    Some(parent) => StageScope::from_stage(&stages[parent]),
                    None if base == "scratch" => StageScope::from_image(global, &BaseEnv::empty()),
                    None => StageScope::from_image(global, &BaseEnv::of_config(["BASE=base"])),
                });
                names.push(name.as_ref().map_or(String::new(), |n| n.as_str().to_lowercase()));
            }
            InstructionKind::Arg(pairs) => match stages.last_mut() {
                Some(stage) => drop(stage.arg(pairs).into_result().unwrap()),
                None => drop(global.arg(pairs).into_result().unwrap()),
            },
            InstructionKind::Env(pairs) => {
                drop(stages.last_mut().unwrap().env(pairs).into_result().unwrap());
            }
            other => panic!("not for these tests: {other:?}"),
        }
    }
    stages
}

fn get(scope: &StageScope, name: &str) -> Option<String> {
    scope.get(name).map(|v| v.as_known().expect("known").into_owned())
}

#[track_caller]
fn check(text: &str, want: &[(&str, Option<&str>)]) {
    check_with(text, &[], want);
}

#[track_caller]
fn check_with(text: &str, build_args: &[(&str, &str)], want: &[(&str, Option<&str>)]) {
    let scope = run(text, build_args);
    for (name, value) in want {
        assert_eq!(get(&scope, name).as_deref(), *value, "{name} in\n{text}");
    }
}

#[test]
fn automatic_arguments_must_be_let_in() {
    check("FROM x\n", &[("TARGETARCH", None), ("BUILDPLATFORM", None), ("BASE", Some("base"))]);
    check(
        "FROM x\nARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT TARGETOSVERSION\n\
         ARG BUILDPLATFORM BUILDOS BUILDARCH BUILDVARIANT BUILDOSVERSION TARGETSTAGE\n",
        &[
            ("TARGETPLATFORM", Some("linux/arm64")),
            ("TARGETOS", Some("linux")),
            ("TARGETARCH", Some("arm64")),
            ("TARGETVARIANT", Some("")),
            ("TARGETOSVERSION", Some("")),
            ("BUILDPLATFORM", Some("linux/amd64")),
            ("BUILDOS", Some("linux")),
            ("BUILDARCH", Some("amd64")),
            ("BUILDVARIANT", Some("")),
            ("BUILDOSVERSION", Some("")),
            ("TARGETSTAGE", Some("default")),
        ],
    );
}

#[test]
fn a_variant_is_told_apart() {
    let scope = GlobalScope::new(
        &"linux/arm/v7".parse().unwrap(),
        &Platform::linux("amd64"),
        [],
        Some("app"),
        '\\',
    );
    for (name, want) in [
        ("TARGETPLATFORM", "linux/arm/v7"),
        ("TARGETARCH", "arm"),
        ("TARGETVARIANT", "v7"),
        ("TARGETSTAGE", "app"),
    ] {
        assert!(scope.get(name).unwrap().is(want), "{name}");
    }
}

#[test]
fn a_default_hides_the_automatic_value() {
    let amd64 = [("TARGETARCH", Some("amd64"))];
    let arm64 = [("TARGETARCH", Some("arm64"))];
    check("FROM x\nARG TARGETARCH=amd64\n", &amd64);
    check("ARG TARGETARCH=amd64\nFROM x\nARG TARGETARCH\n", &amd64);
    check("FROM x\nARG TARGETARCH=${TARGETARCH:-amd64}\n", &amd64);
    // These are right.
    check("FROM x\nARG TARGETARCH\nARG TARGETARCH=${TARGETARCH:-amd64}\n", &arm64);
    check("ARG TARGETARCH=${TARGETARCH:-amd64}\nFROM x\nARG TARGETARCH\n", &arm64);
    check("ARG TARGETARCH\nFROM x\nARG TARGETARCH\n", &arm64);
    // Two arguments, and no default.
    check("FROM x\nARG TARGETARCH amd64\n", &[("TARGETARCH", Some("arm64")), ("amd64", None)]);
}

#[test]
fn build_arguments_beat_all_defaults() {
    let given = [("TARGETARCH", "riscv64"), ("V", "2")];
    let want = [("TARGETARCH", Some("riscv64"))];
    check_with("FROM x\nARG TARGETARCH=amd64\n", &given, &want);
    check_with("ARG TARGETARCH=amd64\nFROM x\nARG TARGETARCH\n", &given, &want);
    check_with("ARG V=1\nFROM x\nARG V=3\n", &given, &[("V", Some("2"))]);
    // An undeclared one is not let in.
    check_with("FROM x\n", &given, &[("V", None), ("TARGETARCH", None)]);
}

#[test]
fn global_arguments_reach_from_and_bare_declarations_only() {
    check("ARG V=1\nFROM x\n", &[("V", None)]);
    check("ARG V=1\nFROM x\nARG V\n", &[("V", Some("1"))]);
    check("ARG V=1\nFROM x\nARG V=2\n", &[("V", Some("2"))]);
    check("ARG V=1\nARG W=$V.0\nFROM x:$W\nARG W\n", &[("W", Some("1.0"))]);
    check("ARG V\nFROM x\nARG V\n", &[("V", None)]);
    // A stage's default does not see globals.
    check("ARG V=1\nFROM x\nARG W=a$V\n", &[("W", Some("a"))]);
}

#[test]
fn the_last_of_arg_and_env_counts() {
    let scope = run("FROM x\nENV A=env\nARG A=arg\n", &[]);
    assert_eq!(get(&scope, "A").as_deref(), Some("arg"));
    let image = scope.image_env().find(|(n, _)| *n == "A").unwrap();
    assert!(image.1.is("env"), "the image keeps the ENV");

    check_with("FROM x\nARG A=arg\nENV A=env\n", &[("A", "given")], &[("A", Some("env"))]);
    // A bare ARG without any value changes nothing.
    check("FROM x\nENV A=env\nARG A\n", &[("A", Some("env"))]);
}

#[test]
fn pairs_of_one_env_see_what_was_before() {
    check("FROM x\nENV a=1\nENV a=2 b=$a\n", &[("a", Some("2")), ("b", Some("1"))]);
    check("FROM x\nENV a b c\n", &[("a", Some("b c"))]);
    check("FROM x\nENV n=A\nENV $n=1\n", &[("A", Some("1"))]);
}

#[test]
fn pairs_of_one_arg_see_each_other() {
    check("FROM x\nARG a=1 b=$a\n", &[("b", Some("1"))]);
}

#[test]
fn a_stage_inherits_arguments_of_its_base_stage() {
    check("FROM x AS a\nARG TARGETARCH\nFROM a\n", &[("TARGETARCH", Some("arm64"))]);
    check("FROM x AS a\nARG TARGETARCH\nFROM x\n", &[("TARGETARCH", None)]);
    // The base's ENVs are applied once more, over its ARGs.
    check("FROM x AS a\nENV A=env\nARG A=arg\nFROM a\n", &[("A", Some("env"))]);
}

#[test]
fn environment_is_in_the_order_of_the_last_setting() {
    let scope = run("FROM scratch\nENV A=1 B=2\nARG C=3\nENV A=4\n", &[]);
    let names: Vec<_> = scope.environment().into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, ["PATH", "B", "C", "A"]);
    let image: Vec<_> = scope.image_env().map(|(n, _)| n).collect();
    assert_eq!(image, ["PATH", "A", "B"]);
    assert_eq!(get(&scope, "PATH").as_deref(), Some(DEFAULT_PATH));
}

#[test]
fn what_a_base_stage_sets_is_set_again_in_the_order_of_its_first_setting() {
    let text = "FROM scratch AS a\nENV A=1\nARG B=2\nENV C=3 A=4\nARG C=5\n\
                FROM a AS b\nENV A=6\nARG B=7\nFROM b\nARG A=8\n";
    let orders: Vec<String> = run_all(text, &[])
        .iter()
        .map(|scope| {
            let all = scope.environment().into_iter().filter(|(n, _)| *n != "PATH");
            all.map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(orders[0], "B=2 A=4 C=5");
    assert_eq!(orders[1], "C=3 A=6 B=7");
    assert_eq!(orders[2], "B=7 C=3 A=8");
}

#[test]
fn history_names_arguments_once_with_their_current_values() {
    let scope = run("FROM x\nARG A=1\nARG B\nARG A=2\nENV A=3\n", &[]);
    let args: Vec<String> = scope.run_args().iter().map(|(n, v)| format!("{n}={v}")).collect();
    assert_eq!(args, ["A=3", "B="]);
    // Those of the base stage come first.
    let child = run("FROM x AS a\nARG A=1\nFROM a\nARG B=2\n", &[]);
    let names: Vec<_> = child.run_args().into_iter().map(|(n, _)| n.to_owned()).collect();
    assert_eq!(names, ["A", "B"]);
}

#[test]
fn required_variables_stop_the_build() {
    let file = parse("FROM x\nARG V=\"${W:?set W}\"\n");
    let InstructionKind::Arg(pairs) = &file.instructions[1].kind else { panic!("an ARG") };
    let global = Arc::new(GlobalScope::new(
        &Platform::linux("arm64"),
        &Platform::linux("amd64"),
        [],
        None,
        '\\',
    ));
    let mut scope = StageScope::from_image(&global, &BaseEnv::empty());
    let failure = scope.arg(pairs).into_result().unwrap_err();
    assert_eq!(failure.message, "W: set W");
    assert_eq!(&file.text[failure.span.range()], "${W:?set W}");
    // With an unknown environment it may be set.
    let mut scope = StageScope::from_image(&global, &BaseEnv::unknown());
    assert!(scope.arg(pairs).into_result().is_ok());
}

#[test]
fn operators_keep_origins_and_places() {
    let text =
        "ARG V=v1.2.3\nFROM x\nARG V\nARG TARGETARCH\nENV U=x-${V#v}-${TARGETARCH/arm64/aarch64}\n";
    let scope = run(text, &[]);
    let value = scope.get("U").unwrap();
    assert!(value.is("x-1.2.3-aarch64"));
    let pieces = value.pieces();
    assert_eq!(&text[pieces[1].span.range()], "1.2.3", "the default's own bytes");
    assert_eq!(pieces[3].origin, Origin::Target(PlatformPart::Arch));
    let way: Vec<_> =
        pieces[1].trail.hops().iter().map(|h| (h.kind, &text[h.span.range()])).collect();
    assert_eq!(
        way,
        [
            (HopKind::GlobalArg, "V=v1.2.3"),
            (HopKind::Arg, "V"),
            (HopKind::Used, "${V#v}"),
            (HopKind::Env, "U=x-${V#v}-${TARGETARCH/arm64/aarch64}"),
        ]
    );
}

#[test]
fn unset_variables_are_told() {
    let global = Arc::new(GlobalScope::new(
        &Platform::linux("arm64"),
        &Platform::linux("amd64"),
        [],
        None,
        '\\',
    ));
    let file = parse("FROM x\nWORKDIR /a/$TARGETARCH/$OTHER/${D:-d}\n");
    let InstructionKind::Workdir(word) = &file.instructions[1].kind else { panic!() };
    let known = StageScope::from_image(&global, &BaseEnv::empty()).expand(word);
    assert_eq!(known.value.to_string(), "/a///d");
    let unset: Vec<_> = known.unset.iter().map(|u| u.name.as_str()).collect();
    assert_eq!(unset, ["TARGETARCH", "OTHER"]);
    let unknown = StageScope::from_image(&global, &BaseEnv::unknown()).expand(word);
    assert_eq!(unknown.value.to_string(), "/a//?/{?|d}");
}

#[test]
fn ports_are_split_as_buildkit_splits_them() {
    let scope = run("FROM x\nENV P=\"80 81\" Q=7\n", &[]);
    let words = |raw: &str| -> Vec<String> {
        let file = parse(format!("FROM x\nEXPOSE {raw}\n"));
        let InstructionKind::Expose(words) = &file.instructions[1].kind else { panic!("{raw}") };
        let all = words.iter().flat_map(|w| scope.expand_words(w).expect("no failure"));
        all.map(|w| w.text).collect()
    };
    for (raw, want) in [
        ("$P/udp", &["80", "81/udp"][..]),
        ("${P:-1}/udp", &["80", "81/udp"]),
        ("${N:-9}/udp", &["9/udp"]),
        // The operator's word is read over what stands before it.
        ("1${Q:-2}/tcp", &["7/tcp"]),
        ("1${Q}/tcp", &["17/tcp"]),
        ("80${N:-}", &[]),
    ] {
        assert_eq!(words(raw), want, "{raw}");
    }
}
