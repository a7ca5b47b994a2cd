//! How long the stream may gather before capture reads on.
//!
//! The server sends every row by itself, and a reader that waits is woken for each: it takes the core from the server in the
//! middle of a transaction, and that costs both more than the row.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use synapse_wal_types::PgTimestamp;

use crate::clock;

/// Between two reads of what nobody waits for.
const REST: Duration = Duration::from_micros(500);
/// Between two reads of a busy stream, within a transaction.
const GATHER: Duration = Duration::from_millis(2);
/// A stream is busy that brought so many transactions within so long.
const BUSY: (usize, Duration) = (4, Duration::from_millis(4));
/// A transaction that was committed so long ago is one of a backlog: nobody waits for it to the millisecond.
const BACKLOG: Duration = Duration::from_millis(200);

/// What capture does when nothing is there to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pace {
    /// It waits, and is woken.
    #[default]
    Wait,
    /// The rest of a transaction is about to come, and others after it: read once, they cost less than they wait.
    Gather,
    /// Nobody waits for what is being read: a backlog, rows of a transaction in progress, rows of our applier.
    Rest,
}

impl Pace {
    /// For a transaction that was committed so long ago, after those that were read before `now`.
    pub(super) fn of(age: Duration, read: &LastRead, now: Instant) -> Pace {
        if age >= BACKLOG {
            Pace::Rest
        } else if read.is_busy(now) {
            Pace::Gather
        } else {
            Pace::Wait
        }
    }

    /// Lets more come. The whole thread rests: a runtime that waits for the socket would be woken by each row.
    #[expect(
        clippy::disallowed_methods,
        reason = "it waits for nothing, and nothing else runs on this thread"
    )]
    pub(super) fn rest(self) {
        match self {
            Pace::Wait => {}
            Pace::Gather => std::thread::sleep(GATHER),
            Pace::Rest => std::thread::sleep(REST),
        }
    }
}

/// When the last transactions were read.
#[derive(Debug, Default)]
pub(super) struct LastRead(VecDeque<Instant>);

impl LastRead {
    pub(super) fn one_more(&mut self, at: Instant) {
        if self.0.len() == BUSY.0 {
            self.0.pop_front();
        }
        self.0.push_back(at);
    }

    fn is_busy(&self, now: Instant) -> bool {
        let earliest = self.0.front().filter(|_| self.0.len() == BUSY.0);
        earliest.is_some_and(|read| now.duration_since(*read) < BUSY.1)
    }
}

/// How long ago a transaction was committed, by the server's clock, which is this machine's.
pub(super) fn age(commit: PgTimestamp) -> Duration {
    let micros = i128::from(clock::now().0) - i128::from(commit.0);
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_gathers_when_it_is_busy_and_rests_in_a_backlog() {
        let (start, mut read) = (Instant::now(), LastRead::default());
        let at = |micros| start + Duration::from_micros(micros);
        for micros in [0, 1_000, 2_000] {
            read.one_more(at(micros));
            assert_eq!(Pace::of(Duration::ZERO, &read, at(micros)), Pace::Wait);
        }
        read.one_more(at(3_000));
        assert_eq!(Pace::of(Duration::ZERO, &read, at(3_900)), Pace::Gather);
        assert_eq!(Pace::of(Duration::ZERO, &read, at(4_000)), Pace::Wait);
        read.one_more(at(4_000));
        assert_eq!(Pace::of(Duration::ZERO, &read, at(4_100)), Pace::Gather);
        assert_eq!(Pace::of(BACKLOG, &read, at(4_100)), Pace::Rest);
    }
}
