//! System call filters: Docker's default profile for steps, and faked ownership.
//!
//! The default profile is rendered as its complement: what Docker's list does not allow (with the
//! default capabilities) is refused, and everything newer than the list does not exist. That
//! gives the same answers from a program of a few hundred instructions, for the native and the
//! 32-bit calls alike, so that `linux/386` steps run natively on amd64.

mod bpf;
mod tables;

use rustix::io::Errno;

use super::mounts::last_errno;
use bpf::Program;
use tables::{ABIS, Abi};

/// Flags of `clone` that make namespaces: mount, cgroup, uts, ipc, user, pid, net, time excluded
/// since that bit means something else there.
const NAMESPACE_FLAGS: u32 = 0x7e02_0000;

/// Address family of virtual machine sockets, the one that Docker refuses.
const AF_VSOCK: u32 = 40;

/// The execution domains that programs ask for in earnest.
const PERSONALITIES: [u32; 5] = [0, 0x0008, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// Installs the default profile. Needs CAP_SYS_ADMIN in the own user namespace; privileges may
/// still be gained by setuid programs, as in a Docker build.
pub(super) fn install_default() -> Result<(), Errno> {
    install(&default_program())
}

/// Makes `chown`, `setuid` and their kin succeed without effect: with one id there is nothing
/// they could change, and package managers insist.
pub(super) fn fake_ownership() -> Result<(), Errno> {
    let mut program = Program::new();
    for abi in ABIS {
        program.for_arch(abi.audit, |body| {
            for number in abi.ownership {
                body.errno_if(*number, 0);
            }
            body.allow();
        });
    }
    program.allow();
    install(&program.finish())
}

fn default_program() -> Vec<libc::sock_filter> {
    let mut program = Program::new();
    for abi in ABIS {
        program.for_arch(abi.audit, |body| default_body(abi, body));
    }
    // A machine that this table does not know has no business here.
    program.kill();
    program.finish()
}

fn default_body(abi: &Abi, body: &mut Program) {
    // Also covers x32, whose numbers have a high bit. Not the private calls of 32-bit arm.
    body.errno_between(tables::NEWEST + 1, abi.private_from, libc::ENOSYS);
    // Glibc falls back to clone, whose flags a filter can see.
    body.errno_if(abi.clone3, libc::ENOSYS);
    body.errno_if_masked(abi.clone, abi.clone_flags_argument, NAMESPACE_FLAGS, libc::EPERM);
    body.errno_unless_one_of(abi.personality, 0, &PERSONALITIES, libc::EPERM);
    if let Some(socket) = abi.socket {
        body.errno_if_argument(socket, 0, AF_VSOCK, libc::EINVAL);
    }
    let denied = abi.denied.iter().chain(tables::DENIED_EVERYWHERE).copied().collect();
    body.errno_if_any_else_allow(denied, libc::EPERM);
}

fn install(program: &[libc::sock_filter]) -> Result<(), Errno> {
    let length = u16::try_from(program.len()).map_err(|_| Errno::TOOBIG)?;
    let header = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the header and the instructions outlive the call, which only reads them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            // As Docker: no slow mitigation just because there is a filter.
            libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
            &raw const header,
        )
    };
    if result == 0 { Ok(()) } else { Err(last_errno()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel would.
    fn verdict(program: &[libc::sock_filter], arch: u32, number: u32, arguments: [u64; 6]) -> u32 {
        bpf::evaluate(program, arch, number, arguments)
    }

    const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

    fn errno(number: i32) -> u32 {
        libc::SECCOMP_RET_ERRNO | number as u32
    }

    #[test]
    fn the_default_profile_refuses_what_docker_refuses() {
        let program = default_program();
        let native = ABIS[0].audit;
        let none = [0; 6];
        let call = |number: libc::c_long| verdict(&program, native, number as u32, none);
        for allowed in [
            libc::SYS_read,
            libc::SYS_openat,
            libc::SYS_execve,
            libc::SYS_ptrace,
            libc::SYS_chroot,
            libc::SYS_fchownat,
            libc::SYS_prctl,
            libc::SYS_capset,
            libc::SYS_mknodat,
            libc::SYS_seccomp,
        ] {
            assert_eq!(call(allowed), ALLOW, "{allowed}");
        }
        for refused in [
            libc::SYS_mount,
            libc::SYS_umount2,
            libc::SYS_unshare,
            libc::SYS_setns,
            libc::SYS_pivot_root,
            libc::SYS_fsopen,
            libc::SYS_open_tree,
            libc::SYS_move_mount,
            libc::SYS_mount_setattr,
            libc::SYS_bpf,
            libc::SYS_keyctl,
            libc::SYS_kexec_load,
            libc::SYS_init_module,
            libc::SYS_io_uring_setup,
            libc::SYS_userfaultfd,
            libc::SYS_perf_event_open,
            libc::SYS_open_by_handle_at,
        ] {
            assert_eq!(call(refused), errno(libc::EPERM), "{refused}");
        }
        assert_eq!(call(libc::SYS_clone3), errno(libc::ENOSYS));
        assert_eq!(call(100_000), errno(libc::ENOSYS), "a call of the future");
    }

    #[test]
    fn every_number_gets_the_verdict_of_the_tables() {
        let program = default_program();
        for abi in ABIS {
            for number in 0..=tables::NEWEST {
                let listed =
                    abi.denied.contains(&number) || tables::DENIED_EVERYWHERE.contains(&number);
                let wanted = match number {
                    number if number == abi.clone3 => errno(libc::ENOSYS),
                    _ if listed => errno(libc::EPERM),
                    _ => ALLOW,
                };
                assert_eq!(verdict(&program, abi.audit, number, [0; 6]), wanted, "{number}");
            }
        }
    }

    #[test]
    fn arguments_decide_where_they_must() {
        let program = default_program();
        let abi = &ABIS[0];
        let with = |number: u32, index: usize, value: u64| {
            let mut arguments = [0; 6];
            arguments[index] = value;
            verdict(&program, abi.audit, number, arguments)
        };
        let flags = abi.clone_flags_argument as usize;
        assert_eq!(with(abi.clone, flags, 0x3d0f00), ALLOW, "a thread");
        assert_eq!(with(abi.clone, flags, 17), ALLOW, "a fork");
        assert_eq!(with(abi.clone, flags, 0x1000_0011), errno(libc::EPERM), "a user namespace");
        assert_eq!(with(abi.clone, flags, 0x2_0011), errno(libc::EPERM), "a mount namespace");
        assert_eq!(with(abi.personality, 0, 0xffff_ffff), ALLOW, "asking");
        assert_eq!(with(abi.personality, 0, 0x2_0008), ALLOW);
        assert_eq!(with(abi.personality, 0, 0x40_0000), errno(libc::EPERM));
        let socket = abi.socket.unwrap();
        assert_eq!(with(socket, 0, 2), ALLOW);
        assert_eq!(with(socket, 0, 40), errno(libc::EINVAL));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_32_bit_calls_are_judged_by_their_own_numbers() {
        let program = default_program();
        let call = |number| verdict(&program, tables::AUDIT_I386, number, [0; 6]);
        assert_eq!(call(11), ALLOW, "execve");
        assert_eq!(call(21), errno(libc::EPERM), "mount");
        assert_eq!(call(165), ALLOW, "getresuid: the number of mount on amd64");
        // The x32 twin of mount, and a machine of another family.
        let x32 = verdict(&program, ABIS[0].audit, 0x4000_0000 | 165, [0; 6]);
        assert_eq!(x32, errno(libc::ENOSYS));
        assert_eq!(verdict(&program, 0x1234, 0, [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
    }
}
