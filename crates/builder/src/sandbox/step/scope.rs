//! Sockets without a file: their names belong to the network namespace, and a step's is the host's
//! as a rule. So a step could call at display servers and daemons that take it for the user.

/// What Landlock calls its first scope: sockets in the abstract namespace.
const ABSTRACT_SOCKETS: u64 = 1;

/// `struct landlock_ruleset_attr`.
#[repr(C)]
struct Ruleset {
    handled_access_fs: u64,
    handled_access_net: u64,
    scoped: u64,
}

/// Whether the kernel can keep a step from the abstract sockets of others (Linux 6.12, with
/// Landlock switched on).
pub fn foreign_sockets_can_be_left_alone() -> bool {
    const ASK_FOR_VERSION: libc::c_uint = 1;
    const WITH_SCOPES: libc::c_long = 6;
    // SAFETY: with this flag the call takes no structure and gives a number.
    let version = unsafe {
        let none = std::ptr::null::<Ruleset>();
        libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, ASK_FOR_VERSION)
    };
    version >= WITH_SCOPES
}

/// Lets this process and all that it starts reach only those abstract sockets that they made
/// themselves. Kernels before 6.12, and those without Landlock, do not know how: then it is as in
/// every other builder that shares the host's network.
pub(super) fn leave_foreign_sockets_alone() {
    let ruleset = Ruleset { handled_access_fs: 0, handled_access_net: 0, scoped: ABSTRACT_SOCKETS };
    // SAFETY: the structure outlives the call, and its size is passed with it; the second call takes
    // a descriptor that the first gave, which is closed once and by nobody else.
    unsafe {
        let fd = libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const ruleset,
            size_of::<Ruleset>(),
            0_u32,
        );
        let Ok(fd) = libc::c_int::try_from(fd) else { return };
        if fd >= 0 {
            libc::syscall(libc::SYS_landlock_restrict_self, fd, 0_u32);
            libc::close(fd);
        }
    }
}
