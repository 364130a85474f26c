//! Environment, working directory and user of well-known images, as their Dockerfiles set them.

use super::Name;
use crate::scope::DEFAULT_PATH;

/// What an image's configuration is known to hold.
pub(super) struct Environment {
    pub(super) env: Vec<(String, String)>,
    pub(super) directory: String,
    pub(super) home: Option<String>,
}

impl Environment {
    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.env.push((name.to_owned(), value.into()));
    }

    /// Puts folders in front of the usual PATH.
    fn path(&mut self, before: &str) {
        let path = match before {
            "" => DEFAULT_PATH.to_owned(),
            before => format!("{before}:{DEFAULT_PATH}"),
        };
        self.set("PATH", path);
    }
}

/// The configuration of an image, as far as its name tells.
pub(super) fn of(name: &Name<'_>) -> Environment {
    let mut found =
        Environment { env: Vec::new(), directory: "/".to_owned(), home: Some("/root".to_owned()) };
    match name.official {
        Some(official) => of_official(&mut found, official, name),
        None => of_others(&mut found, name),
    }
    found
}

fn of_official(found: &mut Environment, official: &str, name: &Name<'_>) {
    match official {
        "golang" => {
            found.path("/go/bin:/usr/local/go/bin");
            found.set("GOPATH", "/go");
            // Since 1.21 the images keep to the toolchain that they hold.
            if name.version().is_some_and(|v| v >= (1, Some(21))) {
                found.set("GOTOOLCHAIN", "local");
            }
            "/go".clone_into(&mut found.directory);
        }
        "rust" => {
            found.path("/usr/local/cargo/bin");
            found.set("RUSTUP_HOME", "/usr/local/rustup");
            found.set("CARGO_HOME", "/usr/local/cargo");
        }
        "python" => {
            found.path("/usr/local/bin");
            found.set("LANG", "C.UTF-8");
        }
        "ruby" => {
            found.path("/usr/local/bundle/bin");
            found.set("GEM_HOME", "/usr/local/bundle");
            found.set("BUNDLE_APP_CONFIG", "/usr/local/bundle");
            found.set("BUNDLE_SILENCE_ROOT_WARNING", "1");
            found.set("LANG", "C.UTF-8");
        }
        "php" => {
            found.path("");
            found.set("PHP_INI_DIR", "/usr/local/etc/php");
            "/var/www/html".clone_into(&mut found.directory);
        }
        "eclipse-temurin" => java(found, "/opt/java/openjdk"),
        "maven" | "gradle" | "tomcat" if !other_jdk(name) => {
            java(found, "/opt/java/openjdk");
            match official {
                "maven" => found.set("MAVEN_HOME", "/usr/share/maven"),
                "gradle" => {
                    found.set("GRADLE_HOME", "/opt/gradle");
                    "/home/gradle".clone_into(&mut found.directory);
                }
                _ => {
                    found.set("CATALINA_HOME", "/usr/local/tomcat");
                    "/usr/local/tomcat".clone_into(&mut found.directory);
                }
            }
        }
        "gradle" => "/home/gradle".clone_into(&mut found.directory),
        "tomcat" => "/usr/local/tomcat".clone_into(&mut found.directory),
        "composer" => {
            found.path("");
            "/app".clone_into(&mut found.directory);
        }
        "debian" | "ubuntu" | "alpine" | "fedora" | "busybox" | "node" | "buildpack-deps"
        | "almalinux" | "rockylinux" | "oraclelinux" | "amazonlinux" => found.path(""),
        _ => {}
    }
}

/// Whether the tag asks for another JDK than Temurin, which lies elsewhere.
fn other_jdk(name: &Name<'_>) -> bool {
    const OTHERS: &[&str] = &[
        "openjdk",
        "amazoncorretto",
        "corretto",
        "ibmjava",
        "ibm",
        "sapmachine",
        "graalvm",
        "semeru",
        "libericaopenjdk",
        "azulzulu",
        "microsoft",
        "oracle",
        "slim",
    ];
    name.tag_parts().any(|p| OTHERS.contains(&p))
}

fn java(found: &mut Environment, home: &str) {
    found.path(&format!("{home}/bin"));
    found.set("JAVA_HOME", home);
}

fn of_others(found: &mut Environment, name: &Name<'_>) {
    let repository = name.repository;
    match repository {
        "mambaorg/micromamba" => {
            found.set("MAMBA_ROOT_PREFIX", "/opt/conda");
            "/tmp".clone_into(&mut found.directory);
            found.home = Some("/home/mambauser".to_owned());
        }
        "continuumio/miniconda3" | "continuumio/anaconda3" => {
            found.path("/opt/conda/bin");
            found.set("LANG", "C.UTF-8");
        }
        "condaforge/miniforge3" | "condaforge/mambaforge" | "condaforge/miniforge-pypy3" => {
            found.path("/opt/conda/bin");
            found.set("CONDA_DIR", "/opt/conda");
        }
        "lukemathwalker/cargo-chef" => {
            found.path("/usr/local/cargo/bin");
            found.set("RUSTUP_HOME", "/usr/local/rustup");
            found.set("CARGO_HOME", "/usr/local/cargo");
        }
        "oven/bun" => {
            "/home/bun/app".clone_into(&mut found.directory);
        }
        "nvidia/cuda" => found.path("/usr/local/nvidia/bin:/usr/local/cuda/bin"),
        "jenkins/jenkins" => found.home = Some("/var/jenkins_home".to_owned()),
        _ if name.is_below(&["jupyter"]) => {
            found.path("/opt/conda/bin");
            found.set("CONDA_DIR", "/opt/conda");
            "/home/jovyan".clone_into(&mut found.directory);
            found.home = Some("/home/jovyan".to_owned());
        }
        _ if name.is_below(&["lambda"]) => {
            found.set("LAMBDA_TASK_ROOT", "/var/task");
            "/var/task".clone_into(&mut found.directory);
        }
        // Images for builds run as a user of their own, in its folder.
        _ if repository.starts_with("ubi") && is_source_image(name.last) => {
            "/opt/app-root/src".clone_into(&mut found.directory);
            found.home = Some("/opt/app-root/src".to_owned());
        }
        _ if repository.contains("distroless/") && name.tag_says("nonroot") => {
            found.home = Some("/home/nonroot".to_owned());
            "/home/nonroot".clone_into(&mut found.directory);
        }
        _ if (name.registry == "cgr.dev" || name.is_below(&["chainguard"]))
            && name.last != "wolfi-base" =>
        {
            found.home = None;
        }
        _ if name.is_below(&["bitnami", "bitnamilegacy"]) && name.last != "minideb" => {
            found.home = None;
        }
        _ => {}
    }
}

fn is_source_image(last: &str) -> bool {
    let kinds = ["nodejs", "python", "ruby", "php", "perl", "go-toolset", "dotnet"];
    kinds.iter().any(|k| last.starts_with(k))
}
