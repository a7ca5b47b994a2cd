//! Rows that are displaced, and the rows in whose favour: those that stand and exclude one of them. As the node's own
//! stream says it, so that it is known at each position which local writes may set a displaced row free.

use std::collections::BTreeSet;

use synapse_engine_identity::{KeyHash, RowId, TableId};

/// What a transaction of our applier changed in what is displaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contention {
    /// `row` is displaced from now on, or no more.
    Displaced {
        /// The row.
        row: RowId,
        /// Whether it is.
        is: bool,
    },
    /// `rival` stands and excludes the displaced `row` from now on, or no more.
    Rival {
        /// The displaced row.
        row: RowId,
        /// The row in its way.
        rival: RowId,
        /// Whether it is.
        is: bool,
    },
}

impl Contention {
    /// The rows that it is about.
    pub fn rows(&self) -> impl Iterator<Item = RowId> {
        let (row, rival) = match *self {
            Contention::Displaced { row, .. } => (row, None),
            Contention::Rival { row, rival, .. } => (row, Some(rival)),
        };
        std::iter::once(row).chain(rival)
    }
}

/// Rows that are displaced, and those in their way. As large as the tables that hold them.
#[derive(Debug, Default)]
pub(crate) struct Contenders {
    displaced: BTreeSet<RowId>,
    /// The row in the way first.
    rivals: BTreeSet<(RowId, RowId)>,
    /// The displaced row first.
    ways: BTreeSet<(RowId, RowId)>,
}

impl Contenders {
    pub(crate) fn change(&mut self, change: &Contention) {
        match *change {
            Contention::Displaced { row, is: true } => {
                self.displaced.insert(row);
            }
            Contention::Displaced { row, is: false } => {
                self.displaced.remove(&row);
            }
            Contention::Rival { row, rival, is: true } => {
                self.rivals.insert((rival, row));
                self.ways.insert((row, rival));
            }
            Contention::Rival { row, rival, is: false } => {
                self.rivals.remove(&(rival, row));
                self.ways.remove(&(row, rival));
            }
        }
    }

    /// Whether a write of `row` may change what is displaced.
    pub(crate) fn contains(&self, row: RowId) -> bool {
        let any = |pairs: &BTreeSet<(RowId, RowId)>| {
            let first = pairs.range((row, lowest(TableId(0)))..).next();
            first.is_some_and(|(of, _)| *of == row)
        };
        self.displaced.contains(&row) || any(&self.rivals) || any(&self.ways)
    }

    /// How many rows are displaced.
    pub(crate) fn displaced(&self) -> usize {
        self.displaced.len()
    }

    /// Whether a row of `table` is displaced.
    pub(crate) fn any_of(&self, table: TableId) -> bool {
        let first = self.displaced.range(lowest(table)..).next();
        first.is_some_and(|row| row.table == table)
    }
}

const fn lowest(table: TableId) -> RowId {
    RowId {
        table,
        key: KeyHash([0; 16]),
    }
}

#[cfg(test)]
mod tests;
