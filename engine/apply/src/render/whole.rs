//! Whole tables: lock, truncate, copy.

use synapse_engine_identity::ColumnId;
use synapse_engine_plan::Table;

use super::{key_equals, rows};
use crate::name::{list, relation};
use crate::shape::Shape;

/// Takes the lock that TRUNCATE needs.
pub(crate) fn lock_tables<'a>(tables: impl Iterator<Item = &'a Table>) -> String {
    let names: Vec<String> = tables.map(relation).collect();
    format!("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE", names.join(", ONLY "))
}

/// Truncates these tables and no others: the origin named every table it truncated.
pub(crate) fn truncate<'a>(tables: impl Iterator<Item = &'a Table>, restart_identity: bool) -> String {
    let names: Vec<String> = tables.map(relation).collect();
    let restart = if restart_identity { " RESTART IDENTITY" } else { "" };
    format!("TRUNCATE ONLY {}{restart}", names.join(", ONLY "))
}

/// Deletes every row whose key is not among those sent.
pub(crate) fn delete_others(table: &Table, shape: &Shape) -> String {
    format!(
        "DELETE FROM ONLY {} AS t WHERE NOT EXISTS (SELECT FROM {} WHERE {})",
        relation(table),
        rows(table.key.len(), false),
        key_equals(table, &table.key, shape, 0)
    )
}

/// Reads a table's own rows in COPY's text format.
pub(crate) fn copy_out(table: &Table, columns: &[ColumnId]) -> String {
    format!("COPY {} ({}) TO STDOUT", relation(table), list(table, columns))
}

/// Writes rows in COPY's text format.
pub(crate) fn copy_in(table: &Table, columns: &[ColumnId]) -> String {
    format!("COPY {} ({}) FROM STDIN", relation(table), list(table, columns))
}
