//! What is stable is dropped, and once more from registers that are made anew.

use std::collections::BTreeMap;

use synapse_engine_identity::{Context, Origin};
use synapse_wal_types::Lsn;

use super::truncates::merge_truncates;
use super::{Overflow, Registers};
use crate::register::{Author, Register};
use crate::row_hash::RowMap;
use crate::rules::Book;

/// What had been dropped of registers that are made anew.
#[derive(Debug)]
pub(super) enum Dropped {
    /// They are being made: all of a row's writes have to be known first.
    Later(Context),
    /// It is dropped of those in memory, and of those in the overflow when they come back.
    OfOverflow(Context),
}

impl<O: Overflow> Registers<O> {
    /// Registers are made anew: what was dropped before is dropped again. Other origins' writes that replaced some of it may
    /// not have been read again, so none of it stands by itself.
    pub(crate) fn drop_again(&mut self) {
        if mutant!(NotDroppedAgain) {
            self.dropped = None;
        }
        let Some(Dropped::Later(dropped)) = self.dropped.take() else {
            return;
        };
        for (row, register) in &mut self.rows {
            merge_truncates(register, self.truncates.get(&row.table), &self.origins);
            drop_from(register, &dropped, &self.policies.book(row.table, &self.origins));
        }
        let origins = &self.origins;
        let is_dropped = |author: Author| author.lsn <= dropped.get(origins[usize::from(author.origin.0)]);
        self.truncates
            .values_mut()
            .for_each(|truncates| truncates.note_stable(is_dropped));
        self.dropped = Some(Dropped::OfOverflow(dropped));
    }

    /// Drops what every member has applied, where nothing unstable is left that it still decides over.
    pub fn prune(&mut self, stable: impl Fn(Origin, Lsn) -> bool) {
        let origins = std::mem::take(&mut self.origins);
        let is_stable = |author: Author| stable(origins[usize::from(author.origin.0)], author.lsn);
        if self
            .overflowed
            .iter()
            .all(|(origin, lsn)| stable(origins[usize::from(origin.0)], *lsn))
        {
            self.overflow.clear();
            self.dropped
                .take_if(|dropped| matches!(dropped, Dropped::OfOverflow(_)));
            self.overflowed.clear();
            self.overflowed_from.clear();
        }
        // A row of the overflow stays shadowed by its newer register in memory, also by an empty one.
        let keep_empty = !self.overflowed.is_empty();
        let (truncates, policies) = (&self.truncates, &self.policies);
        let mut needed = BTreeMap::new();
        self.rows.retain(|row, register| {
            merge_truncates(register, truncates.get(&row.table), &origins);
            register.prune(&policies.book(row.table, &origins), is_stable);
            register.lowest_authors(&mut needed);
            keep_empty || !register.is_empty()
        });
        if self.order.len() != self.rows.len() {
            let rows = &self.rows;
            self.order.retain(|row| rows.contains_key(row));
        }
        self.without
            .iter()
            .flat_map(RowMap::values)
            .for_each(|register| register.lowest_authors(&mut needed));
        self.needed = needed;
        self.truncates
            .values_mut()
            .for_each(|truncates| truncates.note_stable(is_stable));
        if self.overflowed.is_empty() {
            self.truncates
                .values_mut()
                .for_each(|truncates| truncates.drop_stable(is_stable));
        }
        self.origins = origins;
    }
}

pub(super) fn drop_from(register: &mut Register, dropped: &Context, book: &Book<'_>) {
    register.drop_stable(book, |author| author.lsn <= dropped.get(book.origin(author.origin)));
}
