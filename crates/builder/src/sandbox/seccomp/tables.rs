//! Numbers of system calls, per way of calling the kernel.

/// One way of calling: the native one, or a 32-bit one on the same machine.
pub(super) struct Abi {
    /// What seccomp calls the machine.
    pub(super) audit: u32,
    pub(super) clone: u32,
    /// Which argument of `clone` has the flags: the first, on s390x the second.
    pub(super) clone_flags_argument: u32,
    pub(super) clone3: u32,
    pub(super) personality: u32,
    /// `socket`, where it is a call of its own.
    pub(super) socket: Option<u32>,
    /// Where private calls begin that have nothing to do with the common numbers.
    pub(super) private_from: Option<u32>,
    /// Refused.
    pub(super) denied: &'static [u32],
    /// `chown`, `setuid` and kin.
    pub(super) ownership: &'static [u32],
}

/// The newest call that the profile knows (`file_setattr`, Linux 6.17).
pub(super) const NEWEST: u32 = 469;

/// Calls that have the same number everywhere, refused: io_uring, the new mount calls,
/// `pidfd_getfd`, `process_madvise`, `quotactl_fd`, `set_mempolicy_home_node`, `open_tree_attr`.
pub(super) const DENIED_EVERYWHERE: &[u32] =
    &[425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 440, 442, 443, 450, 467];

const CLONE3: u32 = 435;

macro_rules! numbers {
    ($($name:ident)*) => { &[$(libc::$name as u32),*] };
}

#[cfg(target_arch = "x86_64")]
const AUDIT_NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_NATIVE: u32 = 0xc000_00b7;
#[cfg(target_arch = "riscv64")]
const AUDIT_NATIVE: u32 = 0xc000_00f3;
#[cfg(target_arch = "s390x")]
const AUDIT_NATIVE: u32 = 0x8000_0016;
#[cfg(all(target_arch = "powerpc64", target_endian = "little"))]
const AUDIT_NATIVE: u32 = 0xc000_0015;

/// Refused, by names that every machine has.
macro_rules! denied_natively {
    ($($more:ident)*) => {
        numbers![
            SYS_acct SYS_add_key SYS_bpf SYS_clock_settime SYS_delete_module SYS_fanotify_init
            SYS_finit_module SYS_get_mempolicy SYS_init_module SYS_kcmp SYS_kexec_load SYS_keyctl
            SYS_mbind SYS_migrate_pages SYS_mount SYS_move_pages SYS_nfsservctl
            SYS_open_by_handle_at SYS_perf_event_open SYS_pivot_root SYS_quotactl SYS_reboot
            SYS_request_key SYS_set_mempolicy SYS_setdomainname SYS_sethostname SYS_setns
            SYS_settimeofday SYS_swapoff SYS_swapon SYS_syslog SYS_umount2 SYS_unshare
            SYS_userfaultfd SYS_vhangup $($more)*
        ]
    };
}

macro_rules! ownership_natively {
    ($($more:ident)*) => {
        numbers![
            SYS_fchown SYS_fchownat SYS_setuid SYS_setgid SYS_setreuid SYS_setregid SYS_setresuid
            SYS_setresgid SYS_setgroups SYS_setfsuid SYS_setfsgid $($more)*
        ]
    };
}

const NATIVE: Abi = Abi {
    audit: AUDIT_NATIVE,
    clone: libc::SYS_clone as u32,
    clone_flags_argument: if cfg!(target_arch = "s390x") { 1 } else { 0 },
    clone3: CLONE3,
    personality: libc::SYS_personality as u32,
    socket: Some(libc::SYS_socket as u32),
    private_from: None,
    #[cfg(target_arch = "x86_64")]
    denied: denied_natively![
        SYS__sysctl SYS_afs_syscall SYS_getpmsg SYS_ioperm
        SYS_iopl SYS_kexec_file_load SYS_lookup_dcookie SYS_putpmsg SYS_security
        SYS_sysfs SYS_tuxcall SYS_uselib SYS_ustat SYS_vserver
    ],
    #[cfg(not(target_arch = "x86_64"))]
    denied: denied_natively![],
    #[cfg(target_arch = "x86_64")]
    ownership: ownership_natively![SYS_chown SYS_lchown],
    #[cfg(not(target_arch = "x86_64"))]
    ownership: ownership_natively![],
};

#[cfg(target_arch = "x86_64")]
pub(super) const AUDIT_I386: u32 = 0x4000_0003;

/// What Linux kept of the old numbers on both 32-bit machines: `chown` and kin, `setuid` and kin,
/// with 16-bit and with 32-bit ids.
macro_rules! ownership_32_bit {
    ($fchownat:literal) => {
        &[
            16, 23, 46, 70, 71, 81, 95, 138, 139, 164, 170, 182, 198, 203, 204, 206, 207, 208, 210,
            212, 213, 214, 215, 216, $fchownat,
        ]
    };
}

#[cfg(target_arch = "x86_64")]
const I386: Abi = Abi {
    audit: AUDIT_I386,
    clone: 120,
    clone_flags_argument: 0,
    clone3: CLONE3,
    personality: 136,
    socket: Some(359),
    private_from: None,
    // mount, umount, stime, acct, umount2, ustat, sethostname, settimeofday, uselib, swapon,
    // reboot, ioperm, syslog, iopl, vhangup, vm86old, swapoff, setdomainname, the modules' three
    // and get_kernel_syms, quotactl, sysfs, afs_syscall, _sysctl, vm86, query_module, nfsservctl,
    // getpmsg, putpmsg, pivot_root, lookup_dcookie, clock_settime, vserver, mbind, get_mempolicy,
    // set_mempolicy, kexec_load, add_key, request_key, keyctl, migrate_pages, unshare, move_pages,
    // perf_event_open, fanotify_init, open_by_handle_at, setns, kcmp, finit_module, bpf,
    // userfaultfd, clock_settime64.
    denied: &[
        21, 22, 25, 51, 52, 62, 74, 79, 86, 87, 88, 101, 103, 110, 111, 113, 115, 121, 127, 128,
        129, 130, 131, 135, 137, 149, 166, 167, 169, 188, 189, 217, 253, 264, 273, 274, 275, 276,
        283, 286, 287, 288, 294, 310, 317, 336, 338, 342, 346, 349, 350, 357, 374, 404,
    ],
    ownership: ownership_32_bit!(298),
};

#[cfg(target_arch = "aarch64")]
const ARM: Abi = Abi {
    audit: 0x4000_0028,
    clone: 120,
    clone_flags_argument: 0,
    clone3: CLONE3,
    personality: 136,
    socket: Some(281),
    private_from: Some(0xf_0000),
    // As for i386, by arm's numbers.
    denied: &[
        21, 22, 25, 51, 52, 62, 74, 79, 86, 87, 88, 103, 111, 115, 121, 128, 129, 131, 135, 149,
        169, 218, 249, 262, 309, 310, 311, 313, 319, 320, 321, 337, 344, 347, 364, 367, 371, 375,
        378, 379, 386, 388, 400, 401, 404,
    ],
    ownership: ownership_32_bit!(325),
};

#[cfg(target_arch = "x86_64")]
pub(super) const ABIS: &[Abi] = &[NATIVE, I386];
#[cfg(target_arch = "aarch64")]
pub(super) const ABIS: &[Abi] = &[NATIVE, ARM];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const ABIS: &[Abi] = &[NATIVE];
