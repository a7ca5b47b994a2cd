//! What is counted. Names of metrics stand here and nowhere else.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::shared::UNPOISONED;

/// Counters of one daemon; they start at zero with it.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) captured_transactions: Counter,
    pub(crate) captured_changes: Counter,
    pub(crate) applied_batches: Counter,
    pub(crate) applied_changes: Counter,
    pub(crate) rows_guarded: Counter,
    pub(crate) rows_exact: Counter,
    pub(crate) rows_skipped: Counter,
    pub(crate) rows_rechecked: Counter,
    pub(crate) retries: Counter,
    pub(crate) repaired_blocks: Counter,
    applied: Mutex<BTreeMap<String, u64>>,
}

/// Transactions of an origin that were applied.
pub(crate) const APPLIED_TRANSACTIONS: &str = "synapse_applied_transactions_total";
/// Rows applied, by the path they took.
pub(crate) const APPLY_ROWS: &str = "synapse_apply_rows_total";
/// Conflicts by table, kind and policy.
pub(crate) const CONFLICTS: &str = "synapse_conflicts_total";
/// Conflicts that are not in the log, because there were too many or it could not be written.
pub(crate) const CONFLICTS_LEFT_OUT: &str = "synapse_conflicts_left_out_total";
/// Rows that refer to nothing, by what became of them.
pub(crate) const ORPHANS: &str = "synapse_orphans_total";
/// Entries of `synapse.orphans` that are not mended yet, or stay.
pub(crate) const ORPHANS_STANDING: &str = "synapse_orphans_standing";
/// WAL of a peer that is not applied here.
pub(crate) const DISPLACED_ROWS: &str = "synapse_displaced_rows";
pub(crate) const LAG_BYTES: &str = "synapse_lag_bytes";
/// Age of a peer's oldest transaction that is not applied here.
pub(crate) const LAG_SECONDS: &str = "synapse_lag_seconds";
/// How far this node's clock is ahead of a peer's.
pub(crate) const CLOCK_SKEW_SECONDS: &str = "synapse_clock_skew_seconds";
/// For how long a peer's transactions wait, whose time lies too far ahead.
pub(crate) const CLOCK_HELD_SECONDS: &str = "synapse_clock_held_seconds";
/// Journals on disk.
pub(crate) const JOURNAL_BYTES: &str = "synapse_journal_bytes";
/// Damaged blocks of journals that were put back.
pub(crate) const JOURNAL_REPAIRED_BLOCKS: &str = "synapse_journal_repaired_blocks_total";
/// Resident memory of the daemon.
pub(crate) const MEMORY_BYTES: &str = "synapse_memory_bytes";
/// Transactions captured from this node's own stream.
pub(crate) const CAPTURED_TRANSACTIONS: &str = "synapse_captured_transactions_total";
/// Transactions of the applier, each of one or more source transactions.
pub(crate) const APPLY_BATCHES: &str = "synapse_apply_batches_total";
/// Attempts of the applier that gave way and were made again.
pub(crate) const APPLY_RETRIES: &str = "synapse_apply_retries_total";

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn applied(&self, origin: &str, transactions: u64) {
        let mut applied = self.applied.lock().expect(UNPOISONED);
        *applied.entry(origin.to_owned()).or_default() += transactions;
    }

    pub(crate) fn applied_by_origin(&self) -> BTreeMap<String, u64> {
        self.applied.lock().expect(UNPOISONED).clone()
    }
}
