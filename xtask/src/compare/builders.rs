//! Builds a case with BuildKit and with mlint.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::case::Case;
use super::differ::Answer;
use super::schemas::Schemas;
use super::served::Served;
use super::{image, layout, setup};
use crate::engine::Engine;
use crate::mlint::Mlint;
use crate::registry::Registry;
use crate::rootfs::Kind;
use crate::{Error, Result, run};

/// Words of a Dockerfile that stand for base images.
const BASES: [(&str, Kind); 2] = [("BUSYBOX", Kind::Busybox), ("DEBIAN", Kind::Debian)];

/// Both builders, and a registry with what they start from.
pub struct Builders {
    pub engine: Engine,
    pub registry: Registry,
    pub mlint: Mlint,
    pub work: tempfile::TempDir,
    schemas: Schemas,
    served: Served,
}

/// A case laid out on disk.
pub struct Place {
    /// The case's own directory.
    pub dir: PathBuf,
    file: PathBuf,
}

impl Place {
    /// The context.
    pub fn context(&self) -> PathBuf {
        self.dir.join("context")
    }

    /// The layout that mlint wrote.
    pub fn ours(&self) -> PathBuf {
        self.dir.join("mlint")
    }
}

impl Builders {
    /// Starts them.
    pub fn start(cases: &[Case]) -> Result<Self> {
        let work = tempfile::Builder::new()
            .prefix("mlint-compare-")
            .tempdir()
            .map_err(Error::file(std::env::temp_dir()))?;
        let mlint = Mlint::compile(&work.path().join("home"))?;
        let builders = Self {
            engine: Engine::start()?,
            registry: Registry::start()?,
            mlint,
            served: Served::start(work.path())?,
            work,
            schemas: Schemas::load()?,
        };
        for (word, kind) in BASES {
            let used = |text: &str| text.contains(word);
            if cases.iter().any(|case| used(&case.source)) {
                let dir = builders.work.path().join("bases");
                let host = builders.registry.host();
                run::quiet(&mut builders.mlint.base_image(kind, &host, &dir)?)?;
            }
        }
        Ok(builders)
    }

    /// Puts the real names and addresses in.
    fn named(&self, case: &Case, text: &str, base: &str) -> String {
        let host = self.registry.host();
        let mut text = self.served.named(case, &text.replace("THEBASE", base));
        for (word, kind) in BASES {
            text = text.replace(word, &format!("{host}/{}:{}", kind.name(), kind.tag()));
        }
        text
    }

    /// Lays a case out; its own base image is built and pushed by BuildKit.
    pub fn place(&self, case: &Case) -> Result<Place> {
        let dir = self.work.path().join(case.slug());
        let context = dir.join("context");
        setup::make(&context, &case.setup, case.number())?;
        let base = format!("{}/base/{}:1", self.registry.host(), case.slug().display());
        if let Some(text) = &case.base {
            let file = dir.join("base.Dockerfile");
            fs::write(&file, self.named(case, text, "")).map_err(Error::file(&file))?;
            let mut command = self.engine.docker();
            command.args([
                "buildx",
                "build",
                "--quiet",
                "--provenance=false",
                "--push",
                "-t",
                &base,
            ]);
            command.args(["--network=none", "-f"]).arg(&file).arg(&context);
            run::quiet(command.arg(format!("--platform={}", case.platforms.join(","))))?;
        }
        let file = match &case.dockerfile {
            Some(path) => context.join(path),
            None => dir.join("Dockerfile"),
        };
        if let Some(dir) = file.parent() {
            fs::create_dir_all(dir).map_err(Error::file(dir))?;
        }
        fs::write(&file, self.named(case, &case.text, &base)).map_err(Error::file(&file))?;
        Ok(Place { dir, file })
    }

    /// BuildKit's answer.
    pub fn buildkit(&self, case: &Case, place: &Place) -> Result<Answer> {
        let layout = place.dir.join("buildkit");
        let mut command = self.engine.docker();
        command.args(["buildx", "build", "--progress=plain", "--provenance=false", "--no-cache"]);
        command.args(["--network=none", "--output"]);
        command.arg(format!("type=oci,tar=false,dest={}", layout.display()));
        command.arg(format!("--platform={}", case.platforms.join(",")));
        self.ended(case, place, &mut command, &layout)
    }

    /// mlint's answer.
    pub fn mlint(&self, case: &Case, place: &Place) -> Result<Answer> {
        let layout = place.ours();
        for (number, text) in case.earlier.iter().enumerate() {
            let file = place.dir.join(format!("earlier-{number}.Dockerfile"));
            fs::write(&file, self.named(case, text, "")).map_err(Error::file(&file))?;
            let other = Place { dir: place.dir.clone(), file };
            let mut command = self.mlint_command(case, &other);
            run::quiet(self.arguments(case, &other, &mut command))?;
        }
        let mut command = self.mlint_command(case, place);
        command.arg("--output").arg(format!("type=oci,dest={}", layout.display()));
        self.ended(case, place, &mut command, &layout)
    }

    fn mlint_command(&self, case: &Case, place: &Place) -> Command {
        let mut command = self.mlint.command(&place.context(), ["build", "--progress=plain"]);
        command.arg(format!("--platforms={}", case.platforms.join(",")));
        command.args(&case.mlint);
        command.arg("--cache-dir").arg(place.dir.join("cache")).env("NO_COLOR", "1");
        command
    }

    fn ended(
        &self,
        case: &Case,
        place: &Place,
        command: &mut Command,
        layout: &Path,
    ) -> Result<Answer> {
        let out = run::output(self.arguments(case, place, command))?;
        if out.status.success() {
            let answer = Answer::Built(image::read(layout)?);
            let wrong =
                |e: serde_json::Error| Error::unexpected("an answer", "JSON", e.to_string());
            let text = self.served.without_ports(&serde_json::to_string(&answer).map_err(wrong)?);
            return serde_json::from_str(&text).map_err(wrong);
        }
        let said = String::from_utf8_lossy(&out.stderr).into_owned();
        let name = place.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Answer::Failed(line_of(&said, &name), last_error(&said)))
    }

    fn arguments<'a>(
        &self,
        case: &Case,
        place: &Place,
        command: &'a mut Command,
    ) -> &'a mut Command {
        command.current_dir(place.context()).arg("-f").arg(&place.file);
        let build = case.build.iter().map(|argument| self.named(case, argument, ""));
        command.args(build).envs(case.env.iter().cloned()).arg(".")
    }

    /// What is wrong with what mlint built, whatever BuildKit says: its form, and that another build
    /// from the cache gives the same image.
    pub fn flaws(&self, case: &Case, place: &Place) -> Result<Vec<String>> {
        let mut flaws = layout::check(&place.ours(), Some(&self.schemas))?;
        let index = image::json(&place.ours().join("index.json"))?;
        let built = index["manifests"][0]["digest"].as_str().unwrap_or_default().to_owned();
        let mut command = self.mlint_command(case, place);
        let again = run::quiet(self.arguments(case, place, &mut command))?;
        if again.trim() != built {
            flaws.push(format!("a build from the cache gives {}, not {built}", again.trim()));
        }
        Ok(flaws)
    }

    /// What decides BuildKit's answers besides the case.
    pub fn key(&self) -> Result<String> {
        let bases: Vec<String> = BASES.iter().map(|(_, kind)| self.base_configs(*kind)).collect();
        Ok(format!("{} {}", self.engine.version()?, bases.join(" ")))
    }

    /// The configs of a base image, without the times at which it was made; nothing if no case
    /// needs it.
    fn base_configs(&self, kind: Kind) -> String {
        let json = |digest: &str| -> Value {
            let bytes = self.registry.blob(digest).unwrap_or_default();
            serde_json::from_slice(&bytes).unwrap_or_default()
        };
        let text = |value: &Value| value["digest"].as_str().unwrap_or_default().to_owned();
        let index = json(&self.registry.digest(kind.name(), kind.tag()).unwrap_or_default());
        let manifests = index["manifests"].as_array().into_iter().flatten();
        let configs = manifests.map(|manifest| {
            let mut config = json(&text(&json(&text(manifest))["config"]));
            config["created"] = Value::Null;
            for entry in config["history"].as_array_mut().into_iter().flatten() {
                entry["created"] = Value::Null;
            }
            config.to_string()
        });
        configs.collect()
    }
}

/// The line that an error names, in either builder's form: `Dockerfile:3` alone on a line, and
/// `--> Dockerfile:3:1`.
fn line_of(said: &str, file: &str) -> Option<u32> {
    said.lines().find_map(|line| {
        let place = line.trim().trim_start_matches("--> ");
        let (path, numbers) = place.rsplit_once(&format!("{file}:"))?;
        let number = numbers.split(':').next()?;
        let whole = path.is_empty() || path.ends_with('/');
        number.parse().ok().filter(|_| whole && !path.contains(' '))
    })
}

/// The line that says why.
fn last_error(said: &str) -> String {
    let lower = |line: &&str| line.to_lowercase().starts_with("error");
    let line = said.lines().rfind(lower).or_else(|| said.trim().lines().last());
    line.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_errors() {
        let buildkit = "#4 ERROR: no\nDockerfile:3\n---\n   3 | >>> COPY a b\nERROR: failed: no\n";
        assert_eq!(line_of(buildkit, "Dockerfile"), Some(3));
        assert_eq!(last_error(buildkit), "ERROR: failed: no");
        let mlint = "error: 'a' is not there\n --> /tmp/x/Dockerfile:12:1\n  |\n";
        assert_eq!(line_of(mlint, "Dockerfile"), Some(12));
        assert_eq!(last_error(mlint), "error: 'a' is not there");
        assert_eq!(line_of("error: no such stage\n", "Dockerfile"), None);
    }
}
