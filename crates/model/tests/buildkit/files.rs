//! COPY, ADD, WORKDIR: where files come from and where they land.

use crate::{ARM64, build};

#[test]
fn the_destination_is_relative_to_the_working_directory() {
    build().has("FROM x\nWORKDIR /w\nCOPY a.txt b/\n", ARM64, &["3: copy context: a.txt -> /w/b"]);
    build().has("FROM x\nWORKDIR /w\nCOPY a.txt /b/\n", ARM64, &["3: copy context: a.txt -> /b"]);
    build().has(
        "FROM x\nWORKDIR /w\nCOPY a.txt .\n",
        ARM64,
        &["file /w/a.txt: any ? context a.txt, lines 3"],
    );
}

#[test]
fn a_trailing_slash_makes_the_destination_a_folder() {
    build().has("FROM x\nCOPY a.sh /d/\n", ARM64, &["file /d/a.sh: any ? context a.sh, lines 2"]);
    build().has("FROM x\nCOPY a.sh /d\n", ARM64, &["file /d: any ? context a.sh, lines 2"]);
    // A folder that is there already needs none.
    build().has(
        "FROM x\nWORKDIR /d\nCOPY a.sh /d\n",
        ARM64,
        &["file /d/a.sh: any ? context a.sh, lines 3"],
    );
}

#[test]
fn the_contents_of_a_folder_are_copied_without_its_name() {
    let text = "FROM x AS b\nRUN curl -o /out/bin/t https://h/t-linux-amd64\nFROM y\nCOPY --from=b /out /app\n";
    build().has(text, ARM64, &["file /app/bin/t: linux/amd64 ? downloaded, lines 2 4"]);
    let text = text.replace("/out /app", "/out/ /app/");
    build().has(&text, ARM64, &["file /app/bin/t: linux/amd64 ? downloaded, lines 2 4"]);
}

#[test]
fn dots_do_not_lead_out_of_the_source() {
    let text = "FROM x\nCOPY ../../a.sh /d/\n";
    build().has(text, ARM64, &["file /d/a.sh: any ? context a.sh, lines 2"]);
    let text =
        "FROM x AS b\nRUN curl -o /t https://h/t-linux-amd64\nFROM y\nCOPY --from=b ../t /u\n";
    build().has(text, ARM64, &["file /u: linux/amd64 ? downloaded, lines 2 4"]);
}

#[test]
fn wildcards_match_names_and_not_slashes() {
    let text = "FROM x AS b\nRUN curl -o /o/a-1 https://h/a-linux-amd64 && curl -o /o/p/a-2 https://h/a-linux-amd64 && curl -o /o/b https://h/b-linux-amd64\nFROM y\nCOPY --from=b /o/a-* /d/\n";
    build().has(text, ARM64, &["file /d/a-1: linux/amd64 ? downloaded, lines 2 4"]);
    build().lacks(text, ARM64, &["/d/a-2", "/d/b", "/d/p"]);
    let text = text.replace("a-* /d/", "[ab]* /d/");
    build().has(
        &text,
        ARM64,
        &[
            "file /d/a-1: linux/amd64 ? downloaded, lines 2 4",
            "file /d/b: linux/amd64 ? downloaded, lines 2 4",
        ],
    );
}

#[test]
fn a_folder_that_a_wildcard_matches_is_copied_flat() {
    let text = "FROM x AS b\nRUN curl -o /o/p1/t https://h/t-linux-amd64\nFROM y\nCOPY --from=b /o/p* /d/\n";
    build().has(text, ARM64, &["file /d/t: linux/amd64 ? downloaded, lines 2 4"]);
}

#[test]
fn a_wildcard_without_a_match_stops_nothing() {
    let text = "FROM scratch AS b\nFROM scratch\nCOPY --from=b /none* /d/\n";
    assert!(build().failures(text, ARM64).is_empty());
}

#[test]
fn parents_keeps_the_sources_folders() {
    let text = "FROM x\nCOPY --parents a/b.sh /d/\n";
    build().has(text, ARM64, &["file /d/a/b.sh: any ? context a/b.sh, lines 2"]);
    let text = "FROM x\nCOPY --parents a/./b/c.sh /d/\n";
    build().has(text, ARM64, &["file /d/b/c.sh: any ? context a/b/c.sh, lines 2"]);
}

#[test]
fn several_sources_land_in_the_folder() {
    let text = "FROM x\nCOPY a.sh b.sh /d/\n";
    build().has(
        text,
        ARM64,
        &["file /d/a.sh: any ? context a.sh, lines 2", "file /d/b.sh: any ? context b.sh, lines 2"],
    );
}

#[test]
fn variables_in_sources_and_destinations_are_expanded() {
    let text = "FROM x\nARG TARGETARCH\nENV D=/d\nCOPY bin/t-${TARGETARCH}.bin $D/t\n";
    build().has(text, ARM64, &["4: copy context: bin/t-arm64.bin <TARGETARCH> -> /d/t"]);
}

#[test]
fn here_documents_are_files_of_their_names() {
    let text = "FROM x\nCOPY <<a.sh <<b.sh /d/\nx\na.sh\ny\nb.sh\n";
    build().has(
        text,
        ARM64,
        &["file /d/a.sh: any ? written, lines 2", "file /d/b.sh: any ? written, lines 2"],
    );
}

#[test]
fn add_fetches_addresses_and_names_the_file_after_the_path() {
    build().has(
        "FROM x\nADD https://h/p/t-amd64?x=1 /d/\n",
        ARM64,
        &["2: download https://h/p/t-amd64?x=1 -> /d/t-amd64"],
    );
    build().has(
        "FROM x\nADD https://h/p/t-amd64 /d\n",
        ARM64,
        &["2: download https://h/p/t-amd64 -> /d"],
    );
    // COPY does not.
    build().lacks("FROM x\nCOPY https://h/t /d/\n", ARM64, &["download"]);
}

#[test]
fn add_clones_repositories() {
    for url in ["https://h/r.git", "https://h/r.git#v1:sub", "git@h:r.git"] {
        let text = format!("FROM x\nADD {url} /src\n");
        build().has(&text, ARM64, &[&format!("2: download {url} -> /src")]);
    }
}

#[test]
fn add_unpacks_archives_of_the_context() {
    let text = "FROM x\nADD root.tar.gz /\n";
    build().has(text, ARM64, &["file /*: ? ? context, lines 2"]);
    build().has(
        "FROM x\nCOPY root.tar.gz /\n",
        ARM64,
        &["file /root.tar.gz: ? ? context root.tar.gz, lines 2"],
    );
}

#[test]
fn working_directories_are_relative_to_the_last() {
    build().has(
        "FROM x\nWORKDIR /a\nWORKDIR b\nWORKDIR ../c\nRUN tool $PWD\nCOPY f.sh .\n",
        ARM64,
        &["file /a/c/f.sh: any ? context f.sh, lines 6"],
    );
    build().has(
        "FROM scratch\nWORKDIR a\nCOPY f.sh ./\n",
        ARM64,
        &["file /a/f.sh: any ? context f.sh, lines 3"],
    );
    build().has(
        "FROM x\nENV D=/d\nWORKDIR $D/e\nCOPY f.sh ./\n",
        ARM64,
        &["file /d/e/f.sh: any ? context f.sh, lines 4"],
    );
}

#[test]
fn files_of_an_image_are_the_targets_even_in_a_build_stage() {
    let text = "FROM --platform=$BUILDPLATFORM x AS b\nCOPY --from=tool /usr/bin/t /t\nFROM scratch\nCOPY --from=b /t /t\n";
    build().has(text, ARM64, &["file /t: maybe linux/arm64 ? of tool, lines 2 4"]);
}

#[test]
fn a_mounted_stage_lends_its_files_for_the_step_only() {
    let text = "FROM x AS b\nRUN curl -o /o/t https://h/t-linux-amd64\nFROM y\nRUN --mount=from=b,source=/o,target=/m cp /m/t /kept\n";
    build().has(text, ARM64, &["file /kept: linux/amd64 ? downloaded, lines 2 4 4"]);
    build().lacks(text, ARM64, &["file /m/t"]);
}
