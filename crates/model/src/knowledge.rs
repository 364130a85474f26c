//! What is known about images by their names.

use mlint_oci::Reference;

use crate::machine::Libc;

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

/// What an image's name tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageTraits {
    /// Its C library.
    pub libc: Libc,
    /// The toolchains in it.
    pub toolchains: Vec<Toolchain>,
    /// Variables of its environment that matter to toolchains.
    pub env: Vec<(String, String)>,
    /// Its working directory.
    pub directory: String,
}

/// Distributions, and images that other systems' names stand for, by the last part of their name.
const MUSL: &[&str] =
    &["alpine", "caddy", "traefik", "docker", "registry", "vault", "consul", "composer", "dind"];
const NO_LIBC: &[&str] = &[
    "scratch",
    "static",
    "static-debian11",
    "static-debian12",
    "static-debian13",
    "hello-world",
    "nats",
    "static-nossl",
];
const GLIBC: &[&str] = &[
    "debian",
    "ubuntu",
    "fedora",
    "centos",
    "almalinux",
    "rockylinux",
    "oraclelinux",
    "amazonlinux",
    "archlinux",
    "opensuse",
    "leap",
    "tumbleweed",
    "photon",
    "mariner",
    "azurelinux",
    "wolfi-base",
    "glibc-dynamic",
    "gentoo",
    "clearlinux",
    "cuda",
    "slim-glibc",
    "ubi7",
    "ubi8",
    "ubi9",
    "ubi10",
    "ubi-minimal",
    "ubi-micro",
    "buildpack-deps",
    "golang",
    "rust",
    "gcc",
    "python",
    "node",
    "ruby",
    "php",
    "perl",
    "openjdk",
    "eclipse-temurin",
    "amazoncorretto",
    "maven",
    "gradle",
    "tomcat",
    "jetty",
    "httpd",
    "nginx",
    "postgres",
    "mysql",
    "mariadb",
    "redis",
    "mongo",
    "memcached",
    "haproxy",
    "rabbitmq",
    "haskell",
    "erlang",
    "elixir",
    "swift",
    "julia",
    "r-base",
    "clojure",
    "dart",
    "bun",
    "deno",
    "bullseye",
    "bookworm",
];

/// Tag parts that name a distribution.
const GLIBC_TAGS: &[&str] = &[
    "buster", "bullseye", "bookworm", "trixie", "sid", "slim", "jammy", "noble", "focal", "bionic",
    "ubuntu", "debian", "ubi8", "ubi9", "centos7", "al2", "al2023", "chiseled", "glibc",
];

/// What the name of an image tells about it. Unknown names tell nothing.
pub fn image(reference: &str) -> ImageTraits {
    let Ok(reference) = Reference::parse(reference) else {
        return ImageTraits { directory: "/".to_owned(), ..ImageTraits::default() };
    };
    let repository = reference.repository();
    let name = repository.rsplit('/').next().unwrap_or(repository);
    let tag = reference.tag().unwrap_or("latest");
    let libc = libc(repository, name, tag);
    let mut traits = ImageTraits {
        libc,
        toolchains: toolchains(repository, name, tag),
        env: Vec::new(),
        directory: "/".to_owned(),
    };
    let path = crate::scope::DEFAULT_PATH;
    let mut env = |name: &str, text: String| traits.env.push((name.to_owned(), text));
    match reference.official_name() {
        Some("golang") => {
            env("PATH", format!("/go/bin:/usr/local/go/bin:{path}"));
            env("GOPATH", "/go".to_owned());
            traits.directory = "/go".to_owned();
        }
        Some("rust") => {
            env("PATH", format!("/usr/local/cargo/bin:{path}"));
            env("RUSTUP_HOME", "/usr/local/rustup".to_owned());
            env("CARGO_HOME", "/usr/local/cargo".to_owned());
        }
        Some("debian" | "ubuntu" | "alpine" | "fedora" | "busybox" | "node") => {
            env("PATH", path.to_owned());
        }
        _ => {}
    }
    traits
}

fn tag_parts(tag: &str) -> impl Iterator<Item = &str> {
    tag.split(['-', '_', '.'])
}

fn libc(repository: &str, name: &str, tag: &str) -> Libc {
    let tag_says = |part: &str| tag_parts(tag).any(|p| p.starts_with(part));
    if name == "busybox" {
        // Only the glibc variant brings a loader; the others hold one static program.
        return match () {
            () if tag_says("glibc") => Libc::Glibc,
            () if tag_says("musl") || tag_says("uclibc") => Libc::None,
            () => Libc::Unknown,
        };
    }
    if repository.contains("distroless/") || repository.starts_with("chainguard/") {
        return match () {
            () if name.starts_with("static") => Libc::None,
            () if name.starts_with("musl") => Libc::Musl,
            () => Libc::Glibc,
        };
    }
    if tag_says("alpine") || tag_says("musl") || name.contains("alpine") {
        return Libc::Musl;
    }
    if NO_LIBC.contains(&name) {
        return Libc::None;
    }
    if tag_parts(tag).any(|p| GLIBC_TAGS.contains(&p)) {
        return Libc::Glibc;
    }
    let official = repository.starts_with("library/");
    let system = official || repository.matches('/').count() <= 1;
    match () {
        () if official && MUSL.contains(&name) => Libc::Musl,
        () if repository.starts_with("dotnet/") => Libc::Glibc,
        () if system && GLIBC.contains(&name) => Libc::Glibc,
        () => Libc::Unknown,
    }
}

fn toolchains(repository: &str, name: &str, tag: &str) -> Vec<Toolchain> {
    let small = tag_parts(tag).any(|p| p.starts_with("alpine") || p == "slim");
    let alpine = tag_parts(tag).any(|p| p.starts_with("alpine"));
    // golang:*-alpine brings no C compiler; rust's variants all do.
    let with_c = |toolchain, c: bool| {
        let mut out = vec![toolchain];
        if c {
            out.push(Toolchain::C);
        }
        out
    };
    match name {
        "golang" | "go" => with_c(Toolchain::Go, !alpine),
        "rust" | "muslrust" | "rust-musl-cross" | "rust-musl-builder" => {
            with_c(Toolchain::Rust, !tag_parts(tag).any(|p| p == "slim") || alpine)
        }
        "gcc" | "buildpack-deps" | "clang" => vec![Toolchain::C],
        "node" | "bun" | "deno" => with_c(Toolchain::Node, !small),
        "python" | "pypy" => with_c(Toolchain::Python, !small),
        "ruby" | "jruby" => with_c(Toolchain::Ruby, !small),
        "php" => vec![Toolchain::Php],
        "maven" | "gradle" | "openjdk" | "eclipse-temurin" | "amazoncorretto" | "ibmjava" => {
            vec![Toolchain::Java]
        }
        "sdk" if repository.starts_with("dotnet/") => vec![Toolchain::DotNet],
        "zig" => vec![Toolchain::Zig],
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
            ("cgr.dev/chainguard/static", Libc::None),
            ("busybox:1.36-musl", Libc::None),
            ("busybox:glibc", Libc::Glibc),
            ("busybox", Libc::Unknown),
            ("mcr.microsoft.com/dotnet/runtime:8.0-alpine", Libc::Musl),
            ("mcr.microsoft.com/dotnet/runtime:8.0", Libc::Glibc),
            ("registry.access.redhat.com/ubi9/ubi-minimal", Libc::Glibc),
            ("example.com/team/thing:1", Libc::Unknown),
            ("caddy:2", Libc::Musl),
            ("not a reference", Libc::Unknown),
        ] {
            assert_eq!(image(reference).libc, want, "{reference}");
        }
    }

    #[test]
    fn toolchains_by_name() {
        let of = |reference| image(reference).toolchains;
        assert_eq!(of("golang:1.22"), [Toolchain::Go, Toolchain::C]);
        assert_eq!(of("golang:1.22-alpine"), [Toolchain::Go]);
        assert_eq!(of("rust:1-alpine"), [Toolchain::Rust, Toolchain::C]);
        assert_eq!(of("mcr.microsoft.com/dotnet/sdk:8.0"), [Toolchain::DotNet]);
        assert!(of("debian:12").is_empty());
        assert_eq!(image("golang:1.22").directory, "/go");
    }
}
