//! The capabilities of a step: Docker's default set.

use rustix::{
    io::Errno,
    thread::{
        CapabilitySet, CapabilitySets, remove_capability_from_bounding_set, set_capabilities,
    },
};

/// What root in a step may do, within the session's user namespace.
pub(super) const DEFAULT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::AUDIT_WRITE);

/// The highest capability bit that can exist.
const LAST: u32 = 63;

/// Takes everything else out of reach, for this process and all that it starts.
pub(super) fn drop_bounding() -> Result<(), Errno> {
    for bit in 0..=LAST {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if DEFAULT.contains(one) {
            continue;
        }
        match remove_capability_from_bounding_set(one) {
            Ok(()) => {}
            // The first one that this kernel does not know: there are no more.
            Err(Errno::INVAL) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Makes the default set the permitted and effective one; nothing is inherited by file rules.
pub(super) fn keep_default() -> Result<(), Errno> {
    set_capabilities(
        None,
        CapabilitySets {
            effective: DEFAULT,
            permitted: DEFAULT,
            inheritable: CapabilitySet::empty(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_is_dockers() {
        assert_eq!(DEFAULT.bits(), 0xa804_25fb);
    }
}
