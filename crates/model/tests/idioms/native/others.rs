//! Other compiled languages, packages for other machines, and what carries files on.

use super::always;

#[test]
fn native_compilers() {
    for (base, command, want) in [
        ("haskell:9", "ghc -O2 -o app Main.hs", "Haskell for linux/amd64 glibc -> /src/app"),
        (
            "haskell:9",
            "ghc -static -optl-static Main.hs",
            "Haskell for linux/amd64 static -> /src/Main",
        ),
        (
            "haskell:9",
            "stack install --local-bin-path /out",
            "Haskell for linux/amd64 glibc -> /out",
        ),
        ("haskell:9", "cabal build exe:app", "Haskell for linux/amd64 glibc -> /src/dist-newstyle"),
        (
            "haskell:9",
            "cabal install --installdir=/out --enable-executable-static",
            "Haskell for linux/amd64 static -> /out",
        ),
        (
            "debian",
            "nim c -d:release -o:app src/app.nim",
            "Other for linux/amd64 glibc -> /src/app",
        ),
        (
            "debian",
            "nim c --cpu:arm64 --os:linux src/app.nim",
            "Other for linux/arm64 cross ? -> /src/src/app",
        ),
        (
            "alpine",
            "crystal build --static -o bin/app src/app.cr",
            "Other for linux/amd64 static -> /src/bin/app",
        ),
        ("debian", "crystal build src/app.cr", "Other for linux/amd64 glibc -> /src/app"),
        (
            "alpine",
            "shards build --production --static",
            "Other for linux/amd64 static -> /src/bin",
        ),
        (
            "debian",
            "ldc2 -mtriple=aarch64-linux-gnu -of=app app.d",
            "Other for linux/arm64 cross glibc -> /src/app",
        ),
        ("debian", "dmd -ofapp app.d", "Other for linux/amd64 glibc -> /src/app"),
        (
            "debian",
            "ocamlfind ocamlopt -package str -o app app.ml",
            "Other for linux/amd64 glibc -> /src/app",
        ),
        ("debian", "dune build", "Other for linux/amd64 glibc -> /src/_build"),
        ("swift:5", "swift build -c release", "Swift for linux/amd64 glibc -> /src/.build"),
        (
            "swift:5",
            "swift build -c release --swift-sdk aarch64-swift-linux-musl",
            "Swift for linux/arm64 cross static -> /src/.build",
        ),
        (
            "swift:5",
            "swift build --static-swift-stdlib --scratch-path /b",
            "Swift for linux/amd64 glibc -> /b",
        ),
        (
            "dart",
            "dart compile exe bin/server.dart -o bin/server",
            "Other for linux/amd64 glibc -> /src/bin/server",
        ),
        (
            "dart",
            "dart compile exe bin/server.dart",
            "Other for linux/amd64 glibc -> /src/bin/server.exe",
        ),
        ("dart", "dart compile kernel bin/server.dart", "Other for any ? -> /src/bin/server.dill"),
        (
            "debian",
            "native-image --static -jar app.jar -o app",
            "NativeImage for linux/amd64 static -> /src/app",
        ),
        ("elixir:1", "MIX_ENV=prod mix release", "Erlang for linux/amd64 glibc -> /src/_build"),
        (
            "erlang:26-alpine",
            "rebar3 as prod release",
            "Erlang for linux/amd64 musl -> /src/_build",
        ),
        ("debian", "v -prod -o app .", "Other for linux/amd64 glibc -> /src/app"),
        ("debian", "emcc -O2 -o app.js main.c", "Other for any ? -> /src/app.js"),
    ] {
        always(base, &format!("RUN {command}"), want);
    }
    for command in [
        "ghc --version",
        "mix deps.get",
        "mix compile",
        "dart pub get",
        "swift package resolve",
        "stack setup",
    ] {
        always("debian", &format!("RUN {command}"), "-");
    }
}
