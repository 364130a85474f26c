//! Registry transport, credentials, cache; turns image queries into image facts.
//!
//! [`Client`] talks to registries: [`Client::resolve`], [`Client::image`] and
//! [`Client::platform_image`] read, [`Client::stream_blob`] and [`Client::fetch_blob`] stream
//! layers, [`Client::push`] writes, tags last. [`resolve_facts`] is the synchronous door for those
//! who only want to know which platforms an image offers.

mod answer;
mod auth;
mod blob;
mod client;
mod credentials;
mod error;
pub mod facts;
mod image;
mod options;
mod push;
mod sums;
pub mod table;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod transport;
mod upload;
mod web;

pub use blob::Progress;
pub use client::{Client, Resolved};
pub use credentials::{Credential, CredentialError, Credentials, Found};
pub use error::RegistryError;
pub use facts::{FactOptions, resolve_facts, resolve_images};
pub use image::{Image, Layer, OfferedPlatform, PlatformImage};
pub use options::ClientOptions;
pub use push::{
    PlanProblem, PlannedBlob, PlannedManifest, PushError, PushEvent, PushObserver, PushPlan,
    PushReport,
};
pub use sums::{SumOptions, look_up_sum};
pub use upload::{BlobSource, Pushed, SharedProgress};
pub use web::{WebAnswer, WebAsk, WebFile};
