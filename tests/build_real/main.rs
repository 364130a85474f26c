//! `mlint build` and `mlint verify` on real parts: Debian's `docker-registry`, base images of both
//! architectures made by mlint itself, QEMU, and skopeo as the reader of what was pushed.

mod cache;
mod conformance;
mod contexts;
mod ends;
mod exchange;
mod failures;
mod features;
mod images;
mod interrupt;
mod local;
mod meanwhile;
mod mounts;
mod neighbours;
mod outputs;
mod places;
mod platforms;
mod proof;
mod resume;
mod secrets;
mod support;
mod web;
