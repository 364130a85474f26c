//! Asks for facts about images on a thread of its own, one request at a time.

use std::{sync::Arc, thread};

use crossbeam_channel::{Receiver, Sender, unbounded};
use lsp_types::Uri;
use mlint_model::ImageFacts;

use crate::{Host, Queries};

/// An answer for one document, for the images that were asked for.
pub(crate) struct Answer {
    pub(crate) uri: Uri,
    pub(crate) queries: Queries,
    pub(crate) facts: ImageFacts,
}

/// The thread that waits for registries so that the loop never does.
pub(crate) struct FactsThread {
    requests: Sender<(Uri, Queries)>,
    pub(crate) answers: Receiver<Answer>,
}

impl FactsThread {
    pub(crate) fn start(host: Arc<dyn Host>) -> Self {
        let (requests, inbox) = unbounded::<(Uri, Queries)>();
        let (outbox, answers) = unbounded();
        // Ends with the last sender. Not joined: a registry that hangs must not hold up goodbye.
        thread::spawn(move || {
            while let Ok(mut request) = inbox.recv() {
                // Whoever types in a FROM line asks at each key; only the last text counts.
                let mut waiting = Vec::new();
                for later in inbox.try_iter() {
                    if later.0 == request.0 { request = later } else { waiting.push(later) }
                }
                for (uri, queries) in std::iter::once(request).chain(waiting) {
                    let facts = host.facts(&queries);
                    if outbox.send(Answer { uri, queries, facts }).is_err() {
                        return;
                    }
                }
            }
        });
        Self { requests, answers }
    }

    pub(crate) fn ask(&self, uri: Uri, queries: Queries) {
        // The thread lives as long as `answers` does, so there is somebody to hear this.
        let _ = self.requests.send((uri, queries));
    }
}
