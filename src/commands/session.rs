//! What happens inside a session: the other end of `build`, `verify` and `cache`.

use mlint_builder::{
    build::build,
    cache::{CacheRequest, look_after},
    request::{BuildReply, BuildRequest, Failure, VerifyRequest},
    sandbox::{Session, SessionReply},
    verify::verify,
};
use serde::{Deserialize, Serialize};

use super::build::ProgressMode;
use crate::report::progress;

/// What a session is asked to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionRequest {
    /// A build.
    Build {
        /// Of this.
        request: Box<BuildRequest>,
        /// Shown like this.
        progress: ProgressMode,
        /// In colours, or not.
        color: bool,
    },
    /// A verification.
    Verify(VerifyRequest),
    /// Care of the cache.
    Cache(CacheRequest),
}

/// The body of every session.
pub fn body(session: Session, request: Vec<u8>) -> SessionReply {
    let bytes = match serde_json::from_slice(&request) {
        Ok(SessionRequest::Build { request, progress, color }) => {
            let display = progress::display(progress, color, &request.text);
            let reply = build(&session, &request, &*display);
            display.close();
            serde_json::to_vec(&reply)
        }
        Ok(SessionRequest::Verify(request)) => serde_json::to_vec(&verify(&session, &request)),
        Ok(SessionRequest::Cache(request)) => serde_json::to_vec(&look_after(&request)),
        Err(error) => serde_json::to_vec(&BuildReply::Failed(Failure {
            message: format!("the session's request cannot be read: {error}"),
            place: None,
            related: Vec::new(),
            notes: Vec::new(),
            interrupted: false,
        })),
    };
    SessionReply { bytes: bytes.unwrap_or_default(), status: 0 }
}
