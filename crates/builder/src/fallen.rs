//! Platforms whose images can't come about, and why: what is left of a build that keeps going.

use mlint_oci::Platform;

use crate::{problem::BuildError, request::PlatformFailure};

/// The platforms that have failed so far.
#[derive(Debug, Default)]
pub struct Fallen {
    keep_going: bool,
    list: Vec<(Vec<Platform>, BuildError)>,
}

impl Fallen {
    /// None yet. Without `keep_going` the first failure is the build's.
    pub fn new(keep_going: bool) -> Self {
        Self { keep_going, list: Vec::new() }
    }

    /// Whether the other platforms go on after a failure.
    pub fn keeps_going(&self) -> bool {
        self.keep_going
    }

    /// Whether a platform's image can't come about any more.
    pub fn has(&self, platform: &Platform) -> bool {
        self.list.iter().any(|(platforms, _)| platforms.contains(platform))
    }

    /// Whether none of these can come about.
    pub fn has_all(&self, platforms: &[Platform]) -> bool {
        platforms.iter().all(|platform| self.has(platform))
    }

    /// Whether nothing has failed.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// What was done for `platforms`; nothing if it failed and the others go on.
    ///
    /// # Errors
    /// The failure itself, if nothing goes on after it: because that was not asked for, because it
    /// is an interrupt, because the cache was damaged and the build begins again, or because no
    /// platform is to blame.
    pub fn take<T>(
        &mut self,
        platforms: &[Platform],
        result: Result<T, BuildError>,
    ) -> Result<Option<T>, BuildError> {
        match result {
            Ok(done) => Ok(Some(done)),
            Err(error)
                if self.keep_going
                    && !platforms.is_empty()
                    && !error.is_interrupt()
                    && !error.is_removed_damage() =>
            {
                self.list.push((platforms.to_vec(), error));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// In words, in the order of the failures. Several platforms that failed of the same are one.
    pub fn into_failures(self) -> Vec<PlatformFailure> {
        let mut all: Vec<PlatformFailure> = Vec::new();
        for (platforms, error) in self.list {
            let platforms: Vec<String> = platforms.iter().map(Platform::to_string).collect();
            let failure = error.into_failure();
            match all.iter_mut().find(|known| known.failure == failure) {
                Some(known) => known.platforms.extend(platforms),
                None => all.push(PlatformFailure { platforms, failure }),
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Problem;

    #[test]
    fn one_falls_and_the_others_go_on() {
        let [amd64, arm64, s390x] = ["amd64", "arm64", "s390x"].map(|arch| [Platform::linux(arch)]);
        let failed = || Err::<(), BuildError>(Problem::NoContext.into());
        let mut fallen = Fallen::new(true);
        assert_eq!(fallen.take(&amd64, Ok(1)).unwrap(), Some(1));
        assert!(fallen.is_empty());
        assert_eq!(fallen.take(&arm64, failed()).unwrap(), None);
        assert_eq!(fallen.take(&s390x, failed()).unwrap(), None);
        assert!(fallen.has(&arm64[0]) && !fallen.has(&amd64[0]));
        let both = [amd64, arm64.clone()].concat();
        assert!(!fallen.has_all(&both) && fallen.has_all(&arm64));
        let interrupt = Err::<(), BuildError>(Problem::Interrupted.into());
        assert!(fallen.take(&arm64, interrupt).is_err());
        assert!(fallen.take(&[], failed()).is_err(), "nobody's failure is everybody's");
        let [one] = &fallen.into_failures()[..] else { panic!("equal failures are one") };
        assert_eq!(one.platforms, ["linux/arm64", "linux/s390x"]);
        assert!(Fallen::new(false).take(&arm64, failed()).is_err());
    }
}
