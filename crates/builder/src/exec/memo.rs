//! What several steps need and one of them finds out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use crate::problem::{BuildError, Problem};

type Cell<T> = Arc<OnceLock<Result<T, Arc<BuildError>>>>;

/// Answers by name. Who asks while another is finding out waits for him.
#[derive(Debug)]
pub(super) struct Memo<T>(Mutex<HashMap<String, Cell<T>>>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Memo<T> {
    /// The answer; found out if nobody has done so. A failure is an answer, too.
    pub fn get(
        &self,
        name: &str,
        find: impl FnOnce() -> Result<T, BuildError>,
    ) -> Result<T, BuildError> {
        let cell = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(name.to_owned()).or_default().clone()
        };
        match cell.get_or_init(|| find().map_err(Arc::new)) {
            Ok(answer) => Ok(answer.clone()),
            Err(error) => Err(Problem::Shared(error.clone()).into()),
        }
    }

    /// The answer, if it was found.
    pub fn known(&self, name: &str) -> Option<T> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(name)?.get()?.as_ref().ok().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_finds_out_for_all() {
        let memo = Memo::default();
        assert_eq!(memo.known("a"), None);
        assert_eq!(memo.get("a", || Ok(1)).unwrap(), 1);
        assert_eq!(memo.get("a", || Ok(2)).unwrap(), 1);
        assert_eq!(memo.known("a"), Some(1));
        assert!(memo.get("b", || Err(Problem::NoContext.into())).is_err());
        assert!(memo.get("b", || Ok(2)).is_err());
        assert_eq!(memo.known("b"), None);
    }
}
