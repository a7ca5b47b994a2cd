//! Rows that exclude each other: what is displaced, and which writes may set it free.
//!
//! What is displaced stands in a table of the server, and so does who is in its way. The own stream says how both change:
//! a local write of such a row that is read between two changes asks for a re-check of the row, like a marker does. A row
//! that our applier changed may have been written by a local transaction in (verdict, marker]: that asks for one too.

use synapse_engine_identity::{RowId, TableId};
use synapse_wal_types::Lsn;

use super::Kernel;
use crate::contenders::Contention;
use crate::exclusion::{Contender, LastWrite};
use crate::recheck::Recheck;
use crate::registers::Overflow;

impl<O: Overflow> Kernel<O> {
    /// What is displaced changes: at the start as the server says it, and for a local transaction that gave a displaced row
    /// up, after its writes are noted.
    pub fn contention(&mut self, change: &Contention) {
        self.contenders.change(change);
    }

    /// What the transaction of the applier ending at `end` changed: called after [`Self::marker`].
    pub(super) fn contentions(&mut self, (decided_at, end): (Lsn, Lsn), changes: &[Contention]) {
        for change in changes {
            self.contenders.change(change);
        }
        let rows: std::collections::BTreeSet<RowId> = changes.iter().flat_map(Contention::rows).collect();
        for row in rows {
            for lsn in self.registers.own_writes(row, decided_at, end) {
                self.recheck_local(lsn);
            }
        }
    }

    /// A local transaction wrote a row that is displaced, or that stands in the way of one.
    pub(super) fn recheck_local(&mut self, lsn: Lsn) {
        if mutant!(RivalsForgotten) {
            return;
        }
        let recheck = Recheck {
            marker: lsn,
            decided_at: Lsn(lsn.0.saturating_sub(1)),
            origin: self.me,
            first: lsn,
            last: lsn,
        };
        let rechecks = self.stamper.rechecks_mut();
        if !rechecks.contains(&recheck) {
            rechecks.push(recheck);
            self.unsettled.push_back(recheck);
        }
    }

    /// How many rows are displaced, as far as the own stream has been read.
    #[must_use]
    pub fn displaced(&self) -> usize {
        self.contenders.displaced()
    }

    /// Whether rows of `table` are displaced, or may be soon: its rows are looked at together with those.
    #[must_use]
    pub fn contended(&self, table: TableId) -> bool {
        let contended = self.contenders.any_of(table) || self.in_flight.iter().any(|f| f.contended.contains(&table));
        contended && !mutant!(DisplacedNotAsked)
    }

    /// The transaction that was begun last is going to displace rows of `table`, or to bring some back.
    pub fn contend(&mut self, table: TableId) {
        if let Some(flight) = self.in_flight.back_mut() {
            flight.contended.insert(table);
        }
    }

    /// A row that lives, to be compared with those that exclude it; `recorded` is what is recorded of its last write, and
    /// `displaced` whether it is displaced now.
    pub fn contender(&mut self, row: RowId, recorded: Option<LastWrite>, displaced: bool) -> Contender {
        let recorded = recorded.filter(|_| !mutant!(TimesForgotten));
        let known = self.registers.last_written(row);
        let unstable = known.is_some_and(|(_, txn)| self.unneeded(txn.origin) < txn.lsn);
        Contender {
            row,
            written: known.map(|(written, _)| written).max(recorded),
            waits: displaced && !unstable,
        }
    }
}
