//! One origin's transactions between its feed and the applier.

use std::collections::VecDeque;
use std::time::Duration;

use synapse_engine_plan::Path;
use synapse_engine_setup::Fingerprint;
use tokio::time::Instant;

use crate::clock;
use crate::feed::{Feed, Next};

/// Source transactions in one of ours: beyond this the server gains nothing more.
pub(super) const TRANSACTIONS_MAX: usize = 2_000;
/// Fewer transactions than this are not worth one of ours while more are about to come.
const WORTH_MERGING: usize = 500;
/// An origin's transaction that committed so long ago is one of a backlog: more are about to come.
const BACKLOG: Duration = Duration::from_millis(200);
/// The longest that a part of a backlog waits for more to be merged with.
const MERGE_WAIT: Duration = Duration::from_millis(5);
/// The longest rest after a batch.
const REST_MAX: Duration = Duration::from_millis(2);

/// One origin's transactions on their way.
pub(super) struct Line {
    pub(super) feed: Feed,
    pub(super) waiting: VecDeque<Next>,
    pub(super) at_most: usize,
    /// How its next batch applies rows that may exclude each other.
    pub(super) path: Path,
    pub(super) gave_way: u32,
    pub(super) refreshed: bool,
    /// Until when a part of a backlog waits for more.
    pub(super) merges_until: Option<Instant>,
    /// Until when it rests from its last batch.
    pub(super) rests_until: Instant,
    /// The catalogue that its last attempt began with.
    pub(super) tried: Fingerprint,
}

impl Line {
    /// Whether what waits here is better applied a little later, together with more. A server works less the more it is
    /// given at once: after a batch the line rests as long as that took, so that a busy stream takes half of a server's
    /// time at most; and nobody sees a backlog's beginning some milliseconds later.
    pub(super) fn merges(&mut self) -> bool {
        let now = Instant::now();
        if self.waiting.len() >= WORTH_MERGING {
            return false;
        }
        if self.merges_until.is_none() && self.is_backlog() {
            self.merges_until = Some(now + MERGE_WAIT);
        }
        now < self.rests_until || self.merges_until.is_some_and(|until| now < until)
    }

    /// A batch was applied, which took so long.
    pub(super) fn applied(&mut self, took: Duration) {
        self.merges_until = None;
        self.rests_until = Instant::now() + took.min(REST_MAX);
    }

    /// When what waits here is looked at again, if it merges until then.
    pub(super) fn waits_until(&self) -> Option<Instant> {
        let until = self.rests_until.max(self.merges_until.unwrap_or(self.rests_until));
        (!self.waiting.is_empty() && until > Instant::now()).then_some(until)
    }

    fn is_backlog(&self) -> bool {
        let newest = self.waiting.back();
        let newest = newest.map(|next| next.block.transactions[next.at].commit_ts);
        let age = newest.map_or(0, |commit| clock::now().0.saturating_sub(commit.0));
        i128::from(age) >= BACKLOG.as_micros().cast_signed()
    }
}
