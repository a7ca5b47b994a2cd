//! A change as the kernel sees it.

use synapse_engine_change::{Change, Tuple, Value};
use synapse_engine_identity::{KeyHash, RowId, Write, WriteOp};

use crate::Mapping;

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

/// The writes of a change, in order: one; two for a key change; none for a TRUNCATE or for a table without a key.
#[must_use]
pub fn writes_of(mapping: &Mapping, change: &Change<'_>) -> [Option<Write>; 2] {
    if !mapping.table().has_key() {
        return [None, None];
    }
    match *change {
        Change::Insert { new, .. } => {
            let op = WriteOp::Insert {
                missing: mapping.missing(new),
            };
            [
                Some(Write {
                    row: row_id(mapping, new),
                    op,
                }),
                None,
            ]
        }
        Change::Update { old, new, .. } => {
            let row = row_id(mapping, new);
            let missing = mapping.missing(new);
            match old.map(|old| row_id(mapping, old.tuple())) {
                Some(was) if was != row => [
                    Some(Write {
                        row: was,
                        op: WriteOp::Delete,
                    }),
                    Some(Write {
                        row,
                        op: WriteOp::Insert { missing },
                    }),
                ],
                Some(_) | None => [
                    Some(Write {
                        row,
                        op: WriteOp::Update { missing },
                    }),
                    None,
                ],
            }
        }
        Change::Delete { old, .. } => [
            Some(Write {
                row: row_id(mapping, old.tuple()),
                op: WriteOp::Delete,
            }),
            None,
        ],
        Change::Truncate { .. } => [None, None],
    }
}
