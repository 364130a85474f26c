//! Sums of files that are fetched for nothing else. Failure is an answer ("unavailable, because …"),
//! never an error.

use std::time::Duration;

use mlint_model::{Fact, SumQuery};
use mlint_oci::Digest;
use tokio::time::timeout;

use crate::{
    blob::Progress, client::Client, error::RegistryError, options::ClientOptions, web::WebAnswer,
};

/// How to look for sums.
#[derive(Clone, Debug)]
pub struct SumOptions {
    /// Larger files are given up.
    pub limit: u64,
    /// How long one file may take.
    pub timeout: Duration,
    /// How to talk to servers.
    pub client: ClientOptions,
}

impl Default for SumOptions {
    /// Up to 4 GiB, in half an hour.
    fn default() -> Self {
        Self {
            limit: 4 << 30,
            timeout: Duration::from_secs(30 * 60),
            client: ClientOptions { attempts: 3, ..ClientOptions::default() },
        }
    }
}

/// Fetches the file and computes its sum; the file is kept nowhere. `progress` is told how many
/// more bytes have come.
pub fn look_up_sum(query: &SumQuery, options: &SumOptions, progress: Progress<'_>) -> Fact<Digest> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return Fact::Unavailable(format!("can't start fetching: {e}")),
    };
    let client = Client::new(options.client.clone());
    let answer = runtime.block_on(async {
        let read = client.read_url(&query.url, query.algorithm, options.limit, progress);
        timeout(options.timeout, read).await
    });
    // A name lookup that hangs must not hold up the answer.
    runtime.shutdown_background();
    match answer {
        Ok(Ok(WebAnswer::File(file))) => Fact::Known(file.digest),
        // Nobody asked whether it is unchanged.
        Ok(Ok(WebAnswer::Unchanged)) => Fact::Unavailable("the server sends nothing".to_owned()),
        // This is no registry, and the words for one would mislead.
        Ok(Err(RegistryError::Protocol { problem, .. })) => Fact::Unavailable(problem),
        Ok(Err(e)) => Fact::Unavailable(e.to_string()),
        Err(_) => {
            let waited = options.timeout.as_secs_f32();
            Fact::Unavailable(format!("it did not come within {waited} s"))
        }
    }
}
