//! Files, and the way they take to the image.

use crate::{evaluate, has, lacks};

/// The wrong files of the image on linux/arm64, with the lines of their way.
#[track_caller]
fn wrong(text: &str, want: &[&str]) {
    let evaluation = evaluate(text, "linux/arm64");
    let lines = mlint_syntax::LineIndex::new(text);
    let got: Vec<String> = evaluation
        .wrong_artifacts()
        .map(|a| {
            let way: Vec<String> =
                a.way.iter().map(|s| lines.line(s.span.start).to_string()).collect();
            let maybe = if a.certain { "" } else { "maybe " };
            format!("{maybe}{} {} by {}", a.path, a.machine, way.join(","))
        })
        .collect();
    assert_eq!(got, want, "{text}\n{}", mlint_model::dump::dump(&evaluation, text));
}

#[test]
fn a_native_build_on_the_build_platform_is_wrong_elsewhere() {
    wrong(
        "FROM --platform=$BUILDPLATFORM golang:1.22 AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /out/app .\nFROM alpine\nCOPY --from=build /out/app /usr/bin/app\n",
        &["/usr/bin/app linux/amd64 by 4,6"],
    );
    let text = "FROM --platform=$BUILDPLATFORM golang:1.22 AS build\nARG TARGETARCH\nRUN GOARCH=$TARGETARCH go build -o /out/app .\nFROM alpine\nCOPY --from=build /out/ /usr/bin/\n";
    wrong(text, &[]);
    has(text, "linux/arm64", &["file /usr/bin/app: linux/arm64 static compiled by Go, lines 3 5"]);
    // On the build platform itself nothing is wrong.
    let native = "FROM --platform=$BUILDPLATFORM golang:1.22 AS b\nRUN go build -o /app .\nFROM alpine\nCOPY --from=b /app /\n";
    assert_eq!(evaluate(native, "linux/amd64").wrong_artifacts().count(), 0);
}

#[test]
fn files_of_unknown_name_are_found() {
    // The program's name is the module's, which the Dockerfile does not tell.
    wrong(
        "FROM --platform=$BUILDPLATFORM golang AS b\nWORKDIR /src\nCOPY . .\nRUN go build\nFROM debian\nCOPY --from=b /src/server /src/LICENSE /src/config.yaml /app/\n",
        &["maybe /app/server linux/amd64 by 4,6"],
    );
    wrong(
        "FROM --platform=$BUILDPLATFORM rust AS b\nWORKDIR /src\nRUN cargo build --release\nFROM debian\nCOPY --from=b /src/target/release/app /app\n",
        &["/app linux/amd64 by 3,5"],
    );
    wrong(
        "FROM --platform=$BUILDPLATFORM golang AS b\nRUN go install example.com/cmd/tool/v2@latest\nFROM debian\nCOPY --from=b /go/bin/tool /\n",
        &["/tool linux/amd64 by 2,4"],
    );
    // A cross build's result lies elsewhere.
    let text = "FROM --platform=$BUILDPLATFORM golang AS b\nARG TARGETARCH\nENV GOARCH=$TARGETARCH\nRUN go install example.com/tool@v1\nFROM debian\nCOPY --from=b /go/bin/linux_arm64/tool /\n";
    wrong(text, &[]);
    has(text, "linux/arm64", &["file /tool: linux/arm64 static compiled by Go, lines 4 6"]);
}

#[test]
fn downloads_are_of_the_machine_that_they_name() {
    wrong(
        "FROM debian\nRUN curl -fsSL -o /tmp/h.tgz https://h/helm-v3-linux-amd64.tar.gz && tar -xzf /tmp/h.tgz -C /tmp && mv /tmp/linux-amd64/helm /usr/local/bin/helm && rm -rf /tmp/*\n",
        &["/usr/local/bin/helm linux/amd64 by 2,2,2"],
    );
    wrong(
        "FROM debian\nADD https://h/x86_64/tini /tini\nADD https://h/tini_amd64.sha256 /sum\nRUN wget -qO- https://h/go.linux-amd64.tar.gz | tar -C /usr/local -xz go/bin/go\n",
        &["/tini linux/amd64 by 2", "/usr/local/go/bin/go linux/amd64 by 4,4"],
    );
    // A version that is not known does not hide the way.
    wrong(
        "FROM debian\nARG V\nRUN wget https://h/x_${V}_amd64.tar.gz && tar xf x_${V}_amd64.tar.gz && install -m 755 x /usr/bin/x && rm x_${V}_amd64.tar.gz x\n",
        &["maybe / linux/amd64 by 3,3", "maybe /usr/bin/x linux/amd64 by 3,3,3"],
    );
    wrong("FROM debian\nRUN curl -o /x https://h/darwin-arm64\n", &["/x darwin/arm64 by 2"]);
    wrong(
        "FROM debian\nRUN curl -o /x https://amd64.example.com/x; curl -o /y https://h/x.jar\n",
        &[],
    );
}

#[test]
fn files_of_other_images_and_stages() {
    // `COPY --from=image` takes the target's platform.
    wrong("FROM debian\nCOPY --from=tool:1 /usr/bin/tool /usr/bin/\n", &[]);
    wrong(
        "FROM --platform=linux/amd64 debian AS a\nRUN apt-get install -y jq\nFROM debian\nCOPY --from=a /usr/bin/jq /usr/bin/jq\nCOPY --from=a /etc/ssl/certs /etc/ssl/certs\nCOPY --from=a /data /data\n",
        &["/usr/bin/jq linux/amd64 by 2,4"],
    );
    // Not what was built there, but what Java and JavaScript builds leave.
    wrong(
        "FROM --platform=$BUILDPLATFORM maven:3 AS m\nWORKDIR /s\nRUN mvn package\nFROM --platform=$BUILDPLATFORM node:20 AS n\nWORKDIR /s\nRUN npm ci && npm run build\nFROM debian\nCOPY --from=m /s/target/x.jar /\nCOPY --from=n /s/dist /dist\n",
        &[],
    );
    wrong(
        "FROM --platform=$BUILDPLATFORM node:20 AS n\nWORKDIR /s\nRUN npm ci\nFROM node:20\nCOPY --from=n /s/node_modules /app/node_modules\n",
        &["maybe /app/node_modules linux/amd64 by 3,5"],
    );
    wrong(
        "FROM --platform=$BUILDPLATFORM python:3 AS p\nRUN python -m venv /venv && /venv/bin/pip install x\nFROM python:3\nCOPY --from=p /venv /venv\n",
        &["maybe /venv linux/amd64 by 2,4"],
    );
}

#[test]
fn children_of_stages_and_mounts_take_files_along() {
    wrong(
        "FROM debian AS a\nADD https://h/amd64/x /opt/x\nFROM a\nRUN cp /opt/x /usr/bin/y && rm /opt/x\n",
        &["/usr/bin/y linux/amd64 by 2,4"],
    );
    let text = "FROM --platform=$BUILDPLATFORM golang AS b\nRUN go build -o /out/x .\nFROM debian\nRUN --mount=type=bind,from=b,source=/out,target=/mnt cp /mnt/x /usr/bin/x\n";
    wrong(text, &["/usr/bin/x linux/amd64 by 2,4,4"]);
    lacks(text, "linux/arm64", &["file /mnt"]);
}

#[test]
fn running_a_file_of_another_machine_is_seen() {
    has(
        "FROM debian\nADD https://h/tool-amd64 /usr/local/bin/tool\nRUN chmod +x /usr/local/bin/tool && tool --version\n",
        "linux/arm64",
        &["3: execute /usr/local/bin/tool (linux/amd64)"],
    );
}

#[test]
fn uncertain_files_are_what_both_branches_have_in_common() {
    let text = "FROM debian\nRUN if [ -f /x ]; then curl -o /a https://h/amd64; else curl -o /a https://h/arm64; fi\n";
    wrong(text, &[]);
    has(text, "linux/arm64", &["file /a: ? ? downloaded, lines 2"]);
    let text = "FROM debian\nRUN [ -f /x ] && curl -o /a https://h/amd64; true\n";
    wrong(text, &["maybe /a linux/amd64 by 2"]);
}

#[test]
fn written_files_tell_their_text() {
    has(
        "FROM --platform=$BUILDPLATFORM debian AS a\nRUN uname -m > /arch\nFROM debian\nCOPY --from=a /arch /arch\nRUN curl -O https://h/$(cat /arch)\n",
        "linux/arm64",
        &["5: download https://h/x86_64 <uname -m> -> /x86_64"],
    );
}

#[test]
fn programs_that_run_programs_are_run() {
    has(
        "FROM debian\nRUN curl -o /usr/local/bin/gosu https://h/gosu-amd64 && gosu nobody true\n",
        "linux/arm64",
        &["2: execute /usr/local/bin/gosu (linux/amd64)"],
    );
}

#[test]
fn programs_of_an_archive_in_a_folder_of_programs() {
    let text = "FROM alpine\nRUN wget -O d.tgz https://h/linux/static/x86_64/docker-29.tgz && tar -C /usr/local/bin --strip-components 1 -xf d.tgz && dockerd --version && chmod 755 /x\n";
    has(text, "linux/arm64", &["2: maybe execute /usr/local/bin/dockerd (linux/amd64)"]);
    lacks(text, "linux/arm64", &["execute /usr/local/bin/chmod"]);
}

#[test]
fn what_find_chooses_by_other_conditions_is_not_known() {
    lacks(
        "FROM debian\nRUN wget -O /h.tgz https://h/h.tgz && mkdir -p /s && tar -xzf /h.tgz -C /s && cp -R /s/errors /usr/local/etc/errors && find /usr/local -type f -executable -exec ldd '{}' ';'\n",
        "linux/arm64",
        &["ldd /usr/local/etc/errors"],
    );
}

#[test]
fn a_toolchain_on_the_path_is_what_is_run() {
    let text = "FROM debian:12\n\
        RUN curl https://h/go1.22.linux-amd64.tar.gz | tar xz -C /usr/local\n\
        ENV PATH=/usr/local/go/bin:$PATH\n\
        RUN go version\nRUN go mod download && ls\n";
    let executed = "maybe execute /usr/local/go/bin/go (linux/amd64)";
    has(text, "linux/arm64", &[&format!("4: {executed}"), &format!("5: {executed}")]);
    lacks(text, "linux/arm64", &["execute /usr/local/go/bin/ls"]);
}

#[test]
fn texts_of_the_context_are_files_and_no_machine_code() {
    has(
        "FROM debian:12\nCOPY LICENSE /licenses/x.txt\n",
        "linux/arm64",
        &["file /licenses/x.txt: any ? context LICENSE, lines 2"],
    );
}
