//! How long to wait before the next dial. Pure: time and randomness come from the caller.

use std::time::Duration;

use crate::Class;

/// First ceiling of the wait.
pub const FIRST: Duration = Duration::from_millis(100);
/// Highest ceiling of the wait.
pub const CAP: Duration = Duration::from_secs(15);

/// Exponential backoff with full jitter: after n failures the wait is uniform between nothing and `first * 2^n`, at most
/// `cap`, so that nodes that lost each other at once do not come back at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    cap: Duration,
    failures: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff::new(FIRST, CAP)
    }
}

impl Backoff {
    /// A backoff with its own bounds.
    #[must_use]
    pub fn new(first: Duration, cap: Duration) -> Self {
        Backoff {
            first,
            cap,
            failures: 0,
        }
    }

    /// How long to wait after a failure of this class. `random` is uniform over all of `u64`. What only a person can
    /// mend is tried again between half the cap and the cap.
    pub fn next(&mut self, class: Class, random: u64) -> Duration {
        let ceiling = self
            .first
            .saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX))
            .min(self.cap);
        self.failures = (self.failures + 1).min(u32::BITS);
        match class {
            Class::Transient => share(ceiling, random),
            Class::Definite | Class::Bug => self.cap / 2 + share(self.cap / 2, random),
        }
    }

    /// A dial succeeded: the next failure waits little again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// `random / 2^64` of the duration.
fn share(whole: Duration, random: u64) -> Duration {
    let nanos = whole.as_nanos().min(u128::from(u64::MAX));
    Duration::from_nanos(u64::try_from((nanos * u128::from(random)) >> 64).expect("a share is below 2^64"))
}

#[cfg(test)]
mod tests;
