//! A private instance of `binfmt_misc`.

use std::{
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
    mount::MountAttrFlags,
};

use super::{super::mounts, Machine};

/// Makes the instance of this user namespace, mounted nowhere.
///
/// From then on the host's handlers do not count in this namespace any more, even after the
/// instance is gone.
pub(super) fn new_instance() -> Result<OwnedFd, Errno> {
    let harmless = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    mounts::new_fs("binfmt_misc", &[], harmless)
}

/// Registers an emulator for a machine's programs.
pub(super) fn register(instance: &OwnedFd, machine: &Machine, qemu: &Path) -> Result<(), Errno> {
    let line = registration(machine, qemu);
    let file = openat(instance, "register", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::io::write(&file, &line) {
        Ok(_) => Ok(()),
        // An earlier preparation in this session did it.
        Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The line that the kernel reads.
///
/// Flags: F opens the emulator now, so that it works inside images that lack it; P keeps
/// `argv[0]`; C gives setuid programs their rights.
fn registration(machine: &Machine, qemu: &Path) -> Vec<u8> {
    // Any byte may separate the fields; this one is in no path that anybody uses.
    const SEPARATOR: u8 = 0x1f;
    let (magic, mask) = machine.magic();
    let hex = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().flat_map(|byte| format!("\\x{byte:02x}").into_bytes()).collect()
    };
    let name = format!("mlint-{}", machine.arch);
    let fields: [&[u8]; 8] = [
        b"",
        name.as_bytes(),
        b"M",
        b"",
        &hex(&magic),
        &hex(&mask),
        qemu.as_os_str().as_bytes(),
        b"FPC",
    ];
    fields.join(&SEPARATOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_the_kernels_form() {
        let machine = Machine::by_arch("arm64").unwrap();
        let line = registration(&machine, Path::new("/usr/bin/qemu-aarch64-static"));
        let line = String::from_utf8(line).unwrap().replace('\u{1f}', ":");
        assert_eq!(
            line,
            r":mlint-arm64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu-aarch64-static:FPC"
        );
    }
}
