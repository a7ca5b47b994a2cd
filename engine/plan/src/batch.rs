use std::collections::HashMap;
use std::sync::Arc;

use synapse_engine_change::Value;
use synapse_engine_identity::{ColumnId, RowId};

use crate::builder::{Conflict, PolicySet};
use crate::{Added, Table};

/// A row's values by local column; `Unchanged` where nothing is known.
pub type Row<'a> = Vec<Value<'a>>;

/// Rows of one step. Every row has a value for each of `columns`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<'a> {
    /// Their table.
    pub table: Arc<Table>,
    /// The columns written, ascending; for a delete the key.
    pub columns: Vec<ColumnId>,
    /// The rows; each row once.
    pub rows: Vec<(RowId, Row<'a>)>,
}

/// A change of a table without a key, which cannot be moved before or after another.
#[derive(Clone, Debug, PartialEq)]
pub enum KeylessStep<'a> {
    /// Exactly one row equal to `old` takes the values of `new`.
    Update {
        /// What it was.
        old: Row<'a>,
        /// What it becomes.
        new: Row<'a>,
    },
    /// Exactly one row equal to it goes.
    Delete {
        /// What it was.
        old: Row<'a>,
    },
}

/// A table to truncate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruncateTable {
    /// The table.
    pub table: Arc<Table>,
    /// Rows that stay, because their writer did not see the TRUNCATE, or came after it.
    pub survivors: Vec<RowId>,
    /// Rows that it is in conflict over, in order.
    pub met: Vec<RowId>,
}

/// One statement, or one for every few thousand rows. Steps run in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<'a> {
    /// Delete by key, guarded.
    Delete(Rows<'a>),
    /// Update by key, guarded: the columns that are no key are set.
    Update(Rows<'a>),
    /// Insert; what exists already drops out.
    Insert(Rows<'a>),
    /// Insert into a table without a key: always succeeds.
    InsertKeyless {
        /// The table.
        table: Arc<Table>,
        /// The columns written.
        columns: Vec<ColumnId>,
        /// The rows.
        rows: Vec<Row<'a>>,
    },
    /// A key change that leaves TOAST values behind: update by the old key, guarded.
    Move {
        /// The table.
        table: Arc<Table>,
        /// The row as it was called, with its key.
        from: (RowId, Row<'a>),
        /// The row as it is called now, with all values that are carried.
        to: (RowId, Row<'a>),
    },
    /// A change of a table without a key.
    Keyless {
        /// The table.
        table: Arc<Table>,
        /// The change.
        step: KeylessStep<'a>,
    },
    /// TRUNCATE, in one statement where nothing survives.
    Truncate {
        /// The tables.
        tables: Vec<TruncateTable>,
        /// Whether their sequences start anew.
        restart_identity: bool,
    },
}

/// What one transaction of the applier does before its exact path.
#[derive(Clone, Debug, Default)]
pub struct Batch<'a> {
    /// In order.
    pub steps: Vec<Step<'a>>,
    /// Rows that go to the exact path at once. Rows that a TRUNCATE brings back may not be in [`Self::rows`]: what their
    /// writers left is put there before.
    pub contested: Vec<RowId>,
    /// Every row with a key that the batch touches, with the net values of the batch: key columns always.
    pub rows: HashMap<RowId, (Arc<Table>, Row<'a>)>,
    /// What the batch's transactions made of counters, by row, in order.
    pub added: HashMap<RowId, Vec<(ColumnId, Added<'a>)>>,
    /// Rows as they were before an UPDATE of the batch, where the stream says it: the last.
    pub old: HashMap<RowId, Row<'a>>,
    /// Policies that the batch sets.
    pub policies: Vec<PolicySet>,
    /// What the kernel found to be in conflict.
    pub conflicts: Vec<Conflict>,
    /// Changes before merging.
    pub changes: usize,
}
