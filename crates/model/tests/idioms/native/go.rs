//! Go.

use super::{always, brings, build_stage, compiles, prints};
use crate::{evaluate, has, lacks};

const GO: &str = "golang:1.22";

#[test]
fn where_the_program_lands() {
    for (body, want) in [
        ("RUN go build -o out/ ./cmd/tool", "/src/out/tool"),
        ("RUN mkdir bin && go build -o bin ./cmd/tool", "/src/bin/tool"),
        ("RUN go build -o out/app ./cmd/tool", "/src/out/app"),
        // Several packages need a folder.
        ("RUN go build -o out ./cmd/a ./cmd/b", "/src/out"),
        ("RUN go build main.go util.go", "/src/main"),
        ("RUN go build -C cmd/tool -o ../x", "/src/cmd/x"),
        ("RUN go build -C cmd/tool -o /x .", "/x"),
        // Here the folder is there already, and gets the program.
        ("RUN go build -o /src ./cmd/tool", "/src/tool"),
        ("RUN go build ./cmd/a ./cmd/b", ""),
        ("RUN go build ./...", ""),
        ("RUN go build example.org/x/cmd/tool/v3", "/src/tool"),
        ("RUN go mod init example.org/me/thing/v2 && go build", "/src/thing"),
        (
            "RUN go mod init example.org/me/thing\nWORKDIR /src/cmd/run\nRUN go build .",
            "/src/cmd/run/run",
        ),
        ("COPY go.mod ./\nRUN cd cmd/run && go build", "/src/cmd/run/run"),
        ("COPY go.mod ./\nRUN go build", "/src/?"),
        ("COPY <<EOF go.mod\nmodule example.org/him\nEOF\nRUN go build .", "/src/him"),
        ("WORKDIR /go/src/example.org/me/old\nRUN go build", "/go/src/example.org/me/old/old"),
        ("WORKDIR /go/src/app\nRUN go build", "/go/src/app/?"),
        ("RUN go test -c -o /t ./x", "/t"),
        ("RUN go test -c ./x", "/src/x.test"),
    ] {
        always(GO, body, &format!("Go for linux/amd64 cgo glibc -> {want}"));
    }
    always(
        GO,
        "RUN GOOS=windows go build ./cmd/x",
        "Go for windows/amd64 cross no-cgo static -> /src/x.exe",
    );
}

#[test]
fn install_goes_where_the_settings_say() {
    let plain = "Go for linux/amd64 cgo glibc -> ";
    let cross = "Go for linux/arm64 cross no-cgo static -> ";
    for (body, to, to_cross) in [
        ("go install ./cmd/x", "/go/bin/x", "/go/bin/linux_arm64/x"),
        ("GOPATH=/g go install h.org/x@latest", "/g/bin/x", "/g/bin/linux_arm64/x"),
        (
            "go install h.org/a@v1 h.org/b@v1",
            "/go/bin/a /go/bin/b",
            "/go/bin/linux_arm64/a /go/bin/linux_arm64/b",
        ),
        ("go install ./...", "/go/bin", "/go/bin/linux_arm64"),
    ] {
        compiles(
            GO,
            &format!("ENV GOARCH=$TARGETARCH\nRUN {body}"),
            &format!("{cross}{to_cross}"),
            &format!("{plain}{to}"),
        );
    }
    always(GO, "RUN GOBIN=/out go install ./cmd/x", &format!("{plain}/out/x"));
    // Go refuses to install for another platform into GOBIN.
    let text = build_stage(GO, "RUN GOBIN=/out GOARCH=$TARGETARCH go install ./cmd/x");
    let fails = |platform: &str| {
        let failure = evaluate(&text, platform).stages[0].steps[2].failure.clone();
        failure.map(|f| f.message)
    };
    assert!(fails("linux/arm64").is_some_and(|m| m.contains("GOBIN")));
    assert_eq!(fails("linux/amd64"), None);
    // Not where the target is not known, nor where the script goes on.
    lacks(&build_stage(GO, "RUN GOBIN=/o GOARCH=$X go install ./x"), "linux/arm64", &["fails:"]);
    lacks(
        &build_stage(GO, "RUN GOBIN=/o GOARCH=arm64 go install ./x || true"),
        "linux/arm64",
        &["fails:"],
    );
}

#[test]
fn settings_that_stay() {
    compiles(
        GO,
        "RUN go env -w GOARCH=$TARGETARCH GOFLAGS=-buildvcs=false\nRUN go build -o /a",
        "Go for linux/arm64 cross no-cgo static -> /a",
        "Go for linux/amd64 cgo glibc -> /a",
    );
    // The environment wins, an empty variable does not.
    always(
        GO,
        "RUN go env -w GOARCH=arm64\nRUN GOARCH=amd64 go build -o /a",
        "Go for linux/amd64 cgo glibc -> /a",
    );
    always(
        GO,
        "RUN go env -w GOARCH=arm64\nRUN GOARCH= go build -o /a",
        "Go for linux/arm64 cross no-cgo static -> /a",
    );
    always(
        GO,
        "RUN go env -w GOARCH=arm64 && go env -u GOARCH && go build -o /a",
        "Go for linux/amd64 cgo glibc -> /a",
    );
    // One of two.
    always(
        GO,
        "RUN if [ -f /x ]; then go env -w GOARCH=arm64; fi; go build -o /a",
        "Go for linux/arm64 cross no-cgo static -> /a",
    );
    always(
        GO,
        "RUN if [ -f /x ]; then go env -w GOARCH=arm64; else go env -w GOARCH=s390x; fi; go build -o /a",
        "Go for ? cgo? ? -> /a",
    );
}

#[test]
fn machines() {
    for (settings, want) in [
        ("GOARCH=arm GOARM=7", "linux/arm/v7 cross"),
        ("GOARCH=arm GOARM=6,softfloat", "linux/arm/v6 cross"),
        ("GOARCH=amd64 GOAMD64=v3", "linux/amd64/v3"),
        ("GOARCH=arm64 GOARM64=v9.0,lse", "linux/arm64/v9 cross"),
        ("GOARCH=arm64 GOARM64=v8.2", "linux/arm64 cross"),
        ("GOOS=freebsd", "freebsd/amd64 cross"),
    ] {
        let cgo = if want.ends_with("cross") { "no-cgo static" } else { "cgo glibc" };
        always(
            GO,
            &format!("RUN {settings} go build -o /a"),
            &format!("Go for {want} {cgo} -> /a"),
        );
    }
    always(GO, "RUN GOOS=js GOARCH=wasm go build -o /a", "Go for any cgo? ? -> /a");
    always(GO, "RUN GOARCH=arm GOARM=$(cat v) go build -o /a", "Go for ? cgo? ? -> /a");
}

#[test]
fn cgo_by_the_toolchain() {
    let alpine = "golang:1.22-alpine";
    always(alpine, "RUN go build -o /a", "Go for linux/amd64 no-cgo static -> /a");
    always(alpine, "RUN CC=clang go build -o /a", "Go for linux/amd64 cgo musl -> /a");
    // Before 1.20 cgo was on even without a compiler.
    always("golang:1.19-alpine", "RUN go build -o /a", "Go for linux/amd64 cgo? ? -> /a");
    // Alpine's own package brings gcc, Debian's only recommends it.
    always("alpine", "RUN apk add go && go build -o /a", "Go for linux/amd64 cgo musl -> /a");
    always(
        "debian",
        "RUN apt-get install -y golang-go && go build -o /a",
        "Go for linux/amd64 cgo? ? -> /a",
    );
    // A stage on the target is native on each platform.
    for platform in ["linux/arm64", "linux/amd64"] {
        has(
            "FROM golang:1.22\nRUN go build -o /a .\n",
            platform,
            &[&format!("2: compile Go for {platform} cgo glibc -> /a")],
        );
    }
}

#[test]
fn how_it_is_linked() {
    for (command, want) in [
        ("CGO_ENABLED=1 go build -tags netgo,osusergo", "cgo ?"),
        ("CGO_ENABLED=0 go build -buildmode=pie", "no-cgo glibc"),
        ("CGO_ENABLED=0 GOFLAGS=-buildmode=pie go build", "no-cgo glibc"),
        ("CGO_ENABLED=1 go build -buildmode=c-shared", "cgo ?"),
        ("CGO_ENABLED=1 go build -buildmode=plugin", "cgo ?"),
        ("CGO_ENABLED=1 go build -ldflags '-linkmode=external -extldflags=-static'", "cgo static"),
        ("CGO_ENABLED=1 go build -ldflags '-extldflags=-static-libgcc'", "cgo glibc"),
        ("CGO_ENABLED=1 CC=musl-gcc go build", "cgo musl"),
        ("CGO_ENABLED=1 CC='zig cc -target x86_64-linux-musl' go build", "cgo ?"),
    ] {
        always(GO, &format!("RUN {command} -o /a ."), &format!("Go for linux/amd64 {want} -> /a"));
    }
    always(
        GO,
        "RUN CGO_ENABLED=0 GOARCH=arm64 go build -buildmode pie -o /a .",
        "Go for linux/arm64 cross no-cgo glibc -> /a",
    );
}

#[test]
fn programs_that_are_started() {
    let text = build_stage(
        GO,
        "ENV GOARCH=$TARGETARCH\nRUN go generate ./... && go vet ./... && go run ./tools/gen\nRUN go test ./...",
    );
    has(
        &text,
        "linux/arm64",
        &["5: execute ./tools/gen (linux/arm64)", "6: execute ./... (linux/arm64)"],
    );
    lacks(&text, "linux/amd64", &["execute"]);
    lacks(&text, "linux/arm64", &["compile"]);
    lacks(
        &build_stage(GO, "RUN GOARCH=arm64 go test -exec qemu ./..."),
        "linux/arm64",
        &["execute"],
    );
}

#[test]
fn go_env_answers() {
    prints(GO, "go env GOPATH", "/go", "/go");
    prints(GO, "GOARCH=$TARGETARCH go env GOARCH", "arm64", "amd64");
    prints(GO, "GOARCH=$TARGETARCH go env CGO_ENABLED", "0", "1");
    prints(GO, "go env GOVERSION", "?", "?");
    brings(
        "FROM --platform=$BUILDPLATFORM golang:1.22 AS b\nARG TARGETARCH\nRUN GOARCH=$TARGETARCH CGO_ENABLED=0 go install h.org/x@v1 && mkdir /out && mv $(go env GOPATH)/bin/linux_$TARGETARCH/x /out/ || mv $(go env GOPATH)/bin/x /out/\nFROM scratch\nCOPY --from=b /out/ /\n",
        &["/x linux/arm64 static"],
        &["maybe /x linux/amd64 static"],
    );
}

#[test]
fn wrappers() {
    always(GO, "RUN goreleaser build --snapshot", "Go for ? cgo ? -> /src/dist");
    compiles(
        GO,
        "RUN GOARCH=$TARGETARCH goreleaser build --single-target -o /app",
        "Go for linux/arm64 cross no-cgo ? -> /app",
        "Go for linux/amd64 cgo ? -> /app",
    );
    always(GO, "RUN tinygo build -o /a.wasm -target=wasi .", "Go for any ? -> /a.wasm");
    always(GO, "RUN GOARCH=arm64 mage build", "Make for linux/arm64 cross ? -> ");
    always(GO, "RUN make build GOARCH=arm64", "Make for linux/arm64 cross ? -> /src/?");
    compiles(
        GO,
        "RUN GOARCH=$TARGETARCH CGO_ENABLED=0 garble -literals build -o /a",
        "Go for linux/arm64 cross no-cgo static -> /a",
        "Go for linux/amd64 no-cgo static -> /a",
    );
    // Go 1.16 and older install with `go get`.
    always(
        "golang:1.15",
        "RUN go get h.org/x/tool",
        "Go for linux/amd64 cgo glibc -> /go/bin/tool",
    );
    always("golang:1.15", "RUN go get -d h.org/x/tool", "-");
    always(GO, "RUN go get h.org/x/tool", "-");
}

#[test]
fn what_a_subcommand_prints_is_not_known() {
    // The text decides whether the build stops.
    let text = "FROM golang:1.23\nRUN [ \"$(go telemetry)\" = off ] || exit 1\n";
    lacks(text, "linux/arm64", &["fails"]);
}

#[test]
fn go_install_tool_keeps_the_names_beside_it() {
    has(
        "FROM golang:1.26\nRUN go install tool h.example/cmd/x h.example/y/v2@v2.1.0\n",
        "linux/arm64",
        &["2: compile Go for linux/arm64 cgo glibc -> /go/bin /go/bin/x /go/bin/y"],
    );
}

#[test]
fn make_hands_goarch_on_to_go() {
    for line in ["GOARCH=arm64 make app", "make app GOARCH=arm64"] {
        let text = format!("FROM golang:1.26\nWORKDIR /src\nRUN {line}\n");
        has(&text, "linux/amd64", &["3: compile Make for linux/arm64 cross ? -> /src/?"]);
    }
    has(
        "FROM --platform=$BUILDPLATFORM golang:1.26\nARG TARGETARCH\nRUN make GOARCH=$TARGETARCH\n",
        "linux/arm64",
        &["3: compile Make for linux/arm64 cross ? -> /go/?"],
    );
    // What else steers it, may mean more.
    has(
        "FROM golang:1.26\nRUN make GOARCH=arm64 ARCH=arm\n",
        "linux/amd64",
        &["2: compile Make for ? ? ->"],
    );
}

#[test]
fn detectors_of_races_need_cgo() {
    has(
        "ARG V\nFROM golang:$V\nRUN go build -race -o /a .\n",
        "linux/arm64",
        &["3: compile Go for linux/arm64 cgo ? -> /a"],
    );
}
