//! `/sys` as steps see it: the kernel's and the machine's, without what the host has mounted there.

use std::{fs, path::Path};

use rustix::{
    fd::AsFd,
    fs::statfs,
    mount::{MountAttrFlags, UnmountFlags, unmount},
};

use super::{super::mounts, EMPTY};

/// Where the view is, below the scratch directory, when one can be had.
pub(in super::super) const SYS: &str = "sys";

/// Parts of /sys that a container must not see.
pub(in super::super) const MASKED: [&str; 2] = ["firmware", "devices/virtual/powercap"];

/// What control groups are mounted as since there is one tree of them.
const CGROUP2_MAGIC: i64 = 0x6367_7270;

/// Puts the view together, once for all steps. Best effort: a step without /sys still builds most
/// things, and nothing is ever there unmasked.
pub(super) fn furnish(scratch: &Path) {
    let harmless = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let Ok(sys) = mounts::clone_path(Path::new("/sys"), true) else { return };
    // Never attached writable: root's own files in there obey the identity-mapped root.
    if mounts::restrict(&sys, harmless, true).is_err() {
        return;
    }
    let target = scratch.join(SYS);
    if mounts::attach_path(sys.as_fd(), &target).is_err() {
        return;
    }
    let cover = |below: &str| {
        let place = target.join(below);
        // A part that this kernel does not have needs no cover.
        let Ok(found) = fs::symlink_metadata(&place) else { return Ok(()) };
        let what = if found.is_dir() { scratch.join(EMPTY) } else { "/dev/null".into() };
        let cover = mounts::clone_path(&what, false)?;
        if found.is_dir() {
            mounts::restrict(&cover, harmless, false)?;
        }
        mounts::attach_path(cover.as_fd(), &place)
    };
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let foreign = mounted_below(&text, "/sys/");
    let all = foreign.iter().map(String::as_str).chain(MASKED);
    if all.map(cover).any(|covered| covered.is_err()) {
        // Rather none at all than one that shows too much.
        let _ = unmount(&target, UnmountFlags::DETACH);
        return;
    }
    let groups = target.join("fs/cgroup");
    let one_tree = statfs("/sys/fs/cgroup").is_ok_and(|found| found.f_type == CGROUP2_MAGIC);
    if one_tree && let Ok(tree) = mounts::new_fs("cgroup2", &[], harmless) {
        // What limits the build: programs that count processors or memory ask there.
        let _ = mounts::attach_path(tree.as_fd(), &groups);
    }
}

/// What is mounted below a directory, without that directory and its own slash, topmost places only.
fn mounted_below(mountinfo: &str, dir: &str) -> Vec<String> {
    let mut found: Vec<String> = mountinfo
        .lines()
        .filter_map(|line| line.split(' ').nth(4)?.strip_prefix(dir))
        .map(unescaped)
        .collect();
    found.sort();
    let mut topmost: Vec<String> = Vec::new();
    for place in found {
        if !topmost.iter().any(|top| Path::new(&place).starts_with(top)) {
            topmost.push(place);
        }
    }
    topmost
}

/// The kernel writes spaces and their kin as three octal digits.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                out.push(char::from(byte));
                out.push_str(&part[3..]);
            }
            None => {
                out.push('\\');
                out.push_str(part);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_below_are_the_topmost_ones() {
        let text = "23 27 0:22 / /sys rw - sysfs sysfs rw\n\
                    31 23 0:28 / /sys/fs/cgroup rw - tmpfs t rw\n\
                    32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup c rw\n\
                    33 23 0:30 / /sys/kernel/a\\040b rw - debugfs d rw\n\
                    34 27 0:31 / /system rw - ext4 e rw\n";
        assert_eq!(mounted_below(text, "/sys/"), ["fs/cgroup", "kernel/a b"]);
    }
}
