//! Text in, pictures out.

use mlint_model::{ImageFacts, Options, Prepared};

use super::{Picture, dot, fit, layout, loads, mermaid, order, picture, svg};
use crate::report::trace::Traced;

fn evaluated(file: &mlint_syntax::Dockerfile, platforms: &[&str]) -> Vec<mlint_model::Evaluation> {
    let prepared = Prepared::new(file);
    let of = platforms.iter().map(|p| p.parse().expect("a platform"));
    of.map(|p| prepared.evaluate(&p, &Options::default(), &ImageFacts::default())).collect()
}

fn drawn(dockerfile: &str, platforms: &[&str]) -> Picture {
    let file = mlint_syntax::parse(dockerfile);
    let evaluations = evaluated(&file, platforms);
    picture(&Traced { name: "D", text: dockerfile, file: &file, evaluations: &evaluations })
}

const BOTH: &[&str] = &["linux/amd64", "linux/arm64"];

const WRONG: &str = "FROM golang:1.22 AS build\n\
    RUN CGO_ENABLED=0 GOARCH=amd64 go build -o /out/app .\n\
    FROM scratch AS spare\nCOPY --from=build /out/app /app\n\
    FROM scratch\nCOPY --from=build /out/app /app\n";

#[test]
fn a_flowchart_of_a_wrong_file() {
    let out = mermaid::render(&drawn(WRONG, &["linux/arm64"]));
    assert_eq!(
        out,
        "\
flowchart TB
  subgraph p0[\"linux/arm64\"]
    direction TB
    p0n0[\"<b>build</b><br/>linux/arm64 #183; target #183; glibc<br/>1 step emulated<br/>Go for linux/amd64\"]:::arm64
    p0n1[\"<b>spare</b><br/>not needed\"]:::dim
    p0n2[[\"<b>stage 2</b><br/>linux/arm64 #183; target<br/>from scratch<br/>image for linux/arm64\"]]:::arm64
    p0n3([\"golang:1.22\"]):::arm64
    p0n4(\"/app<br/><b>#10007; linux/amd64 #183; static, wrong here</b>\"):::amd64
    p0n3 --> p0n0
    p0n0 ==>|\"✗\"| p0n4
    p0n4 ==>|\"✗\"| p0n2
    p0n0 -.-> p0n1
  end
  classDef amd64 fill:#e2f0fa,stroke:#0067a3,color:#1f2328
  classDef arm64 fill:#fdf0d8,stroke:#a86500,color:#1f2328
  classDef dim fill:#ffffff,stroke:#9aa0a6,color:#6e7781,stroke-dasharray:2 3
  style p0n0 stroke-dasharray:6 3
  style p0n4 fill:#ffe6e9,stroke:#c8102e,stroke-width:3px
  style p0 fill:none,stroke:#9aa0a6
  linkStyle 3 stroke:#9aa0a6
  linkStyle 0 stroke:#a86500
  linkStyle 1,2 stroke:#c8102e
"
    );
    assert!(
        dot::render(&drawn(WRONG, BOTH))
            .contains("label=\"/app\\n✗ linux/amd64 · static, wrong here\"")
    );
}

#[test]
fn platforms_that_do_the_same_share_a_panel() {
    let platforms = |text: &str, of: &[&str]| -> Vec<Vec<String>> {
        drawn(text, of).panels.into_iter().map(|p| p.platforms).collect()
    };
    let of = ["linux/amd64", "linux/arm64", "linux/s390x"];
    let plain = "FROM debian:12\nRUN apt-get update\n";
    assert_eq!(platforms(plain, &of), [vec!["linux/amd64"], vec!["linux/arm64", "linux/s390x"]]);
    assert_eq!(platforms("FROM --platform=linux/amd64 a\n", &["linux/arm64"]).len(), 1);
}

#[test]
fn svg_is_well_formed_whatever_the_file_says() {
    let nasty = "FROM a:\"<x>&amp;'\u{1}\u{ffff}\u{202e} AS b]]>\nARG X=</text>\n\
        COPY </style> <!-- /y\nRUN curl -o /z https://e/<&>\n";
    for text in [WRONG, nasty, "", "RUN x\n", "FROM scratch\n"] {
        let out = svg::render(&drawn(text, BOTH));
        let document = roxmltree::Document::parse(&out).unwrap_or_else(|e| panic!("{e}: {out}"));
        let root = document.root_element();
        assert_eq!(root.attribute("role"), Some("img"));
        let named =
            |name| root.children().any(|n| n.has_tag_name(("http://www.w3.org/2000/svg", name)));
        assert!(named("title") && named("desc"), "{out}");
        assert!(!out.contains("<script") && !out.contains("href"), "{out}");
    }
    let out = svg::render(&drawn(WRONG, BOTH));
    assert!(out.contains("prefers-color-scheme:dark"));
    let document = roxmltree::Document::parse(&out).expect("XML");
    let texts: Vec<&str> = document
        .descendants()
        .filter(|n| n.tag_name().name() == "text")
        .filter_map(|n| n.text())
        .collect();
    assert_eq!(
        texts.iter().filter(|t| **t == "✗ linux/amd64 · static, wrong here").count(),
        1,
        "{texts:?}"
    );
}

/// Every stage takes from all before it.
fn dense(stages: usize) -> String {
    let mut text = String::from("FROM a AS s0\n");
    for at in 1..stages {
        text.push_str(&format!("FROM a AS s{at}\n"));
        for from in 0..at {
            text.push_str(&format!("COPY --from=s{from} /x /x{from}\n"));
        }
    }
    text
}

#[test]
fn nothing_overlaps_and_arrows_go_down() {
    for text in [WRONG.to_owned(), dense(12)] {
        for panel in drawn(&text, BOTH).panels {
            let laid = layout::lay(&panel);
            for (at, a) in laid.nodes.iter().enumerate() {
                assert!(a.x >= 0.0 && a.x + a.w <= laid.size.0 && a.y + a.h <= laid.size.1);
                for b in &laid.nodes[at + 1..] {
                    let apart = a.x + a.w <= b.x
                        || b.x + b.w <= a.x
                        || a.y + a.h <= b.y
                        || b.y + b.h <= a.y;
                    assert!(apart, "{a:?} {b:?}");
                }
            }
            for points in &laid.edges {
                assert!(points.windows(2).all(|p| p[0].1 <= p[1].1), "{points:?}");
            }
        }
    }
}

#[test]
fn long_arrows_are_bounded() {
    let picture = drawn(&dense(60), &["linux/amd64"]);
    let panel = &picture.panels[0];
    assert!(panel.edges.len() <= fit::PICTURE.edges && panel.nodes.len() <= fit::PICTURE.nodes);
    let layers = layout::layers(panel);
    assert!(layers.node.len() <= panel.nodes.len() + order::BENDS, "{}", layers.node.len());
    assert_eq!(layers.routes.len(), panel.edges.len());
}

#[test]
fn sorting_takes_crossings_away() {
    // Two pairs in the wrong order: the files cross only if nobody sorts them.
    let text = "FROM a AS one\nFROM b AS two\nFROM c AS x\nCOPY --from=two /t /t\n\
        FROM d AS y\nCOPY --from=one /o /o\nFROM e\nCOPY --from=x /t /t\nCOPY --from=y /o /o\n";
    let panel = &drawn(text, &["linux/amd64"]).panels[0];
    assert_eq!(layout::layers(panel).crossings(), 0);
}

/// The nodes of a panel, a line each.
fn told(text: &str, platform: &str) -> String {
    let picture = drawn(text, &[platform]);
    let lines = |n: &super::Node| n.lines.iter().map(|l| l.text.clone()).collect::<Vec<_>>();
    let nodes = picture.panels[0].nodes.iter().map(|n| lines(n).join("; "));
    nodes.collect::<Vec<_>>().join("\n")
}

#[test]
fn stages_that_are_not_needed_are_one_box() {
    let needless = |count: usize| -> String {
        let more: String = (0..count).map(|i| format!("FROM a AS other-{i}\n")).collect();
        told(&format!("{more}FROM b AS last\n"), "linux/amd64")
    };
    assert_eq!(
        needless(4),
        "4 stages not needed; other-0, other-1, other-2, other-3\n\
         last; linux/amd64 · target; image for linux/amd64\nb"
    );
    assert!(needless(3).contains("other-2; not needed"));
    assert!(needless(90).contains("and 64 more\n"), "{}", needless(90));
}

#[test]
fn chains_are_one_box() {
    let mut text = String::from("FROM a AS c0\n");
    for at in 1..7 {
        text.push_str(&format!("FROM c{} AS c{at}\n", at - 1));
    }
    assert_eq!(
        told(&text, "linux/amd64"),
        "c0 … c5; 6 stages, each from the one before; linux/amd64 · target\n\
         c6; linux/amd64 · target; image for linux/amd64\na"
    );
    // One that something else takes from is no link of a chain.
    let text = text.replace("AS c6\n", "AS c6\nCOPY --from=c2 /x /x\n");
    assert!(told(&text, "linux/amd64").contains("c2; linux/amd64"));
}

#[test]
fn stages_that_are_alike_are_one_box() {
    let mut text = String::from("FROM debian:12 AS base\n");
    for at in 0..7 {
        text.push_str(&format!(
            "FROM base AS t{at}\nADD https://example.com/v1/t{at}-linux-amd64 /bin/t{at}\n"
        ));
    }
    text.push_str("FROM debian:12-slim\n");
    for at in 0..7 {
        text.push_str(&format!("COPY --from=t{at} /bin/t{at} /bin/\n"));
    }
    assert_eq!(
        told(&text, "linux/arm64"),
        "base; linux/arm64 · target · glibc\n\
         7 stages alike; t0, t1, t2, t3, t4, t5, t6; linux/arm64 · target · glibc\n\
         stage 8; linux/arm64 · target · glibc; image for linux/arm64\n\
         debian:12\n\
         download from example.com; t0-linux-amd64; t1-linux-amd64; t2-linux-amd64; \
         t3-linux-amd64; and 3 more; ✗ linux/amd64, wrong here\n\
         debian:12-slim\n\
         /bin/t0; /bin/t1; /bin/t2; /bin/t3; and 3 more; ✗ linux/amd64, wrong here"
    );
    // One that does something else is not like the others.
    let text = text.replace("FROM base AS t3\n", "FROM base AS t3\nRUN make\n");
    assert!(told(&text, "linux/amd64").contains("6 stages alike; t0, t1, t2, t4, t5, t6;"));
}

#[test]
fn several_platforms_have_the_colour_of_the_target() {
    let picture = drawn("FROM a AS b\nFROM b\n", &["linux/arm64", "linux/s390x"]);
    let [panel] = &picture.panels[..] else { panic!("{picture:?}") };
    assert_eq!(panel.nodes[0].lines[1].text, "target platform");
    assert_eq!(panel.nodes[1].lines[2].text, "image for the target platform");
    assert!(panel.nodes.iter().all(|n| n.hue == super::Hue::Target), "{panel:?}");
    assert!(svg::render(&picture).contains(">the target platform<"));
}

#[test]
fn a_wrong_c_library_is_said() {
    let text = "FROM alpine:3.20 AS build\nRUN apk add gcc && gcc -o /app app.c\n\
        FROM debian:12\nCOPY --from=build /app /app\n";
    assert!(
        told(text, "linux/amd64").ends_with("/app; ✗ linux/amd64 · musl, the image has glibc"),
        "{}",
        told(text, "linux/amd64")
    );
}

#[test]
fn addresses_are_short() {
    for (url, host, name) in [
        (
            "https://example.com/a/b/v1/tool-linux-amd64.tar.gz",
            "example.com",
            "tool-linux-amd64.tar.gz",
        ),
        ("https://example.com/tool.zip?token=abc&x=1", "example.com", "tool.zip"),
        ("https://git.example.com/a/tool.git?ref=v1.2", "git.example.com", "tool@v1.2"),
        ("https://git.example.com/a/tool.git#v1.2", "git.example.com", "tool@v1.2"),
        ("git@git.example.com:a/tool.git", "git.example.com", "tool.git"),
        ("https://example.com/v?/x-?.tgz", "example.com", "x-?.tgz"),
        ("https://example.com/tool/latest/", "example.com", "tool/latest"),
        ("https://example.com", "example.com", "example.com"),
        ("https://{a|b}.org/x", "", "x"),
        ("?", "", "?"),
        ("", "", ""),
    ] {
        assert_eq!(loads::url_label(url), (host.to_owned(), name.to_owned()), "{url}");
    }
}

#[test]
fn each_file_is_looked_at_once() {
    let file = mlint_syntax::parse(dense(60));
    let evaluations = evaluated(&file, &["linux/amd64"]);
    for stage in &evaluations[0].stages {
        let stations: usize = stage.files.values().map(|f| f.way.len()).sum();
        assert_eq!(loads::Brought::new(stage).looked, stations);
        assert!(stations <= 2 * stage.steps.len(), "{stations} for {}", stage.steps.len());
    }
}

#[test]
fn what_has_no_room_is_counted() {
    let picture = drawn(&dense(60), &["linux/amd64"]);
    let panel = &picture.panels[0];
    assert_eq!(
        panel.notes,
        ["1770 lists of files between stages are not drawn", "1430 arrows are not drawn"]
    );
    assert!(svg::render(&picture).contains(">1430 arrows are not drawn<"));
    // What is wrong stays.
    let text = dense(60)
        .replace("FROM a AS s59\n", "FROM debian:12 AS s59\nADD https://e.org/t-linux-amd64 /t\n");
    let picture = drawn(&text, &["linux/arm64"]);
    let panel = &picture.panels[0];
    assert!(panel.edges.iter().any(|e| e.wrong) && !panel.notes.is_empty(), "{:?}", panel.notes);
}

#[test]
fn mermaid_gets_no_more_than_it_draws() {
    let of = ["linux/amd64", "linux/arm64", "linux/s390x", "linux/arm/v7", "linux/riscv64"];
    // The names make the text long, and each platform differs.
    let mut text = dense(40).replace(" /x", " /a-path-that-is-not-so-short");
    text.push_str("ARG TARGETARCH\n");
    for at in 0..300 {
        text.push_str(&format!("ADD https://example.com/$TARGETARCH/{at} /{at}-$TARGETARCH\n"));
        text.push_str(&format!("COPY --from=example.com/some/image-{at} /$TARGETARCH /y{at}\n"));
    }
    let whole = drawn(&text, &of);
    let edges = |p: &Picture| p.panels.iter().map(|p| p.edges.len()).sum::<usize>();
    assert!(edges(&whole) > 500);
    let fitted = mermaid::fitted(whole.clone());
    let out = mermaid::render(&fitted);
    assert!(edges(&fitted) <= 500 && out.len() <= 50_000, "{} {}", edges(&fitted), out.len());
    assert_eq!(fitted.panels.len(), whole.panels.len());
    assert!(out.contains("arrows are not drawn") && out.contains("  %% linux/amd64: "), "{out}");
    // What has room is left alone.
    let small = drawn(WRONG, BOTH);
    assert_eq!(mermaid::fitted(small.clone()), small);
}
