//! The last steps of the command's own process: become the user, then the program.

use std::{
    ffi::{CString, OsStr},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use rustix::{
    fs::{Gid, Mode, Uid},
    io::Errno,
    process::{Rlimit, chdir, geteuid, setrlimit, setsid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use super::{
    super::{
        error::{During, SysError},
        mounts::last_errno,
    },
    DEFAULT_PATH, Limit, Resource, RunSpec, StepError, capabilities,
};

/// Becomes the step's program. Comes back only with the reason why not.
pub(super) fn become_program(spec: &RunSpec) -> StepError {
    match prepare(spec) {
        Ok(()) => execute(spec),
        Err(error) => error.into(),
    }
}

fn prepare(spec: &RunSpec) -> Result<(), SysError> {
    setsid().during(|| "start a session".to_owned())?;
    for limit in &spec.limits {
        set_limit(limit)?;
    }
    let (uid, gid) = (spec.user.uid, spec.user.gid);
    if uid != 0 {
        // As `> /dev/stdout` must work for every user, the pipes behind it belong to this one.
        for fd in [rustix::stdio::stdout(), rustix::stdio::stderr()] {
            let _ = rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        }
    }
    change_directory(spec)?;
    let mut groups: Vec<Gid> = spec.user.groups.iter().copied().map(Gid::from_raw).collect();
    if !groups.contains(&Gid::from_raw(gid)) {
        groups.insert(0, Gid::from_raw(gid));
    }
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    let unmapped = || format!("become user {}:{}", spec.user.uid, spec.user.gid);
    set_thread_groups(&groups).during(unmapped)?;
    set_thread_res_gid(gid, gid, gid).during(unmapped)?;
    // For anybody else than root this clears all capabilities; setuid programs get them back, as
    // far as the bounding set goes.
    set_thread_res_uid(uid, uid, uid).during(unmapped)?;
    // Asked of the kernel, not of the specification: with a single id we are root still.
    if geteuid().is_root() {
        capabilities::keep_default().during(|| "set the capabilities".to_owned())?;
    }
    reset_signals();
    Ok(())
}

/// Makes the working directory when it is missing, for the user, as BuildKit does.
fn change_directory(spec: &RunSpec) -> Result<(), SysError> {
    let cwd = if spec.cwd.is_empty() { "/" } else { &spec.cwd };
    match chdir(cwd) {
        Err(Errno::NOENT) => {}
        result => return result.at("enter the working directory", cwd),
    }
    let root =
        super::super::safe_fs::Root::open(Path::new("/")).at("open the root directory", "/")?;
    root.create_dir_all(cwd, 0o755, &mut |made| made.chown(spec.user.uid, spec.user.gid))
        .at("make the working directory", cwd)?;
    chdir(cwd).at("enter the working directory", cwd)
}

fn set_limit(limit: &Limit) -> Result<(), SysError> {
    use rustix::process::Resource as Kernel;
    let resource = match limit.resource {
        Resource::As => Kernel::As,
        Resource::Core => Kernel::Core,
        Resource::Cpu => Kernel::Cpu,
        Resource::Data => Kernel::Data,
        Resource::Fsize => Kernel::Fsize,
        Resource::Locks => Kernel::Locks,
        Resource::Memlock => Kernel::Memlock,
        Resource::Msgqueue => Kernel::Msgqueue,
        Resource::Nice => Kernel::Nice,
        Resource::Nofile => Kernel::Nofile,
        Resource::Nproc => Kernel::Nproc,
        Resource::Rss => Kernel::Rss,
        Resource::Rtprio => Kernel::Rtprio,
        Resource::Rttime => Kernel::Rttime,
        Resource::Sigpending => Kernel::Sigpending,
        Resource::Stack => Kernel::Stack,
    };
    setrlimit(resource, Rlimit { current: limit.soft, maximum: limit.hard })
        .during(|| format!("set the limit {:?} to {:?}", limit.resource, limit.soft))
}

/// Gives the program the signal settings of a fresh login, whatever whoever started us had ignored.
fn reset_signals() {
    const HIGHEST: libc::c_int = 64;
    // All zeros are the default action of every signal, on every machine; the structure is shorter.
    let default = [0_u64; 8];
    for signal in 1..=HIGHEST {
        // SAFETY: the kernel reads the structure, which outlives the call, and writes nothing. Not
        // through libc, which refuses the two signals that it uses itself. Those two that can't be
        // changed, and numbers that this kernel does not have, fail and are as they should be.
        unsafe {
            let old = std::ptr::null_mut::<u64>();
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), old, 8_usize);
        }
    }
    // SAFETY: plain libc calls on valid arguments; this process has one thread.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
    rustix::process::umask(Mode::from_raw_mode(0o022));
}

fn execute(spec: &RunSpec) -> StepError {
    let text = |bytes: &[u8]| {
        CString::new(bytes).map_err(|_| StepError::Invalid("an argument holds a zero byte".into()))
    };
    let build = || -> Result<(Vec<CString>, Vec<CString>), StepError> {
        let argv = spec.argv.iter().map(|a| text(a.as_bytes())).collect::<Result<_, _>>()?;
        let env = spec
            .env
            .iter()
            .map(|(name, value)| text(format!("{name}={value}").as_bytes()))
            .collect::<Result<_, _>>()?;
        Ok((argv, env))
    };
    let (argv, env) = match build() {
        Ok(both) => both,
        Err(error) => return error,
    };
    let Some(program) = spec.argv.first() else {
        return StepError::Invalid("no program is given".to_owned());
    };
    let mut failure = Errno::NOENT;
    for candidate in candidates(program, &spec.env) {
        let Ok(path) = text(candidate.as_bytes()) else { continue };
        let errno = exec(&path, &argv, &env);
        // Go on looking only where nothing runnable was found, as a shell does.
        match errno {
            Errno::NOENT | Errno::NOTDIR => {}
            Errno::ACCESS => failure = errno,
            _ => {
                failure = errno;
                break;
            }
        }
    }
    explain(program, failure)
}

/// The paths that a program name may stand for.
fn candidates(program: &str, env: &[(String, String)]) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = env.iter().rev().find(|(name, _)| name == "PATH").map_or(DEFAULT_PATH, |(_, v)| v);
    path.split(':')
        .map(|dir| if dir.is_empty() { format!("./{program}") } else { format!("{dir}/{program}") })
        .collect()
}

fn exec(path: &CString, argv: &[CString], env: &[CString]) -> Errno {
    let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
        list.iter().map(|item| item.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: the three are null-terminated C strings and arrays that outlive the call.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    last_errno()
}

fn explain(program: &str, errno: Errno) -> StepError {
    let exists = Path::new(OsStr::from_bytes(program.as_bytes())).exists();
    let (status, reason) = match errno {
        Errno::NOENT if program.contains('/') && exists => {
            (127, "its interpreter (the dynamic loader or the one in #!) is missing".to_owned())
        }
        Errno::NOENT | Errno::NOTDIR if program.contains('/') => {
            (127, "no such file in the image".to_owned())
        }
        Errno::NOENT | Errno::NOTDIR => (127, "it is not found in PATH".to_owned()),
        Errno::ACCESS => (126, "permission denied".to_owned()),
        Errno::NOEXEC => (
            126,
            "exec format error: it is built for another machine, or a script without #!".to_owned(),
        ),
        other => (126, std::io::Error::from(other).to_string()),
    };
    StepError::Exec { program: program.to_owned(), status, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_path_counts_and_slashes_bypass_it() {
        let env = vec![
            ("PATH".to_owned(), "/a".to_owned()),
            ("X".to_owned(), "1".to_owned()),
            ("PATH".to_owned(), "/b::/c".to_owned()),
        ];
        assert_eq!(candidates("sh", &env), ["/b/sh", "./sh", "/c/sh"]);
        assert_eq!(candidates("./sh", &env), ["./sh"]);
        assert_eq!(candidates("sh", &[])[0], "/usr/local/sbin/sh");
    }
}
