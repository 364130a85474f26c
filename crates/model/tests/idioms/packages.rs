//! Packages of systems.

use crate::{evaluate, has, lacks};

#[test]
fn programs_of_packages_are_of_the_stage() {
    for (text, want) in [
        (
            "FROM --platform=$BUILDPLATFORM alpine AS a\nRUN apk add --no-cache tini\nFROM debian\nCOPY --from=a /sbin/tini /tini\n",
            "file /tini: linux/amd64 musl installed by Apk, lines 2 4",
        ),
        (
            "FROM --platform=$BUILDPLATFORM debian AS a\nRUN apt-get install -y jq:arm64\nFROM debian\nCOPY --from=a /usr/bin/jq /jq\n",
            "file /jq: linux/arm64 glibc installed by Apt, lines 2 4",
        ),
        (
            "FROM --platform=$BUILDPLATFORM alpine AS a\nRUN apk add busybox-static\nFROM scratch\nCOPY --from=a /bin/busybox.static /b\n",
            "file /b: linux/amd64 static installed by Apk, lines 2 4",
        ),
    ] {
        has(text, "linux/arm64", &[want]);
        assert_eq!(
            evaluate(text, "linux/amd64")
                .wrong_artifacts()
                .filter(|a| a.machine.to_string() == "linux/amd64")
                .count(),
            0
        );
    }
    // They are run where they are; that is no news.
    lacks(
        "FROM debian\nRUN apt-get install -y curl && curl https://h/\n",
        "linux/arm64",
        &["execute"],
    );
    lacks("FROM debian\nRUN apt-get install -y libssl-dev\n", "linux/arm64", &["file "]);
}

#[test]
fn root_file_systems_in_folders() {
    for (body, want) in [
        (
            "dnf install -y --installroot /r --releasever 9 bash",
            "file /r/*: linux/amd64 ? installed by Rpm, lines 2",
        ),
        (
            "dnf -y --installroot=/r --forcearch=aarch64 install bash",
            "file /r/*: linux/arm64 ? installed by Rpm, lines 2",
        ),
        (
            "apk add --root /r --initdb --arch aarch64 busybox",
            "file /r/*: linux/arm64 ? installed by Apk, lines 2",
        ),
        (
            "debootstrap --arch=arm64 bookworm /r",
            "file /r/*: linux/arm64 ? installed by Apt, lines 2",
        ),
        ("debootstrap bookworm /r", "file /r/*: linux/amd64 ? installed by Apt, lines 2"),
        ("nix build -o /r .#x", "file /r/*: linux/amd64 ? installed by Nix, lines 2"),
    ] {
        has(
            &format!("FROM --platform=$BUILDPLATFORM debian\nRUN {body}\n"),
            "linux/arm64",
            &[want],
        );
    }
}

#[test]
fn packages_as_files() {
    has(
        "FROM --platform=$BUILDPLATFORM debian AS a\nWORKDIR /d\nRUN apt-get download libz1 libc6:arm64 && dpkg -x libz1*.deb /out\nFROM scratch\nCOPY --from=a /out /\n",
        "linux/arm64",
        &[
            "3: install Apt libz1 libc6:arm64, libc6:arm64 is for linux/arm64",
            "file /*: linux/amd64 ? unpacked, lines 3 3 5",
        ],
    );
}

#[test]
fn managers_and_what_they_install() {
    for (body, want) in [
        ("zypper --non-interactive in -y gcc", "install Rpm gcc"),
        ("tdnf install -y glibc.i686", "install Rpm glibc.i686, glibc.i686 is for linux/386"),
        ("pacman -Syu --noconfirm go", "install Pacman go"),
        ("rpm -ivh https://h/x.x86_64.rpm", "install Rpm https://h/x.x86_64.rpm"),
        ("apt install ./x_amd64.deb", "install Apt ./x_amd64.deb"),
        ("brew install jq", "install Brew jq"),
        ("nix-env -iA nixpkgs.jq", "install Nix nixpkgs.jq"),
        (
            "pip install 'x @ https://h/x-py3-none-any.whl'",
            "install Pip x @ https://h/x-py3-none-any.whl",
        ),
    ] {
        let text = format!("FROM debian\nRUN {body}\n");
        has(&text, "linux/arm64", &[&format!("2: {want}")]);
        has(&text, "linux/amd64", &[&format!("2: {want}")]);
    }
    for body in ["dpkg --add-architecture arm64", "rpm -qa", "brew list", "pacman -Q"] {
        lacks(&format!("FROM debian\nRUN {body}\n"), "linux/arm64", &["install "]);
    }
    // A compiler that is installed makes cgo possible.
    has(
        "FROM golang:1.22-alpine\nRUN apk add gcc12 musl-dev && go build -o /x .\n",
        "linux/arm64",
        &["2: compile Go for linux/arm64 cgo musl -> /x"],
    );
}

#[test]
fn removed_packages_take_their_programs_with_them() {
    for (from, body) in [
        ("alpine", "apk add --virtual .d openssl && apk del .d"),
        ("alpine", "apk add -t .d openssl && apk del --no-network .d"),
        ("alpine", "apk add openssl && apk del openssl"),
        ("debian", "apt-get install -y wget && apt-get purge -y --auto-remove wget"),
        ("debian", "apt-get install -y wget jq && apt-get remove -y jq 'wge*'"),
        ("debian", "apt-get install -y wget && dpkg -P wget"),
        ("redhat/ubi9-minimal", "microdnf install -y openssl && microdnf remove -y openssl"),
        ("fedora", "dnf -y install git && rpm -e --nodeps git"),
    ] {
        lacks(&format!("FROM {from}\nRUN {body}\n"), "linux/arm64", &["file /"]);
    }
    // Of a group's packages those stay that somebody else wants.
    let text = "FROM alpine\nRUN apk add git && apk add --virtual .d git curl && apk del .d\n";
    has(text, "linux/arm64", &["file /usr/bin/git: linux/arm64 musl installed by Apk, lines 2"]);
    lacks(text, "linux/arm64", &["file /usr/bin/curl"]);
    // Which are marked to stay is not known.
    has(
        "FROM debian\nRUN apt-get install -y wget; apt-mark auto '.*' > /dev/null; apt-get purge -y --auto-remove -o X=false\n",
        "linux/arm64",
        &["file /usr/bin/wget: maybe linux/arm64 glibc installed by Apt, lines 2"],
    );
    has(
        "FROM debian\nRUN apt-get install -y wget; apt-get purge -y --auto-remove\n",
        "linux/arm64",
        &["file /usr/bin/wget: linux/arm64 glibc installed by Apt, lines 2"],
    );
    // What lies there from elsewhere is not the package's.
    has(
        "FROM alpine\nRUN wget -O /usr/bin/yq https://h/yq_linux_amd64 && apk del yq-go\n",
        "linux/arm64",
        &["file /usr/bin/yq: linux/amd64 ? downloaded, lines 2"],
    );
}

#[test]
fn simulated_installs_install_nothing() {
    for command in [
        "apt-get install -s curl",
        "apt-get -s install curl",
        "apt-get install -y --dry-run curl",
        "apt-get install -dy curl",
        "apt-get install --print-uris curl",
        "pip install --dry-run curl",
        "pip download curl",
    ] {
        lacks(
            &format!("FROM debian\nRUN {command}\n"),
            "linux/arm64",
            &["install Apt", "install Pip", "install Apk", "installed by"],
        );
    }
    lacks(
        "FROM alpine\nRUN apk add --simulate curl\n",
        "linux/arm64",
        &["install Apt", "install Pip", "install Apk", "installed by"],
    );
}

#[test]
fn packages_that_are_marked_as_wanted_again_stay() {
    has(
        "FROM debian:12\n\
         RUN apt-get install -y jq\n\
         RUN saved=\"$(apt-mark showmanual)\"; apt-get install -y wget tini; \\\n\
         apt-mark auto '.*'; [ -z \"$saved\" ] || apt-mark manual $saved; apt-mark manual tini; \\\n\
         apt-get purge -y --auto-remove\n",
        "linux/arm64",
        &[
            "file /usr/bin/jq: linux/arm64 glibc installed by Apt, lines 2",
            "file /usr/bin/tini: linux/arm64 glibc installed by Apt, lines 3",
            "file /usr/bin/wget: maybe linux/arm64 glibc installed by Apt, lines 3",
        ],
    );
}

#[test]
fn what_a_clean_up_took_is_not_wanted_by_the_next() {
    let round = "RUN saved=$(apt-mark showmanual); apt-get install -y wget; apt-mark auto '.*'; \
        apt-mark manual $saved; apt-get purge -y --auto-remove\n";
    has(
        &format!("FROM debian:12\n{round}{round}"),
        "linux/arm64",
        &["file /usr/bin/wget: maybe linux/arm64 glibc installed by Apt, lines 3"],
    );
}
