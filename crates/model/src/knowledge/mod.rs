//! What is known about images by their names.

mod content;
mod environment;
mod systems;
mod variables;

pub(crate) use content::content;

use mlint_oci::Reference;

use crate::{
    machine::Libc,
    value::{GAP, Value},
};

/// A toolchain that an image brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Toolchain {
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// A C compiler.
    C,
    /// Node.
    Node,
    /// Python.
    Python,
    /// .NET's SDK.
    DotNet,
    /// A JDK, Maven, Gradle.
    Java,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// Zig.
    Zig,
}

/// What `/bin/sh` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Sh {
    /// Debian's and Ubuntu's: POSIX and little more.
    Dash,
    /// bash, called as `sh`: Red Hat's, SUSE's, Arch's.
    Bash,
    /// busybox's: Alpine's, Wolfi's.
    Ash,
    /// There is none.
    None,
    /// Not known.
    #[default]
    Unknown,
}

/// What an image's name tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageTraits {
    /// Its C library.
    pub libc: Libc,
    /// Its shell.
    pub sh: Sh,
    /// The toolchains in it.
    pub toolchains: Vec<Toolchain>,
    /// Variables of its environment that matter to toolchains.
    pub env: Vec<(String, String)>,
    /// Other variables of its environment, whose values change from version to version.
    pub varying: Vec<&'static str>,
    /// Its working directory.
    pub directory: String,
    /// The home folder of its user; `None` if the user is not root and the folder is not known.
    pub home: Option<String>,
}

/// What the name of an image tells about it. Unknown names tell nothing.
pub fn image(reference: &str) -> ImageTraits {
    let Ok(reference) = Reference::parse(reference) else {
        return ImageTraits {
            directory: "/".to_owned(),
            home: Some("/root".to_owned()),
            ..ImageTraits::default()
        };
    };
    let name = Name::of(&reference);
    let system = systems::of(&name);
    let known = environment::of(&name);
    ImageTraits {
        libc: system.libc(),
        sh: system.sh(),
        toolchains: toolchains(&name),
        env: known.env,
        varying: variables::of(&name),
        directory: known.directory,
        home: known.home,
    }
}

/// As [`image`], of a reference that need not be known as a whole: the rest of it may decide.
pub(crate) fn image_of(reference: &Value) -> ImageTraits {
    let text = reference.spelling();
    let Some(filled) = fill(&text) else { return image(&text) };
    let traits = image(&filled);
    match says_system(&filled) {
        true => traits,
        // The unknown part may name another system.
        false => ImageTraits {
            libc: Libc::Unknown,
            sh: Sh::Unknown,
            toolchains: traits.toolchains.into_iter().filter(|t| *t != Toolchain::C).collect(),
            ..traits
        },
    }
}

/// The text of a reference for the shell's dialect: with its unknown parts filled, where the rest
/// says which system it is.
pub(crate) fn says_shell(reference: &Value) -> Option<String> {
    let text = reference.spelling();
    match fill(&text) {
        None => Some(text.into_owned()),
        Some(filled) => Some(filled).filter(|filled| says_system(filled)),
    }
}

/// A reference with something for each unknown part; `None` if there is none.
fn fill(text: &str) -> Option<String> {
    text.contains(GAP).then(|| text.replace(GAP, "x"))
}

fn says_system(reference: &str) -> bool {
    Reference::parse(reference).is_ok_and(|r| systems::is_told(&Name::of(&r)))
}

/// Whether an image's configuration sets no variable but PATH: those of distributions.
pub(crate) fn sets_only_path(reference: &str) -> bool {
    const PLAIN: &[&str] = &[
        "debian",
        "ubuntu",
        "alpine",
        "busybox",
        "almalinux",
        "rockylinux",
        "amazonlinux",
        "oraclelinux",
        "buildpack-deps",
    ];
    let reference = Reference::parse(reference).ok();
    reference.is_some_and(|r| r.official_name().is_some_and(|name| PLAIN.contains(&name)))
}

/// A reference, taken apart for the tables.
struct Name<'r> {
    /// `docker.io`, `gcr.io`.
    registry: &'r str,
    /// `library/golang`, `dotnet/sdk`.
    repository: &'r str,
    /// Its last part.
    last: &'r str,
    tag: &'r str,
    /// The name among the official images.
    official: Option<&'r str>,
}

impl<'r> Name<'r> {
    fn of(reference: &'r Reference) -> Self {
        let repository = reference.repository();
        Self {
            registry: reference.registry(),
            repository,
            last: repository.rsplit('/').next().unwrap_or(repository),
            tag: reference.tag().unwrap_or("latest"),
            official: reference.official_name(),
        }
    }

    /// The parts of the tag between its dashes, dots and underscores.
    fn tag_parts(&self) -> impl Iterator<Item = &'r str> {
        self.tag.split(['-', '_', '.'])
    }

    /// Whether a part of the tag starts so: `alpine3` of `20-alpine3.19`.
    fn tag_says(&self, word: &str) -> bool {
        self.tag_parts().any(|p| p.starts_with(word))
    }

    /// The first two numbers of the tag.
    fn version(&self) -> Option<(u32, Option<u32>)> {
        let mut numbers = self.tag.split('-').next()?.split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next().and_then(|n| n.parse().ok())))
    }

    /// Whether the repository is below one of these.
    fn is_below(&self, owners: &[&str]) -> bool {
        owners.iter().any(|owner| {
            self.repository.strip_prefix(owner).is_some_and(|rest| rest.starts_with('/'))
        })
    }
}

fn toolchains(name: &Name<'_>) -> Vec<Toolchain> {
    let alpine = name.tag_says("alpine");
    let small = alpine || name.tag_parts().any(|p| p == "slim");
    // golang:*-alpine brings no C compiler; rust's variants all do.
    let with_c = |toolchain, c: bool| {
        let mut out = vec![toolchain];
        if c {
            out.push(Toolchain::C);
        }
        out
    };
    match name.last {
        "golang" | "go" | "go-toolset" => with_c(Toolchain::Go, !alpine),
        "rust" | "muslrust" | "rust-musl-cross" | "rust-musl-builder" => {
            with_c(Toolchain::Rust, !name.tag_parts().any(|p| p == "slim") || alpine)
        }
        "cargo-chef" => with_c(Toolchain::Rust, true),
        "gcc" | "buildpack-deps" | "clang" | "swift" | "haskell" => vec![Toolchain::C],
        "node" | "bun" | "deno" => with_c(Toolchain::Node, !small),
        "python" | "pypy" => with_c(Toolchain::Python, !small),
        "ruby" | "jruby" => with_c(Toolchain::Ruby, !small),
        "php" => vec![Toolchain::Php],
        "composer" => vec![Toolchain::Php],
        "maven"
        | "gradle"
        | "openjdk"
        | "eclipse-temurin"
        | "amazoncorretto"
        | "ibmjava"
        | "sapmachine"
        | "ibm-semeru-runtimes"
        | "jdk"
        | "graalvm-community"
        | "jdk-community"
        | "native-image-community"
        | "native-image"
        | "clojure"
        | "sbt"
        | "groovy"
        | "zulu-openjdk"
        | "liberica-openjdk-debian"
        | "liberica-openjdk-alpine" => {
            vec![Toolchain::Java]
        }
        "sdk" if name.is_below(&["dotnet"]) => vec![Toolchain::DotNet],
        "zig" => vec![Toolchain::Zig],
        "micromamba" | "miniconda3" | "miniforge3" | "mambaforge" | "anaconda3" | "uv"
        | "jupyter" => vec![Toolchain::Python],
        last if name.repository.starts_with("ubi") => match last.split('-').next() {
            Some("nodejs") => with_c(Toolchain::Node, true),
            Some("python") => with_c(Toolchain::Python, true),
            Some("openjdk") => vec![Toolchain::Java],
            Some("ruby") => with_c(Toolchain::Ruby, true),
            Some("php") => vec![Toolchain::Php],
            Some("dotnet") => vec![Toolchain::DotNet],
            _ => Vec::new(),
        },
        last if last.starts_with("manylinux") || last.starts_with("musllinux") => {
            with_c(Toolchain::Python, true)
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_libraries_by_name() {
        for (reference, want) in [
            ("alpine", Libc::Musl),
            ("alpine:3.20", Libc::Musl),
            ("golang:1.22-alpine3.19", Libc::Musl),
            ("golang:1.22", Libc::Glibc),
            ("debian:12-slim", Libc::Glibc),
            ("node:20-bookworm-slim", Libc::Glibc),
            ("docker.io/library/ubuntu:24.04", Libc::Glibc),
            ("gcr.io/distroless/static-debian12:nonroot", Libc::None),
            ("gcr.io/distroless/static", Libc::None),
            ("gcr.io/distroless/base-debian12", Libc::Glibc),
            ("gcr.io/distroless/nodejs20-debian12", Libc::Glibc),
            ("cgr.dev/chainguard/static", Libc::None),
            ("cgr.dev/chainguard/go:latest-dev", Libc::Glibc),
            ("cgr.dev/chainguard/wolfi-base", Libc::Glibc),
            ("cgr.dev/chainguard/musl-dynamic", Libc::Musl),
            ("busybox:1.36-musl", Libc::None),
            ("busybox:glibc", Libc::Glibc),
            ("busybox", Libc::Unknown),
            ("example.com/mirror/busybox:1-musl", Libc::None),
            ("example.com/team/thing:1-musl", Libc::Musl),
            ("mcr.microsoft.com/dotnet/runtime:8.0-alpine", Libc::Musl),
            ("mcr.microsoft.com/dotnet/runtime:8.0", Libc::Glibc),
            ("mcr.microsoft.com/dotnet/runtime-deps:8.0-jammy-chiseled", Libc::Glibc),
            ("mcr.microsoft.com/windows/nanoserver:ltsc2022", Libc::Unknown),
            ("registry.access.redhat.com/ubi9/ubi-minimal", Libc::Glibc),
            ("registry.access.redhat.com/ubi9/go-toolset:1.21", Libc::Glibc),
            ("public.ecr.aws/lambda/python:3.12", Libc::Glibc),
            ("public.ecr.aws/docker/library/alpine:3", Libc::Musl),
            ("public.ecr.aws/amazonlinux/amazonlinux:2023", Libc::Glibc),
            ("nvidia/cuda:12.4.1-devel-ubuntu22.04", Libc::Glibc),
            ("nvcr.io/nvidia/pytorch:24.05-py3", Libc::Glibc),
            ("mambaorg/micromamba:1.5", Libc::Glibc),
            ("mambaorg/micromamba:1.5-alpine", Libc::Musl),
            ("bitnami/node:20", Libc::Glibc),
            ("ghcr.io/astral-sh/uv:0.4", Libc::None),
            ("ghcr.io/astral-sh/uv:python3.12-bookworm-slim", Libc::Glibc),
            ("ghcr.io/astral-sh/uv:python3.12-alpine", Libc::Musl),
            ("hexpm/elixir:1.16.2-erlang-26.2.4-alpine-3.19.1", Libc::Musl),
            ("hexpm/elixir:1.16.2-erlang-26.2.4-debian-bookworm-20240408-slim", Libc::Glibc),
            ("eclipse-temurin:21-jre-alpine", Libc::Musl),
            ("ghcr.io/graalvm/native-image-community:21", Libc::Glibc),
            ("quay.io/pypa/musllinux_1_2_x86_64", Libc::Musl),
            ("quay.io/pypa/manylinux2014_aarch64", Libc::Glibc),
            ("tonistiigi/xx", Libc::None),
            ("hashicorp/terraform:1.8", Libc::Musl),
            ("example.com/team/thing:1", Libc::Unknown),
            ("example.com/team/debian-based-thing:1", Libc::Unknown),
            ("example.com/team/thing:1-alpine", Libc::Musl),
            ("caddy:2", Libc::Musl),
            ("not a reference", Libc::Unknown),
        ] {
            assert_eq!(image(reference).libc, want, "{reference}");
        }
    }

    #[test]
    fn shells_by_name() {
        for (reference, want) in [
            ("debian:12", Sh::Dash),
            ("node:20-slim", Sh::Dash),
            ("alpine", Sh::Ash),
            ("python:3-alpine", Sh::Ash),
            ("fedora:40", Sh::Bash),
            ("registry.access.redhat.com/ubi9/ubi", Sh::Bash),
            ("amazonlinux:2023", Sh::Bash),
            ("cgr.dev/chainguard/wolfi-base", Sh::Ash),
            ("gcr.io/distroless/base", Sh::None),
            ("gcr.io/distroless/base:debug", Sh::Ash),
            ("busybox", Sh::Ash),
            ("example.com/mirror/busybox:musl", Sh::Ash),
            ("example.com/team/thing:1-musl", Sh::Unknown),
            ("example.com/x", Sh::Unknown),
        ] {
            assert_eq!(image(reference).sh, want, "{reference}");
        }
    }

    #[test]
    fn toolchains_by_name() {
        let of = |reference| image(reference).toolchains;
        assert_eq!(of("golang:1.22"), [Toolchain::Go, Toolchain::C]);
        assert_eq!(of("golang:1.22-alpine"), [Toolchain::Go]);
        assert_eq!(of("rust:1-alpine"), [Toolchain::Rust, Toolchain::C]);
        assert_eq!(of("mcr.microsoft.com/dotnet/sdk:8.0"), [Toolchain::DotNet]);
        assert_eq!(
            of("registry.access.redhat.com/ubi9/nodejs-20"),
            [Toolchain::Node, Toolchain::C]
        );
        assert!(of("debian:12").is_empty());
    }

    #[test]
    fn environments_by_name() {
        let env = |reference: &str, name: &str| {
            let traits = image(reference);
            traits.env.into_iter().find(|(n, _)| n == name).map(|(_, v)| v)
        };
        assert_eq!(image("golang:1.22").directory, "/go");
        assert_eq!(env("golang:1.22", "GOPATH").as_deref(), Some("/go"));
        assert_eq!(env("eclipse-temurin:21", "JAVA_HOME").as_deref(), Some("/opt/java/openjdk"));
        assert_eq!(env("maven:3-amazoncorretto-21", "JAVA_HOME"), None);
        assert_eq!(env("ruby:3", "GEM_HOME").as_deref(), Some("/usr/local/bundle"));
        assert_eq!(env("example.com/golang", "GOPATH"), None);
        assert_eq!(image("mambaorg/micromamba").home.as_deref(), Some("/home/mambauser"));
        assert_eq!(
            image("gcr.io/distroless/static:nonroot").home.as_deref(),
            Some("/home/nonroot")
        );
        assert_eq!(image("debian").home.as_deref(), Some("/root"));
        assert_eq!(image("php:8-apache").directory, "/var/www/html");
    }
}
