//! What a step can't do.

use std::os::unix::fs::MetadataExt;

use mlint_builder::sandbox::{
    Session,
    step::{Ids, Network},
};

use crate::{
    Outcome, ensure,
    fixtures::{Fixture, run, sh, shell},
    is_single,
};

pub fn capabilities_are_dockers(session: &Session, fixture: &Fixture) -> Outcome {
    let line = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr -d '\\t'";
    let root = sh(session, &fixture.native, line)?;
    // What Docker's default is, limited by what this very process may at most have.
    let docker = "00000000a80425fb";
    let wanted = format!(
        "CapInh:0000000000000000\nCapPrm:{docker}\nCapEff:{docker}\nCapBnd:{docker}\n\
         CapAmb:0000000000000000\nNoNewPrivs:0\nSeccomp:2\n"
    );
    ensure!(root == wanted, "as root:\n{root}");
    let first = sh(session, &fixture.native, "grep CapEff /proc/1/status")?;
    ensure!(first.contains(docker), "PID 1 keeps more: {first}");
    if is_single(session) {
        return Ok(());
    }
    let mut spec = shell(session, &fixture.native, line)?;
    spec.user = Ids { uid: 1000, gid: 1000, groups: vec![] };
    let user = run(session, &spec)?.stdout;
    ensure!(user.contains("CapPrm:0000000000000000\nCapEff:0000000000000000\n"), "{user}");
    ensure!(user.contains(&format!("CapBnd:{docker}\nCapAmb:0000000000000000\n")), "{user}");
    Ok(())
}

pub fn seccomp_refuses(session: &Session, fixture: &Fixture) -> Outcome {
    for line in [
        "mount -t tmpfs none /tmp",
        "umount /proc",
        "unshare -U true",
        "unshare -m true",
        "hostname evil",
        "chroot / mount -t proc proc /tmp",
        "pivot_root / /tmp",
        "echo 1 > /proc/sys/kernel/randomize_va_space",
        "echo 0 > /proc/sysrq-trigger",
        "mknod /tmp/disk b 254 0",
        "swapoff -a && false",
        "reboot -f",
    ] {
        let ran = run(session, &shell(session, &fixture.native, line)?)?;
        ensure!(!ran.result.status.success(), "`{line}` worked: {}{}", ran.stdout, ran.stderr);
    }
    sh(session, &fixture.native, "chroot / true; mkfifo /tmp/f")?;
    Ok(())
}

pub fn devices_and_kernel_files(session: &Session, fixture: &Fixture) -> Outcome {
    let devices = sh(session, &fixture.native, "ls /dev | tr '\\n' ' '")?;
    let wanted = "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ";
    ensure!(devices == wanted, "{devices}");
    let line = "set -e; echo x > /dev/null; head -c 8 /dev/urandom | wc -c; echo s > /dev/shm/s; \
                test -c /dev/pts/ptmx; ! ls /dev/pts/0 2>/dev/null; \
                test ! -e /proc/kcore || test -c /proc/kcore; test -c /proc/keys;  ls /proc/acpi 2>/dev/null | wc -l; \
                ls /sys/firmware | wc -l; test -d /sys/class; ! touch /sys/x 2>/dev/null; \
                ! touch /proc/sys/kernel/hostname 2>/dev/null; cat /proc/self/mounts";
    let out = sh(session, &fixture.native, line)?;
    ensure!(out.starts_with("8\n0\n0\n"), "{out}");
    let mounts: Vec<&str> = out.lines().skip(3).collect();
    let root = mounts.iter().any(|line| line.starts_with("overlay / overlay rw"));
    ensure!(root, "the root is no overlay: {out}");
    for line in &mounts {
        let fields: Vec<&str> = line.split(' ').collect();
        let read_only = fields[3].split(',').any(|option| option == "ro");
        let free = ["/", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/proc"];
        let masked = fields[1].starts_with("/proc/") || fields[1].starts_with("/dev/");
        ensure!(read_only || masked || free.contains(&fields[1]), "writable: {line}");
    }
    Ok(())
}

pub fn host_is_out_of_sight(session: &Session, fixture: &Fixture) -> Outcome {
    let marker = session.cache_dir().display().to_string();
    let line = format!(
        "ls {marker} 2>/dev/null; ls / | tr '\\n' ' '; ls -d /proc/[0-9]* | wc -l; \
         for f in /proc/1/fd/*; do readlink $f; done; readlink /proc/1/exe /proc/1/cwd | wc -l; cat /proc/1/environ \
         2>/dev/null | wc -c; ipcs 2>/dev/null | wc -l"
    );
    let out = sh(session, &fixture.native, &line)?;
    let mut lines = out.lines();
    let root = lines.next().unwrap_or("");
    ensure!(root.starts_with("bin dev etc proc root sys tmp "), "{out}");
    let rest: Vec<&str> = lines.collect();
    ensure!(rest.first().is_some_and(|n| n.parse::<u32>().is_ok_and(|n| n <= 5)), "pids: {out}");
    ensure!(rest.get(1) == Some(&"0"), "PID 1's descriptors can be opened: {out}");
    ensure!(rest.get(2) == Some(&"0"), "PID 1's memory can be read: {out}");
    // Nothing that we, or those who started us, hold open. (ls itself has the fourth.)
    let open = sh(session, &fixture.native, "ls /proc/self/fd | tr '\\n' ' '")?;
    ensure!(open == "0 1 2 3 ", "descriptors are inherited: {open}");
    // Climbing out by the classic ways.
    let climb = "cd /; for i in 1 2 3 4 5 6 7 8 9; do cd ..; done; pwd; ls; mkdir -p /tmp/j; \
                 chroot /tmp/j /bin/sh -c true 2>/dev/null; ls /proc/1/root/ 2>&1 | head -1";
    let out = sh(session, &fixture.native, climb)?;
    ensure!(out.starts_with("/\nbin\n"), "{out}");
    Ok(())
}

pub fn network_none(session: &Session, fixture: &Fixture) -> Outcome {
    let line = "ls /sys/class/net >/dev/null; cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d ' '; \
                ifconfig lo | grep -c UP; \
                ping -c 1 -W 1 127.0.0.1 >/dev/null && echo loopback; \
                ping -c 1 -W 1 192.0.2.1 2>&1 | grep -ci unreachable";
    let mut spec = shell(session, &fixture.native, line)?;
    spec.network = Network::None;
    let ran = run(session, &spec)?;
    ensure!(ran.stdout == "lo\n1\nloopback\n1\n", "{:?} {}", ran.stdout, ran.stderr);
    let host = sh(session, &fixture.native, "tail -n +3 /proc/net/dev | wc -l")?;
    let outside = std::fs::read_to_string("/proc/net/dev")?.lines().skip(2).count();
    ensure!(host.trim() == outside.to_string(), "the host's network is not there: {host}");
    Ok(())
}

pub fn chown_works(session: &Session, fixture: &Fixture) -> Outcome {
    let line = "touch /f && chown 33:44 /f && stat -c %u:%g /f";
    let spec = shell(session, &fixture.native, line)?;
    let ran = run(session, &spec)?;
    ensure!(ran.stdout == "33:44\n", "{}{}", ran.stdout, ran.stderr);
    let meta = spec.upper.join("f").metadata()?;
    ensure!((meta.uid(), meta.gid()) == (33, 44), "the session sees {}:{}", meta.uid(), meta.gid());
    Ok(())
}

pub fn chown_is_faked(session: &Session, fixture: &Fixture) -> Outcome {
    let line = "set -e; touch /f; chown 33:44 /f; chown -h 1:1 /f; stat -c %u:%g /f; id -u";
    let mut spec = shell(session, &fixture.native, line)?;
    let ran = run(session, &spec)?;
    ensure!(ran.stdout == "0:0\n0\n", "{}{}", ran.stdout, ran.stderr);
    // Another user is root in truth, and still has no more than a step may have.
    let line = "grep CapEff /proc/self/status; mount -t tmpfs none /tmp 2>/dev/null && echo BAD";
    let fresh = shell(session, &fixture.native, line)?;
    spec = fresh;
    spec.user = Ids { uid: 1000, gid: 1000, groups: vec![10] };
    let ran = run(session, &spec)?;
    ensure!(ran.stdout == "CapEff:\t00000000a80425fb\n", "{}{}", ran.stdout, ran.stderr);
    // The session itself flattens alike: unpacking a layer needs no special case.
    let path = session.cache_dir().join("flat");
    std::fs::write(&path, "")?;
    std::os::unix::fs::chown(&path, Some(33), Some(44))?;
    Ok(())
}

pub fn setuid_programs_work(session: &Session, fixture: &Fixture) -> Outcome {
    let line = "mkdir /s && cp /bin/busybox /s/ping && chmod 4755 /s/ping";
    let first = shell(session, &fixture.native, line)?;
    run(session, &first)?;
    // A raw socket is what an ordinary user does not get, and this program does.
    let line = "/bin/ping -c 1 127.0.0.1 >/dev/null 2>&1 && echo BAD; \
                /s/ping -c 1 127.0.0.1 >/dev/null && echo good";
    let mut spec = shell(session, &fixture.native, line)?;
    spec.lower.insert(0, first.upper.clone());
    spec.user = Ids { uid: 1000, gid: 1000, groups: vec![] };
    spec.network = Network::None;
    let ran = run(session, &spec)?;
    ensure!(ran.stdout == "good\n", "{:?} {}", ran.stdout, ran.stderr);
    Ok(())
}
