//! What the builders are given to build.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Files of the large context, and directories that they are spread over.
const SMALL_FILES: usize = 20_000;
const DIRECTORIES: usize = 200;
/// Bytes of each of them.
const SMALL: usize = 4_096;
/// Large files, and the bytes of each.
const LARGE_FILES: usize = 50;
const LARGE: usize = 10 << 20;
/// Functions of the C program, which takes a while to compile.
const FUNCTIONS: usize = 400;
/// `RUN`s of the chain.
const CHAIN: usize = 20;

/// A context with its Dockerfile.
#[derive(Debug)]
pub(super) struct Context {
    /// The directory.
    pub dir: PathBuf,
    /// The Dockerfile, which lies beside it.
    pub file: PathBuf,
}

/// A chain of commands that do nothing.
pub(super) fn chain(work: &Path, host: &str) -> Result<Context> {
    let text = format!("FROM {host}/busybox:1.35\n{}", "RUN true\n".repeat(CHAIN));
    context(work, "chain", &text, |_| Ok(()))
}

/// 20,000 small files and 500 MB, copied; with `--link` or without.
pub(super) fn copy(work: &Path, host: &str, link: bool) -> Result<Context> {
    let flag = if link { "--link " } else { "" };
    let text = format!("FROM {host}/busybox:1.35\nCOPY {flag}. /data/\n");
    let file = work.join(format!("copy{}.Dockerfile", if link { "-link" } else { "" }));
    let context = context(work, "copy", &text, |dir| {
        let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
        for number in 0..SMALL_FILES {
            let at = dir.join(format!("small/{:03}", number % DIRECTORIES));
            fs::create_dir_all(&at)?;
            fs::write(at.join(format!("{number:05}.txt")), noise.text(SMALL))?;
        }
        fs::create_dir_all(dir.join("large"))?;
        for number in 0..LARGE_FILES {
            fs::write(dir.join(format!("large/{number:02}.txt")), noise.text(LARGE))?;
        }
        Ok(())
    })?;
    fs::rename(&context.file, &file).map_err(Error::file(&file))?;
    Ok(Context { file, ..context })
}

/// A Go program that the build platform compiles for each target: a small one, or one that takes the
/// network's packages along, most of whose build is the compiler's work.
pub(super) fn cross(work: &Path, host: &str, small: bool) -> Result<Context> {
    let text = format!(
        "FROM --platform=$BUILDPLATFORM {host}/golang:1.19 AS build\n\
         WORKDIR /src\n\
         COPY . .\n\
         ARG TARGETARCH\n\
         RUN CGO_ENABLED=0 GOARCH=$TARGETARCH GO111MODULE=off GOCACHE=/tmp/cache \
         go build -o /app main.go\n\
         FROM {host}/busybox:1.35\n\
         COPY --from=build /app /usr/bin/app\n"
    );
    let (name, program) = match small {
        true => (
            "cross-small",
            "package main\n\nimport (\n\t\"fmt\"\n\t\"runtime\"\n)\n\n\
             func main() {\n\tfmt.Println(runtime.GOARCH)\n}\n",
        ),
        false => (
            "cross",
            "package main\n\nimport (\n\t\"fmt\"\n\t\"net/http\"\n\t\"runtime\"\n)\n\n\
             func main() {\n\tfmt.Println(runtime.GOARCH, http.StatusText(200))\n}\n",
        ),
    };
    context(work, name, &text, |dir| fs::write(dir.join("main.go"), program))
}

/// A C program that every platform compiles itself.
pub(super) fn emulated(work: &Path, host: &str) -> Result<Context> {
    let text = format!(
        "FROM {host}/gcc:12 AS build\n\
         COPY main.c .\n\
         RUN gcc -O2 -static -o /app main.c\n\
         FROM {host}/busybox:1.35\n\
         COPY --from=build /app /usr/bin/app\n"
    );
    context(work, "emulated", &text, |dir| {
        let mut program = String::from("#include <stdio.h>\n");
        for number in 0..FUNCTIONS {
            program += &format!(
                "static int f{number}(int n) {{\n  int sum = {number};\n  \
                 for (int i = 0; i < n; i++) sum = sum * {} + (i ^ sum >> 3);\n  return sum;\n}}\n",
                number + 3
            );
        }
        program += "int main(int argc, char **argv) {\n  int sum = 0;\n  (void)argv;\n";
        for number in 0..FUNCTIONS {
            program += &format!("  sum ^= f{number}(argc + {number});\n");
        }
        fs::write(dir.join("main.c"), program + "  printf(\"%d\\n\", sum);\n  return 0;\n}\n")
    })
}

/// Makes a context once; its Dockerfile each time.
fn context(
    work: &Path,
    name: &str,
    text: &str,
    fill: impl FnOnce(&Path) -> std::io::Result<()>,
) -> Result<Context> {
    let dir = work.join(name);
    if !dir.exists() {
        fs::create_dir_all(&dir).map_err(Error::file(&dir))?;
        fill(&dir).map_err(Error::file(&dir))?;
    }
    let file = work.join(format!("{name}.Dockerfile"));
    fs::write(&file, text).map_err(Error::file(&file))?;
    Ok(Context { dir, file })
}

/// Text that compresses as sources do: words of a small vocabulary, and numbers between them.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn text(&mut self, bytes: usize) -> Vec<u8> {
        const WORDS: [&str; 16] = [
            "return", "static", "index", "layer", "platform", "while", "result", "(value)", "{\n",
            "}\n", "= 0;\n", "// the", "buffer", "const", "offset", "digest",
        ];
        let mut out = Vec::with_capacity(bytes + 32);
        while out.len() < bytes {
            let random = self.next();
            out.extend_from_slice(WORDS[(random % 16) as usize].as_bytes());
            let _ = write!(out, " {:x} ", random >> 40);
        }
        out.truncate(bytes);
        out
    }
}
