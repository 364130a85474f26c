//! Folders whose files have no known names: what is taken out of them.

use crate::{has, lacks};

#[test]
fn archives_in_one_folder_do_not_hide_each_other() {
    let text = "FROM alpine:3.22\nRUN curl -L https://h/s6-overlay-noarch.tar.xz | tar -C / -Jxpf - && curl -L https://h/s6-overlay-x86_64.tar.xz | tar -C / -Jxpf - && curl -L https://h/s6-overlay-links.tar.xz | tar -C / -Jxpf -\n";
    has(text, "linux/arm64", &["file /*: linux/amd64 ? downloaded, lines 2 2"]);
    let text = "FROM debian\nRUN curl -L https://h/x-x86_64.tgz | tar -C / -xzf -\nCOPY rootfs /\n";
    has(text, "linux/arm64", &["file /*: linux/amd64 ? downloaded, lines 2 2"]);
    // They are taken along.
    has(
        "FROM debian AS a\nCOPY tools /opt/tools\nRUN curl https://h/p-linux-x86_64.tgz | tar -xzC /opt/tools\nRUN mv /opt/tools /opt/moved\nFROM debian\nCOPY --from=a /opt/moved/ /usr/local/\n",
        "linux/arm64",
        &["file /usr/local/*: linux/amd64 ? downloaded, lines 3 3 4 6"],
    );
    // They go with the folder.
    lacks(
        "FROM debian\nCOPY tools /opt/t\nRUN curl https://h/p-linux-x86_64.tgz | tar -xzC /opt/t\nRUN rm -rf /opt/t\n",
        "linux/arm64",
        &["file /"],
    );
}

#[test]
fn a_file_out_of_several_archives_is_from_the_one_of_its_name() {
    let fetch = |name: &str| {
        let (short, _) = name.split_once('-').expect("a name with a dash");
        format!(
            "RUN wget -qO /tmp/{short}.tgz https://h/{name}.tar.gz && tar -C /tmp -xzf /tmp/{short}.tgz\n"
        )
    };
    let both = format!("FROM alpine:3.22\n{}{}", fetch("a-linux-arm64"), fetch("h-linux-amd64"));
    has(
        &format!("{both}RUN cp /tmp/h-amd64/h /usr/local/bin/\n"),
        "linux/arm64",
        &["file /usr/local/bin/h: linux/amd64 ? downloaded, lines 3 3 4"],
    );
    has(
        &format!("{both}RUN cp /tmp/a-arm64/a /usr/local/bin/\n"),
        "linux/arm64",
        &["file /usr/local/bin/a: linux/arm64 ? downloaded, lines 2 2 4"],
    );
    let text = format!("{both}RUN cp /tmp/tool /usr/local/bin/\n");
    has(&text, "linux/arm64", &["file /usr/local/bin/tool: maybe ? ? downloaded, lines 2 2 4"]);
}

#[test]
fn texts_out_of_archives_are_texts() {
    for name in ["EULA.txt", "LICENSE", "README.md", "run.sh", "etc/app.conf", "ca.pem"] {
        let last = name.rsplit('/').next().expect("a name");
        has(
            &format!(
                "FROM debian\nRUN wget https://h/v_linux_amd64.zip && unzip -d /tmp/b v_linux_amd64.zip && mv /tmp/b/{name} /usr/share/\n"
            ),
            "linux/arm64",
            &[&format!("file /usr/share/{last}: any ? downloaded, lines 2 2 2")],
        );
    }
    has(
        "FROM debian\nRUN wget https://h/v_linux_amd64.zip && unzip -d /b v_linux_amd64.zip v NOTES.txt\n",
        "linux/arm64",
        &[
            "file /b/NOTES.txt: any ? downloaded, lines 2 2",
            "file /b/v: linux/amd64 ? downloaded, lines 2 2",
        ],
    );
}

#[test]
fn what_make_built_is_taken_by_name() {
    for name in ["waypoint", "cmd/waypoint", "lib/libx.so.2", "libx.a"] {
        let last = name.rsplit('/').next().expect("a name");
        has(
            &format!(
                "FROM debian AS b\nCOPY . /src\nRUN cd /src && make bin\nFROM debian\nCOPY --from=b /src/{name} /usr/lib/\n"
            ),
            "linux/arm64",
            &[&format!("file /usr/lib/{last}: maybe linux/arm64 ? compiled by Make, lines 3 5")],
        );
    }
    has(
        "FROM debian\nRUN wget -O /tmp/j.tar.bz2 https://h/j-4.5.tar.bz2 && cd /tmp && tar -xjf j.tar.bz2 && cd j-4.5 && ./configure && make && mv lib/libj.so.2 /usr/lib\n",
        "linux/arm64",
        &["file /usr/lib/libj.so.2: maybe linux/arm64 glibc compiled by Make, lines 2 2"],
    );
    for name in ["docker-entrypoint.sh", "config.yaml", "docs/guide", "web", "LICENSE"] {
        lacks(
            &format!(
                "FROM debian AS b\nCOPY . /src\nRUN cd /src && make bin\nFROM scratch\nCOPY --from=b /src/{name} /x\n"
            ),
            "linux/arm64",
            &["file /x: maybe linux/arm64"],
        );
    }
    // Where it does not run on the target, a Makefile may make anything.
    lacks(
        "FROM --platform=$BUILDPLATFORM debian AS b\nCOPY . /src\nRUN cd /src && make bin\nFROM debian\nCOPY --from=b /src/site /x\n",
        "linux/arm64",
        &["file /x: maybe linux"],
    );
}

#[test]
fn make_that_is_told_what_it_would_do_anyway() {
    for platform in ["linux/arm64", "linux/amd64"] {
        let (_, arch) = platform.split_once('/').expect("os/arch");
        for body in [format!("GOARCH={arch} make app"), format!("make GOOS=linux GOARCH={arch}")] {
            has(
                &format!("FROM golang:1.26\nRUN {body}\n"),
                platform,
                &[&format!("2: compile Make for {platform} ? -> /go/?")],
            );
        }
        let other = if arch == "arm64" { "amd64" } else { "arm64" };
        has(
            &format!("FROM golang:1.26\nRUN GOARCH={other} make app\n"),
            platform,
            &[&format!("2: compile Make for linux/{other} cross ? -> /go/?")],
        );
    }
}

#[test]
fn patterns_copied_into_a_folder() {
    let text = "FROM debian\nCOPY *.sh /opt/\nCOPY a/lib*.so /usr/lib/\n";
    has(
        text,
        "linux/arm64",
        &[
            "file /opt/?.sh: any ? context *.sh, lines 2",
            "file /usr/lib/lib?.so: ? ? context a/lib*.so, lines 3",
        ],
    );
    lacks(text, "linux/arm64", &["file /opt:", "file /usr/lib:"]);
}

#[test]
fn a_release_moved_to_where_nothing_is_takes_the_name() {
    let fetch = "wget https://h/gradle-9-linux-amd64.zip && unzip gradle-9-linux-amd64.zip";
    let text = format!("FROM debian\nWORKDIR /w\nRUN {fetch} && mv gradle-9 /opt/gradle/\n");
    has(&text, "linux/arm64", &["file /opt/gradle/*: linux/amd64 ? downloaded, lines 3 3 3"]);
    lacks(&text, "linux/arm64", &["/opt/gradle/gradle-9"]);
    let text =
        format!("FROM debian\nWORKDIR /w\nRUN mkdir /opt/g && {fetch} && mv gradle-9 /opt/g/\n");
    has(&text, "linux/arm64", &["file /opt/g/gradle-9: linux/amd64 ? downloaded, lines 3 3 3"]);
}

#[test]
fn folders_of_texts_are_no_products_of_make() {
    let text = "FROM debian:12\nCOPY . /src\nRUN cd /src && ./configure && make\nRUN cp -R /src/examples/errorfiles /etc/errors\n";
    lacks(text, "linux/arm64", &["/etc/errors: maybe linux/arm64 glibc compiled"]);
}

#[test]
fn archives_without_machine_code_do_not_blur_a_root_file_system() {
    let text = "FROM alpine AS r\n\
        RUN curl -o /r.tar.gz https://h/jammy-arm64-root.tar.gz && tar xf /r.tar.gz -C /out\n\
        RUN curl -o /s.tar.xz https://h/s6-noarch.tar.xz && tar xf /s.tar.xz -C /out\n\
        FROM scratch\n\
        COPY --from=r /out/ /\n\
        RUN apt-get install -y curl\n";
    for platform in ["linux/amd64", "linux/arm64"] {
        has(text, platform, &["file /usr/bin/curl: linux/arm64 glibc installed by Apt, lines 6"]);
    }
}

#[test]
fn archives_of_one_machine_stay_apart() {
    let text = "FROM alpine\n\
        RUN curl https://h/db-2.2.0-linux-arm64.tgz | tar xz -C /opt\n\
        RUN curl https://h/cli-2.3.0-linux-arm64.tgz | tar xz -C /opt\n\
        RUN cp /opt/db-2.2.0/dbd /opt/cli-2.3.0/db /usr/local/bin/\n";
    has(
        text,
        "linux/amd64",
        &[
            "file /usr/local/bin/db: maybe linux/arm64 ? downloaded, lines 3 3 4",
            "file /usr/local/bin/dbd: maybe linux/arm64 ? downloaded, lines 2 2 4",
        ],
    );
}
