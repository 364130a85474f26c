//! `cargo xtask demo`: the main job, end to end, on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::engine::{Engine, HostEmulator};
use crate::files::Files;
use crate::mlint::Mlint;
use crate::registry::Registry;
use crate::{Error, Result, apt, image, packages, paths, rootfs, run};

/// The files that the demo's "release page" offers: package, file in it, and the name it goes by.
const RELEASES: &[(&str, &str, &str)] = &[
    ("tini", "usr/bin/tini-static", "tini/v0.19.0/tini-static"),
    ("gosu", "usr/sbin/gosu", "gosu/1.14/gosu"),
];

const PLATFORMS: [(&str, &str); 2] = [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")];

struct Demo {
    work: tempfile::TempDir,
    registry: Registry,
    files: Files,
    mlint: Mlint,
    skipped: Vec<String>,
}

/// Runs the demo. Returns what it had to skip.
pub fn run() -> Result<Vec<String>> {
    let start = Instant::now();
    heading("Set-up: packages, a registry, a release page");
    let mut demo = Demo::set_up()?;
    demo.base_images()?;
    demo.check_fix()?;
    demo.build()?;
    demo.verify()?;
    demo.read_with_skopeo()?;
    demo.run_with_docker()?;
    heading("Done");
    println!("{:.0} s in all", start.elapsed().as_secs_f64());
    Ok(demo.skipped)
}

fn heading(text: &str) {
    println!("\n=== {text} {}", "=".repeat(74_usize.saturating_sub(text.len())));
}

impl Demo {
    fn set_up() -> Result<Self> {
        packages::install()?;
        let work = tempfile::Builder::new()
            .prefix("mlint-demo-")
            .tempdir()
            .map_err(Error::file(std::env::temp_dir()))?;
        let at = |name: &str| -> Result<PathBuf> {
            let path = work.path().join(name);
            std::fs::create_dir_all(&path).map_err(Error::file(&path))?;
            Ok(path)
        };
        let releases = at("releases")?;
        for (package, file, name) in RELEASES {
            for arch in rootfs::ARCHES {
                let from = rootfs::static_program(package, file, arch)?;
                let to = releases.join(format!("{name}-{arch}"));
                std::fs::create_dir_all(to.parent().unwrap_or(&to)).map_err(Error::file(&to))?;
                std::fs::copy(&from, &to).map_err(Error::file(&from))?;
            }
        }
        let registry = Registry::start()?;
        let files = Files::serve(&releases)?;
        println!("registry {} (Debian's docker-registry), files {}", registry.host(), files.url());
        let timer = Instant::now();
        let mlint = Mlint::compile(&at("home")?)?;
        println!("mlint compiled ({:.1} s)", timer.elapsed().as_secs_f64());
        Ok(Self { work, registry, files, mlint, skipped: Vec::new() })
    }

    /// The demo's project, with this run's addresses in it.
    fn project(&self) -> Result<PathBuf> {
        let dir = self.work.path().join("whereami");
        std::fs::create_dir_all(&dir).map_err(Error::file(&dir))?;
        let from = paths::root().join("demo");
        let read = |name: &str| {
            std::fs::read_to_string(from.join(name)).map_err(Error::file(from.join(name)))
        };
        let write = |name: &str, text: String| {
            std::fs::write(dir.join(name), text).map_err(Error::file(dir.join(name)))
        };
        write("whereami.c", read("whereami.c")?)?;
        let dockerfile = read("Dockerfile")?
            .replace("127.0.0.1:5000", &self.registry.host())
            .replace("http://127.0.0.1:8000", &self.files.url());
        write("Dockerfile", dockerfile)?;
        write("mlint.toml", read("mlint.toml")?.replace("127.0.0.1:5000", &self.registry.host()))?;
        Ok(dir)
    }

    fn image(&self) -> String {
        format!("{}/whereami:1.0", self.registry.host())
    }

    fn base_images(&self) -> Result<()> {
        heading("Base images for amd64 and arm64, from Debian's packages");
        let bases = self.work.path().join("bases");
        for kind in rootfs::Kind::ALL {
            let timer = Instant::now();
            let kept = rootfs::is_made(kind);
            rootfs::make(kind)?;
            let how = if kept { "kept from an earlier run" } else { "made" };
            let seconds = timer.elapsed().as_secs_f64();
            println!("\nroot file systems of {}: {how} ({seconds:.1} s)", kind.name());
            let host = self.registry.host();
            let mut build = self.mlint.base_image(kind, &host, &bases)?;
            let shown =
                run::line(&build).replacen(&*self.mlint.program.to_string_lossy(), "mlint", 1);
            println!("\n$ cat Dockerfile");
            let file = bases.join(kind.name()).join("Dockerfile");
            print!("{}", std::fs::read_to_string(&file).map_err(Error::file(&file))?);
            run::aloud_ok(&mut build, Some(&shown))?;
        }
        Ok(())
    }

    fn check_fix(&self) -> Result<()> {
        let dir = self.project()?;
        heading("A program that works on amd64");
        println!("\n$ cat Dockerfile");
        print!("{}", std::fs::read_to_string(dir.join("Dockerfile")).map_err(Error::file(&dir))?);
        println!("\n$ cat mlint.toml");
        print!("{}", std::fs::read_to_string(dir.join("mlint.toml")).map_err(Error::file(&dir))?);

        heading("check: what breaks where, before anything is built");
        self.ends_with(&dir, &["check"], 1)?;
        heading("build, as it is: stopped at the line that brings the wrong program");
        let code = self.aloud(&dir, &["build", "--push"])?;
        if code == Some(0) || !self.registry.tags("whereami").is_empty() {
            return Err(Error::unexpected("the build of the broken file", "a refusal", "a push"));
        }
        heading("fix: repaired, each repair proved");
        self.ends_with(&dir, &["fix", "--diff"], 1)
            .or_else(|_| self.ends_with(&dir, &["fix", "--diff"], 0))?;
        self.ends_with(&dir, &["fix"], 0)?;
        self.ends_with(&dir, &["check"], 0)
    }

    fn build(&self) -> Result<()> {
        heading(
            "build --push: both platforms, arm64 steps emulated, nothing registered on this host",
        );
        let before = host_emulators();
        let dir = self.work.path().join("whereami");
        let timer = Instant::now();
        self.ends_with(&dir, &["build", "--push"], 0)?;
        let cold = timer.elapsed();
        let timer = Instant::now();
        self.ends_with(&dir, &["build", "--push"], 0)?;
        let again = timer.elapsed();
        println!("\nfirst build {}, the same again {}", seconds(cold), seconds(again));
        let after = host_emulators();
        if before != after {
            return Err(Error::unexpected(
                "the host's binfmt_misc",
                before.join(" "),
                after.join(" "),
            ));
        }
        Ok(())
    }

    fn verify(&self) -> Result<()> {
        heading("verify: the machine of every program in every platform's image");
        let dir = self.work.path().join("whereami");
        self.ends_with(&dir, &["verify", &self.image()], 0)
    }

    fn read_with_skopeo(&self) -> Result<()> {
        heading("The pushed tag, as skopeo reads it");
        let image = format!("docker://{}", self.image());
        let skopeo = packages::program("skopeo")?;
        let inspect = |more: &[&str]| {
            let mut command = Command::new(&skopeo);
            command.args(more.iter().take(2)).args(["inspect", "--tls-verify=false"]);
            command.args(more.iter().skip(2)).arg(&image);
            command
        };
        let aloud = |command: &mut Command| {
            let shown = run::line(command).replacen(&*skopeo.to_string_lossy(), "skopeo", 1);
            println!("\n$ {shown}");
            run::quiet(command).map(|text| println!("{}", text.trim_end()))
        };
        aloud(&mut inspect(&["--override-os", "linux", "--raw"]))?;
        for arch in rootfs::ARCHES {
            let format = "{{.Os}}/{{.Architecture}} {{.Digest}} {{len .Layers}} layers";
            aloud(&mut inspect(&["--override-arch", arch, "--format", format]))?;
        }
        Ok(())
    }

    fn run_with_docker(&mut self) -> Result<()> {
        heading("Both images, pulled and run by a Docker engine");
        let started = match Engine::obstacle() {
            Some(obstacle) => Err(obstacle),
            None => Engine::start().map_err(|error| error.to_string()),
        };
        let engine = match started {
            Ok(engine) => engine,
            Err(why) => {
                self.skipped.push(format!("running the images with a Docker engine: {why}"));
                return self.run_without_docker();
            }
        };
        println!(
            "dockerd {} on a socket of its own; it can't emulate by itself, so while it runs",
            engine.version()?
        );
        println!("qemu is registered on this host, and taken away after");
        let _emulator = HostEmulator::arm64()?;
        for (platform, machine) in PLATFORMS {
            let image = self.image();
            let run = [
                "run",
                "--rm",
                "--pull=always",
                "--quiet",
                "--network=none",
                "--platform",
                platform,
            ];
            for (entry, expected) in [
                (&["--entrypoint", "uname", &image, "-m"][..], machine.to_owned()),
                (&[&image], format!("compiled for {machine}, running on {machine} as uid 65534")),
            ] {
                let mut command = engine.docker();
                command.args(run).args(entry);
                let shown = format!(
                    "docker {}",
                    run.iter().chain(entry).copied().collect::<Vec<_>>().join(" ")
                );
                println!("\n$ {shown}");
                let text = run::quiet(&mut command)?;
                print!("{text}");
                if text.trim() != expected {
                    return Err(Error::unexpected(shown, expected, text.trim()));
                }
            }
        }
        Ok(())
    }

    /// The programs of both images are static: they also run from where skopeo put them.
    fn run_without_docker(&self) -> Result<()> {
        println!("no Docker engine here: the images' programs are run from what skopeo fetched");
        for (platform, machine) in PLATFORMS {
            let image = image::unpack(&self.image(), platform)?;
            for (program, arguments, expected) in [
                ("bin/busybox", &["uname", "-m"][..], machine.to_owned()),
                ("usr/bin/whereami", &[], format!("compiled for {machine}, running on {machine} ")),
            ] {
                let native = platform.ends_with(apt::native_arch());
                let file = image.root().join(program);
                let mut command = match (native, machine) {
                    (true, _) => Command::new(&file),
                    (false, machine) => {
                        let qemu = packages::program(&format!("qemu-{machine}-static"))?;
                        let mut command = Command::new(qemu);
                        command.arg(&file);
                        command
                    }
                };
                let text = run::quiet(command.args(arguments))?;
                println!("\n[{platform}] $ /{program} {}\n{}", arguments.join(" "), text.trim());
                if !text.starts_with(&expected) {
                    return Err(Error::unexpected(program, expected, text.trim()));
                }
            }
        }
        Ok(())
    }

    fn aloud(&self, dir: &Path, arguments: &[&str]) -> Result<Option<i32>> {
        let shown = format!("mlint {}", arguments.join(" "));
        Ok(run::aloud(&mut self.mlint.command(dir, arguments), Some(&shown))?.code)
    }

    fn ends_with(&self, dir: &Path, arguments: &[&str], expected: i32) -> Result<()> {
        let code = self.aloud(dir, arguments)?;
        if code == Some(expected) {
            return Ok(());
        }
        let found = code.map_or("a signal".to_owned(), |code| format!("exit {code}"));
        let what = format!("`mlint {}`", arguments.join(" "));
        Err(Error::unexpected(what, format!("exit {expected}"), found))
    }
}

fn seconds(took: Duration) -> String {
    format!("{:.2} s", took.as_secs_f64())
}

/// The emulators that this host has registered; empty where binfmt_misc is not even mounted.
pub fn host_emulators() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc/sys/fs/binfmt_misc") else { return Vec::new() };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
