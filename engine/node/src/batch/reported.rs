//! Over which rows recent batches found conflicts: a re-check of them reports no conflict again.

use std::collections::{HashSet, VecDeque};

use synapse_engine_identity::{Origin, RowId};
use synapse_engine_replication::Recheck;
use synapse_wal_types::Lsn;

/// Rows that are remembered, of all batches together: 3 MiB or so. A re-check comes as soon as capture has read its batch.
const ROWS_MAX: usize = 100_000;

/// What batches of this run found.
#[derive(Debug)]
pub(crate) struct Reported {
    /// What batches found whose verdicts were taken before is not known, or not any more.
    from: Lsn,
    batches: VecDeque<Batch>,
    rows: usize,
}

#[derive(Debug)]
struct Batch {
    origin: Origin,
    last: Lsn,
    decided_at: Lsn,
    rows: Vec<RowId>,
}

impl Reported {
    /// Of batches whose verdicts were taken at `from` or later all is known: there is none yet.
    pub(crate) const fn since(from: Lsn) -> Self {
        Reported {
            from,
            batches: VecDeque::new(),
            rows: 0,
        }
    }

    /// Takes note of what the batch up to `last` of `origin`, or a re-check of it, found.
    pub(super) fn note(&mut self, (origin, last): (Origin, Lsn), decided_at: Lsn, rows: Vec<RowId>) {
        if rows.is_empty() {
            return;
        }
        self.rows += rows.len();
        self.batches.push_back(Batch {
            origin,
            last,
            decided_at,
            rows,
        });
        while self.rows > ROWS_MAX
            && let Some(first) = self.batches.pop_front()
        {
            self.rows -= first.rows.len();
            self.from = self.from.max(Lsn(first.decided_at.0.saturating_add(1)));
        }
    }

    /// The rows over which the batch of a re-check found conflicts; `None` where that is not known.
    pub(super) fn by(&self, recheck: &Recheck) -> Option<HashSet<RowId>> {
        if recheck.decided_at < self.from {
            return None;
        }
        let is_it = |batch: &&Batch| (batch.origin, batch.last) == (recheck.origin, recheck.last);
        let rows = self.batches.iter().filter(is_it).flat_map(|batch| &batch.rows);
        Some(rows.copied().collect())
    }
}

#[cfg(test)]
mod tests;
