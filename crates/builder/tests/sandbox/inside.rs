//! What a step sees of itself and of the machine.

use std::{
    fs,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    process::ExitCode,
};

use mlint_builder::sandbox::{
    Session,
    step::{self, Mount, Network},
};

use crate::{
    Outcome, Trouble, ensure,
    fixtures::{Fixture, run, sh, shell},
    this_executable,
};

/// PID 1 has what the command has, from the first moment on that the command could look.
pub fn first_process_has_no_more(session: &Session, fixture: &Fixture) -> Outcome {
    let mut spec = shell(session, &fixture.native, "")?;
    let look = ["/bin/busybox", "grep", "-E", "^(Cap|Seccomp:|Groups)", "/proc/1/status"];
    spec.argv = look.map(str::to_owned).to_vec();
    let docker = "00000000a80425fb";
    for round in 0..25 {
        let fresh = shell(session, &fixture.native, "")?;
        (spec.upper, spec.work) = (fresh.upper, fresh.work);
        let seen = run(session, &spec)?.stdout.replace('\t', "");
        for wanted in [
            "CapInh:0000000000000000\n",
            &format!("CapPrm:{docker}\nCapEff:{docker}\nCapBnd:{docker}\n"),
            "CapAmb:0000000000000000\n",
            "Seccomp:2\n",
        ] {
            ensure!(seen.contains(wanted), "round {round}, no {wanted:?} in\n{seen}");
        }
    }
    Ok(())
}

pub fn kernel_files_are_masked(session: &Session, fixture: &Fixture) -> Outcome {
    // Empty, whatever the kernel has there.
    let line = "for f in kcore keys latency_stats timer_list timer_stats sched_debug interrupts; do \
                test ! -e /proc/$f || cat /proc/$f; done | wc -c; \
                for d in acpi asound scsi; do test ! -e /proc/$d || ls -A /proc/$d; done | wc -l; \
                ls -A /sys/firmware /sys/devices/virtual/powercap 2>/dev/null | grep -v : | wc -w";
    let out = sh(session, &fixture.native, line)?;
    ensure!(out == "0\n0\n0\n", "{out}");
    // Read-only, also for whom the files belong to.
    for file in [
        "/proc/sys/kernel/hostname",
        "/proc/sys/net/ipv4/ip_forward",
        "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
    ] {
        let line = format!("test ! -e {file} && exit 1; cat {file} > /tmp/x; cat /tmp/x > {file}");
        let ran = run(session, &shell(session, &fixture.native, &line)?)?;
        ensure!(!ran.result.status.success(), "{file} can be written");
    }
    Ok(())
}

pub fn sys_is_its_own(session: &Session, fixture: &Fixture) -> Outcome {
    // What is mounted under something else does not count: nobody gets there.
    let places = "$(cut -d' ' -f5 /proc/self/mountinfo | grep '^/sys')";
    let writable = "grep ' /sys' /proc/self/mountinfo | grep -v ' /sys /proc' | cut -d' ' -f6 | grep -vc '^ro'";
    let line = format!(
        "ls /sys/class/net | tr '\\n' ' '; echo; {writable}; \
         for m in {places}; do stat -f -c %t $m 2>/dev/null; done | sort -u"
    );
    for network in [Network::Host, Network::None] {
        let mut spec = shell(session, &fixture.native, &line)?;
        spec.network = network;
        let ran = run(session, &spec)?;
        let mut lines = ran.stdout.lines();
        let interfaces = lines.next().unwrap_or_default();
        ensure!(lines.next() == Some("0"), "writable below /sys: {}", ran.stdout);
        // Of what the host has mounted there nothing shows.
        let kinds: Vec<&str> = lines.collect();
        let (sysfs, tmpfs, cgroup2) = ("62656572", "1021994", "63677270");
        let known = [sysfs, tmpfs, cgroup2];
        ensure!(kinds.iter().all(|kind| known.contains(kind)), "{network:?}: {kinds:?}");
        ensure!(kinds.contains(&sysfs), "{network:?}: no /sys: {kinds:?}");
        match network {
            Network::None => ensure!(interfaces == "lo ", "{interfaces}"),
            Network::Host => {
                let outside = fs::read_dir("/sys/class/net")?.count();
                let inside = interfaces.split_whitespace().count();
                ensure!(inside == outside, "{inside} interfaces, outside {outside}");
            }
        }
        // Its own group is the root: no names of other services or containers.
        spec = shell(session, &fixture.native, "ls /sys/fs/cgroup; cat /proc/self/cgroup")?;
        spec.network = network;
        let seen = run(session, &spec)?.stdout;
        let own =
            |line: &str| line.starts_with("cgroup.") || line.contains('.') || line.ends_with(":/");
        ensure!(seen.lines().all(own), "{network:?}: {seen}");
    }
    Ok(())
}

/// The session is this process: what it changes of itself is what a user's shell may have changed.
pub fn nothing_is_inherited(session: &Session, fixture: &Fixture) -> Outcome {
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    // Without close-on-exec, as shells leave descriptors behind.
    let left = rustix::fs::open("/", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty())?;
    let line = "umask; env | sort; ls /proc/self/fd | tr '\\n' ' '; echo; \
                grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status | tr -d '\\t'; \
                true < /dev/tty 2>/dev/null && echo terminal; \
                pwd; test $(cat /proc/self/stat | cut -d' ' -f7) = 0 && echo no-tty";
    let mut spec = shell(session, &fixture.native, line)?;
    spec.env.push(("GIVEN".to_owned(), "yes".to_owned()));
    let ran = run(session, &spec);
    rustix::process::umask(before);
    drop(left);
    let ran = ran?;
    let path = step::DEFAULT_PATH;
    // The shell adds the three; the fourth descriptor is the one of ls itself.
    let wanted = format!(
        "0022\nGIVEN=yes\nPATH={path}\nPWD=/\nSHLVL=1\n0 1 2 3 \n\
         SigBlk:0000000000000000\nSigIgn:0000000000000000\nSigCgt:0000000000000000\n"
    );
    ensure!(ran.stdout.starts_with(&wanted), "{}\nwanted {wanted}", ran.stdout);
    ensure!(!ran.stdout.contains("terminal"), "there is a terminal: {}", ran.stdout);
    ensure!(ran.stdout.ends_with("/\nno-tty\n"), "{}", ran.stdout);
    Ok(())
}

/// Of the user's session keyring nothing is left, neither here nor in a step.
pub fn keyring_is_left(_: &Session, _: &Fixture) -> Outcome {
    let Ok(keys) = fs::read_to_string("/proc/keys") else {
        return Err(Trouble::Skip("this kernel shows no keys".to_owned()));
    };
    // A process sees those keys that it possesses: of session keyrings only its own, empty one.
    let mine: Vec<&str> = keys.lines().filter(|line| line.contains(" _ses")).collect();
    ensure!(mine.iter().all(|line| line.ends_with("_ses: empty")), "{keys}");
    Ok(())
}

/// Mount points that the image lacks come into being inside it, and a link to nothing stays what it is.
pub fn mount_points_stay_inside(session: &Session, fixture: &Fixture) -> Outcome {
    let mut spec =
        shell(session, &fixture.native, "readlink /alias; ls /gone; test -d /alias/dir")?;
    let below = spec.upper.join("../below");
    fs::create_dir(&below)?;
    let outside = std::env::temp_dir().join(format!("mlint-outside-{}", std::process::id()));
    std::os::unix::fs::symlink("../../../../../gone", below.join("alias"))?;
    std::os::unix::fs::symlink(&outside, below.join("away"))?;
    spec.lower.insert(0, below);
    let tmpfs = |dest: &str| Mount::Tmpfs { dest: dest.to_owned(), size: None, mode: 0o755 };
    spec.mounts = vec![tmpfs("/alias/dir"), tmpfs("/away/dir")];
    let ran = run(session, &spec)?;
    ensure!(ran.result.status.success(), "{}{}", ran.stdout, ran.stderr);
    ensure!(ran.stdout == "../../../../../gone\ndir\n", "{}", ran.stdout);
    ensure!(!outside.exists(), "{} was made outside", outside.display());
    ensure!(fs::read_dir(&spec.upper)?.count() == 0, "the layer has something of it");
    let mut spec = shell(session, &fixture.native, "true")?;
    spec.mounts.push(tmpfs(&format!("/none/{}{}", "../".repeat(20), outside.display())));
    let refused = run(session, &spec).err();
    ensure!(matches!(refused, Some(step::StepError::Mount { .. })), "{refused:?}");
    ensure!(!outside.exists(), "{} was made outside", outside.display());
    Ok(())
}

/// The argument that makes this executable a client of an abstract socket.
pub const CLIENT: &str = "abstract-client";

/// Tries the socket of a foreign name, and one of its own.
pub fn client(arguments: &[String]) -> ExitCode {
    let reaches = |name: &str| {
        let address = SocketAddr::from_abstract_name(name);
        address.and_then(|address| UnixStream::connect_addr(&address)).is_ok()
    };
    let own = SocketAddr::from_abstract_name("mlint-own").and_then(|a| UnixListener::bind_addr(&a));
    let foreign = arguments.first().is_some_and(|name| reaches(name));
    println!("own {} foreign {foreign}", own.is_ok() && reaches("mlint-own"));
    ExitCode::SUCCESS
}

pub fn foreign_sockets(session: &Session, fixture: &Fixture) -> Outcome {
    if !step::foreign_sockets_can_be_left_alone() {
        return Err(Trouble::Skip("the kernel has no Landlock with scopes (6.12)".to_owned()));
    }
    let name = format!("mlint-test-{}", std::process::id());
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
    let mut spec = shell(session, &fixture.native, "")?;
    // This executable in the step, with the host's libraries that it needs.
    let bind = |source: std::path::PathBuf, dest: &str| Mount::Bind {
        source,
        subpath: None,
        dest: dest.to_owned(),
        read_only: true,
        recursive: false,
    };
    spec.mounts.push(bind(this_executable()?, "/client"));
    for dir in ["/lib", "/lib64", "/usr/lib"] {
        if fs::metadata(dir).is_ok() {
            spec.mounts.push(bind(dir.into(), dir));
        }
    }
    spec.argv = vec!["/client".to_owned(), CLIENT.to_owned(), name];
    let ran = run(session, &spec)?;
    ensure!(ran.stdout == "own true foreign false\n", "{}{}", ran.stdout, ran.stderr);
    Ok(())
}
