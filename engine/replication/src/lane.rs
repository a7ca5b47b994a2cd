//! One transaction of the applier, from its statements to its commit: what comes next.

use synapse_engine_identity::RowId;

/// Rows that keep changing under the applier are tried so often before the transaction is given up and tried anew.
const ROUNDS_MAX: u32 = 8;

/// What the shell does next; it answers with an [`Event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Lock these rows, in this order, in a statement of its own.
    Lock(Vec<RowId>),
    /// Commit a barrier with this id on the side session, and wait until capture has read it.
    Barrier(u64),
    /// Ask the registers for the targets of these rows, make the rows so, and say which were not as they were locked.
    Write(Vec<RowId>),
    /// Wait for transactions that had committed, and were not visible, before rows were locked for the first time.
    AwaitLate,
    /// Commit.
    Commit,
    /// Roll back; the transactions are decided anew.
    GiveUp,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The guarded statements ran; these rows dropped out.
    Executed(Vec<RowId>),
    /// The rows are locked, as far as they exist.
    Locked,
    /// Capture has read the barrier.
    BarrierRead,
    /// The targets were written.
    Written {
        /// But for these rows: they appeared or went away meanwhile.
        again: Vec<RowId>,
        /// These are to be gone, and were not found: left alone.
        absent: Vec<RowId>,
    },
    /// All that had committed was visible.
    NoneLate,
    /// What had committed is visible now.
    LateVisible,
}

/// The exact path of one transaction.
#[derive(Debug)]
pub struct Lane {
    contested: Vec<RowId>,
    rows: Vec<RowId>,
    /// Rows that a transaction may have inserted which is not visible yet.
    absent: Vec<RowId>,
    /// Whether such transactions were waited for: once is enough, because later ones are found by a re-check.
    awaited: bool,
    barrier: u64,
    rounds: u32,
}

impl Lane {
    /// A transaction with these contested rows, whose barriers are numbered from `barrier`.
    #[must_use]
    pub fn new(contested: Vec<RowId>, barrier: u64) -> Self {
        Lane {
            contested,
            rows: Vec::new(),
            absent: Vec::new(),
            awaited: false,
            barrier,
            rounds: 0,
        }
    }

    /// What follows `event`.
    pub fn advance(&mut self, event: Event) -> Action {
        match event {
            Event::Executed(dropped) => {
                let mut rows = std::mem::take(&mut self.contested);
                rows.extend(dropped);
                self.lock(rows)
            }
            #[cfg(feature = "mutants")]
            Event::Locked if crate::Mutant::BarrierNotAwaited.is_chosen() => Action::Write(self.rows.clone()),
            Event::Locked => Action::Barrier(self.barrier),
            Event::BarrierRead => Action::Write(self.rows.clone()),
            Event::Written { again, absent } => {
                self.barrier += 1;
                #[cfg(feature = "mutants")]
                let absent = if crate::Mutant::LateNotAwaited.is_chosen() {
                    Vec::new()
                } else {
                    absent
                };
                if self.awaited || absent.is_empty() {
                    return self.lock(again);
                }
                self.awaited = true;
                (self.rows, self.absent) = (again, absent);
                Action::AwaitLate
            }
            Event::NoneLate => {
                let again = std::mem::take(&mut self.rows);
                self.lock(again)
            }
            Event::LateVisible => {
                let mut rows = std::mem::take(&mut self.rows);
                rows.append(&mut self.absent);
                self.lock(rows)
            }
        }
    }

    /// How many times rows went through the exact path.
    #[must_use]
    pub const fn rounds(&self) -> u32 {
        self.rounds
    }

    fn lock(&mut self, mut rows: Vec<RowId>) -> Action {
        // Every applier locks in the same order, so that two never wait for each other.
        rows.sort_unstable();
        rows.dedup();
        self.rows = rows;
        if self.rows.is_empty() {
            return Action::Commit;
        }
        self.rounds += 1;
        if self.rounds > ROUNDS_MAX {
            Action::GiveUp
        } else {
            Action::Lock(self.rows.clone())
        }
    }
}

#[cfg(test)]
mod tests;
