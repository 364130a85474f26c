//! Images: what their names tell of their content.

use crate::{evaluate, has, lacks};

#[test]
fn an_image_of_one_machine_by_its_name() {
    has(
        "FROM amd64/alpine:3.22\nRUN apk add curl && wget -O /x https://h/linux-$(uname -m).tgz\n",
        "linux/arm64",
        &[
            "stage 0 from amd64/alpine:3.22 on linux/arm64 (target) with programs for linux/amd64, libc musl",
            "2: download https://h/linux-x86_64.tgz <uname -m> -> /x",
            "file /usr/bin/curl: linux/amd64 musl installed by Apk, lines 2",
        ],
    );
    // The stages on it are alike, and what is taken from it is for that machine.
    has(
        "FROM ghcr.io/team/base:arm64v8-3.23 AS a\nFROM a\nRUN apk add jq\nCOPY --from=i386/busybox /bin/busybox /bin/busybox\n",
        "linux/amd64",
        &[
            "stage 1 from stage 0 on linux/amd64 (target) with programs for linux/arm64, libc musl",
            "file /bin/busybox: maybe linux/386 ? of i386/busybox, lines 4",
            "file /usr/bin/jq: linux/arm64 musl installed by Apk, lines 3",
        ],
    );
    // Its programs run without emulation where they are at home.
    let steps =
        |platform| evaluate("FROM amd64/debian\nRUN true\n", platform).emulated_steps().count();
    assert_eq!((steps("linux/amd64"), steps("linux/arm64")), (0, 0));
    lacks(
        "FROM --platform=$BUILDPLATFORM x/tool:$TARGETARCH\nRUN uname -m\nFROM messense/rust-musl-cross:aarch64-musl\nRUN uname -m\n",
        "linux/amd64",
        &["with programs"],
    );
}

#[test]
fn programs_of_images() {
    let text = "FROM --platform=$BUILDPLATFORM ghcr.io/team/cosign:v3 AS c\nFROM debian:12\nCOPY --from=c /ko-app/cosign /usr/local/bin/cosign\nCOPY --from=ghcr.io/astral-sh/uv:0.9 /uv /uvx /bin/\nCOPY --from=team/gomplate:v3 /gomplate /gomplate\nCOPY --from=team/gomplate:v3 /LICENSE /licenses/gomplate\nCOPY --from=team/gomplate:v3 /out /bin/\n";
    has(
        text,
        "linux/arm64",
        &[
            "file /bin/*: maybe ? ? of team/gomplate:v3, lines 7",
            "file /bin/uv: maybe linux/arm64 ? of ghcr.io/astral-sh/uv:0.9, lines 4",
            "file /bin/uvx: maybe linux/arm64 ? of ghcr.io/astral-sh/uv:0.9, lines 4",
            "file /gomplate: maybe linux/arm64 ? of team/gomplate:v3, lines 5",
            "file /licenses/gomplate: maybe any ? of team/gomplate:v3, lines 6",
            "file /usr/local/bin/cosign: maybe linux/amd64 ? of ghcr.io/team/cosign:v3, lines 3",
        ],
    );
    // What a stage's commands made is not its image's.
    has(
        "FROM --platform=$BUILDPLATFORM team/tool AS c\nRUN ./make-it\nFROM debian:12\nCOPY --from=c /x/it /usr/local/bin/it\nCOPY --from=c /app /app\n",
        "linux/arm64",
        &[
            "file /app/*: maybe ? ? of team/tool, lines 5",
            "file /usr/local/bin/it: maybe ? ? of team/tool, lines 4",
        ],
    );
}

#[test]
fn a_root_file_system_in_an_empty_image() {
    has(
        "FROM alpine AS r\nRUN mkdir /root-out && wget -O /rootfs.tar.gz https://h/ubuntu-core-arm64-root.tar.gz && tar xf /rootfs.tar.gz -C /root-out\nFROM scratch\nCOPY --from=r /root-out/ /\nRUN apt-get install -y curl\n",
        "linux/amd64",
        &[
            "stage 1 from scratch on linux/amd64 (target) with programs for linux/arm64, libc glibc",
            "file /usr/bin/curl: linux/arm64 glibc installed by Apt, lines 5",
        ],
    );
    has(
        "FROM scratch\nADD rootfs.tar.xz /\nRUN apk add curl\n",
        "linux/amd64",
        &[
            "stage 0 from scratch on linux/amd64 (target) with programs for ?, libc musl",
            "file /usr/bin/curl: ? musl installed by Apk, lines 3",
        ],
    );
    has(
        "FROM alpine AS a\nRUN apk add jq\nFROM scratch\nCOPY --from=a / /\nRUN apk add curl\n",
        "linux/arm64",
        &[
            "stage 1 from scratch on linux/arm64 (target), libc musl",
            "file /usr/bin/curl: linux/arm64 musl installed by Apk, lines 5",
        ],
    );
}

#[test]
fn a_package_manager_that_works_tells_the_library() {
    for (run, libc) in [
        ("apk add --no-cache git", "musl"),
        ("apt-get update && apt-get install -y git", "glibc"),
        ("microdnf install -y git", "glibc"),
        ("if command -v apk; then apk add git; fi", "?"),
        ("apk --root /r add git", "?"),
    ] {
        let want = format!("stage 0 from x.org/y on linux/amd64 (target), libc {libc}");
        has(&format!("FROM x.org/y\nRUN {run}\n"), "linux/amd64", &[&want]);
    }
}

#[test]
fn variables_that_images_set() {
    for text in [
        "FROM php:8.3-fpm-alpine\nRUN apk add $PHPIZE_DEPS && echo $PHP_VERSION $GPG_KEYS\n",
        "FROM node:22\nRUN echo $NODE_VERSION $YARN_VERSION\n",
        "FROM golang:1.24\nENV V=$GOLANG_VERSION\n",
        "FROM postgres:17\nENV D=$PGDATA\nRUN apt-get install -y postgresql-$PG_MAJOR-cron\n",
        "FROM tomcat:10\nRUN rm -rf $CATALINA_HOME/webapps\n",
        "FROM openjdk:17\nRUN $JAVA_HOME/bin/jlink\n",
    ] {
        lacks(text, "linux/arm64", &["unset"]);
    }
    has("FROM node:22\nRUN echo $PHP_VERSION\n", "linux/arm64", &["2: unset PHP_VERSION"]);
    has(
        "FROM lukemathwalker/cargo-chef:latest-rust-1-bookworm\nRUN cargo install just\n",
        "linux/arm64",
        &["file /usr/local/cargo/bin/just: linux/arm64 glibc compiled by Rust, lines 2"],
    );
}

#[test]
fn what_the_known_part_of_a_name_tells() {
    for (from, libc) in [
        ("golang:${V}-alpine3.23", "musl"),
        ("golang:${V}-bookworm", "glibc"),
        ("golang:${V}", "?"),
        ("alpine:$V", "musl"),
        ("$V/debian:12", "glibc"),
        ("$V", "?"),
        ("redhat/ubi10-minimal", "glibc"),
    ] {
        let evaluation = evaluate(&format!("ARG V\nFROM {from}\n"), "linux/amd64");
        assert_eq!(evaluation.stages[0].libc.to_string(), libc, "{from}");
    }
}

#[test]
fn scripts_for_all_machines_at_the_root() {
    lacks(
        "FROM --platform=$BUILDPLATFORM tonistiigi/xx AS xx\nFROM debian:12 AS b\nCOPY --from=xx / /\nRUN mkdir /s && ./sync.sh\nFROM debian:12\nCOPY --from=b /s /s\n",
        "linux/arm64",
        &["of tonistiigi/xx"],
    );
}
