//! The socket of an ssh agent in a step: one of our own, with the owner and mode that the step
//! wants, whose connections are passed on.

use std::{
    fs, io,
    net::Shutdown,
    os::unix::{
        fs::{PermissionsExt, chown},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use crate::error::FsError;

/// A socket that leads to an agent as long as this lives.
#[derive(Debug)]
pub(super) struct AgentSocket {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl AgentSocket {
    /// Makes the socket at `path`, which leads to the one at `agent`.
    pub fn open(
        path: &Path,
        agent: &Path,
        (mode, uid, gid): (u32, u32, u32),
    ) -> Result<Self, FsError> {
        let open = || -> io::Result<UnixListener> {
            let listener = UnixListener::bind(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
            chown(path, Some(uid), Some(gid))?;
            Ok(listener)
        };
        let listener = open().map_err(FsError::new("open the socket", path))?;
        // Whoever is to use it finds out now, not in the middle of a step.
        UnixStream::connect(agent).map_err(FsError::new("reach the ssh agent at", agent))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, agent) = (stop.clone(), agent.to_owned());
        let thread = std::thread::spawn(move || {
            for client in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(client) = client {
                    let agent = agent.clone();
                    std::thread::spawn(move || pass_on(client, &agent));
                }
            }
        });
        Ok(Self { path: path.to_owned(), stop, thread: Some(thread) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AgentSocket {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener.
        let woken = UnixStream::connect(&self.path).is_ok();
        let _ = fs::remove_file(&self.path);
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}

/// Passes bytes on in both directions until either side is done.
fn pass_on(client: UnixStream, agent: &Path) {
    let Ok(agent) = UnixStream::connect(agent) else { return };
    let (Ok(client_in), Ok(agent_in)) = (client.try_clone(), agent.try_clone()) else { return };
    let back = std::thread::spawn(move || copy_all(agent_in, client));
    copy_all(client_in, agent);
    let _ = back.join();
}

fn copy_all(mut from: UnixStream, mut to: UnixStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn bytes_go_both_ways_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let agent = dir.path().join("agent");
        let listener = UnixListener::bind(&agent).unwrap();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(mut client) = client else { return };
                let mut said = String::new();
                let _ = client.read_to_string(&mut said);
                let _ = client.write_all(said.to_uppercase().as_bytes());
            }
        });
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let socket = AgentSocket::open(&dir.path().join("s"), &agent, (0o640, uid, gid)).unwrap();
        let mode = fs::metadata(socket.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let mut client = UnixStream::connect(socket.path()).unwrap();
        client.write_all(b"hello").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "HELLO");
        let path = socket.path().to_owned();
        drop(socket);
        assert!(!path.exists());
        let missing = dir.path().join("none");
        assert!(AgentSocket::open(&dir.path().join("t"), &missing, (0o600, uid, gid)).is_err());
    }
}
