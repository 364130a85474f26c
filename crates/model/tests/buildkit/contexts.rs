//! Files of the build context: what is asked for, and what the answers do.

use std::sync::Arc;

use mlint_model::{
    ContextEntry, ContextFacts, ContextFile, ContextPath, EffectKind, Fact, HopKind, Linkage,
    Prepared,
};

use crate::{ARM64, Build, build, platform};

/// What lies in the context: a text, or nothing for a folder.
fn files(entries: &[(&str, Option<&str>)]) -> ContextFacts {
    let entry = |(path, text): &(&str, Option<&str>)| {
        let entry = match text {
            Some(text) => ContextEntry::File(ContextFile {
                text: Some(Arc::from(*text)),
                ..ContextFile::default()
            }),
            None => ContextEntry::Folder,
        };
        (ContextPath::main(path), Fact::Known(entry))
    };
    ContextFacts::new(entries.iter().map(entry))
}

fn with(entries: &[(&str, Option<&str>)]) -> Build {
    build().context(files(entries))
}

fn asked(build: &Build, text: &str) -> Vec<String> {
    build.evaluate(text, ARM64).asked.iter().map(ToString::to_string).collect()
}

#[test]
fn sources_of_copy_and_scripts_that_are_run_are_asked_for() {
    let text = "FROM x\nARG TARGETARCH\nCOPY bin/t-$TARGETARCH /usr/bin/\nCOPY . /app\nRUN cd /app && ./scripts/build.sh\n";
    assert_eq!(asked(&build(), text), [".", "bin/t-arm64", "scripts/build.sh"]);
    // Names that are not known, patterns and archives are not.
    assert_eq!(asked(&build(), "FROM x\nCOPY $V *.txt /d/\nADD a.tar.gz /\n"), [] as [&str; 0]);
    // What is answered is not asked again.
    let known = with(&[(".", None), ("bin/t-arm64", Some("x")), ("scripts/build.sh", Some("y\n"))]);
    assert_eq!(asked(&known, text), [] as [&str; 0]);
}

#[test]
fn the_asked_paths_of_all_platforms_come_together() {
    let file = mlint_syntax::parse("FROM x\nARG TARGETARCH\nCOPY t-$TARGETARCH /\n");
    let platforms = [platform("linux/amd64"), platform(ARM64)];
    let build = build();
    let asked = Prepared::new(&file).asked(&platforms, &build.options, &build.facts);
    let said: Vec<String> = asked.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["t-amd64", "t-arm64"]);
}

#[test]
fn a_copied_script_is_followed_where_it_is_run() {
    let script = "#!/bin/sh\nset -e\narch=$(uname -m)\ncurl -o /t \"https://h/$1-$arch\"\n";
    for run in
        ["/build.sh tool", "sh /build.sh tool", "bash -x /build.sh tool", "cd / && ./build.sh tool"]
    {
        let text = format!("FROM x\nCOPY build.sh /\nRUN {run}\n");
        with(&[("build.sh", Some(script))]).has(
            &text,
            ARM64,
            &["3: download https://h/tool-aarch64 <uname -m> -> /t"],
        );
    }
}

#[test]
fn without_its_text_a_script_is_not_followed() {
    build().lacks("FROM x\nCOPY build.sh /\nRUN /build.sh\n", ARM64, &["download"]);
}

#[test]
fn a_script_in_a_copied_folder_is_followed() {
    let facts = [
        (".", None),
        ("scripts", None),
        ("scripts/get.sh", Some("curl -O https://h/t-linux-amd64\n")),
    ];
    let text = "FROM x\nWORKDIR /src\nCOPY . .\nRUN scripts/get.sh\n";
    with(&facts).has(text, ARM64, &["4: download https://h/t-linux-amd64 -> /src/t-linux-amd64"]);
    // Through another stage as well.
    let text = "FROM x AS a\nCOPY . /src\nFROM y\nCOPY --from=a /src/scripts /s\nRUN /s/get.sh\n";
    with(&facts).has(text, ARM64, &["5: download https://h/t-linux-amd64 -> /t-linux-amd64"]);
}

#[test]
fn a_mounted_script_is_followed() {
    let facts = [("get.sh", Some("curl -O https://h/t\n")), (".", None)];
    for run in [
        "--mount=type=bind,source=get.sh,target=/get.sh /get.sh",
        "--mount=type=bind,target=/ctx sh /ctx/get.sh",
        "--mount=target=/ctx cd /ctx && ./get.sh",
    ] {
        let build = with(&facts);
        let dumped = build.dump(&format!("FROM x\nRUN {run}\n"), ARM64);
        assert!(dumped.contains("2: download https://h/t ->"), "{run}\n{dumped}");
    }
}

#[test]
fn a_file_that_is_read_in_sets_variables() {
    let facts = [("env.sh", Some("export ARCH=x86_64\n"))];
    let text = "FROM x\nCOPY env.sh ./\nRUN . ./env.sh && curl -O https://h/t-$ARCH\n";
    with(&facts).has(text, ARM64, &["3: download https://h/t-x86_64 -> /t-x86_64"]);
}

#[test]
fn a_script_that_is_run_sets_none() {
    let facts = [("env.sh", Some("export ARCH=x86_64\n"))];
    let text = "FROM scratch\nCOPY env.sh ./\nRUN ./env.sh && tool x$ARCH\n";
    with(&facts).has(text, ARM64, &["3: run tool x"]);
}

#[test]
fn a_script_sees_what_is_exported_and_its_own_place() {
    let script = "cd \"$(dirname \"$0\")\"\ntool \"$A\" \"$B\" $(pwd)\n";
    let text = "FROM scratch\nENV A=1\nCOPY s /s/\nRUN B=2; /s/go.sh\n";
    with(&[("s", None), ("s/go.sh", Some(script))]).has(text, ARM64, &["4: run tool 1  /s"]);
}

#[test]
fn scripts_run_scripts() {
    let facts = [
        (".", None),
        ("a.sh", Some("#!/bin/bash\nsource ./lib.sh\nfetch amd64\n")),
        ("lib.sh", Some("fetch() { curl -O \"https://h/t-$1\"; }\n")),
    ];
    let text = "FROM x\nWORKDIR /w\nCOPY . .\nRUN ./a.sh\n";
    with(&facts).has(text, ARM64, &["4: download https://h/t-amd64 -> /w/t-amd64"]);
}

#[test]
fn a_script_that_runs_itself_ends() {
    let facts = [(".", None), ("a.sh", Some("./a.sh; ./a.sh\n"))];
    with(&facts).has(
        "FROM x\nWORKDIR /w\nCOPY . .\nRUN ./a.sh && after\n",
        ARM64,
        &["4: run after"],
    );
}

#[test]
fn other_interpreters_are_not_followed() {
    let facts = [("a.py", Some("#!/usr/bin/env python3\ncurl = 1\n"))];
    with(&facts).has("FROM x\nCOPY a.py /\nRUN /a.py\n", ARM64, &["3: run /a.py"]);
    with(&facts).lacks("FROM x\nCOPY a.py /\nRUN /a.py\n", ARM64, &["run curl"]);
}

#[test]
fn a_script_that_ends_badly_on_a_platform_stops_its_build() {
    let script = "case $(uname -m) in x86_64) ;; *) exit 3;; esac\ntool\n";
    let text = "FROM x\nCOPY a.sh /\nRUN sh /a.sh\n";
    let build = with(&[("a.sh", Some(script))]);
    assert_eq!(build.failures(text, "linux/amd64"), [] as [&str; 0]);
    assert_eq!(build.failures(text, ARM64).len(), 1);
}

#[test]
fn what_a_script_does_stands_at_its_call_and_names_the_script() {
    let text = "FROM x\nCOPY s/a.sh /\nRUN true && \\\n  /a.sh\n";
    let evaluation =
        with(&[("s/a.sh", Some("curl -O https://h/t-linux-amd64\n"))]).evaluate(text, ARM64);
    let (effect, download) = evaluation
        .effects()
        .find_map(|(_, _, effect)| match &effect.kind {
            EffectKind::Download(download) => Some((effect, download)),
            _ => None,
        })
        .expect("a download");
    assert_eq!(&text[effect.span.range()], "/a.sh");
    assert_eq!(&text[download.url_span.range()], "/a.sh");
    let piece = &download.url.pieces()[0];
    assert!(piece.source.is_none(), "there is no text in the file to change");
    assert_eq!(&text[piece.span.range()], "/a.sh");
    let hops: Vec<_> = piece.trail.hops().iter().map(|h| (h.kind, h.name.to_string())).collect();
    assert_eq!(hops, [(HopKind::Script, "s/a.sh".to_owned())]);
}

#[test]
fn branches_of_a_script_are_no_dead_text_of_the_file() {
    let script = "if [ \"$(uname -m)\" = x86_64 ]; then one; else two; fi\n";
    let text = "FROM x\nCOPY a.sh /\nRUN /a.sh\n";
    let build = with(&[("a.sh", Some(script))]);
    build.has(text, ARM64, &["3: run two"]);
    build.lacks(text, ARM64, &["dead", "run one"]);
}

#[test]
fn scripts_that_the_dockerfile_writes_are_followed_with_their_own_places() {
    let text = "FROM x\nCOPY <<EOF /get.sh\ncurl -O https://h/t-linux-amd64\nEOF\nRUN sh /get.sh\n";
    build().has(text, ARM64, &["3: download https://h/t-linux-amd64 -> /t-linux-amd64"]);
}

#[test]
fn text_of_the_context_is_read() {
    let facts = [("VERSION", Some("1.2\n"))];
    let text = "FROM x\nCOPY VERSION /\nRUN curl -O https://h/t-$(cat /VERSION)\nRUN read v < /VERSION && tool $v\n";
    with(&facts).has(
        text,
        ARM64,
        &["3: download https://h/t-1.2 <File> -> /t-1.2", "4: run tool 1.2"],
    );
}

#[test]
fn text_that_is_edited_is_not_known_any_more() {
    let facts = [(".", None), ("VERSION", Some("1.2\n"))];
    let text = "FROM x\nWORKDIR /w\nCOPY . .\nRUN sed -i s/1/2/ VERSION && tool $(cat VERSION)\n";
    with(&facts).has(text, ARM64, &["4: run tool ?"]);
}

#[test]
fn the_machine_of_a_program_of_the_context_is_known() {
    let program = ContextFile {
        machine: Some(platform("linux/amd64")),
        linkage: Linkage::Glibc,
        ..ContextFile::default()
    };
    let facts = || {
        ContextFacts::new([
            (ContextPath::main("bin/tool"), Fact::Known(ContextEntry::File(program.clone()))),
            (ContextPath::main("bin"), Fact::Known(ContextEntry::Folder)),
        ])
    };
    let text = "FROM x\nCOPY bin/tool /usr/bin/\n";
    let build = || build().context(facts());
    build().has(text, ARM64, &["file /usr/bin/tool: linux/amd64 glibc context bin/tool, lines 2"]);
    assert_eq!(build().evaluate(text, ARM64).wrong_artifacts().count(), 1);
    assert_eq!(build().evaluate(text, "linux/amd64").wrong_artifacts().count(), 0);
    // Also when it is taken on to another stage, or run.
    let text = "FROM x AS a\nCOPY bin /b\nFROM y\nCOPY --from=a /b/tool /t\nRUN /t\n";
    build().has(
        text,
        ARM64,
        &["5: execute /t (linux/amd64)", "file /t: linux/amd64 glibc context bin/tool, lines 2 4"],
    );
}

#[test]
fn what_lies_in_the_context_answers_tests() {
    let facts = [(".", None), ("package-lock.json", Some("{}")), ("src", None)];
    for (test, want) in [
        ("-f package-lock.json", "yes"),
        ("-e src", "yes"),
        ("-d src", "yes"),
        ("-f src", "no"),
        ("-d package-lock.json", "no"),
    ] {
        let text =
            format!("FROM x\nWORKDIR /w\nCOPY . .\nRUN if [ {test} ]; then yes; else no; fi\n");
        with(&facts).has(&text, ARM64, &[&format!("4: run {want}")]);
    }
}

#[test]
fn what_is_missing_may_have_come_into_being() {
    let facts = ContextFacts::new([
        (ContextPath::main("."), Fact::Known(ContextEntry::Folder)),
        (ContextPath::main("out"), Fact::Known(ContextEntry::Missing)),
    ]);
    let text = "FROM x\nWORKDIR /w\nCOPY . .\nRUN make\nRUN if [ -e out ]; then yes; else no; fi\n";
    build().context(facts).has(text, ARM64, &["5: maybe run yes", "5: maybe run no"]);
}

#[test]
fn a_name_without_a_dot_is_what_it_is_in_the_context() {
    with(&[("run", Some("x"))]).has(
        "FROM x\nCOPY run /d/\n",
        ARM64,
        &["file /d/run: any ? context run, lines 2"],
    );
    with(&[("run.d", None)]).has(
        "FROM x\nCOPY run.d /d/\n",
        ARM64,
        &["file /d/*: ? ? context run.d, lines 2"],
    );
}

#[test]
fn a_directory_with_a_name_is_read_under_its_name() {
    let path = ContextPath { context: Some("tools".into()), path: "/get.sh".to_owned() };
    let text = "FROM x\nCOPY --from=tools get.sh /\nRUN /get.sh\n";
    let named = || build().named("tools", "../tools");
    assert_eq!(asked(&named(), text), ["tools:get.sh"]);
    let file = ContextFile { text: Some("curl -O https://h/t\n".into()), ..Default::default() };
    let facts = ContextFacts::new([(path, Fact::Known(ContextEntry::File(file)))]);
    named().context(facts).has(text, ARM64, &["3: download https://h/t -> /t"]);
    // Of an address nothing is asked.
    assert_eq!(asked(&build().named("tools", "https://h/r.git"), text), [] as [&str; 0]);
}

#[test]
fn two_folders_in_one_place_are_not_told_apart() {
    let facts = [("a", None), ("b", None), ("a/x.sh", Some("curl -O https://h/t\n"))];
    let text = "FROM x\nCOPY a/ /w/\nCOPY b/ /w/\nRUN /w/x.sh\n";
    with(&facts).lacks(text, ARM64, &["download"]);
}
