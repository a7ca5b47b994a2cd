//! A change as the kernel sees it.

use synapse_engine_change::{Change, Tuple, Value};
use synapse_engine_identity::{ColumnId, ColumnSet, KeyHash, RowId, Write, WriteOp};
use synapse_engine_replication::Rules;

use crate::{Mapping, Row};

/// The row that a tuple of a table with a key belongs to.
#[must_use]
pub fn row_id(mapping: &Mapping, tuple: Tuple<'_>) -> RowId {
    let table = mapping.table();
    let parts: Vec<_> = table
        .key
        .iter()
        .map(|column| match mapping.value(tuple, *column) {
            // A part of a replica identity may not be NULL, and its TOAST value is always carried.
            Value::Null | Value::Unchanged => std::borrow::Cow::Borrowed(&b"\0null"[..]),
            Value::Text(text) => table.at(*column).class.canonical(text),
            Value::Binary(bytes) => std::borrow::Cow::Borrowed(bytes),
        })
        .collect();
    RowId {
        table: table.id,
        key: KeyHash::of(parts.iter().map(|part| part.as_ref())),
    }
}

/// The rows that a change writes, in order: one; two for a key change; none for a TRUNCATE or for a table without a key.
#[must_use]
pub fn rows_of(mapping: &Mapping, change: &Change<'_>) -> [Option<RowId>; 2] {
    if !mapping.table().has_key() {
        return [None, None];
    }
    match *change {
        Change::Insert { new, .. } => [Some(row_id(mapping, new)), None],
        Change::Update { old, new, .. } => {
            let row = row_id(mapping, new);
            match old.map(|old| row_id(mapping, old.tuple())) {
                Some(was) if was != row => [Some(was), Some(row)],
                Some(_) | None => [Some(row), None],
            }
        }
        Change::Delete { old, .. } => [Some(row_id(mapping, old.tuple())), None],
        Change::Truncate { .. } => [None, None],
    }
}

/// The writes of a change to its rows, under the rules that were in force where it was made.
#[must_use]
pub fn writes_of(mapping: &Mapping, change: &Change<'_>, rules: &Rules) -> [Option<Write>; 2] {
    let write = |row: RowId, op: WriteOp| Some(Write { row, op });
    match (rows_of(mapping, change), *change) {
        ([None, _], _) | (_, Change::Truncate { .. }) => [None, None],
        ([Some(row), _], Change::Insert { new, .. }) => {
            let missing = mapping.missing(new);
            [write(row, WriteOp::Insert { missing }), None]
        }
        ([Some(row), _], Change::Delete { .. }) => [write(row, WriteOp::Delete), None],
        ([Some(was), Some(row)], Change::Update { old, new, .. }) => {
            let missing = absent(&mapping.whole(old, new), mapping);
            [write(was, WriteOp::Delete), write(row, WriteOp::Insert { missing })]
        }
        ([Some(row), None], Change::Update { old, new, .. }) => {
            let missing = absent(&mapping.carried(old, new, rules), mapping);
            [write(row, WriteOp::Update { missing }), None]
        }
    }
}

/// Columns of the relation that have no value here.
fn absent(row: &Row<'_>, mapping: &Mapping) -> ColumnSet {
    let unchanged = |column: &ColumnId| row[usize::from(column.0)] == Value::Unchanged;
    mapping.columns().filter(unchanged).collect()
}
