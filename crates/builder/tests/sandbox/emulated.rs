//! Steps of other machines.

use std::path::PathBuf;

use mlint_builder::sandbox::{
    Session,
    emulation::{Emulation, Kind},
    session::IdMap,
};
use mlint_oci::platform::Platform;

use crate::{
    Outcome, Trouble, ensure,
    fixtures::{Fixture, run, sh, shell},
};

fn arm64() -> Platform {
    Platform::linux("arm64")
}

fn prepare(session: &Session, platforms: &[Platform]) -> Result<Emulation, Trouble> {
    Emulation::prepare(session, platforms).map_err(|error| {
        if error.missing.contains("not installed") {
            Trouble::Skip(error.to_string())
        } else {
            error.into()
        }
    })
}

pub fn emulates_arm64(session: &Session, fixture: &Fixture) -> Outcome {
    let layer = fixture.arm64()?;
    let emulation = prepare(session, &[arm64()])?;
    let kind = emulation.kind(&arm64()).cloned();
    ensure!(kind.as_ref().is_some_and(Kind::is_emulated), "{kind:?}");
    // A child of a child, through a pipe and a shell script: each exec goes through the kernel.
    let line = "uname -m; sh -c 'sh -c \"uname -m\"' | cat; printf '#!/bin/sh\\nuname -m\\n' > /s; \
                chmod +x /s; /s; id -u; echo $0";
    let out = sh(session, layer, line)?;
    ensure!(out == "aarch64\naarch64\naarch64\n0\n/bin/sh\n", "{out}");
    let status = run(session, &shell(session, layer, "exit 9")?)?.result.status;
    ensure!(status.shell_code() == 9, "{status:?}");
    let caught = run(session, &shell(session, layer, "mount -t tmpfs none /tmp")?)?;
    ensure!(!caught.result.status.success(), "an emulated step mounts");
    ensure!(!std::path::Path::new("/proc/sys/fs/binfmt_misc/mlint-arm64").exists(), "seen outside");
    // Another preparation in the same session is fine, and so is life after the first is gone.
    let again = prepare(session, &[arm64(), Platform::linux("riscv64")])?;
    drop(emulation);
    sh(session, layer, "true")?;
    drop(again);
    Ok(())
}

pub fn every_installed_emulator(session: &Session, _: &Fixture) -> Outcome {
    let platforms: Vec<Platform> = ["arm64", "arm", "386", "riscv64", "s390x", "ppc64le"]
        .into_iter()
        .map(Platform::linux)
        .chain([Platform::host()])
        .collect();
    let emulation = prepare(session, &platforms)?;
    for platform in &platforms {
        ensure!(emulation.kind(platform).is_some(), "nothing is known of {platform}");
    }
    ensure!(emulation.kind(&Platform::host()) == Some(&Kind::Native), "the host is not native");
    if Platform::host().arch() == "amd64" {
        let kind = emulation.kind(&Platform::linux("386"));
        ensure!(kind == Some(&Kind::Native), "386: {kind:?}");
    }
    Ok(())
}

pub fn missing_emulator_is_explained(session: &Session, _: &Fixture) -> Outcome {
    let error = Emulation::prepare(session, &["windows/amd64".parse()?]).err();
    ensure!(error.is_some_and(|e| e.missing.contains("Linux")), "windows");
    let error = Emulation::prepare(session, &["linux/m68k".parse()?]).err();
    ensure!(error.is_some_and(|e| e.missing.contains("no emulator is known")), "m68k");
    Ok(())
}

/// With options that lead nowhere; run from outside, since they are the session's.
pub fn bad_emulators(fixture: &Fixture) -> Outcome {
    use mlint_builder::sandbox::probe;
    let wrong = fixture.cache.join("wrong-qemu");
    std::fs::write(&wrong, "#!/bin/sh\n")?;
    for (path, words) in [
        (PathBuf::from("/no/such/qemu"), "No such file"),
        (wrong, "not executable"),
        (PathBuf::from("/bin/sh"), "dynamically"),
    ] {
        let mut options = crate::options(fixture, IdMap::Auto);
        options.qemu = vec![("arm64".to_owned(), path)];
        let found = probe::run(&options, &[arm64()])?;
        if found.platforms.first().is_some_and(|p| p.kind == Ok(Kind::HostBinfmt)) {
            let why = "the host has an emulator for arm64, which takes over from a bad one";
            return Err(Trouble::Skip(why.to_owned()));
        }
        let text = found.platforms.first().and_then(|p| p.kind.as_ref().err()).cloned();
        let text = text.unwrap_or_default();
        ensure!(text.contains(words) && text.contains("--qemu arm64="), "{text}");
    }
    Ok(())
}

pub fn two_platforms_at_once(session: &Session, fixture: &Fixture) -> Outcome {
    let foreign = fixture.arm64()?;
    let emulation = prepare(session, &[arm64()])?;
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let (layer, machine) = if number % 2 == 0 {
                    (fixture.native.as_path(), std::env::consts::ARCH)
                } else {
                    (foreign, "aarch64")
                };
                scope.spawn(move || -> Outcome {
                    for round in 0..5 {
                        let line = format!(
                            "uname -m; echo {number}-{round} > /mine; cat /mine; ls / | wc -l"
                        );
                        let out = sh(session, layer, &line)?;
                        let wanted = format!("{machine}\n{number}-{round}\n");
                        ensure!(out.starts_with(&wanted), "{out}");
                    }
                    Ok(())
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(Trouble::Fail("panic".into()))))
            .collect()
    });
    drop(emulation);
    outcomes.into_iter().collect()
}
