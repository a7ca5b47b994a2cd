//! Steps of plan as statements of the simulated server.

use std::collections::BTreeSet;

use synapse_engine_change::Value;
use synapse_engine_identity::RowId;
use synapse_engine_plan::{KeylessStep, Row, Rows, Step, TruncateTable};

use super::job::{Job, Piece};
use crate::catalog::{datum, row_id, table_of};
use crate::postgres::{self, Guard, OnConflict, Statement, Table, Target};

/// The statements of a step. `standing` are the keys that each table held when it was locked.
pub(super) fn pieces(step: &Step<'_>, guard: &Guard, job: &Job, standing: &[Vec<u64>]) -> Vec<Piece> {
    match step {
        Step::Delete(rows) => {
            let keys = rows.rows.iter().map(|(_, row)| key(row)).collect();
            vec![keyed(rows, delete(table_of(rows.table.id), keys, Some(guard.clone())))]
        }
        Step::Update(rows) => {
            let target = |row: &Row<'_>| Target::new(key(row), set_of(row, 1));
            let targets = rows.rows.iter().map(|(_, row)| target(row)).collect();
            vec![keyed(
                rows,
                update(table_of(rows.table.id), targets, Some(guard.clone())),
            )]
        }
        Step::Insert(rows) => {
            let values = rows.rows.iter().map(|(_, row)| full(row)).collect();
            vec![keyed(
                rows,
                insert(table_of(rows.table.id), values, OnConflict::Nothing),
            )]
        }
        Step::InsertKeyless { table, rows, .. } => {
            let values = rows.iter().map(full).collect();
            vec![Piece::plain(insert(table_of(table.id), values, OnConflict::Fail))]
        }
        Step::Move { table, from, to } => {
            let key = key(&from.1);
            let targets = vec![Target::new(key, set_of(&to.1, 0))];
            let statement = update(table_of(table.id), targets, Some(guard.clone()));
            vec![Piece {
                statement,
                rows: vec![(key, vec![from.0, to.0])],
            }]
        }
        Step::Keyless { table, step } => vec![Piece::plain(keyless(table_of(table.id), step))],
        Step::Truncate { tables, .. } => tables.iter().map(|t| truncate(t, job, standing)).collect(),
    }
}

/// Rows of the table with a foreign key that steps may take away.
pub(super) fn taken(steps: &[Step<'_>]) -> BTreeSet<u64> {
    let of = |step: &Step<'_>| -> Vec<u64> {
        match step {
            Step::Delete(rows) if table_of(rows.table.id) == Table::Tree => {
                rows.rows.iter().map(|(_, row)| key(row)).collect()
            }
            Step::Move { table, from, .. } if table_of(table.id) == Table::Tree => vec![key(&from.1)],
            Step::Delete(_)
            | Step::Move { .. }
            | Step::Update(_)
            | Step::Insert(_)
            | Step::InsertKeyless { .. }
            | Step::Keyless { .. }
            | Step::Truncate { .. } => Vec::new(),
        }
    };
    steps.iter().flat_map(of).collect()
}

fn keyless(table: Table, step: &KeylessStep<'_>) -> Statement {
    match step {
        KeylessStep::Update { old, new } => Statement::UpdateEqual {
            table,
            old: full(old),
            new: full(new),
        },
        KeylessStep::Delete { old } => Statement::DeleteEqual { table, row: full(old) },
    }
}

/// TRUNCATE, or a DELETE of what does not survive: also of what the batch itself puts in before.
fn truncate(truncate: &TruncateTable, job: &Job, standing: &[Vec<u64>]) -> Piece {
    let table = table_of(truncate.table.id);
    if truncate.survivors.is_empty() {
        return Piece::plain(Statement::Truncate { table });
    }
    let own = job
        .rows
        .keys()
        .filter(|row| table_of(row.table) == table)
        .map(|row| job.key(*row));
    let mut gone: Vec<u64> = standing[table.index()].iter().copied().chain(own).collect();
    gone.retain(|key| !truncate.survivors.contains(&row_id(table, *key)));
    gone.sort_unstable();
    gone.dedup();
    Piece::plain(delete(table, gone, None))
}

pub(super) const fn delete(table: Table, keys: Vec<u64>, guard: Option<Guard>) -> Statement {
    Statement::Delete { table, keys, guard }
}

pub(super) const fn update(table: Table, targets: Vec<Target>, guard: Option<Guard>) -> Statement {
    Statement::Update { table, targets, guard }
}

pub(super) const fn insert(table: Table, rows: Vec<postgres::Row>, on_conflict: OnConflict) -> Statement {
    Statement::Insert {
        table,
        rows,
        on_conflict,
    }
}

fn keyed(rows: &Rows<'_>, statement: Statement) -> Piece {
    let by_key = |(id, row): &(RowId, Row<'_>)| (key(row), vec![*id]);
    Piece {
        statement,
        rows: rows.rows.iter().map(by_key).collect(),
    }
}

fn key(row: &Row<'_>) -> u64 {
    datum(row[0]).flatten().expect("a key is carried and not null")
}

fn set_of(row: &Row<'_>, first: usize) -> Vec<(usize, postgres::Datum)> {
    let carried = |(at, value): (usize, &Value<'_>)| Some((at, datum(*value)?));
    row.iter().enumerate().skip(first).filter_map(carried).collect()
}

fn full(row: &Row<'_>) -> postgres::Row {
    row.iter().map(|value| datum(*value).flatten()).collect()
}
