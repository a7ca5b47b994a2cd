//! How many conflicts the log takes: a bucket that fills at a constant rate.

use synapse_engine_replication::Monotonic;

/// Parts of a conflict that are counted: at a rate of one in a second, one part comes with each microsecond.
const PARTS: u64 = 1_000_000;

/// A bucket of conflicts. It is full at first, and takes its time from its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    per_second: u32,
    burst: u32,
    parts: u64,
    at: Monotonic,
}

impl Rate {
    /// A bucket of `burst` that gains `per_second`.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        Rate {
            per_second,
            burst,
            parts: u64::from(burst) * PARTS,
            at: Monotonic(0),
        }
    }

    /// How many may be taken.
    pub(super) fn room(&mut self, now: Monotonic) -> u64 {
        let micros = now.0.saturating_sub(self.at.0);
        self.at = Monotonic(self.at.0.max(now.0));
        let gained = micros.saturating_mul(u64::from(self.per_second));
        self.parts = self.parts.saturating_add(gained).min(u64::from(self.burst) * PARTS);
        self.parts / PARTS
    }

    /// Takes as many, at most all that there are.
    pub(super) fn take(&mut self, now: Monotonic, count: u64) {
        self.room(now);
        self.parts = self.parts.saturating_sub(count.saturating_mul(PARTS));
    }
}

#[cfg(test)]
mod tests;
