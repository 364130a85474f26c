//! How files go on: through programs that carry them, mounts and caches; and packages for other
//! machines.

use mlint_model::{EffectKind, Sharing};

use super::{always, brings, build_stage};
use crate::{evaluate, has, lacks};

/// A program for arm64, whatever the target, and then `body`; the image takes `/out`.
fn carried(body: &str) -> String {
    format!(
        "FROM --platform=$BUILDPLATFORM debian AS b\nWORKDIR /s\nRUN aarch64-linux-gnu-gcc -o app app.c && {body}\nFROM debian\nCOPY --from=b /out/ /\n"
    )
}

#[test]
fn programs_that_carry_files() {
    for (body, want) in [
        ("mkdir /out && cp app /out/", "/app"),
        ("install -D -m 755 app /out/bin/app", "/bin/app"),
        ("mkdir /out && aarch64-linux-gnu-strip -o /out/x app", "/x"),
        ("mkdir /out && strip app && mv app /out/y", "/y"),
        ("mkdir /out && upx -9 -o /out/x app", "/x"),
        ("mkdir /out && objcopy --strip-debug app /out/x", "/x"),
        ("mkdir /out && dd if=app of=/out/x bs=1M", "/x"),
        ("mkdir /out && tar czf app.tgz app && tar xzf app.tgz -C /out app", "/app"),
        ("mkdir /out && find . -name app -exec cp {} /out/ \\;", "/app"),
        ("mkdir /out && find /s -name 'a*' -type f -exec cp -t /out {} +", "/app"),
        ("mkdir /out && ln -s /s/app /out/link", "/link"),
        ("mkdir /out && rsync -a app /out/", "/app"),
    ] {
        let want = format!("{want} linux/arm64 glibc");
        brings(&carried(body), &[&want], &[&want]);
    }
    // All that is in a folder, under names that are not known.
    let piped = carried("mkdir d /out && mv app d && tar c -C d . | tar x -C /out");
    brings(&piped, &["//* linux/arm64 glibc"], &["//* linux/arm64 glibc"]);
    // Two machines in one archive: nobody knows.
    brings(
        &carried("gcc -o b b.c && mkdir /out && tar cf /out/x.tar app b"),
        &["/x.tar ? glibc"],
        &["/x.tar ? glibc"],
    );
    // Another loader.
    brings(
        &carried(
            "patchelf --set-interpreter /lib/ld-musl-aarch64.so.1 app && mkdir /out && cp app /out",
        ),
        &["/app linux/arm64 ?"],
        &["/app linux/arm64 ?"],
    );
}

#[test]
fn what_another_machine_made_is_run() {
    let text = carried("./app --version");
    has(&text, "linux/arm64", &["3: execute /s/app (linux/arm64)"]);
    lacks(&carried("qemu-aarch64-static ./app"), "linux/arm64", &["execute"]);
}

#[test]
fn a_cache_mount_takes_its_files_away() {
    // What lies in the cache is not in the stage.
    let build = "FROM --platform=$BUILDPLATFORM rust:1 AS b\nWORKDIR /s\n";
    let end = "\nFROM debian\nCOPY --from=b /s/target/release/app /app\n";
    let lost = format!(
        "{build}RUN --mount=type=cache,target=/s/target cargo build --release --bin app{end}"
    );
    lacks(&lost, "linux/arm64", &["file /app: linux", "file /s/target"]);
    let plain = format!("{build}RUN cargo build --release --bin app{end}");
    brings(&plain, &["/app linux/amd64 glibc"], &["/app linux/amd64 glibc"]);
    // A copy is, in the same RUN or in one with the same cache.
    let copied = "FROM debian\nCOPY --from=b /app /app\n";
    let cache = "RUN --mount=type=cache,target=/s/target";
    for body in [
        format!("{cache} cargo build --release --bin app && cp target/release/app /app"),
        format!("{cache} cargo build --release --bin app\n{cache} cp target/release/app /app"),
        "RUN --mount=type=cache,id=t,target=/x cargo build --release --bin app --target-dir /x\nRUN --mount=type=cache,id=t,target=/y cp /y/release/app /app".to_owned(),
    ] {
        let text = format!("{build}{body}\n{copied}");
        brings(&text, &["/app linux/amd64 glibc"], &["/app linux/amd64 glibc"]);
    }
    // Another cache is empty, and hides what the stage has.
    for body in [
        format!("{cache} cargo build --release --bin app\nRUN --mount=type=cache,id=o,target=/s/target cp target/release/app /app"),
        format!("RUN cargo build --release --bin app\n{cache} cp target/release/app /app"),
        "RUN cargo build --release --bin app\nRUN --mount=type=tmpfs,target=/s/target cp target/release/app /app".to_owned(),
    ] {
        lacks(&format!("{build}{body}\n{copied}"), "linux/arm64", &["file /app: linux"]);
    }
    // And then it is there again.
    let text = format!("{build}RUN cargo build --release --bin app\n{cache} true{end}");
    brings(&text, &["/app linux/amd64 glibc"], &["/app linux/amd64 glibc"]);
}

#[test]
fn who_writes_into_a_cache() {
    let text = build_stage(
        "rust:1",
        "RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,sharing=locked,id=t-$TARGETARCH,target=target cargo build --release && cp target/release/app /app",
    );
    has(
        &text,
        "linux/arm64",
        &[
            "4: cache /usr/local/cargo/registry at /usr/local/cargo/registry",
            "4: cache t-arm64 at target, written by line 4",
        ],
    );
    has(&text, "linux/amd64", &["4: cache t-amd64 at target, written by line 4"]);
    let evaluation = evaluate(&text, "linux/arm64");
    let sharing: Vec<Sharing> = evaluation
        .effects()
        .filter_map(|(_, _, e)| match &e.kind {
            EffectKind::CacheMount { sharing, .. } => Some(*sharing),
            _ => None,
        })
        .collect();
    assert_eq!(sharing, [Sharing::Shared, Sharing::Locked]);
    // Go's cache is kept by content.
    let text = build_stage(
        "golang:1.22",
        "RUN --mount=type=cache,target=/root/.cache/go-build go build -o /a",
    );
    has(&text, "linux/arm64", &["4: cache /root/.cache/go-build at /root/.cache/go-build"]);
    let text = build_stage(
        "debian",
        "RUN --mount=type=cache,target=/src/build cmake -B build && cmake --build build",
    );
    has(&text, "linux/arm64", &["4: cache /src/build at /src/build, written by line 4"]);
}

#[test]
fn a_bind_mount_shows_and_hides() {
    let text = "FROM --platform=$BUILDPLATFORM golang:1.22 AS b\nARG TARGETARCH\nWORKDIR /src\nRUN --mount=type=bind,target=. CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/app ./cmd/app && go build -o lost .\nFROM scratch\nCOPY --from=b /out/app /app\nCOPY --from=b /src/lost /lost\n";
    let evaluation = evaluate(text, "linux/arm64");
    let app = &evaluation.stages[1].files["/app"];
    assert_eq!(
        (app.machine.to_string(), app.linkage.to_string()),
        ("linux/arm64".into(), "static".into())
    );
    assert!(!evaluation.stages[0].files.contains_key("/src/lost"));
}

#[test]
fn packages_for_other_machines() {
    for (base, command, want) in [
        (
            "debian",
            "apt-get install -y curl libssl-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
            "Apt curl libssl-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross, libssl-dev:arm64 is for linux/arm64, gcc-aarch64-linux-gnu makes linux/arm64, libc6-dev-arm64-cross is for linux/arm64",
        ),
        (
            "debian",
            "apt-get install -y crossbuild-essential-armhf=12.9 g++-12-s390x-linux-gnu",
            "Apt crossbuild-essential-armhf=12.9 g++-12-s390x-linux-gnu, crossbuild-essential-armhf=12.9 makes linux/arm/v7, g++-12-s390x-linux-gnu makes linux/s390x",
        ),
        (
            "debian",
            "apt-get install -y libc6:any gcc-12 gcc-mingw-w64-x86-64",
            "Apt libc6:any gcc-12 gcc-mingw-w64-x86-64, gcc-mingw-w64-x86-64 makes windows/amd64",
        ),
        (
            "fedora",
            "dnf install -y glibc.aarch64 nodejs.x",
            "Rpm glibc.aarch64 nodejs.x, glibc.aarch64 is for linux/arm64",
        ),
        (
            "alpine",
            "apk add --arch aarch64 --root /t musl-dev",
            "Apk musl-dev, musl-dev is for linux/arm64",
        ),
    ] {
        let text = build_stage(base, &format!("RUN {command}"));
        for platform in ["linux/arm64", "linux/amd64"] {
            has(&text, platform, &[&format!("4: install {want}")]);
        }
    }
    let text = build_stage("debian", "RUN xx-apt-get install -y libc6-dev");
    has(&text, "linux/arm64", &["4: install Apt libc6-dev, libc6-dev is for linux/arm64"]);
    has(&text, "linux/amd64", &["4: install Apt libc6-dev, libc6-dev is for linux/amd64"]);
    // A foreign compiler is none for this machine.
    always(
        "golang:1.22-alpine",
        "RUN apk add --arch aarch64 --root /t gcc && go build -o /a",
        "Go for linux/amd64 no-cgo static -> /a",
    );
}

#[test]
fn make_without_a_word() {
    // On the target it makes what the target runs; where it can't see the target, the same for all.
    for platform in ["linux/arm64", "linux/amd64"] {
        has(
            "FROM debian\nRUN make\n",
            platform,
            &[&format!("2: compile Make for {platform} ? ->")],
        );
    }
    has(
        "FROM --platform=$BUILDPLATFORM debian\nRUN make\n",
        "linux/arm64",
        &["2: compile Make for linux/amd64 ? ->"],
    );
    always("debian", "RUN make", "Make for ? ? -> ");
    has(
        "FROM debian\nRUN make CROSS=x ARCH=arm64\n",
        "linux/arm64",
        &["2: compile Make for ? ? ->"],
    );
    // What it makes may be a site: no file is taken for a program.
    lacks(
        "FROM --platform=$BUILDPLATFORM debian AS b\nWORKDIR /s\nRUN make && make install\nFROM debian\nCOPY --from=b /s/public /public\n",
        "linux/arm64",
        &["file /public: linux/amd64", "file /public: maybe linux/amd64"],
    );
}
