//! A real Docker engine from Debian's packages, unpacked beside the system.
