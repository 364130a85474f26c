//! What a step does: output, status, files, mounts.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use mlint_builder::sandbox::{
    Session,
    step::{Ids, Limit, Mount, Resource, RunSpec, StepError, StepStatus},
};

use crate::{
    Outcome, ensure,
    fixtures::{Fixture, run, sh, shell},
    is_single,
};

pub fn runs_and_streams(session: &Session, fixture: &Fixture) -> Outcome {
    let spec = shell(session, &fixture.native, "echo out; echo err >&2; hostname; cat /etc/hosts")?;
    let ran = run(session, &spec)?;
    ensure!(ran.result.status.success(), "{:?} {}", ran.result.status, ran.stderr);
    ensure!(ran.stdout.starts_with("out\nbuildkitsandbox\n"), "stdout was {:?}", ran.stdout);
    ensure!(ran.stdout.contains("127.0.0.1\tlocalhost buildkitsandbox"), "{}", ran.stdout);
    ensure!(ran.stderr == "err\n", "stderr was {:?}", ran.stderr);
    let input = sh(session, &fixture.native, "wc -c; readlink /proc/self/fd/0")?;
    ensure!(input.trim_start().starts_with('0'), "standard input is not empty: {input}");
    Ok(())
}

pub fn reports_exit_and_signal(session: &Session, fixture: &Fixture) -> Outcome {
    for (line, wanted) in [
        ("exit 0", StepStatus::Code(0)),
        ("exit 7", StepStatus::Code(7)),
        ("exit 255", StepStatus::Code(255)),
        ("kill -KILL $$", StepStatus::Signal(9)),
        ("kill -SEGV $$", StepStatus::Signal(11)),
        // Ours is ignored; the step's must not be.
        ("kill -PIPE $$; exit 3", StepStatus::Signal(13)),
        // Closing the outputs early must not end the step early.
        ("exec >&- 2>&-; sleep 0.2; exit 5", StepStatus::Code(5)),
    ] {
        let status = run(session, &shell(session, &fixture.native, line)?)?.result.status;
        ensure!(status == wanted, "`{line}` gave {status:?}");
    }
    ensure!(StepStatus::Signal(9).shell_code() == 137, "as a shell says it");
    Ok(())
}

pub fn explains_what_cannot_start(session: &Session, fixture: &Fixture) -> Outcome {
    let with = |argv: &[&str]| -> Result<StepError, crate::Trouble> {
        let mut spec = shell(session, &fixture.native, "")?;
        fs::create_dir_all(spec.upper.join("x"))?;
        fs::write(spec.upper.join("x/plain"), "text")?;
        fs::write(spec.upper.join("x/script"), "#!/no/such/interpreter\n")?;
        fs::write(spec.upper.join("x/junk"), [0x7f, b'E', b'L', b'F', 0, 0, 0])?;
        for name in ["script", "junk"] {
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(spec.upper.join("x").join(name), mode)?;
        }
        spec.argv = argv.iter().map(|a| (*a).to_owned()).collect();
        match run(session, &spec) {
            Ok(_) => Err(crate::Trouble::Fail(format!("{argv:?} started"))),
            Err(error) => Ok(error),
        }
    };
    for (argv, code, words) in [
        (&["no-such-program"][..], 127, "not found in PATH"),
        (&["/x/none"], 127, "no such file"),
        (&["/x/plain"], 126, "permission denied"),
        (&["/x/script"], 127, "interpreter"),
        (&["/x/junk"], 126, "exec format error"),
    ] {
        let error = with(argv)?;
        let matches = matches!(&error, StepError::Exec { status, reason, .. }
            if *status == code && reason.contains(words));
        ensure!(matches, "{argv:?}: {error:?}");
    }
    ensure!(matches!(with(&[])?, StepError::Invalid(_)), "no program at all");
    ensure!(matches!(with(&["a\0b"])?, StepError::Invalid(_)), "a zero byte");
    Ok(())
}

/// Every path below a directory, sorted.
fn tree(dir: &Path) -> std::io::Result<Vec<String>> {
    fn walk(dir: &Path, base: &Path, into: &mut Vec<String>) -> std::io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let path = entry.path();
            into.push(path.strip_prefix(base).unwrap_or(&path).display().to_string());
            if entry.file_type()?.is_dir() {
                walk(&path, base, into)?;
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found)?;
    found.sort();
    Ok(found)
}

pub fn changes_land_in_upper(session: &Session, fixture: &Fixture) -> Outcome {
    let spec = shell(session, &fixture.native, "echo new > /root/file; rm /etc/group; mkdir /d")?;
    run(session, &spec)?;
    let found = tree(&spec.upper)?;
    ensure!(found == ["d", "etc", "etc/group", "root", "root/file"], "{found:?}");
    let whiteout = spec.upper.join("etc/group").symlink_metadata()?;
    ensure!(whiteout.rdev() == 0 && whiteout.mode() & 0o170_000 == 0o020_000, "no whiteout");
    ensure!(fixture.native.join("etc/group").exists(), "the layer below was changed");
    // Nothing at all is changed by a step that changes nothing.
    let idle = shell(session, &fixture.native, "true")?;
    run(session, &idle)?;
    ensure!(tree(&idle.upper)?.is_empty(), "{:?}", tree(&idle.upper)?);
    // The next step sees what the last one did.
    let mut next = shell(session, &fixture.native, "cat /root/file; ls /etc")?;
    next.lower.insert(0, spec.upper.clone());
    let ran = run(session, &next)?;
    ensure!(ran.stdout.starts_with("new\n") && !ran.stdout.contains("group"), "{}", ran.stdout);
    Ok(())
}

pub fn user_directory_and_environment(session: &Session, fixture: &Fixture) -> Outcome {
    let line = "id -u; id -g; id -G; pwd; stat -c %u:%g .; echo $B; echo x > /dev/stdout; umask";
    let mut spec = shell(session, &fixture.native, line)?;
    spec.user = Ids { uid: 1000, gid: 1000, groups: vec![10, 1000] };
    spec.cwd = "/home/app/deep".to_owned();
    spec.env.push(("B".to_owned(), "two words".to_owned()));
    let ran = run(session, &spec)?;
    let wanted = "1000\n1000\n1000 10\n/home/app/deep\n1000:1000\ntwo words\nx\n0022\n";
    ensure!(ran.stdout == wanted, "{:?} {}", ran.stdout, ran.stderr);
    spec.argv = vec!["env".to_owned()];
    spec.env = ["Z=1", "A=2", "PATH=/bin", "Z=3"]
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let fresh = shell(session, &fixture.native, "")?;
    (spec.upper, spec.work) = (fresh.upper, fresh.work);
    let ran = run(session, &spec)?;
    ensure!(ran.stdout == "Z=1\nA=2\nPATH=/bin\nZ=3\n", "environment: {:?}", ran.stdout);
    Ok(())
}

pub fn pid_one_reaps_and_ends_all(session: &Session, fixture: &Fixture) -> Outcome {
    // Orphans become PID 1's, which reaps them: no zombie may stay.
    let line = "(sleep 0.05 & ) ; sleep 0.3; ps -o pid,stat,args; echo $$";
    let out = sh(session, &fixture.native, line)?;
    ensure!(!out.contains(" Z "), "a zombie is left:\n{out}");
    ensure!(out.ends_with("\n2\n"), "the command is not PID 2:\n{out}");
    // A daemon that the step leaves behind ends with it, and holds nothing up.
    let spec = shell(session, &fixture.native, "sleep 3600 & nohup sleep 3601 & echo done")?;
    let ran = run(session, &spec)?;
    ensure!(ran.result.duration.as_secs() < 10, "it waited for a daemon");
    ensure!(ran.stdout.contains("done"), "{}", ran.stdout);
    Ok(())
}

fn bind(source: &Path, dest: &str, read_only: bool) -> Mount {
    Mount::Bind {
        source: source.to_owned(),
        subpath: None,
        dest: dest.to_owned(),
        read_only,
        recursive: false,
    }
}

fn with_mounts(
    session: &Session,
    fixture: &Fixture,
    mounts: Vec<Mount>,
    line: &str,
) -> Result<RunSpec, crate::Trouble> {
    let mut spec = shell(session, &fixture.native, line)?;
    spec.mounts = mounts;
    Ok(spec)
}

pub fn mounts_leave_no_trace(session: &Session, fixture: &Fixture) -> Outcome {
    let cache = tempfile::tempdir_in(session.cache_dir())?;
    let context = tempfile::tempdir_in(session.cache_dir())?;
    fs::write(context.path().join("file"), "context")?;
    fs::create_dir(context.path().join("sub"))?;
    fs::write(context.path().join("sub/inner"), "inner")?;
    let mounts = vec![
        bind(cache.path(), "/var/cache/deep/inside", false),
        bind(context.path(), "/src", true),
        bind(&context.path().join("file"), "/etc/one-file", true),
        // Below another mount, declared before it.
        Mount::Tmpfs { dest: "/src2/tmp".to_owned(), size: Some(1 << 20), mode: 0o700 },
        bind(cache.path(), "/src2", false),
        Mount::Bind {
            source: context.path().to_owned(),
            subpath: Some("../sub".to_owned()),
            dest: "/sub".to_owned(),
            read_only: true,
            recursive: false,
        },
        Mount::File {
            program: false,
            dest: "/run/secrets/key".to_owned(),
            contents: b"secret\0bytes".to_vec(),
            mode: 0o400,
            uid: 0,
            gid: 0,
        },
        Mount::Layers {
            lower: vec![fixture.native.clone()],
            writable: None,
            subpath: Some("/etc/passwd".to_owned()),
            dest: "/from/stage".to_owned(),
        },
    ];
    let line = "set -e; echo kept > /var/cache/deep/inside/k; cat /src/file /etc/one-file; \
                ! echo x 2>/dev/null > /src/file; echo t > /src2/tmp/t; ls /src2; cat /sub/inner; \
                stat -c %a /run/secrets/key /src2/tmp; wc -c < /run/secrets/key; \
                head -1 /from/stage; ! echo x 2>/dev/null > /from/stage; touch /etc";
    let spec = with_mounts(session, fixture, mounts, line)?;
    let ran = run(session, &spec)?;
    ensure!(ran.result.status.success(), "{:?} {}", ran.result.status, ran.stderr);
    let wanted = "contextcontextk\ntmp\ninner400\n700\n12\nroot:x:0:0::/root:/bin/sh\n";
    ensure!(ran.stdout == wanted, "{:?} {}", ran.stdout, ran.stderr);
    ensure!(fs::read_to_string(cache.path().join("k"))? == "kept\n", "the cache lost it");
    // The step touched /etc itself; nothing else may show.
    let found = tree(&spec.upper)?;
    ensure!(found == ["etc"], "traces in the layer: {found:?}");
    let original = fixture.native.join("etc").metadata()?;
    let copied = spec.upper.join("etc").metadata()?;
    ensure!(original.mode() == copied.mode(), "/etc changed its mode");
    Ok(())
}

pub fn mounts_where_a_layer_removed(session: &Session, fixture: &Fixture) -> Outcome {
    // A layer that hides what the stub layer at the bottom offers, and an odd directory.
    let first = shell(
        session,
        &fixture.native,
        "set -e; mkdir -p /var/cache/apt /odd; chmod 2751 /odd; touch -d '2001-02-03 04:05:00' /odd; \
         ln -s /nowhere/resolv.conf /etc/resolv.link",
    )?;
    ensure!(run(session, &first)?.result.status.success(), "the first step failed");
    let mut second = shell(session, &fixture.native, "rm -rf /var/cache/apt /etc/hosts; true")?;
    second.shadow.clear();
    second.lower.insert(0, first.upper.clone());
    run(session, &second)?;
    ensure!(second.upper.join("etc/hosts").symlink_metadata().is_ok(), "no whiteout was made");
    let cache = tempfile::tempdir_in(session.cache_dir())?;
    let mounts = vec![
        bind(cache.path(), "/var/cache/apt", false),
        bind(cache.path(), "/odd/missing/place", false),
    ];
    let mut third = with_mounts(
        session,
        fixture,
        mounts,
        "set -e; cat /etc/hosts; touch /var/cache/apt/x; stat -c '%a %Y' /odd; ls /odd/missing/place",
    )?;
    third.lower.splice(0..0, [second.upper.clone(), first.upper.clone()]);
    let ran = run(session, &third)?;
    ensure!(ran.result.status.success(), "{:?} {}", ran.result.status, ran.stderr);
    ensure!(ran.stdout.contains("localhost"), "{}", ran.stdout);
    ensure!(ran.stdout.ends_with("2751 981173100\nx\n"), "/odd looks changed: {}", ran.stdout);
    let found = tree(&third.upper)?;
    ensure!(found.is_empty(), "traces in the layer: {found:?}");
    Ok(())
}

pub fn bad_mounts_are_refused(session: &Session, fixture: &Fixture) -> Outcome {
    let here = session.cache_dir();
    let refused = |mount: Mount| -> Result<String, crate::Trouble> {
        let spec = with_mounts(session, fixture, vec![mount], "true")?;
        match run(session, &spec) {
            Err(error @ StepError::Mount { .. }) => Ok(error.to_string()),
            Err(error) => Err(crate::Trouble::Fail(format!("another error: {error:?}"))),
            Ok(_) => Err(crate::Trouble::Fail("it was mounted".to_owned())),
        }
    };
    for (mount, words) in [
        (bind(here, "relative", true), "absolute"),
        (bind(here, "/", true), "root itself"),
        (bind(here, "/bin/../..", true), "goes up again"),
        (bind(&here.join("missing"), "/x", true), "No such file"),
        (bind(here, "/etc/passwd", true), "has a file there"),
        (bind(&fixture.native.join("etc/passwd"), "/etc", true), "has a directory there"),
        (
            Mount::Bind {
                source: here.to_owned(),
                subpath: Some("no/such".to_owned()),
                dest: "/x".to_owned(),
                read_only: true,
                recursive: false,
            },
            "no/such",
        ),
    ] {
        let text = refused(mount)?;
        ensure!(text.contains(words), "'{text}' does not say '{words}'");
    }
    Ok(())
}

pub fn limits_are_set(session: &Session, fixture: &Fixture) -> Outcome {
    let mut spec = shell(session, &fixture.native, "ulimit -n; df -k /dev/shm | tail -1")?;
    spec.limits = vec![Limit { resource: Resource::Nofile, soft: Some(77), hard: Some(99) }];
    spec.shm_size = Some(3 << 20);
    let ran = run(session, &spec)?;
    ensure!(ran.stdout.starts_with("77\n"), "{}{}", ran.stdout, ran.stderr);
    ensure!(ran.stdout.contains(" 3072 "), "shm size: {}", ran.stdout);
    Ok(())
}

pub fn large_output_is_complete(session: &Session, fixture: &Fixture) -> Outcome {
    let line = "head -c 20000000 /dev/zero & head -c 10000000 /dev/zero >&2; wait";
    let ran = run(session, &shell(session, &fixture.native, line)?)?;
    let (out, err) = (ran.stdout.len(), ran.stderr.len());
    ensure!((out, err) == (20_000_000, 10_000_000), "{out} and {err} bytes came");
    let _ = is_single(session);
    Ok(())
}
