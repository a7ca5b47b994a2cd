//! The exact path: lock rows, then write what they are to become.

use std::collections::HashMap;
use std::sync::Arc;

use synapse_engine_change::Value;
use synapse_engine_identity::{ColumnId, RowId, TxnId};
use synapse_engine_plan::{Batch, Exact, ExactWrite, Row, Table};
use tokio_postgres::Statement;

use crate::error::{Error, MissingValues, Result};
use crate::execute::carried;
use crate::late;
use crate::pipeline::Pipeline;
use crate::render::Op;
use crate::rows::{arrays, chunks, count, numbers};
use crate::transaction::Transaction;

/// Values that are not in the batch: read from journals, or fetched from another node.
#[derive(Clone, Debug, Default)]
pub struct Values<'a> {
    /// What a transaction wrote to a row; a column that is `Unchanged` in it is no column of its origin.
    pub authors: HashMap<(TxnId, RowId), Row<'a>>,
    /// What a row is to have in columns that no known transaction carries.
    pub filled: HashMap<RowId, Row<'a>>,
}

/// Which columns of a row that is there are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Those the batch won: what others won stands in the row.
    Won,
    /// Those of every author: a re-check, whose batch may have overwritten what others won.
    EveryAuthor,
}

/// What became of locked rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Those that were not as they were locked: absent then, and there since.
    pub again: Vec<RowId>,
    /// Those that are to be gone, and were absent.
    pub absent: Vec<RowId>,
}

/// Rows of one table that are written alike.
pub(crate) struct Group<'a> {
    pub(crate) op: Op,
    pub(crate) table: Arc<Table>,
    pub(crate) columns: Vec<ColumnId>,
    pub(crate) rows: Vec<(RowId, Row<'a>)>,
}

/// Rows grouped by what is done to them. Deletes come first, so that unique values are free; inserts last.
#[derive(Default)]
struct Groups<'a>(Vec<Group<'a>>);

impl<'a> Groups<'a> {
    fn put(&mut self, op: Op, table: &Arc<Table>, columns: Vec<ColumnId>, row: RowId, values: Row<'a>) {
        let found = self
            .0
            .iter_mut()
            .find(|g| g.op == op && g.table.id == table.id && g.columns == columns);
        match found {
            Some(group) => group.rows.push((row, values)),
            None => self.0.push(Group {
                op,
                table: Arc::clone(table),
                columns,
                rows: vec![(row, values)],
            }),
        }
    }

    fn in_order(mut self) -> Vec<Group<'a>> {
        self.0.sort_by_key(|group| match group.op {
            Op::DeleteLocked => 0,
            Op::UpdateLocked | Op::UpdateLockedKeepKey => 1,
            Op::Delete
            | Op::Update
            | Op::Move
            | Op::Insert
            | Op::InsertByKey
            | Op::InsertKeyless
            | Op::Lock
            | Op::LogConflicts
            | Op::Read
            | Op::Unwritten => 2,
        });
        self.0
    }
}

impl<'a> Transaction<'_> {
    /// Locks rows in the order given, as far as they are there, in statements of their own; remembers which were.
    /// Answers with those that were.
    pub async fn lock(&mut self, batch: &Batch<'a>, rows: &[RowId]) -> Result<Vec<RowId>> {
        let mut groups = Vec::<Group<'a>>::new();
        for row in rows {
            let (table, values) = batch.rows.get(row).ok_or(Error::UnknownRow { row: *row })?;
            match groups.last_mut() {
                Some(group) if group.table.id == table.id => group.rows.push((*row, values.clone())),
                Some(_) | None => groups.push(Group {
                    op: Op::Lock,
                    table: Arc::clone(table),
                    columns: table.key.clone(),
                    rows: vec![(*row, values.clone())],
                }),
            }
        }
        self.enter().await?;
        // A large transaction locks piece by piece: what is written is what was locked last.
        self.locked.clear();
        // Prepared before anything is on its way: see `Transaction::prepare`.
        let mut prepared = Vec::with_capacity(groups.len());
        for group in &groups {
            prepared.push(self.statement(group.op, &group.table, &group.columns).await?);
        }
        let mut before = Pipeline::new();
        if self.in_progress.is_none() {
            let client = Arc::clone(&self.session.client);
            let statement = self.session.statements.in_progress(&client).await?;
            before.send(late::ask(client, statement)).await;
        }
        let mut pipeline = Pipeline::new();
        for (group, statement) in groups.iter().zip(&prepared) {
            self.send_numbers(&mut pipeline, statement, group, "lock rows").await?;
        }
        if let Some(in_progress) = before.next().await {
            self.in_progress = Some(in_progress?);
        }
        let mut found = Vec::new();
        while let Some(answer) = pipeline.next().await {
            for (row, there) in answer? {
                self.locked.insert(row, there);
                if there {
                    found.push(row);
                }
            }
        }
        self.leave();
        Ok(found)
    }

    /// Makes locked rows what they are to become. Rows that were never locked count as absent.
    ///
    /// When values are missing, nothing is sent, and [`Error::MissingValues`] names all of them.
    pub async fn write(&mut self, exacts: &[Exact<'a>], values: &Values<'a>, scope: Scope) -> Result<Written> {
        let mut groups = Groups::default();
        let (mut missing, mut absent) = (Vec::new(), Vec::new());
        for exact in exacts {
            let there = self.locked.get(&exact.row).copied().unwrap_or(false);
            if exact.write == ExactWrite::Delete && !there {
                absent.push(exact.row);
            }
            if let Err(values) = sort(exact, there, values, scope, &mut groups) {
                missing.push(values);
            }
        }
        if !missing.is_empty() {
            return Err(Error::MissingValues { rows: missing });
        }
        self.enter().await?;
        let mut again = Vec::new();
        for group in groups.in_order() {
            match group.op {
                Op::DeleteLocked => {
                    self.count_chunks(&group, "delete locked rows").await?;
                }
                Op::UpdateLocked | Op::UpdateLockedKeepKey => {
                    let mut pipeline = Pipeline::new();
                    let statement = self.statement(group.op, &group.table, &group.columns).await?;
                    self.send_numbers(&mut pipeline, &statement, &group, "update locked rows")
                        .await?;
                    while let Some(answer) = pipeline.next().await {
                        again.extend(answer?.into_iter().filter(|(_, done)| !done).map(|(row, _)| row));
                    }
                }
                Op::InsertByKey
                | Op::Insert
                | Op::InsertKeyless
                | Op::Delete
                | Op::Update
                | Op::Move
                | Op::Lock
                | Op::LogConflicts
                | Op::Read
                | Op::Unwritten => {
                    if self.count_chunks(&group, "insert rows").await? < group.rows.len() as u64 {
                        again.extend(self.unwritten(&group.table, &group.rows).await?);
                    }
                }
            }
        }
        self.leave();
        Ok(Written { again, absent })
    }

    async fn send_numbers(
        &mut self,
        pipeline: &mut Pipeline<'a, Vec<(RowId, bool)>>,
        statement: &Statement,
        group: &Group<'a>,
        action: &'static str,
    ) -> Result<()> {
        for chunk in chunks(&group.rows) {
            let part = &group.rows[chunk];
            let arrays = arrays(&group.table, &group.columns, part)?;
            let ids: Vec<RowId> = part.iter().map(|(id, _)| *id).collect();
            let (client, statement) = (Arc::clone(&self.session.client), statement.clone());
            pipeline
                .send(async move {
                    let done = numbers(client, statement, arrays, None, ids.len(), action).await?;
                    Ok(ids.into_iter().zip(done).collect())
                })
                .await;
        }
        Ok(())
    }

    /// Runs a group's statement; answers how many rows it met.
    pub(crate) async fn count_chunks(&mut self, group: &Group<'a>, action: &'static str) -> Result<u64> {
        let statement = self.statement(group.op, &group.table, &group.columns).await?;
        let mut written = 0;
        for chunk in chunks(&group.rows) {
            let arrays = arrays(&group.table, &group.columns, &group.rows[chunk])?;
            written += count(Arc::clone(&self.session.client), statement.clone(), arrays, action).await?;
        }
        Ok(written)
    }
}

/// What a locked row is to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted<'a> {
    /// As it is.
    AsItIs,
    /// Gone.
    Gone,
    /// Alive, with these values; `Unchanged` where it has what it is to have.
    Alive(Row<'a>),
}

impl<'a> Wanted<'a> {
    /// What `exact` says of a row that is `there`, or is not.
    ///
    /// # Errors
    /// The values that are missing to say it.
    pub fn of(
        exact: &Exact<'a>,
        there: bool,
        values: &Values<'a>,
        scope: Scope,
    ) -> std::result::Result<Self, MissingValues> {
        let table = &exact.table;
        let (won, others, unknown) = match &exact.write {
            ExactWrite::Nothing => return Ok(Wanted::AsItIs),
            ExactWrite::Delete => return Ok(Wanted::Gone),
            ExactWrite::Live { won, others, unknown } => (won, others, unknown),
        };
        let (whole, every) = (!there, !there || exact.every || scope == Scope::EveryAuthor);
        let mut missing = MissingValues {
            row: exact.row,
            authors: Vec::new(),
            unknown: Vec::new(),
        };
        let mut row = vec![Value::Unchanged; table.columns.len()];
        take(&mut row, &exact.values, won);
        if every {
            for (txn, columns) in others {
                match values.authors.get(&(*txn, exact.row)) {
                    Some(known) => take(&mut row, known, columns),
                    None => missing.authors.push((*txn, columns.clone())),
                }
            }
        }
        if whole && !unknown.is_empty() {
            match values.filled.get(&exact.row) {
                Some(known) => take(&mut row, known, unknown),
                None => missing.unknown.clone_from(unknown),
            }
        }
        if !missing.authors.is_empty() || !missing.unknown.is_empty() {
            return Err(missing);
        }
        Ok(Wanted::Alive(row))
    }
}

/// Puts a row where it belongs. A row that was absent when it was locked is not deleted: what has appeared since was
/// not seen by the verdict, and the re-check at the marker finds it.
fn sort<'a>(
    exact: &Exact<'a>,
    there: bool,
    values: &Values<'a>,
    scope: Scope,
    groups: &mut Groups<'a>,
) -> std::result::Result<(), MissingValues> {
    let table = &exact.table;
    match Wanted::of(exact, there, values, scope)? {
        Wanted::Gone if there => {
            groups.put(
                Op::DeleteLocked,
                table,
                table.key.clone(),
                exact.row,
                exact.values.clone(),
            );
        }
        Wanted::AsItIs | Wanted::Gone => {}
        Wanted::Alive(row) => put_live(exact, there, row, groups),
    }
    Ok(())
}

fn put_live<'a>(exact: &Exact<'a>, there: bool, mut row: Row<'a>, groups: &mut Groups<'a>) {
    let table = &exact.table;
    let nothing_to_set = row.iter().all(|value| *value == Value::Unchanged);
    if there && nothing_to_set {
        return;
    }
    let key_given = table.key.iter().all(|id| row[usize::from(id.0)] != Value::Unchanged);
    for at in table.key.iter().map(|id| usize::from(id.0)) {
        if row[at] == Value::Unchanged {
            row[at] = exact.values[at];
        }
    }
    let op = match (there, key_given) {
        (true, true) => Op::UpdateLocked,
        (true, false) => Op::UpdateLockedKeepKey,
        (false, _) => Op::InsertByKey,
    };
    groups.put(op, table, carried(&row), exact.row, row);
}

fn take<'a>(row: &mut Row<'a>, from: &Row<'a>, columns: &[ColumnId]) {
    for column in columns {
        let at = usize::from(column.0);
        if let (Some(place), Some(value)) = (row.get_mut(at), from.get(at)) {
            *place = *value;
        }
    }
}
