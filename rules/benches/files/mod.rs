//! The files that the benches look at: two that are typical, and families that grow.

use std::fmt::Write as _;

use mlint_lint::CheckOptions;
use mlint_oci::Platform;

/// 40 lines with the idioms of a file that is right on every platform.
pub const CLEAN: &str = include_str!("clean.Dockerfile");

/// 40 lines like it that work on amd64 only.
pub const FINDINGS: &str = include_str!("findings.Dockerfile");

/// The platforms of the widest official images, and some more.
const PLATFORMS: [&str; 10] = [
    "linux/amd64",
    "linux/arm64",
    "linux/arm/v7",
    "linux/ppc64le",
    "linux/s390x",
    "linux/riscv64",
    "linux/386",
    "linux/arm/v6",
    "linux/mips64le",
    "linux/loong64",
];

/// A check for the first `n` platforms.
pub fn options(n: usize) -> CheckOptions {
    let platforms: Vec<Platform> =
        PLATFORMS[..n].iter().map(|p| p.parse().expect("a platform")).collect();
    CheckOptions { platforms, ..CheckOptions::default() }
}

/// A family of files: what grows, by how much, and the file of a given size.
pub struct Family {
    /// The name, for the command line.
    pub name: &'static str,
    /// What the size counts.
    pub counts: &'static str,
    /// The sizes to look at.
    pub sizes: &'static [usize],
    /// The file.
    pub make: fn(usize) -> String,
}

/// All families.
pub const FAMILIES: &[Family] = &[
    Family { name: "lines", counts: "lines", sizes: &[10, 100, 1_000, 10_000], make: lines },
    Family {
        name: "chain",
        counts: "stages, each FROM the one before",
        sizes: STAGES,
        make: chain,
    },
    Family { name: "fan", counts: "stages, one copies from all", sizes: STAGES, make: fan },
    Family {
        name: "diamond",
        counts: "stages, each copies from the two before",
        sizes: STAGES,
        make: diamond,
    },
    Family { name: "commands", counts: "commands in one RUN", sizes: MANY, make: commands },
    Family { name: "runs", counts: "RUN instructions", sizes: MANY, make: runs },
    Family { name: "files", counts: "files through three stages", sizes: MANY, make: files },
    Family {
        name: "inherit",
        counts: "stages, each with more to inherit",
        sizes: STAGES,
        make: inherit,
    },
    Family { name: "binds", counts: "RUNs with bind mounts", sizes: HUNDREDS, make: binds },
    Family {
        name: "mounted",
        counts: "RUNs that mount as many files",
        sizes: HUNDREDS,
        make: mounted,
    },
    Family { name: "findings", counts: "findings with fixes", sizes: FEW, make: findings },
    Family { name: "goarch", counts: "stages with a finding each", sizes: FEW, make: goarch },
    Family { name: "case", counts: "arms of one case", sizes: MANY, make: wide_case },
    Family { name: "ifs", counts: "unknown conditions in a row", sizes: MANY, make: ifs },
    Family { name: "lists", counts: "`a || b` lists in a row", sizes: MANY, make: lists },
    Family { name: "nesting", counts: "levels of ( )", sizes: &[10, 100, 1_000], make: nesting },
    Family { name: "env", counts: "ENV variables", sizes: MANY, make: env },
    Family { name: "args", counts: "ARGs and their uses", sizes: MANY, make: args },
    Family { name: "variables", counts: "shell variables", sizes: MANY, make: variables },
    Family { name: "append", counts: "appends to one variable", sizes: MANY, make: append },
    Family { name: "words", counts: "words of one command", sizes: MANY, make: words },
    Family { name: "loops", counts: "words of one for", sizes: HUNDREDS, make: loops },
    Family { name: "functions", counts: "functions and calls", sizes: HUNDREDS, make: functions },
    Family { name: "suppressions", counts: "suppressions", sizes: HUNDREDS, make: suppressions },
    Family { name: "comments", counts: "comment lines", sizes: MANY, make: comments },
    Family { name: "heredoc", counts: "lines of a here-document", sizes: MANY, make: heredoc },
];

const STAGES: &[usize] = &[1, 10, 100, 500];
const HUNDREDS: &[usize] = &[10, 100, 500];
const FEW: &[usize] = &[1, 5, 20, 80];
const MANY: &[usize] = &[10, 100, 1_000, 5_000];

/// Writes `n` times what `part` writes.
fn repeat(head: &str, n: usize, tail: &str, part: impl Fn(&mut String, usize)) -> String {
    let mut text = head.to_owned();
    for i in 0..n {
        part(&mut text, i);
    }
    text.push_str(tail);
    text
}

/// The clean file's stages again and again under other names, each time with a file of the time
/// before, until there are so many lines: the end of a file needs all of it.
fn lines(n: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for round in 0.. {
        for line in CLEAN.lines() {
            let mut line = line.to_owned();
            for name in ["build", "tools"] {
                line = line
                    .replace(&format!("AS {name}"), &format!("AS {name}{round}"))
                    .replace(&format!("from={name}"), &format!("from={name}{round}"));
            }
            let is_last_stage = line.starts_with("FROM alpine");
            if is_last_stage {
                line = format!("{line} AS end{round}");
            }
            lines.push(line);
            if is_last_stage && round > 0 {
                let before = round - 1;
                lines.push(format!("COPY --from=end{before} /usr/local/bin/tool /before"));
            }
        }
        if lines.len() >= n {
            break;
        }
    }
    lines.join("\n")
}

fn chain(n: usize) -> String {
    repeat("FROM debian:12 AS s0\nARG A=v\nENV E=$A\n", n, "", |text, i| {
        let _ = write!(
            text,
            "FROM s{i} AS s{next}\nARG A=v{i}\nENV E=$A\n\
             RUN curl -fsSLo /usr/bin/f https://example.org/f-$(uname -m) && chmod +x /usr/bin/f\n",
            next = i + 1
        );
    })
}

/// Each stage adds variables and a file to what all later ones have: the sum of what the stages
/// hold grows with the square of their number.
fn inherit(n: usize) -> String {
    repeat("FROM debian:12 AS s0\n", n, "", |text, i| {
        let _ = write!(
            text,
            "FROM s{i} AS s{next}\nARG A{i}=v\nENV E{i}=$A{i}\n\
             RUN curl -fsSLo /usr/bin/f{i} https://example.org/f-$(uname -m) && chmod +x /usr/bin/f{i}\n",
            next = i + 1
        );
    })
}

fn fan(n: usize) -> String {
    let mut tail = String::from("FROM scratch\n");
    for i in 0..n {
        let _ = writeln!(tail, "COPY --from=s{i} /out/f{i} /bin/");
    }
    repeat("", n, &tail, |text, i| {
        let _ = write!(
            text,
            "FROM --platform=$BUILDPLATFORM golang:1.25 AS s{i}\nARG TARGETARCH\n\
             RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/f{i} ./cmd/f{i}\n"
        );
    })
}

fn diamond(n: usize) -> String {
    let head = "FROM --platform=$BUILDPLATFORM golang:1.25 AS s0\nARG TARGETARCH\n\
                RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/x .\n\
                FROM s0 AS s1\n";
    repeat(head, n, "", |text, i| {
        let _ = write!(
            text,
            "FROM debian:12 AS s{}\nCOPY --from=s{} /out/ /out/\nCOPY --from=s{i} /out/ /out/\n",
            i + 2,
            i + 1
        );
    })
}

fn commands(n: usize) -> String {
    repeat("FROM debian:12\nRUN set -e", n, "\n", |text, i| {
        let _ = match i % 4 {
            0 => write!(text, "; \\\n  apt-get install -y package{i}"),
            1 => write!(text, "; \\\n  mkdir -p /opt/d{i}"),
            2 => write!(
                text,
                "; \\\n  curl -fsSLo /opt/f{i} \"https://example.org/$(uname -m)/f{i}\""
            ),
            _ => write!(text, "; \\\n  echo \"q{i}\" > /etc/f{i}"),
        };
    })
}

fn runs(n: usize) -> String {
    repeat("FROM debian:12\n", n, "", |text, i| {
        let _ = writeln!(text, "RUN make -C /src target{i} && install -m755 t{i} /usr/local/bin/");
    })
}

fn files(n: usize) -> String {
    let tail =
        "FROM debian:12 AS b\nCOPY --from=a /out/ /mid/\nFROM scratch\nCOPY --from=b /mid/ /bin/\n";
    repeat(
        "FROM --platform=$BUILDPLATFORM golang:1.25 AS a\nARG TARGETARCH\n",
        n,
        tail,
        |text, i| {
            let _ = writeln!(
                text,
                "RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/f{i} ./cmd/f{i}"
            );
        },
    )
}

fn binds(n: usize) -> String {
    let head = "FROM --platform=$BUILDPLATFORM golang:1.25 AS a\nARG TARGETARCH\n\
                RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/f ./cmd/f\n\
                FROM debian:12\n";
    repeat(head, n, "", |text, i| {
        let _ = writeln!(text, "RUN --mount=from=a,source=/out,target=/in cp /in/f /usr/bin/f{i}");
    })
}

/// Each of the mounts brings all the files, so their number grows with the square.
fn mounted(n: usize) -> String {
    let mut head =
        String::from("FROM --platform=$BUILDPLATFORM golang:1.25 AS a\nARG TARGETARCH\n");
    for i in 0..n {
        let _ =
            writeln!(head, "RUN CGO_ENABLED=0 GOARCH=$TARGETARCH go build -o /out/f{i} ./cmd/f{i}");
    }
    head.push_str("FROM debian:12\n");
    repeat(&head, n, "", |text, i| {
        let _ = writeln!(text, "RUN --mount=from=a,source=/out,target=/in cp /in/f{i} /usr/bin/");
    })
}

fn findings(n: usize) -> String {
    repeat("FROM debian:12\n", n, "", |text, i| {
        let _ = writeln!(
            text,
            "RUN curl -fsSLo /usr/bin/f{i} https://example.org/v1/f{i}-linux-amd64 && chmod +x /usr/bin/f{i}"
        );
    })
}

fn goarch(n: usize) -> String {
    let mut tail = String::from("FROM scratch\n");
    for i in 0..n {
        let _ = writeln!(tail, "COPY --from=s{i} /out/f{i} /bin/");
    }
    repeat("", n, &tail, |text, i| {
        let _ = write!(
            text,
            "FROM golang:1.25 AS s{i}\n\
             RUN CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -o /out/f{i} ./cmd/f{i}\n"
        );
    })
}

fn wide_case(n: usize) -> String {
    let tail = "*) word=other ;; esac; curl -fsSLO \"https://example.org/$word.tgz\"\n";
    repeat("FROM debian:12\nARG WHICH\nRUN case \"$WHICH\" in ", n, tail, |text, i| {
        let _ = writeln!(text, "w{i}) word=q{i} ;; \\");
    })
}

fn ifs(n: usize) -> String {
    repeat("FROM debian:12\nARG WHICH\nRUN set -e", n, "\n", |text, i| {
        let _ = write!(text, "; \\\n  if [ \"$WHICH\" = w{i} ]; then v{i}=a; else v{i}=b; fi");
    })
}

fn lists(n: usize) -> String {
    repeat("FROM debian:12\nRUN set -e", n, "\n", |text, i| {
        let _ = write!(text, "; \\\n  test -f /q{i} || touch /q{i} && make y{i}");
    })
}

fn nesting(n: usize) -> String {
    format!("FROM debian:12\nRUN {}make{}\n", "( ".repeat(n), " )".repeat(n))
}

fn env(n: usize) -> String {
    repeat("FROM debian:12\n", n, "RUN make\n", |text, i| {
        let _ = writeln!(text, "ENV VARIABLE_{i}=/opt/value/{i}");
    })
}

fn args(n: usize) -> String {
    repeat("FROM debian:12\n", n, "RUN make\n", |text, i| {
        let _ = write!(text, "ARG A{i}=1.{i}\nRUN curl -fsSLO https://example.org/v$A{i}.tgz\n");
    })
}

fn variables(n: usize) -> String {
    repeat("FROM debian:12\nRUN set -e", n, "\n", |text, i| {
        let _ = write!(text, "; \\\n  v{i}=q{i}; echo \"$v{i}\" > /f");
    })
}

fn append(n: usize) -> String {
    repeat("FROM debian:12\nRUN v=", n, "; make $v\n", |text, i| {
        let _ = write!(text, "; v=\"$v w{i}\"");
    })
}

fn words(n: usize) -> String {
    repeat("FROM debian:12\nRUN apt-get install -y", n, "\n", |text, i| {
        let _ = write!(text, " \\\n    package{i}=1.{i}");
    })
}

fn loops(n: usize) -> String {
    let tail = "; do curl -fsSLO https://example.org/$w; done\n";
    repeat("FROM debian:12\nRUN for w in", n, tail, |text, i| {
        let _ = write!(text, " w{i}");
    })
}

fn functions(n: usize) -> String {
    repeat("FROM debian:12\nRUN set -e", n, "\n", |text, i| {
        let _ = write!(
            text,
            "; \\\n  get{i}() {{ curl -fsSLO \"https://example.org/$1\"; }}; get{i} q{i}"
        );
    })
}

fn suppressions(n: usize) -> String {
    repeat("FROM debian:12\n", n, "", |text, i| {
        let _ = write!(
            text,
            "# mlint ignore=hardcoded-arch-url: this one runs under emulation\n\
             RUN curl -fsSLo /usr/bin/f{i} https://example.org/v1/f{i}-linux-amd64\n"
        );
    })
}

fn comments(n: usize) -> String {
    repeat("FROM debian:12\nRUN make\n", n, "RUN make install\n", |text, i| {
        let _ = writeln!(text, "# On amd64 and arm64, line {i}.");
    })
}

fn heredoc(n: usize) -> String {
    repeat("FROM debian:12\nRUN <<EOF\nset -e\n", n, "EOF\n", |text, i| {
        let _ = writeln!(text, "install -m 755 file{i} \"/usr/lib/$(uname -m)/file{i}\"");
    })
}
