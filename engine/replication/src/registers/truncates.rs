//! What a TRUNCATE is to the registers of its table.

use synapse_engine_identity::{Origin, RowId, Stamp, TableId, TxnId, WriteOp};

use super::{Overflow, Registers};
use crate::conflict::Met;
use crate::register::{Author, Register, Target};

/// A TRUNCATE: a delete of every row of its table that it saw.
#[derive(Debug)]
pub(super) struct Truncate {
    stamp: Stamp,
    author: Author,
    /// Whether it says nothing any more of rows that nothing unstable is known of: it stays for those of the overflow.
    stable: bool,
}

/// A table's truncates, counted since the start: registers remember how many they have merged in.
#[derive(Debug, Default)]
pub(super) struct Truncates {
    dropped: u32,
    list: Vec<Truncate>,
}

impl Truncates {
    fn count(&self) -> u32 {
        self.dropped
            .saturating_add(u32::try_from(self.list.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Takes note of those that are stable.
    pub(super) fn note_stable(&mut self, is_stable: impl Fn(Author) -> bool) {
        for truncate in &mut self.list {
            truncate.stable |= is_stable(truncate.author);
        }
    }

    /// Drops the first of them, as long as they are stable.
    pub(super) fn drop_stable(&mut self, is_stable: impl Fn(Author) -> bool) {
        let stable = self.list.iter().take_while(|t| is_stable(t.author)).count();
        self.list.drain(..stable);
        self.dropped = self.dropped.saturating_add(u32::try_from(stable).unwrap_or(u32::MAX));
    }

    fn after(&self, merged: u32) -> &[Truncate] {
        let from = usize::try_from(merged.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        self.list.get(from..).unwrap_or_default()
    }
}

impl<O: Overflow> Registers<O> {
    /// Takes note of a TRUNCATE. Noted again, it comes after what was noted since.
    pub fn note_truncate(&mut self, stamp: &Stamp, table: TableId) {
        if mutant!(TruncateForgotten) {
            return;
        }
        let author = self.author(stamp);
        self.truncates.entry(table).or_default().list.push(Truncate {
            stamp: stamp.clone(),
            author,
            stable: false,
        });
    }

    /// Rows of `table` that live although `table` was truncated: written by someone who did not see it, or after it.
    pub fn survivors(&mut self, table: TableId) -> Vec<RowId> {
        let mut rows = self.rows_of(table);
        rows.retain(|row| matches!(self.target(*row), Target::Live(_)));
        rows
    }

    /// Rows of `table` of which writes are known that a TRUNCATE, noted last, had not seen, and what it met of each.
    pub fn met_by_truncate(&mut self, stamp: &Stamp, table: TableId) -> Vec<(RowId, Met)> {
        let rows = self.rows_of(table).into_iter();
        rows.filter_map(|row| Some((row, self.met(stamp, row)?))).collect()
    }

    /// A row that stands against a TRUNCATE of `table`, and who wrote it, where a person has to decide between the two.
    pub fn undecided_truncate(&mut self, stamp: &Stamp, table: TableId) -> Option<(RowId, TxnId)> {
        if !self.policies.may_ask(table) {
            return None;
        }
        self.rows_of(table).into_iter().find_map(|row| {
            let register = self.take(row);
            let against = register.stands_against(stamp.epoch, &self.book(table), self.saw(stamp));
            self.keep(row, register);
            Some((row, self.txn(against?)))
        })
    }

    fn rows_of(&mut self, table: TableId) -> Vec<RowId> {
        let mut rows: Vec<RowId> = self.rows.keys().copied().filter(|row| row.table == table).collect();
        if !self.overflowed.is_empty() {
            rows.extend(self.overflow.rows_of(table));
        }
        rows.sort_unstable();
        rows.dedup();
        rows
    }
}

pub(super) fn merge_truncates(register: &mut Register, truncates: Option<&Truncates>, origins: &[Origin]) {
    let Some(truncates) = truncates else { return };
    let nothing_known = register.is_empty();
    let counts = |truncate: &&Truncate| !(nothing_known && truncate.stable);
    for truncate in truncates.after(register.truncates).iter().filter(counts) {
        register.observe(truncate.author, (&WriteOp::Delete, false), |author| {
            let txn = TxnId {
                origin: origins[usize::from(author.origin.0)],
                lsn: author.lsn,
            };
            truncate.stamp.saw(txn)
        });
    }
    register.truncates = truncates.count();
}
