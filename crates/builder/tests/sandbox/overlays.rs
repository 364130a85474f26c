//! Overlays of the session itself.

use std::{fs, path::PathBuf};

use mlint_builder::sandbox::{
    Session,
    overlay::{Overlay, Writable},
};

use crate::{
    Outcome, ensure,
    fixtures::{Fixture, run, scratch_pair, shell},
};

fn mounts() -> std::io::Result<usize> {
    Ok(fs::read_to_string("/proc/self/mounts")?.lines().count())
}

pub fn guard(session: &Session, fixture: &Fixture) -> Outcome {
    let before = mounts()?;
    let (upper, work) = scratch_pair(session)?;
    {
        let writable = Writable { upper: &upper, work: &work };
        let overlay =
            Overlay::mount(session, std::slice::from_ref(&fixture.native), Some(writable))?;
        let root = overlay.root()?;
        root.create_dir_all("srv/www", 0o755, &mut |_| Ok(()))?;
        drop(root.create_new("srv/www/index", 0o644)?);
        fs::remove_file(overlay.path().join("etc/passwd"))?;
        ensure!(mounts()? == before + 1, "not mounted");
        let view = Overlay::mount(session, std::slice::from_ref(&fixture.native), None)?;
        let error = fs::write(view.path().join("x"), "").err().map(|e| e.kind());
        ensure!(error == Some(std::io::ErrorKind::ReadOnlyFilesystem), "{error:?}");
        let nothing = Overlay::mount(session, &[], None)?;
        ensure!(fs::read_dir(nothing.path())?.count() == 0, "no layers hold something");
    }
    ensure!(mounts()? == before, "a mount is left");
    ensure!(upper.join("srv/www/index").exists(), "nothing in the upper directory");
    ensure!(upper.join("etc/passwd").symlink_metadata().is_ok(), "no whiteout");
    let error =
        Overlay::mount(session, &[PathBuf::from("/no/such/layer"), fixture.native.clone()], None);
    ensure!(error.is_err_and(|e| e.to_string().contains("/no/such/layer")), "missing layer");
    ensure!(mounts()? == before, "a failed mount is left");
    Ok(())
}

pub fn six_hundred_layers(session: &Session, fixture: &Fixture) -> Outcome {
    let base = tempfile::tempdir_in(session.cache_dir())?;
    // A path that is longer than the kernel's configuration strings, too.
    let long = base.path().join("l".repeat(200)).join("m".repeat(100));
    fs::create_dir_all(&long)?;
    let mut layers = Vec::new();
    for number in (0..600).rev() {
        let layer = long.join(number.to_string());
        fs::create_dir(&layer)?;
        fs::write(layer.join(format!("file-{number}")), "")?;
        fs::write(layer.join("top"), number.to_string())?;
        layers.push(layer);
    }
    // The middle hides a file of the lowest group.
    let (upper, work) = scratch_pair(session)?;
    {
        let writable = Writable { upper: &upper, work: &work };
        let overlay = Overlay::mount(session, &layers[590..], Some(writable))?;
        fs::remove_file(overlay.path().join("file-0"))?;
    }
    layers.insert(100, upper);
    layers.push(fixture.native.clone());
    let mut spec = shell(session, &fixture.native, "ls / | grep -c file-; cat /top; ls /file-0")?;
    spec.lower = layers;
    let ran = run(session, &spec)?;
    ensure!(ran.stdout == "599\n599", "{} {}", ran.stdout, ran.stderr);
    Ok(())
}

pub fn same_layer_twice(session: &Session, fixture: &Fixture) -> Outcome {
    let first = shell(session, &fixture.native, "echo one > /v")?;
    run(session, &first)?;
    let mut second = shell(session, &fixture.native, "rm /v")?;
    second.lower.insert(0, first.upper.clone());
    run(session, &second)?;
    let mut third = shell(session, &fixture.native, "cat /v")?;
    third.lower = vec![
        first.upper.clone(),
        second.upper.clone(),
        first.upper.clone(),
        fixture.native.clone(),
    ];
    let ran = run(session, &third)?;
    ensure!(ran.stdout == "one\n", "{} {}", ran.stdout, ran.stderr);
    Ok(())
}
