//! What a step of a build costs.

use std::path::Path;
use std::process::Command;

use super::{foreign, median, native, row};
use crate::mlint::Mlint;
use crate::registry::Registry;
use crate::{Error, Result, rootfs, run};

/// Steps of the `RUN` chain.
const CHAIN: usize = 20;

/// A chain of `RUN`s, native and emulated.
pub(super) fn run(mlint: &Mlint, work: &Path) -> Result<()> {
    let registry = Registry::start()?;
    run::quiet(&mut mlint.base_image(
        rootfs::Kind::Busybox,
        &registry.host(),
        &work.join("bases"),
    )?)?;
    let base = format!("{}/busybox:1.35", registry.host());
    println!(
        "\nbuild: a chain of {CHAIN} `RUN` steps without a cache, beyond the same build with none"
    );
    for (what, platform) in [("native", native()), ("emulated", foreign())] {
        let mut took = Vec::new();
        for steps in [0, CHAIN] {
            let dir = work.join(format!("chain-{what}-{steps}"));
            std::fs::create_dir_all(&dir).map_err(Error::file(&dir))?;
            let text = format!("FROM {base}\n{}LABEL end=1\n", "RUN true\n".repeat(steps));
            std::fs::write(dir.join("Dockerfile"), text).map_err(Error::file(&dir))?;
            let arguments = ["build", ".", "--no-cache", "--platforms", platform];
            took.push(median(9, || mlint.command(&dir, arguments))?);
        }
        let per_step = (took[1] - took[0]) / CHAIN as f64;
        row(&format!("{what} ({platform}), a step"), per_step);
    }
    let qemu = run::which("qemu-aarch64-static");
    if let (Some(qemu), "linux/arm64") = (qemu, foreign()) {
        let program = rootfs::static_program("busybox-static", "bin/busybox", "arm64")?;
        let sh = || {
            let mut command = Command::new(&qemu);
            command.arg(&program).args(["sh", "-c", "true"]);
            command
        };
        row("of which `sh -c true` under qemu", median(21, sh)?);
    }
    Ok(())
}
