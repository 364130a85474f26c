//! C and C++, and the tools that call their compilers.

use super::{always, brings, build_stage, compiles};
use crate::{evaluate, has, lacks};

#[test]
fn compilers_by_name_and_flag() {
    for (command, want) in [
        ("gcc -o a main.c", "linux/amd64 glibc -> /src/a"),
        ("g++-12 main.cc", "linux/amd64 glibc -> /src/a.out"),
        ("gcc -m32 -o a main.c", "linux/386 cross glibc -> /src/a"),
        ("gcc -c main.c util.c", "linux/amd64 ? -> /src/main.o /src/util.o"),
        ("gcc -shared -o liba.so a.o", "linux/amd64 ? -> /src/liba.so"),
        ("musl-gcc -o a main.c", "linux/amd64 musl -> /src/a"),
        ("musl-gcc -static -o a main.c", "linux/amd64 static -> /src/a"),
        ("aarch64-linux-gnu-g++ -o a x.o", "linux/arm64 cross glibc -> /src/a"),
        ("arm-linux-gnueabihf-gcc -static -o a main.c", "linux/arm/v7 cross static -> /src/a"),
        ("x86_64-w64-mingw32-gcc -o a.exe main.c", "windows/amd64 cross ? -> /src/a.exe"),
        ("clang --target=aarch64-linux-musl -o a main.c", "linux/arm64 cross musl -> /src/a"),
        ("clang -target s390x-linux-gnu main.c -o a", "linux/s390x cross glibc -> /src/a"),
        ("arm-none-eabi-gcc -o fw.elf main.c", "? ? -> /src/fw.elf"),
        ("gcc --target=$X -o a main.c", "? ? -> /src/a"),
        ("zig cc -target x86_64-linux-gnu -o a main.c", "linux/amd64 glibc -> /src/a"),
        ("ccache gcc -static -o a main.c", "linux/amd64 static -> /src/a"),
    ] {
        always("gcc:13", &format!("RUN {command}"), &format!("C for {want}"));
    }
    always("gcc:13", "RUN gcc --version && ld --version", "-");
    for (command, want) in [
        ("zig build", "linux/amd64 ? -> /src/zig-out"),
        ("zig build -Dtarget=aarch64-linux-musl --prefix /out", "linux/arm64 cross static -> /out"),
        (
            "zig build-exe -target riscv64-linux-musl src/main.zig",
            "linux/riscv64 cross static -> /src/main",
        ),
        ("zig build-exe main.zig --name app", "linux/amd64 ? -> /src/app"),
    ] {
        always("debian", &format!("RUN {command}"), &format!("Zig for {want}"));
    }
    compiles(
        "debian",
        "RUN P=; case $TARGETARCH in arm64) P=aarch64-linux-gnu- ;; esac; ${P}gcc -o a main.c",
        "C for linux/arm64 cross glibc -> /src/a",
        "C for linux/amd64 glibc -> /src/a",
    );
}

#[test]
fn objects_and_archives() {
    brings(
        "FROM debian AS b\nWORKDIR /s\nRUN aarch64-linux-gnu-gcc -c a.c && ar rcs liba.a a.o && as -o b.o b.s && ld -o b b.o && ar rcs x.a *.o\nFROM scratch\nCOPY --from=b /s/liba.a /s/b /s/x.a /\n",
        &["/b linux/arm64 ?", "/liba.a linux/arm64 ?", "/x.a ? ?"],
        &["/b linux/amd64 ?", "/liba.a linux/arm64 ?", "/x.a ? ?"],
    );
}

#[test]
fn a_configured_directory_stays_configured() {
    let made = |want: &str| format!("Make for {want}");
    for (body, want) in [
        ("RUN ./configure && make", "linux/amd64 glibc -> /src/?"),
        (
            "RUN ./configure --host=aarch64-linux-gnu\nRUN make -j4",
            "linux/arm64 cross glibc -> /src/?",
        ),
        (
            "RUN ./configure --build=x86_64-linux-gnu --host=x86_64-linux-gnu\nRUN make",
            "linux/amd64 glibc -> /src/?",
        ),
        ("RUN CC=aarch64-linux-gnu-gcc ./configure && make", "linux/arm64 cross glibc -> /src/?"),
        ("RUN ./configure CC=musl-gcc LDFLAGS=-static && make", "linux/amd64 static -> /src/?"),
        ("ENV LDFLAGS=-static\nRUN ./configure && make -C src", "linux/amd64 static -> /src/src/?"),
        ("RUN ./configure CFLAGS=-m32 && make", "linux/386 cross glibc -> /src/?"),
        (
            "RUN mkdir b && cd b && ../configure --host=aarch64-linux-gnu && make",
            "linux/arm64 cross glibc -> /src/b/?",
        ),
        ("RUN ./configure --host=$(cat h) && make", "? ? -> "),
        (
            "RUN ./Configure linux-aarch64 --cross-compile-prefix=aarch64-linux-gnu- && make",
            "linux/arm64 cross glibc -> /src/?",
        ),
        ("RUN ./configure --arch=arm64 --enable-cross-compile && make", "? ? -> "),
        ("RUN make", "? ? -> "),
        ("RUN make CC=aarch64-linux-gnu-gcc", "linux/arm64 cross ? -> /src/?"),
        ("RUN make CROSS_COMPILE=aarch64-linux-gnu- ARCH=arm64", "linux/arm64 cross ? -> /src/?"),
        ("RUN CC=aarch64-linux-gnu-gcc make", "linux/arm64 cross ? -> /src/?"),
        ("RUN GOARCH=arm64 CC=aarch64-linux-gnu-gcc make", "linux/arm64 cross ? -> /src/?"),
        // A Makefile may set CC by itself.
        ("RUN CC=gcc make", "? ? -> "),
        ("RUN cd /other && ./configure --host=aarch64-linux-gnu; cd /src && make", "? ? -> "),
        // Which of the two, nobody knows.
        (
            "RUN if [ -f x ]; then ./configure; else ./configure --host=aarch64-linux-gnu; fi; make",
            "? ? -> ",
        ),
        ("RUN scons", "? ? -> "),
        ("RUN bazel build //...", "? ? -> "),
    ] {
        always("debian", body, &made(want));
    }
    compiles(
        "debian",
        "RUN case $TARGETARCH in arm64) H=--host=aarch64-linux-gnu ;; esac; ./configure $H && make",
        &made("linux/arm64 cross glibc -> /src/?"),
        &made("linux/amd64 glibc -> /src/?"),
    );
}

#[test]
fn cmake_ninja_and_meson() {
    for (body, want) in [
        ("RUN cmake -B build -S . && cmake --build build", "linux/amd64 glibc -> /src/build"),
        ("RUN mkdir build && cd build && cmake .. && make", "linux/amd64 glibc -> /src/build"),
        (
            "RUN cmake -Bb -GNinja -DCMAKE_TOOLCHAIN_FILE=/t/aarch64-linux-gnu.cmake\nRUN ninja -C b",
            "linux/arm64 cross glibc -> /src/b",
        ),
        (
            "COPY <<EOF /t.cmake\nset(CMAKE_SYSTEM_PROCESSOR aarch64)\nset(CMAKE_C_COMPILER /usr/bin/aarch64-linux-gnu-gcc)\nEOF\nRUN cmake -B b --toolchain /t.cmake && cmake --build b",
            "linux/arm64 cross glibc -> /src/b",
        ),
        ("RUN cmake -B b -DCMAKE_TOOLCHAIN_FILE=/vcpkg/vcpkg.cmake && cmake --build b", "? ? -> "),
        (
            "RUN cmake -B b -D CMAKE_C_COMPILER=aarch64-linux-gnu-gcc && cmake --build b",
            "linux/arm64 cross glibc -> /src/b",
        ),
        (
            "RUN cmake -B b -DCMAKE_C_COMPILER:STRING=clang -DCMAKE_EXE_LINKER_FLAGS=-static && cmake --build b",
            "linux/amd64 static -> /src/b",
        ),
        (
            "RUN cmake -B b -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 && cmake --build b",
            "? ? -> ",
        ),
        (
            "RUN cmake -B b -DCMAKE_C_FLAGS=-m32 && cmake --build b",
            "linux/386 cross glibc -> /src/b",
        ),
        ("RUN cmake --preset arm && cmake --build --preset arm", "? ? -> "),
        ("RUN cmake --build elsewhere", "? ? -> "),
        ("RUN meson setup b && meson compile -C b", "linux/amd64 glibc -> /src/b"),
        (
            "RUN meson b --cross-file cross/aarch64-linux-gnu.ini && ninja -C b",
            "linux/arm64 cross glibc -> /src/b",
        ),
        (
            "COPY <<EOF x.txt\n[binaries]\nc = 'aarch64-linux-gnu-gcc'\nEOF\nRUN meson setup b --cross-file x.txt && meson compile -C b",
            "linux/arm64 cross glibc -> /src/b",
        ),
        ("RUN meson setup b --cross-file x.txt && meson compile -C b", "? ? -> "),
    ] {
        always("debian", body, &format!("Make for {want}"));
    }
    // The name alone says the platform, where the file is not known.
    compiles(
        "debian",
        "RUN cmake -B b -DCMAKE_TOOLCHAIN_FILE=/t/$TARGETARCH.cmake && cmake --build b",
        "Make for linux/arm64 cross ? -> /src/b",
        "Make for linux/amd64 ? -> /src/b",
    );
}

#[test]
fn installations() {
    let text = |install: &str| {
        format!(
            "FROM --platform=$BUILDPLATFORM debian AS b\nWORKDIR /s\nRUN {install}\nFROM debian\nCOPY --from=b /out /\n"
        )
    };
    let staged = |platform: &str, install: &str, path: &str| {
        let text = text(install);
        let evaluation = evaluate(&text, platform);
        let files = &evaluation.stages[0].files;
        files.get(path).map(|a| format!("{} {}", a.machine, a.linkage))
    };
    for (install, path, want) in [
        (
            "./configure --prefix=/usr && make && make install DESTDIR=/out",
            "/out/usr",
            Some("linux/amd64 glibc"),
        ),
        (
            "./configure --prefix=/usr && make && make install DESTDIR=/out",
            "/out/usr/share",
            Some("any ?"),
        ),
        (
            "./configure --host=aarch64-linux-gnu --prefix=/opt/x && make install",
            "/opt/x",
            Some("linux/arm64 glibc"),
        ),
        ("./configure && make install", "/usr/local/bin", Some("linux/amd64 glibc")),
        ("./configure && make install", "/usr/local", None),
        (
            "cmake -B b -DCMAKE_INSTALL_PREFIX=/opt/y && cmake --build b --target install",
            "/opt/y",
            Some("linux/amd64 glibc"),
        ),
        (
            "cmake -B b && cmake --build b && DESTDIR=/out cmake --install b --prefix /usr",
            "/out/usr",
            Some("linux/amd64 glibc"),
        ),
        (
            "meson setup b --prefix=/opt/z && meson install -C b --destdir /out",
            "/out/opt/z",
            Some("linux/amd64 glibc"),
        ),
        (
            "meson setup b -Dprefix=/opt/z && DESTDIR=/out ninja -C b install",
            "/out/opt/z",
            Some("linux/amd64 glibc"),
        ),
        ("make CC=aarch64-linux-gnu-gcc PREFIX=/opt/w install", "/opt/w", Some("linux/arm64 ?")),
        ("make PREFIX=/opt/w install", "/opt/w", None),
        ("./configure --prefix=$(cat p) && make install", "/usr/local/bin", None),
    ] {
        for platform in ["linux/arm64", "linux/amd64"] {
            assert_eq!(staged(platform, install, path).as_deref(), want, "{install} {path}");
        }
    }
    brings(
        "FROM --platform=$BUILDPLATFORM alpine AS b\nWORKDIR /s\nRUN ./configure --prefix=/opt/x && make && make install DESTDIR=/out\nFROM alpine\nCOPY --from=b /out/opt/x/bin/tool /usr/bin/\nCOPY --from=b /out/opt/x/share/doc /doc\n",
        &["maybe /doc any ?", "maybe /usr/bin/tool linux/amd64 musl"],
        &["maybe /doc any ?", "maybe /usr/bin/tool linux/amd64 musl"],
    );
    lacks(&build_stage("debian", "RUN make install"), "linux/arm64", &["file /usr"]);
}

#[test]
fn where_c_is_the_only_language_make_links_the_stages_library() {
    let make = |packages: &str| {
        format!("FROM debian:12\nRUN apt-get install -y {packages}\nRUN cd /src && make\n")
    };
    has(&make("gcc make"), "linux/arm64", &["3: compile Make for linux/arm64 glibc ->"]);
    has(&make("gcc golang make"), "linux/arm64", &["3: compile Make for linux/arm64 ? ->"]);
    has(&make("make"), "linux/arm64", &["3: compile Make for linux/arm64 ? ->"]);
}

#[test]
fn a_configure_script_is_one_whatever_its_archive_is_called() {
    has(
        "FROM debian:12\n\
         RUN curl -LO https://h/c-x86_64.tar.xz && tar xf c-x86_64.tar.xz && cd c && ./configure\n",
        "linux/arm64",
        &["2: execute /c/configure (any)"],
    );
}
