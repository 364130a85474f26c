//! mlint builds mlint: the repository's own Dockerfile, for both platforms, from Debian's packages
//! and vendored dependencies, and the arm64 image's program answers.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::mlint::Mlint;
use crate::registry::Registry;
use crate::{Error, Result, image, packages, paths, rootfs, run};

/// What of the repository the build reads.
const PARTS: [&str; 9] = [
    ".dockerignore",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "crates",
    "lsp",
    "rules",
    "src",
    "xtask",
];

/// The base as Debian's image has it: with the archive of security updates, where newer compilers are.
const BASE: &str = "\
COPY <<EOF /etc/apt/sources.list.d/security.list
deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] SECURITY bookworm-security main
EOF
";

/// Checks, builds, proves, pushes, verifies and runs it; each step is printed.
pub fn run() -> Result<()> {
    let work = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
    let home = work.path().join("home");
    fs::create_dir(&home).map_err(Error::file(&home))?;
    let mlint = Mlint::compile(&home)?;
    let registry = Registry::start()?;
    base(&mlint, &registry, work.path())?;

    let context = work.path().join("context");
    fs::create_dir(&context).map_err(Error::file(&context))?;
    for part in PARTS {
        run::quiet(Command::new("cp").arg("-a").arg(paths::root().join(part)).arg(&context))?;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run::quiet(Command::new(cargo).args(["vendor", "--locked", "vendor"]).current_dir(&context))?;

    let platforms = "--platforms=linux/amd64,linux/arm64";
    run::aloud_ok(
        &mut mlint.command(&context, ["check", "--offline", platforms, "Dockerfile"]),
        None,
    )?;
    let name = format!("{}/mlint:own", registry.host());
    let debian = format!("docker-image://{}/debian:slim", registry.host());
    let mut build = mlint.command(&context, ["build", platforms, "--progress=plain"]);
    build.arg(format!("--build-context=debian:bookworm-slim={debian}"));
    // What is optimised less is compiled in a third of the time, and goes the same way.
    for argument in ["CARGO_PROFILE_RELEASE_LTO=off", "CARGO_PROFILE_RELEASE_OPT_LEVEL=0"] {
        build.args(["--build-arg", argument]);
    }
    run::aloud_ok(build.args(["-t", &name, "--push", "."]), None)?;
    run::aloud_ok(&mut mlint.command(&context, ["verify", &name]), None)?;

    for (platform, qemu) in
        [("linux/amd64", "qemu-x86_64-static"), ("linux/arm64", "qemu-aarch64-static")]
    {
        let unpacked = image::unpack(&name, platform)?;
        let program = unpacked.root().join("usr/bin/mlint");
        let mut command = Command::new(packages::program(qemu)?);
        command.arg("-L").arg(unpacked.root()).arg(program).arg("--version");
        let said = run::quiet(&mut command)?;
        println!("{platform}: {}", said.trim());
        let version = format!("mlint {}", env!("CARGO_PKG_VERSION"));
        if said.trim() != version {
            return Err(Error::unexpected(platform, version, said.trim()));
        }
    }
    Ok(())
}

fn base(mlint: &Mlint, registry: &Registry, work: &Path) -> Result<()> {
    let host = registry.host();
    run::quiet(&mut mlint.base_image(rootfs::Kind::Debian, &host, &work.join("bases"))?)?;
    let security = format!("{}-security", crate::apt::mirror()?.trim_end_matches('/'));
    let dir = work.join("base");
    fs::create_dir(&dir).map_err(Error::file(&dir))?;
    let text = format!("FROM {host}/debian:bookworm\n{}", BASE.replace("SECURITY", &security));
    fs::write(dir.join("Dockerfile"), text).map_err(Error::file(&dir))?;
    let name = format!("{host}/debian:slim");
    let arguments = ["build", ".", "--platforms=linux/amd64,linux/arm64", "-t", &name, "--push"];
    run::quiet(&mut mlint.command(&dir, arguments)).map(drop)
}
