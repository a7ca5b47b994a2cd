//! How many there were of late: a ring of counters, one for each second of the last minute.

use synapse_engine_replication::Monotonic;

/// Seconds that are looked back.
const SECONDS: u64 = 60;
const SLOTS: usize = 60;
const MICROS_PER_SECOND: u64 = 1_000_000;

/// Counts of the last minute. It takes its time from its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recent {
    slots: [u64; SLOTS],
    /// The second that was counted last.
    newest: u64,
}

impl Default for Recent {
    fn default() -> Self {
        Recent {
            slots: [0; SLOTS],
            newest: 0,
        }
    }
}

impl Recent {
    /// Counts `count` that were met `now`.
    pub(super) fn add(&mut self, now: Monotonic, count: u64) {
        self.turn(now);
        self.slots[slot(self.newest)] += count;
    }

    /// The average of the last minute.
    pub(super) fn per_second(&mut self, now: Monotonic) -> f64 {
        self.turn(now);
        let sum = u32::try_from(self.slots.iter().sum::<u64>()).unwrap_or(u32::MAX);
        f64::from(sum) / 60.0
    }

    /// Empties the counters of the seconds that have begun since.
    fn turn(&mut self, now: Monotonic) {
        let second = now.0 / MICROS_PER_SECOND;
        let begun = second.saturating_sub(self.newest).min(SECONDS);
        for back in 0..begun {
            self.slots[slot(second - back)] = 0;
        }
        self.newest = self.newest.max(second);
    }
}

fn slot(second: u64) -> usize {
    usize::try_from(second % SECONDS).expect("it is less than a minute")
}

#[cfg(test)]
mod tests;
