//! Programs of the host that must not outlive whoever started them.

use std::{os::unix::process::CommandExt, process::Command};

/// Lets the kernel kill the program when the thread that starts it is gone, however it ends. That
/// thread must wait for the program.
pub fn to_this_thread(command: &mut Command) {
    let parent = rustix::process::getpid();
    // SAFETY: prctl and getppid are async-signal-safe, and nothing is allocated between fork and exec.
    unsafe {
        command.pre_exec(move || {
            let kill = Some(rustix::process::Signal::KILL);
            rustix::process::set_parent_process_death_signal(kill)?;
            // It may have died before we asked to be told.
            match rustix::process::getppid() == Some(parent) {
                true => Ok(()),
                false => Err(rustix::io::Errno::SRCH.into()),
            }
        });
    }
}
