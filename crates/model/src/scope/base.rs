//! What a base image brings.

/// The environment that a base image brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseEnv {
    /// What is known, in order.
    pub variables: Vec<(String, String)>,
    /// Whether nothing else is set in it.
    pub complete: bool,
}

impl BaseEnv {
    /// Nothing is set: scratch.
    pub fn empty() -> Self {
        Self { variables: Vec::new(), complete: true }
    }

    /// Nothing is known.
    pub fn unknown() -> Self {
        Self::default()
    }

    /// From an image's configuration (`NAME=value` each).
    pub fn of_config<S: AsRef<str>>(env: impl IntoIterator<Item = S>) -> Self {
        let split = |pair: S| {
            let pair = pair.as_ref();
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        };
        Self { variables: env.into_iter().map(split).collect(), complete: true }
    }
}
