//! Registry transport, credentials, cache; turns image queries into image facts.
