//! `graph`.

use crate::{CLEAN, Place};

const WRONG: &str = "FROM alpine:3.20 AS <a>\nFROM golang:1.22 AS build\n\
    RUN CGO_ENABLED=0 GOARCH=amd64 go build -o /out/a&b .\n\
    FROM scratch\nCOPY --from=build /out/a /a\n";

#[test]
fn every_format_draws_the_same_bytes_and_marks_what_is_wrong() {
    let place = Place::new(&[("Dockerfile", WRONG)]);
    for (format, start) in [("svg", "<svg "), ("mermaid", "flowchart TB"), ("dot", "digraph")] {
        let args = ["graph", "Dockerfile", "--format", format];
        let run = place.run(&args);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.out.starts_with(start), "{}", run.out);
        assert_eq!(place.run(&args).out, run.out, "the same bytes each time");
        let amd64 = place.run(&[&args[..], &["--platforms", "linux/amd64"]].concat());
        let wrong = "✗ linux/amd64 · static, wrong here";
        let encoded = "#10007; linux/amd64 #183; static, wrong here";
        let marked = |text: &str| text.contains(wrong) || text.contains(encoded);
        assert!(marked(&run.out) && !marked(&amd64.out), "{format}: {}", run.out);
    }
}

#[test]
fn nothing_in_a_file_breaks_out_of_the_picture() {
    let text = "FROM a:\"<script>&amp; AS b\nENV X=\x1b[2J\nCOPY </style><g> /x\"]\n";
    let place = Place::new(&[("Dockerfile", text)]);
    let svg = place.run(&["graph"]).out;
    assert!(!svg.contains("<script>") && !svg.contains('\x1b'), "{svg}");
    assert_eq!(svg.matches("<g").count(), svg.matches("</g>").count(), "{svg}");
    let mermaid = place.run(&["graph", "--format", "mermaid"]).out;
    assert!(!mermaid.contains("<script>"), "{mermaid}");
}

#[test]
fn files_are_written_as_a_whole_and_several_need_a_directory() {
    let place = Place::new(&[("a/Dockerfile", WRONG), ("b/Dockerfile", CLEAN)]);
    let one = place.run(&["graph", "a", "-o", "one.svg"]);
    assert_eq!((one.code, one.out.as_str()), (Some(0), ""), "{one:?}");
    assert!(place.read("one.svg").ends_with("</svg>\n"));
    assert_eq!(place.names().iter().filter(|n| n.contains("mlint-")).count(), 0);
    let both = place.run(&["graph", "a", "b"]);
    assert_eq!(both.code, Some(2), "{both:?}");
    assert!(both.err.contains("2 files make 2 pictures"), "{}", both.err);
    std::fs::create_dir(place.path().join("out")).expect("a directory");
    let both = place.run(&["graph", "a", "b", "-o", "out"]);
    assert_eq!(both.code, Some(0), "{both:?}");
    assert!(place.read("out/a-Dockerfile.svg").starts_with("<svg "));
    assert!(place.read("out/b-Dockerfile.svg").starts_with("<svg "));
    let nowhere = place.run(&["graph", "a", "-o", "missing/x.svg"]);
    assert_eq!(nowhere.code, Some(2), "{nowhere:?}");
    assert!(nowhere.err.contains("can't write missing/x.svg"), "{}", nowhere.err);
    let stdin = place.run_with_stdin(&["graph", "-"], b"no Dockerfile\n");
    assert_eq!(stdin.code, Some(0), "{stdin:?}");
    assert_eq!(place.run(&["graph", "missing"]).code, Some(2));
}
