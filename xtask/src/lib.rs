//! The real parts that the project's tasks and its end-to-end tests share: packages, base images, a
//! registry, a file server, a Docker engine, an ordinary user.
//!
//! Everything is taken from Debian's packages, kept under `target/xtask`, listens on the loopback
//! interface only, and is gone when its value is dropped.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a task talks to the person who runs it

pub mod apt;
pub mod bench;
pub mod compare;
pub mod demo;
pub mod elf;
pub mod engine;
pub mod error;
pub mod files;
pub mod image;
pub mod itself;
pub mod licences;
pub mod mlint;
pub mod packages;
pub mod paths;
pub mod prove;
pub mod registry;
pub mod rootfs;
pub mod run;
pub mod suite;
pub mod survey;
pub mod user;

pub use error::{Error, Result};
