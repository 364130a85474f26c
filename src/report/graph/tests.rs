//! Text in, pictures out.

use mlint_model::{ImageFacts, Options, Prepared};

use super::{Picture, dot, layout, mermaid, order, picture, svg};
use crate::report::trace::Traced;

fn drawn(dockerfile: &str, platforms: &[&str]) -> Picture {
    let file = mlint_syntax::parse(dockerfile);
    let prepared = Prepared::new(&file);
    let evaluations: Vec<_> = platforms
        .iter()
        .map(|p| {
            let platform = p.parse().expect("a platform");
            prepared.evaluate(&platform, &Options::default(), &ImageFacts::default())
        })
        .collect();
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
    p0n0[\"<b>build</b><br/>linux/arm64 #183; target<br/>1 step emulated<br/>Go for linux/amd64\"]:::arm64
    p0n1[\"<b>spare</b><br/>not needed\"]:::dim
    p0n2[[\"<b>stage 2</b><br/>linux/arm64 #183; target<br/>from scratch<br/>image for linux/arm64\"]]:::arm64
    p0n3([\"golang:1.22\"]):::arm64
    p0n4(\"/app<br/><b>#10007; linux/amd64, wrong here</b>\"):::amd64
    p0n3 --> p0n0
    p0n0 ==>|\"✗\"| p0n4
    p0n4 ==>|\"✗\"| p0n2
    p0n0 -.-> p0n1
  end
  classDef amd64 fill:#e2f0fa,stroke:#0067a3,color:#1f2328
  classDef arm64 fill:#fdf0d8,stroke:#a86500,color:#1f2328
  classDef dim fill:#ffffff,stroke:#9aa0a6,color:#6e7781,stroke-dasharray:2 3
  style p0n0 stroke-dasharray:6 3
  style p0n4 stroke:#c8102e,stroke-width:3px
  linkStyle 0 stroke:#a86500
  linkStyle 1 stroke:#c8102e
  linkStyle 2 stroke:#c8102e
  linkStyle 3 stroke:#9aa0a6
"
    );
    assert!(
        dot::render(&drawn(WRONG, BOTH)).contains("label=\"/app\\n✗ linux/amd64, wrong here\"")
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
    assert_eq!(texts.iter().filter(|t| **t == "✗ linux/amd64, wrong here").count(), 1, "{texts:?}");
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
    let layers = order::Layers::new(panel);
    assert!(layers.node.len() <= panel.nodes.len() + order::BENDS, "{}", layers.node.len());
    assert_eq!(layers.routes.len(), panel.edges.len());
}

#[test]
fn sorting_takes_crossings_away() {
    // Two pairs in the wrong order: the files cross only if nobody sorts them.
    let text = "FROM a AS one\nFROM b AS two\nFROM c AS x\nCOPY --from=two /t /t\n\
        FROM d AS y\nCOPY --from=one /o /o\nFROM e\nCOPY --from=x /t /t\nCOPY --from=y /o /o\n";
    let panel = &drawn(text, &["linux/amd64"]).panels[0];
    assert_eq!(order::Layers::new(panel).crossings(), 0);
}
