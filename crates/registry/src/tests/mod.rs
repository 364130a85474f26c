//! The client against the registry of [`crate::testing`], on its bad days.

mod facts;
mod login;
mod pull;
mod push;

use std::time::Duration;

use crate::{Client, ClientOptions, Credential, Credentials};

/// Options that look at nobody's files and do not wait long.
pub(super) fn options() -> ClientOptions {
    ClientOptions {
        credentials: Credentials::anonymous(),
        backoff: Duration::from_millis(1),
        max_backoff: Duration::from_secs(2),
        read_timeout: Duration::from_secs(10),
        ..ClientOptions::default()
    }
}

pub(super) fn client() -> Client {
    Client::new(options())
}

pub(super) fn client_as(host: &str, user: &str, password: &str) -> Client {
    let credential = Credential::Password { user: user.into(), password: password.into() };
    let credentials = Credentials::anonymous().with(host, credential);
    Client::new(ClientOptions { credentials, ..options() })
}

/// Bytes without a pattern that a mistake could repeat.
pub(super) fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}
