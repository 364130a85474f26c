//! Which system an image is made of, by its name.

use super::{Name, Sh};
use crate::machine::Libc;

/// What an image's files are built on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum System {
    /// Debian, Ubuntu and what is made of them.
    Debian,
    /// Alpine.
    Alpine,
    /// Fedora, Red Hat, Amazon, SUSE, Arch, Azure Linux: glibc, and bash as the shell.
    Rpm,
    /// Wolfi: glibc with busybox.
    Wolfi,
    /// glibc and no shell: distroless, chiselled images.
    BareGlibc,
    /// musl and no shell.
    BareMusl,
    /// No C library, and no shell.
    Bare,
    /// busybox, statically linked.
    Busybox,
    /// busybox, with glibc.
    BusyboxGlibc,
    /// Some system with glibc.
    Glibc,
    /// Some system with musl.
    Musl,
    /// busybox as the shell; nothing else is known.
    Ash,
    /// Not known.
    Unknown,
}

impl System {
    pub(super) fn libc(self) -> Libc {
        match self {
            Self::Debian
            | Self::Rpm
            | Self::Wolfi
            | Self::BareGlibc
            | Self::BusyboxGlibc
            | Self::Glibc => Libc::Glibc,
            Self::Alpine | Self::BareMusl | Self::Musl => Libc::Musl,
            Self::Bare | Self::Busybox => Libc::None,
            Self::Ash | Self::Unknown => Libc::Unknown,
        }
    }

    pub(super) fn sh(self) -> Sh {
        match self {
            Self::Debian => Sh::Dash,
            Self::Rpm => Sh::Bash,
            Self::Alpine | Self::Wolfi | Self::Busybox | Self::BusyboxGlibc | Self::Ash => Sh::Ash,
            Self::BareGlibc | Self::BareMusl | Self::Bare => Sh::None,
            Self::Glibc | Self::Musl | Self::Unknown => Sh::Unknown,
        }
    }
}

/// Parts of a tag that name the system.
#[rustfmt::skip]
const DEBIAN_TAGS: &[&str] = &[
    "stretch", "buster", "bullseye", "bookworm", "trixie", "forky", "sid", "slim", "debian",
    "xenial", "bionic", "focal", "jammy", "noble", "oracular", "plucky", "ubuntu",
];
#[rustfmt::skip]
const RPM_TAGS: &[&str] = &[
    "ubi7", "ubi8", "ubi9", "ubi10", "centos7", "centos8", "al2", "al2023", "ol7", "ol8", "ol9",
    "mariner2", "azurelinux3", "azurelinux", "fedora", "oraclelinux8", "oraclelinux9", "rockylinux8",
    "rockylinux9",
];

/// Official images that are Debian's or Ubuntu's where the tag says nothing else.
#[rustfmt::skip]
const DEBIAN: &[&str] = &[
    "adoptopenjdk", "buildpack-deps", "bun", "cassandra", "clojure", "couchdb", "dart", "debian",
    "deno", "drupal", "eclipse-temurin", "elixir", "erlang", "flink", "gcc", "ghost", "golang",
    "gradle", "groovy", "haproxy", "haskell", "httpd", "hylang", "ibmjava", "influxdb", "jetty",
    "joomla", "julia", "kapacitor", "mariadb", "maven", "memcached", "mono", "nextcloud", "neo4j",
    "nginx", "node", "odoo", "perl", "php", "php-zendserver", "postgres", "pypy", "python",
    "r-base", "rabbitmq", "redis", "redmine", "rethinkdb", "rocket-chat", "ros", "ruby", "rust",
    "sapmachine", "solr", "spark", "swift", "swipl", "telegraf", "tomcat", "tomee", "ubuntu",
    "unit", "varnish", "wordpress", "zookeeper",
];

/// Official images with glibc, of one system or another.
const GLIBC: &[&str] = &[
    "clearlinux",
    "elasticsearch",
    "gentoo",
    "kibana",
    "logstash",
    "mongo",
    "mysql",
    "openjdk",
    "percona",
];

/// Official images of Red Hat's, Amazon's, SUSE's and Arch's kind.
#[rustfmt::skip]
const RPM: &[&str] = &[
    "almalinux", "amazoncorretto", "amazonlinux", "archlinux", "centos", "fedora", "mageia",
    "opensuse", "oraclelinux", "photon", "rockylinux",
];

/// Official images that are Alpine's where the tag says nothing else.
#[rustfmt::skip]
const ALPINE: &[&str] = &[
    "alpine", "caddy", "chronograf-alpine", "composer", "consul", "docker", "eclipse-mosquitto",
    "express-gateway", "mongo-express", "registry", "traefik", "vault",
];

/// Other images by owner or full name, the first row that fits.
#[rustfmt::skip]
const OTHERS: &[(&str, System)] = &[
    ("alpine/", System::Alpine),
    ("amazon/aws-cli", System::Rpm),
    ("amazon/aws-lambda", System::Rpm),
    ("amazonlinux/", System::Rpm),
    ("azul/zulu-openjdk-alpine", System::Alpine),
    ("azul/zulu-openjdk-centos", System::Rpm),
    ("azul/", System::Debian),
    ("azurelinux/distroless", System::BareGlibc),
    ("azurelinux/", System::Rpm),
    ("bazel-public/", System::Debian),
    ("bellsoft/liberica-openjdk-alpine", System::Unknown),
    ("bellsoft/liberica-openjdk-debian", System::Debian),
    ("bitnami/", System::Debian),
    ("bitnamilegacy/", System::Debian),
    ("cbl-mariner/distroless", System::BareGlibc),
    ("cbl-mariner/", System::Rpm),
    ("centos/", System::Rpm),
    ("cimg/", System::Debian),
    ("circleci/", System::Debian),
    ("condaforge/", System::Debian),
    ("continuumio/", System::Debian),
    ("cross-rs/", System::Debian),
    ("crystallang/crystal", System::Debian),
    ("cypress/", System::Debian),
    ("denoland/deno", System::Debian),
    ("devcontainers/", System::Debian),
    ("dockcross/", System::Debian),
    ("fedora/", System::Rpm),
    ("gitea/gitea", System::Alpine),
    ("google/cloud-sdk", System::Debian),
    ("google.com/cloudsdktool/", System::Debian),
    ("graalvm/", System::Rpm),
    ("grafana/grafana", System::Alpine),
    ("hashicorp/", System::Alpine),
    ("intel/oneapi", System::Debian),
    ("jenkins/jenkins", System::Debian),
    ("jupyter/", System::Debian),
    ("lambda/", System::Rpm),
    ("lukemathwalker/cargo-chef", System::Debian),
    ("mambaorg/micromamba", System::Debian),
    ("messense/", System::Debian),
    ("clux/muslrust", System::Debian),
    ("ekidd/rust-musl-builder", System::Debian),
    ("nginxinc/nginx-unprivileged", System::Debian),
    ("nvidia/", System::Debian),
    ("oven/bun", System::Debian),
    ("phusion/", System::Debian),
    ("playwright", System::Debian),
    ("pytorch/", System::Debian),
    ("rocker/", System::Debian),
    ("rockylinux/", System::Rpm),
    ("sbtscala/", System::Debian),
    ("selenium/", System::Debian),
    ("tensorflow/", System::Debian),
    ("tonistiigi/xx", System::Bare),
    ("tonistiigi/binfmt", System::Bare),
    ("gitpod/", System::Debian),
    ("redhat/ubi7", System::Rpm),
    ("redhat/ubi8", System::Rpm),
    ("redhat/ubi9", System::Rpm),
    ("redhat/ubi10", System::Rpm),
    ("ubi7", System::Rpm),
    ("ubi8", System::Rpm),
    ("ubi9", System::Rpm),
    ("ubi10", System::Rpm),
];

/// The system of an image.
pub(super) fn of(name: &Name<'_>) -> System {
    if name.last == "busybox" {
        // Only the glibc variant brings a loader; the others hold one static program.
        return match () {
            () if name.tag_says("glibc") => System::BusyboxGlibc,
            () if name.tag_says("musl") || name.tag_says("uclibc") => System::Busybox,
            () => System::Ash,
        };
    }
    if let Some(system) = bare(name) {
        return system;
    }
    if name.last.starts_with("musllinux") {
        return System::Alpine;
    }
    if name.last.starts_with("manylinux") {
        return System::Glibc;
    }
    if name.tag_says("alpine") || name.last.contains("alpine") {
        return System::Alpine;
    }
    if name.tag_says("musl") {
        return System::Musl;
    }
    if name.repository.starts_with("windows/")
        || name.tag_says("windowsservercore")
        || name.tag_says("nanoserver")
    {
        return System::Unknown;
    }
    if name.tag_parts().any(|p| RPM_TAGS.contains(&p)) {
        return System::Rpm;
    }
    if name
        .tag_parts()
        .any(|p| DEBIAN_TAGS.iter().any(|t| p.strip_prefix(t).is_some_and(is_version)))
    {
        return System::Debian;
    }
    if name.tag_parts().any(|p| p == "glibc") {
        return System::Glibc;
    }
    if name.is_below(&["dotnet"]) {
        return System::Debian;
    }
    // What mirrors carry has the official names: `public.ecr.aws/docker/library/debian`.
    let official = name
        .official
        .or_else(|| name.repository.strip_prefix("docker/library/"))
        .or_else(|| name.repository.strip_prefix("library/"));
    match official {
        Some(official) => official_system(official),
        None => other_system(name),
    }
}

/// Distributions: their names tell the system, whatever the tag is.
#[rustfmt::skip]
const DISTRIBUTIONS: &[&str] = &[
    "alpine", "almalinux", "amazonlinux", "archlinux", "centos", "debian", "fedora",
    "oraclelinux", "photon", "rockylinux", "ubuntu",
];

/// Whether the name tells the system also where a part of the tag is any other: it is a
/// distribution's, or the tag names one.
pub(super) fn is_told(name: &Name<'_>) -> bool {
    let debian = |p: &str| DEBIAN_TAGS.iter().any(|t| p.strip_prefix(t).is_some_and(is_version));
    DISTRIBUTIONS.contains(&name.last)
        || name.tag_says("alpine")
        || name.tag_parts().any(|p| RPM_TAGS.contains(&p) || p != "slim" && debian(p))
}

/// Whether what follows a distribution's name is its version: `ubuntu22`, `debian12`.
fn is_version(rest: &str) -> bool {
    rest.bytes().all(|b| b.is_ascii_digit())
}

/// Images without a shell.
fn bare(name: &Name<'_>) -> Option<System> {
    let distroless = name.repository.contains("distroless/");
    let chainguard = name.is_below(&["chainguard"]) || name.registry == "cgr.dev";
    if distroless || chainguard {
        let kind = match () {
            () if name.last.starts_with("static") => System::Bare,
            () if name.last.starts_with("musl") => System::BareMusl,
            () if distroless && name.tag_says("debug") => System::BusyboxGlibc,
            () if chainguard && (name.last == "wolfi-base" || name.tag_says("dev")) => {
                System::Wolfi
            }
            () => System::BareGlibc,
        };
        return Some(match kind {
            System::Bare if name.tag_says("debug") => System::Busybox,
            kind => kind,
        });
    }
    if name.tag_says("chiseled") || name.tag_says("distroless") {
        return Some(System::BareGlibc);
    }
    let nothing = matches!(name.last, "scratch" | "hello-world" | "pause")
        || (name.last == "nats" && name.official.is_some() && !name.tag_says("alpine"))
        || matches!(name.last, "static" | "static-debian11" | "static-debian12" | "static-nossl");
    if nothing {
        return Some(System::Bare);
    }
    // uv and ruff alone, unless the tag names a system.
    let alone = name.is_below(&["astral-sh"])
        && !name.tag.contains("python")
        && !DEBIAN_TAGS.iter().chain(&["alpine"]).any(|t| name.tag_says(t));
    alone.then_some(System::Bare)
}

fn official_system(name: &str) -> System {
    match () {
        () if ALPINE.contains(&name) => System::Alpine,
        () if DEBIAN.contains(&name) => System::Debian,
        () if RPM.contains(&name) => System::Rpm,
        () if GLIBC.contains(&name) => System::Glibc,
        () => System::Unknown,
    }
}

fn other_system(name: &Name<'_>) -> System {
    let fits = |row: &&(&str, System)| match row.0.ends_with('/') {
        true => name.repository.starts_with(row.0),
        false => {
            name.repository == row.0
                || name.repository.strip_prefix(row.0).is_some_and(|r| r.starts_with(['/', '-']))
        }
    };
    if let Some((_, system)) = OTHERS.iter().find(fits) {
        return *system;
    }
    // The same software under another owner (`someone/debian`) is mostly made alike.
    let near = name.repository.matches('/').count() <= 1;
    match official_system(name.last) {
        System::Alpine if name.last != "alpine" => System::Unknown,
        system if near => system.known_libc_only(),
        _ => System::Unknown,
    }
}

impl System {
    /// What holds for a copy of an image, too.
    fn known_libc_only(self) -> Self {
        match self {
            Self::Debian | Self::Rpm => Self::Glibc,
            other => other,
        }
    }
}
