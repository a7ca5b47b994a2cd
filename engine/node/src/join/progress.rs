//! How far a node has come in joining, for people.

use std::collections::BTreeMap;

use serde::Serialize;
use synapse_engine_identity::NodeId;

/// What is shown while a node joins.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Progress {
    /// What it waits for, or why the last attempt failed.
    pub(crate) waits: Option<String>,
    /// Tables that must be created here before it goes on, `schema.table`.
    pub(crate) missing_tables: Vec<String>,
    /// Whom it is copied from.
    pub(crate) from: Option<NodeId>,
    pub(crate) tables_total: usize,
    pub(crate) tables_done: usize,
    /// Rows and bytes that have come since the daemon started.
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// The tables that are coming, with their rows so far.
    pub(crate) coming: BTreeMap<String, u64>,
}

impl Progress {
    /// In one line; `None` when there is nothing to say.
    pub(crate) fn line(&self) -> Option<String> {
        let copying = self.from.map(|from| {
            format!(
                "copying from {from}: {} of {} tables, {} rows, {} bytes",
                self.tables_done, self.tables_total, self.rows, self.bytes
            )
        });
        match (copying, &self.waits) {
            (Some(copying), Some(waits)) => Some(format!("{copying}; {waits}")),
            (copying, waits) => copying.or_else(|| waits.clone()),
        }
    }
}
