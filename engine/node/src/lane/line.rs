//! One origin's transactions between its feed and the applier.

use std::collections::VecDeque;
use std::time::Duration;

use synapse_engine_plan::Order;
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

/// One origin's transactions on their way.
pub(super) struct Line {
    pub(super) feed: Feed,
    pub(super) waiting: VecDeque<Next>,
    pub(super) at_most: usize,
    pub(super) order: Order,
    pub(super) gave_way: u32,
    pub(super) refreshed: bool,
    /// Until when a part of a backlog waits for more.
    pub(super) merges_until: Option<Instant>,
    /// The catalogue that its last attempt began with.
    pub(super) tried: Fingerprint,
}

impl Line {
    /// Whether what waits here is better applied a little later, together with more. A server works less the more it is
    /// given at once, and nobody sees a backlog's beginning some milliseconds later.
    pub(super) fn merges(&mut self) -> bool {
        let newest = self
            .waiting
            .back()
            .map(|next| next.block.transactions[next.at].commit_ts);
        let age = newest.map_or(0, |commit| clock::now().0.saturating_sub(commit.0));
        if self.waiting.len() >= WORTH_MERGING || i128::from(age) < BACKLOG.as_micros().cast_signed() {
            self.merges_until = None;
            return false;
        }
        let now = Instant::now();
        now < *self.merges_until.get_or_insert(now + MERGE_WAIT)
    }
}
