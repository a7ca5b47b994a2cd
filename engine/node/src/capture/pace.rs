//! How long the stream may gather before capture reads on.
//!
//! The server sends every row by itself, and a reader that waits is woken for each: it takes the core from the server in the
//! middle of a transaction, and that costs both more than the row.

use std::time::{Duration, Instant};

use synapse_wal_types::PgTimestamp;

use crate::clock;

/// Between two reads of what nobody waits for.
const REST: Duration = Duration::from_micros(500);
/// Between two reads of a busy stream, within a transaction.
const GATHER: Duration = Duration::from_micros(150);
/// A stream is busy whose last transaction was read so shortly ago.
const BUSY: Duration = Duration::from_millis(2);
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
    /// For the rows of a transaction that was committed at `commit`, where the one before was read at `last`.
    pub(super) fn of(commit: PgTimestamp, last: Option<Instant>) -> Pace {
        if is_backlog(commit) {
            Pace::Rest
        } else if last.is_some_and(|last| last.elapsed() < BUSY) {
            Pace::Gather
        } else {
            Pace::Wait
        }
    }

    /// After the end of a transaction that was committed at `commit`.
    pub(super) fn after(commit: PgTimestamp) -> Pace {
        if is_backlog(commit) { Pace::Rest } else { Pace::Wait }
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

fn is_backlog(commit: PgTimestamp) -> bool {
    let age = i128::from(clock::now().0) - i128::from(commit.0);
    age >= i128::try_from(BACKLOG.as_micros()).unwrap_or(i128::MAX)
}
