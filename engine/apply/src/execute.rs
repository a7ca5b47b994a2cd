//! The steps of a batch, in order, in as few round trips as can be.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use synapse_engine_identity::{ColumnId, KeyHash, RowId, TableId};
use synapse_engine_plan::{Batch, Row, Rows, Step, Table};
use tokio_postgres::Statement;

use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::render::Op;
use crate::rows::{arrays, chunks, count, numbers};
use crate::transaction::Transaction;
use crate::truncate::check_survivors;

/// What became of a batch's steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Executed {
    /// Rows that were not written: absent, or last written by someone the verdicts did not know, or in the way. Each
    /// once; for the exact path.
    pub dropouts: Vec<RowId>,
    /// Rows written through guarded statements.
    pub rows_guarded: u64,
    /// Rows inserted.
    pub rows_inserted: u64,
    /// Updates of tables without a key that found no equal row, by table.
    pub update_missing: HashMap<TableId, u64>,
    /// Deletes of tables without a key that found no equal row, by table.
    pub delete_missing: HashMap<TableId, u64>,
}

/// A statement's answer.
enum Answer {
    /// BEGIN or the marker was done.
    Begun,
    /// Which of these rows were written.
    Written(Vec<RowId>, Vec<bool>),
    /// Whether the row moved from one key to the other.
    Moved([RowId; 2], bool),
    /// How many of these rows were inserted.
    Inserted(Insert, u64),
}

/// The rows of an insert, to find out about when some were not inserted.
struct Insert {
    step: usize,
    chunk: std::ops::Range<usize>,
}

impl<'a> Transaction<'_> {
    /// Runs the batch's steps. `survivors` gives the keys of rows that a TRUNCATE leaves and that are not in the batch.
    pub async fn execute(&mut self, batch: &Batch<'a>, survivors: &HashMap<RowId, Row<'a>>) -> Result<Executed> {
        let mut executed = Executed::default();
        check_survivors(batch, survivors)?;
        self.check_open()?;
        let prepared = self.prepare(batch).await?;
        let mut pipeline = Pipeline::new();
        if !batch.steps.is_empty() {
            self.open(&mut pipeline, || Answer::Begun).await;
        }
        self.steps(&mut pipeline, batch, &prepared, survivors, &mut executed)
            .await?;
        self.leave();
        let mut seen = HashSet::new();
        executed.dropouts.retain(|row| seen.insert(*row));
        Ok(executed)
    }

    /// The statement of each step that has one of its own. They are prepared before anything is sent: while answers are
    /// on their way that nobody takes, the connection does not come to the answer of a later request.
    async fn prepare(&mut self, batch: &Batch<'a>) -> Result<Vec<Option<Statement>>> {
        let mut prepared = Vec::with_capacity(batch.steps.len());
        for step in &batch.steps {
            let statement = match step {
                Step::Delete(rows) => self.statement(Op::Delete, &rows.table, &rows.columns).await?,
                Step::Update(rows) => self.statement(Op::Update, &rows.table, &rows.columns).await?,
                Step::Insert(rows) => self.statement(Op::Insert, &rows.table, &rows.columns).await?,
                Step::InsertKeyless { table, columns, .. } => self.statement(Op::InsertKeyless, table, columns).await?,
                Step::Move {
                    table, to: (_, new), ..
                } if can_move(table) => self.statement(Op::Move, table, &carried(new)).await?,
                Step::Move { .. } | Step::Keyless { .. } | Step::Truncate { .. } => {
                    prepared.push(None);
                    continue;
                }
            };
            prepared.push(Some(statement));
        }
        Ok(prepared)
    }

    async fn steps(
        &mut self,
        pipeline: &mut Pipeline<'a, Answer>,
        batch: &Batch<'a>,
        prepared: &[Option<Statement>],
        survivors: &HashMap<RowId, Row<'a>>,
        executed: &mut Executed,
    ) -> Result<()> {
        for (at, (step, prepared)) in batch.steps.iter().zip(prepared).enumerate() {
            match (step, prepared) {
                (Step::Delete(rows) | Step::Update(rows), Some(statement)) => {
                    self.guarded(pipeline, statement, rows).await?;
                }
                (Step::Insert(rows), Some(statement)) => {
                    self.insert(pipeline, statement, at, (&rows.table, &rows.columns), &rows.rows)
                        .await?;
                }
                (Step::InsertKeyless { table, columns, rows }, Some(statement)) => {
                    let rows: Vec<_> = rows.iter().map(|row| (nameless(table), row.clone())).collect();
                    self.insert(pipeline, statement, at, (table, columns), &rows).await?;
                }
                (Step::Move { table, from, to }, Some(statement)) => {
                    self.step_move(pipeline, statement, table, from, to).await?;
                }
                // No statement: the row goes to the exact path.
                (Step::Move { from, to, .. }, None) => executed.dropouts.extend([from.0, to.0]),
                (Step::Keyless { table, step }, _) => {
                    self.settle(pipeline, batch, executed).await?;
                    self.keyless(table, step, executed).await?;
                }
                (
                    Step::Truncate {
                        tables,
                        restart_identity,
                    },
                    _,
                ) => {
                    self.settle(pipeline, batch, executed).await?;
                    self.truncate(batch, tables, *restart_identity, survivors).await?;
                }
                (Step::Delete(_) | Step::Update(_) | Step::Insert(_) | Step::InsertKeyless { .. }, None) => {
                    unreachable!("a statement is prepared for each of these steps")
                }
            }
        }
        self.settle(pipeline, batch, executed).await
    }

    async fn guarded(
        &mut self,
        pipeline: &mut Pipeline<'a, Answer>,
        statement: &Statement,
        rows: &Rows<'a>,
    ) -> Result<()> {
        for chunk in chunks(&rows.rows) {
            let part = &rows.rows[chunk];
            let ids: Vec<RowId> = part.iter().map(|(id, _)| *id).collect();
            let arrays = arrays(&rows.table, &rows.columns, part)?;
            let (client, guard) = (Arc::clone(&self.session.client), self.guard.clone());
            let statement = statement.clone();
            pipeline
                .send(async move {
                    let count = ids.len();
                    let written = numbers(client, statement, arrays, Some(guard), count, "write rows").await?;
                    Ok(Answer::Written(ids, written))
                })
                .await;
        }
        Ok(())
    }

    async fn insert(
        &mut self,
        pipeline: &mut Pipeline<'a, Answer>,
        statement: &Statement,
        step: usize,
        (table, columns): (&Arc<Table>, &[ColumnId]),
        rows: &[(RowId, Row<'a>)],
    ) -> Result<()> {
        for chunk in chunks(rows) {
            let arrays = arrays(table, columns, &rows[chunk.clone()])?;
            let (client, statement) = (Arc::clone(&self.session.client), statement.clone());
            let insert = Insert { step, chunk };
            pipeline
                .send(async move {
                    let inserted = count(client, statement, arrays, "insert rows").await?;
                    Ok(Answer::Inserted(insert, inserted))
                })
                .await;
        }
        Ok(())
    }

    async fn step_move(
        &mut self,
        pipeline: &mut Pipeline<'a, Answer>,
        statement: &Statement,
        table: &Arc<Table>,
        (from, old): &(RowId, Row<'a>),
        (to, new): &(RowId, Row<'a>),
    ) -> Result<()> {
        let mut parameters = arrays(table, &table.key, &[(*from, old.clone())])?;
        parameters.extend(arrays(table, &carried(new), &[(*to, new.clone())])?);
        let (client, guard) = (Arc::clone(&self.session.client), self.guard.clone());
        let (ids, statement) = ([*from, *to], statement.clone());
        pipeline
            .send(async move {
                let written = numbers(client, statement, parameters, Some(guard), 1, "move a row").await?;
                Ok(Answer::Moved(ids, written == [true]))
            })
            .await;
        Ok(())
    }

    /// Takes all answers; then asks which rows of an insert were in the way of another, if any.
    async fn settle(
        &mut self,
        pipeline: &mut Pipeline<'a, Answer>,
        batch: &Batch<'a>,
        executed: &mut Executed,
    ) -> Result<()> {
        let mut short = Vec::new();
        while let Some(answer) = pipeline.next().await {
            match answer? {
                Answer::Written(ids, written) => {
                    let out = ids.iter().zip(&written).filter(|(_, written)| !**written);
                    executed.dropouts.extend(out.map(|(id, _)| *id));
                    executed.rows_guarded += written.iter().map(|w| u64::from(*w)).sum::<u64>();
                }
                Answer::Begun => {}
                Answer::Moved(_, true) => executed.rows_guarded += 1,
                Answer::Moved(ids, false) => executed.dropouts.extend(ids),
                Answer::Inserted(insert, inserted) => {
                    executed.rows_inserted += inserted;
                    if inserted < insert.chunk.len() as u64 {
                        short.push(insert);
                    }
                }
            }
        }
        for Insert { step, chunk } in short {
            if let Some(Step::Insert(rows)) = batch.steps.get(step) {
                let missing = self.unwritten(&rows.table, &rows.rows[chunk]).await?;
                executed.dropouts.extend(missing);
            }
        }
        Ok(())
    }

    /// Which of these rows this transaction has not written.
    pub(crate) async fn unwritten(&mut self, table: &Arc<Table>, rows: &[(RowId, Row<'a>)]) -> Result<Vec<RowId>> {
        let statement = self.statement(Op::Unwritten, table, &table.key).await?;
        let arrays = arrays(table, &table.key, rows)?;
        let client = Arc::clone(&self.session.client);
        let open = numbers(client, statement, arrays, None, rows.len(), "look for rows").await?;
        let missing = rows.iter().zip(open).filter(|(_, open)| *open);
        Ok(missing.map(|((id, _), _)| *id).collect())
    }
}

/// An identity column that is GENERATED ALWAYS cannot be set by UPDATE: a key change of such a row goes to the exact
/// path, which deletes and inserts.
fn can_move(table: &Table) -> bool {
    !table.key.iter().any(|id| table.at(*id).identity_always)
}

/// Rows without a key have no name, and nothing asks for it.
const fn nameless(table: &Table) -> RowId {
    RowId {
        table: table.id,
        key: KeyHash([0; 16]),
    }
}

/// The columns that have a value.
pub(crate) fn carried(row: &Row<'_>) -> Vec<ColumnId> {
    (0..=u16::MAX)
        .map(ColumnId)
        .zip(row)
        .filter(|(_, value)| **value != synapse_engine_change::Value::Unchanged)
        .map(|(id, _)| id)
        .collect()
}
