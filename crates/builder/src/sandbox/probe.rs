//! What of all this works here, found out by trying.

use std::path::Path;

use mlint_oci::platform::Platform;
use serde::{Deserialize, Serialize};

use super::{
    emulation::{self, Emulation, Kind},
    error::SysError,
    overlay::{Overlay, Writable},
    session::{self, IdMapMode, Session, SessionError, SessionOptions},
};

/// What to try.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProbeRequest {
    /// Platforms to try to run, as text.
    pub platforms: Vec<String>,
}

/// What works, and what to do about what does not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// Which ids a session gets.
    pub id_map: IdMapMode,
    /// Whether layers can be laid over one another in the cache directory.
    pub overlay: Result<(), SysError>,
    /// Each platform: how it runs, or why not and what to do.
    pub platforms: Vec<PlatformProbe>,
}

/// One platform's part of a [`Probe`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlatformProbe {
    /// The platform, normalised.
    pub platform: String,
    /// How it runs, or why it does not and how to change that.
    pub kind: Result<Kind, String>,
}

/// Starts a session that tries everything, and reports. An error means that not even a user
/// namespace can be had.
pub fn run(options: &SessionOptions, platforms: &[Platform]) -> Result<Probe, SessionError> {
    let request = ProbeRequest { platforms: platforms.iter().map(Platform::to_string).collect() };
    let exit = session::spawn_probe(request, options)?;
    serde_json::from_slice(&exit.reply).map_err(|error| SessionError::Protocol(error.to_string()))
}

/// The part inside the session.
pub(super) fn inside(session: &Session, request: &ProbeRequest) -> Vec<u8> {
    let mut platforms: Vec<PlatformProbe> =
        request.platforms.iter().map(|name| try_platform(session, name, false)).collect();
    // Those with an emulator of their own come last: they hide what the host has registered.
    for found in platforms.iter_mut().filter(|found| found.kind.is_err()) {
        *found = try_platform(session, &found.platform, true);
    }
    let probe =
        Probe { id_map: session.id_map().clone(), overlay: try_overlay(session), platforms };
    serde_json::to_vec(&probe).unwrap_or_default()
}

/// In the first round only what runs without a private instance.
fn try_platform(session: &Session, name: &str, private: bool) -> PlatformProbe {
    let kind = match name.parse::<Platform>() {
        Err(error) => Err(error.to_string()),
        Ok(platform) if !private && emulation::has_emulator(session, &platform) => {
            Err("not tried yet".to_owned())
        }
        Ok(platform) => Emulation::prepare(session, std::slice::from_ref(&platform))
            .map_err(|error| error.to_string())
            .map(|emulation| emulation.kind(&platform).cloned().unwrap_or(Kind::Native)),
    };
    PlatformProbe { platform: name.to_owned(), kind }
}

/// On the file system where layers will be, since that decides.
fn try_overlay(session: &Session) -> Result<(), SysError> {
    use super::error::During;
    let dir = tempfile::Builder::new()
        .prefix("probe-")
        .tempdir_in(session.cache_dir())
        .at("make a directory in", session.cache_dir())?;
    let place = |name: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir(&path).at("make the directory", &path).map(|()| path)
    };
    let (lower, upper, work) = (place("lower")?, place("upper")?, place("work")?);
    let file = lower.join("file");
    std::fs::write(&file, "below").at("write", &file)?;
    let overlay = Overlay::mount(session, &[lower], Some(Writable { upper: &upper, work: &work }))?;
    let through = overlay.path().join("file");
    std::fs::remove_file(&through).at("remove", &through)?;
    let hidden: &Path = &through;
    if hidden.exists() {
        return Err(SysError::new("hide a file of a lower layer", rustix::io::Errno::IO));
    }
    Ok(())
}
