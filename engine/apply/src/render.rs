//! Statements as SQL. Pure: what a statement says depends on table, columns and key alone, so that it is prepared once.
//!
//! In all of them `t` is the table and `u` the rows sent: one `text[]` parameter for each column, `u.c0`, `u.c1`, …, cast
//! to the local type, and `u.ord`, a row's number from 1.

mod conflict;
mod displaced;
mod exclusion;
mod keyless;
mod whole;

pub(crate) use displaced::{DisplacedSql, displaced, put_displaced};
pub(crate) use exclusion::{answered, apart, sent, standing};
pub(crate) use keyless::{keyless_delete, keyless_update};
pub(crate) use whole::{copy_in, copy_out, delete_others, lock_tables, truncate};

use std::fmt::Write as _;

use synapse_engine_identity::ColumnId;
use synapse_engine_plan::{KeyClass, Table};

use crate::name::{cast_type, list, quoted, relation};
use crate::shape::Shape;

/// A statement over rows of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    /// Guarded delete by key. Answers with the numbers of the rows deleted.
    Delete,
    /// Guarded update by key. Answers with the numbers of the rows updated.
    Update,
    /// Guarded update of one row by its old key, to another key that is free: the old key's columns come first, then
    /// the new values.
    Move,
    /// Insert where nothing is in the way.
    Insert,
    /// Insert where the key is free; another unique constraint is an error.
    InsertByKey,
    /// Insert, come what may.
    InsertKeyless,
    /// Lock in the order sent. Answers with the numbers of the rows found.
    Lock,
    /// Delete rows that are locked.
    DeleteLocked,
    /// Update rows that are locked.
    UpdateLocked,
    /// Update rows that are locked, and leave the key's text as it stands in them: another author's.
    UpdateLockedKeepKey,
    /// Answers with the numbers of the rows that this transaction has not written.
    Unwritten,
    /// Conflicts into `synapse.conflict_log`, with the rows as they stand. The columns of [`conflict::COLUMNS`] follow the key.
    LogConflicts,
    /// Read: the key's columns come first, then those that are answered as text, behind the row's number.
    Read,
}

/// A row may be overwritten by a set-based statement when its last writer is known to the verdict: its xid is below the
/// horizon, it is this transaction, or it is one of our origins. Cheapest first. PostgreSQL evaluates this again on the
/// newer version of a row that was changed while we waited for its lock.
fn guard(ours: usize, horizon: usize) -> String {
    format!(
        "(age(t.xmin) > (SELECT age(${horizon}::text::xid)) OR t.xmin = (SELECT pg_current_xact_id()::xid) \
         OR (pg_xact_commit_timestamp_origin(t.xmin)).roident = ANY (${ours}))"
    )
}

/// How many columns the statement takes from the rows, and whether guard parameters (our origins, horizon) follow.
pub(crate) fn parameters(op: Op, table: &Table, columns: &[ColumnId]) -> (usize, bool) {
    match op {
        Op::Delete | Op::Update => (columns.len(), true),
        Op::Move => (table.key.len() + columns.len(), true),
        Op::LogConflicts => (columns.len() + conflict::COLUMNS, false),
        Op::Read => (table.key.len(), false),
        Op::Insert
        | Op::InsertByKey
        | Op::InsertKeyless
        | Op::Lock
        | Op::DeleteLocked
        | Op::UpdateLocked
        | Op::UpdateLockedKeepKey
        | Op::Unwritten => (columns.len(), false),
    }
}

/// The statement. `columns` are those of the rows sent, in the order of the parameters, key columns among them.
pub(crate) fn statement(op: Op, table: &Table, columns: &[ColumnId], shape: &Shape) -> String {
    let name = relation(table);
    let (count, _) = parameters(op, table, columns);
    let rows = rows(count, true);
    let key = || key_equals(table, columns, shape, 0);
    let (ours, horizon) = (count + 1, count + 2);
    match op {
        Op::Delete => format!(
            "DELETE FROM ONLY {name} AS t USING {rows} WHERE {} AND {} RETURNING u.ord",
            key(),
            guard(ours, horizon)
        ),
        Op::DeleteLocked => format!("DELETE FROM ONLY {name} AS t USING {rows} WHERE {}", key()),
        Op::Update | Op::UpdateLocked | Op::UpdateLockedKeepKey => {
            let keep_key = op == Op::UpdateLockedKeepKey;
            let stays = |id: ColumnId| table.key.contains(&id) && (keep_key || table.at(id).class == KeyClass::Exact);
            let set = assignments(table, columns, 0, |id| !stays(id));
            let condition = match op == Op::Update {
                true => format!("{} AND {}", key(), guard(ours, horizon)),
                false => key(),
            };
            if set.is_empty() {
                // Nothing but the key: what there is to learn is whether the row is as it was thought to be.
                format!("SELECT u.ord FROM {rows} JOIN ONLY {name} AS t ON {condition} FOR NO KEY UPDATE OF t")
            } else {
                format!("UPDATE ONLY {name} AS t SET {set} FROM {rows} WHERE {condition} RETURNING u.ord")
            }
        }
        Op::Move => {
            let first = table.key.len();
            let set = assignments(table, columns, first, |_| true);
            let taken = key_equals_of("x", table, columns, shape, first);
            let old = key_equals(table, &table.key, shape, 0);
            format!(
                "UPDATE ONLY {name} AS t SET {set} FROM {rows} WHERE {old} AND {} \
                 AND NOT EXISTS (SELECT FROM ONLY {name} AS x WHERE {taken}) RETURNING u.ord",
                guard(ours, horizon)
            )
        }
        Op::Insert => insert(
            table,
            columns,
            match shape.deferrable {
                true => Arbiter::Key,
                false => Arbiter::Any,
            },
        ),
        Op::InsertByKey => insert(table, columns, Arbiter::Key),
        Op::InsertKeyless => insert(table, columns, Arbiter::None),
        Op::Lock => {
            format!(
                "SELECT u.ord FROM {rows} JOIN ONLY {name} AS t ON {} ORDER BY u.ord FOR UPDATE OF t",
                key()
            )
        }
        Op::Read => {
            let wanted = columns[count..].iter().fold(String::new(), |sql, id| {
                sql + ", t." + &quoted(&table.at(*id).name) + "::text"
            });
            format!("SELECT u.ord{wanted} FROM {rows} JOIN ONLY {name} AS t ON {}", key())
        }
        Op::Unwritten => format!(
            "SELECT u.ord FROM {rows} WHERE NOT EXISTS (SELECT FROM ONLY {name} AS t WHERE {} \
             AND t.xmin = (SELECT pg_current_xact_id()::xid))",
            key()
        ),
        Op::LogConflicts => conflict::log(table, columns, &rows, &key()),
    }
}

/// What may be in the way of an insert.
enum Arbiter {
    Any,
    Key,
    None,
}

fn insert(table: &Table, columns: &[ColumnId], arbiter: Arbiter) -> String {
    let on_conflict = match arbiter {
        Arbiter::Any => " ON CONFLICT DO NOTHING".to_owned(),
        Arbiter::Key => format!(" ON CONFLICT ({}) DO NOTHING", list(table, &table.key)),
        Arbiter::None => String::new(),
    };
    let values: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(at, id)| value(table, *id, at))
        .collect();
    format!(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}{on_conflict}",
        relation(table),
        list(table, columns),
        values.join(", "),
        rows(columns.len(), false)
    )
}

/// The rows sent.
fn rows(columns: usize, numbered: bool) -> String {
    let join = |each: &dyn Fn(usize) -> String| (0..columns).map(each).collect::<Vec<_>>().join(", ");
    let (parameters, names) = (join(&|at| format!("${}", at + 1)), join(&|at| format!("c{at}")));
    match numbered {
        true => format!("unnest({parameters}) WITH ORDINALITY AS u({names}, ord)"),
        false => format!("unnest({parameters}) AS u({names})"),
    }
}

fn value(table: &Table, column: ColumnId, at: usize) -> String {
    format!("u.c{at}::{}", cast_type(&table.at(column).type_sql))
}

/// The key of `t` is that of the row sent; `columns` stand in the rows from `first` on.
fn key_equals(table: &Table, columns: &[ColumnId], shape: &Shape, first: usize) -> String {
    key_equals_of("t", table, columns, shape, first)
}

fn key_equals_of(alias: &str, table: &Table, columns: &[ColumnId], shape: &Shape, first: usize) -> String {
    let mut sql = String::new();
    for ((id, operator), collation) in table.key.iter().zip(&shape.operators).zip(&shape.collations) {
        let at = columns.iter().position(|c| c == id).map_or(0, |at| at + first);
        let separator = if sql.is_empty() { "" } else { " AND " };
        let column = quoted(&table.at(*id).name);
        let value = value(table, *id, at);
        let collate = collation.as_ref().map_or(String::new(), |c| format!(" COLLATE {c}"));
        let _ = write!(sql, "{separator}{alias}.{column} {operator} {value}{collate}");
    }
    sql
}

/// `SET` for the columns wanted: all but the key, whose equal values are mostly the same bytes, but not always: `1.0` and
/// `1.00` are the same row and not the same value. PostgreSQL refuses any value for a column GENERATED ALWAYS AS IDENTITY in an UPDATE, so
/// such a column keeps the value it was inserted with.
fn assignments(table: &Table, columns: &[ColumnId], first: usize, wanted: impl Fn(ColumnId) -> bool) -> String {
    let settable = |id: ColumnId| wanted(id) && !table.at(id).identity_always;
    let set: Vec<String> = columns
        .iter()
        .enumerate()
        .filter(|(_, id)| settable(**id))
        .map(|(at, id)| format!("{} = {}", quoted(&table.at(*id).name), value(table, *id, at + first)))
        .collect();
    set.join(", ")
}

#[cfg(test)]
mod tests;
