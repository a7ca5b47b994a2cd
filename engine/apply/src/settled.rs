//! Rows that exclude each other are written together: all of them, or none.

use std::collections::HashMap;
use std::sync::Arc;

use synapse_engine_change::Value;
use synapse_engine_identity::{ColumnId, RowId};
use synapse_engine_plan::{Loser, Row, Settled, Table};

use crate::constraints::Constraints;
use crate::displaced::Displaced;
use crate::error::{Error, Result};
use crate::exact::Group;
use crate::execute::carried;
use crate::render::Op;
use crate::rivals::Rival;
use crate::texts::Texts;
use crate::transaction::Transaction;
use crate::whole::Whole;

/// Rows that are given alike columns, by those.
type Alike<'a> = Vec<(Vec<ColumnId>, Vec<(RowId, Row<'a>)>)>;

/// What is written of locked rows, in this order.
#[derive(Debug, Default)]
struct Writes<'a> {
    gone: Vec<(RowId, Row<'a>)>,
    /// By the columns that change.
    updated: Alike<'a>,
    /// By the columns that are given.
    inserted: Alike<'a>,
}

impl<'a> Transaction<'_> {
    /// Writes rows of a table that are locked, and what is displaced of it. `keys` has at least the keys of the rows that
    /// go. Answers whether all could be written; if not, a row stands in the way that nobody had seen, and nothing is.
    ///
    /// # Errors
    /// What the server says.
    pub async fn write_settled(
        &mut self,
        table: &Arc<Table>,
        settled: &'a Settled<Whole>,
        keys: &HashMap<RowId, (Arc<Table>, Row<'a>)>,
    ) -> Result<bool> {
        let constraints = self.constraints(table).await?;
        let writes = Writes::of(table, &constraints, settled, keys)?;
        self.say("SAVEPOINT settle").await?;
        if !self.write_all(table, writes).await? {
            self.say("ROLLBACK TO SAVEPOINT settle; RELEASE SAVEPOINT settle")
                .await?;
            return Ok(false);
        }
        let back: Vec<_> = settled.back.iter().map(|row| row.key).collect();
        if !back.is_empty() {
            self.remove_displaced(table, &back).await?;
        }
        let key = |row: &RowId| {
            let (_, values) = keys.get(row).ok_or(Error::UnknownRow { row: *row })?;
            Ok(key_of(table, values))
        };
        let displaced = settled.displaced.iter().map(|loser| {
            let Loser {
                row,
                image,
                last,
                rivals,
                ..
            } = loser;
            Ok(Displaced {
                row: row.key,
                key: key(row)?,
                image: image
                    .values()
                    .map(|(id, text)| (id, text.map(<[u8]>::to_vec)))
                    .collect(),
                origin: last.origin,
                hlc: last.hlc,
                rivals: rivals.iter().map(&key).collect::<Result<_>>()?,
            })
        });
        let displaced = displaced.collect::<Result<Vec<_>>>()?;
        if !displaced.is_empty() {
            self.put_displaced(table, &displaced).await?;
        }
        let freed: Vec<_> = settled.freed.iter().map(|(row, rival)| (row.key, rival.key)).collect();
        if !freed.is_empty() {
            self.remove_rivals(table, &freed).await?;
        }
        let ways = settled.ways.iter().map(|(row, rival, last)| {
            Ok(Rival {
                row: row.key,
                rival: rival.key,
                row_key: key(row)?,
                rival_key: key(rival)?,
                origin: last.origin,
                hlc: last.hlc,
            })
        });
        let ways = ways.collect::<Result<Vec<_>>>()?;
        if !ways.is_empty() {
            self.put_rivals(table, &ways).await?;
        }
        self.say("RELEASE SAVEPOINT settle").await?;
        Ok(true)
    }

    async fn write_all(&mut self, table: &Arc<Table>, writes: Writes<'a>) -> Result<bool> {
        let group = |op, columns, rows| Group {
            op,
            table: Arc::clone(table),
            columns,
            rows,
        };
        self.enter().await?;
        if !writes.gone.is_empty() {
            let gone = group(Op::DeleteLocked, table.key.clone(), writes.gone);
            self.count_chunks(&gone, "delete locked rows").await?;
        }
        let mut all = true;
        for (columns, rows) in writes.updated {
            let columns = table.key.iter().copied().chain(columns).collect();
            let updated = group(Op::UpdateLockedKeepKey, columns, rows);
            all &= self.count_chunks(&updated, "update locked rows").await? == updated.rows.len() as u64;
        }
        for (columns, rows) in writes.inserted {
            let inserted = group(Op::Insert, columns, rows);
            all &= self.count_chunks(&inserted, "insert rows").await? == inserted.rows.len() as u64;
        }
        self.leave();
        Ok(all)
    }

    async fn say(&mut self, sql: &'static str) -> Result<()> {
        let client = self.enter().await?;
        let said = client.batch_execute(sql).await;
        said.map_err(Error::doing("write rows that exclude each other"))?;
        self.leave();
        Ok(())
    }
}

impl<'a> Writes<'a> {
    fn of(
        table: &Table,
        constraints: &Constraints,
        settled: &'a Settled<Whole>,
        keys: &HashMap<RowId, (Arc<Table>, Row<'a>)>,
    ) -> Result<Self> {
        let mut writes = Writes::default();
        let key = |row: &RowId| {
            let (_, values) = keys.get(row).ok_or(Error::UnknownRow { row: *row })?;
            Ok((*row, values.clone()))
        };
        writes.gone = settled.gone.iter().map(key).collect::<Result<_>>()?;
        for (row, is, image) in &settled.updated {
            let columns = is.differs(image);
            // An UPDATE could meet a row that is not there yet, and fail; what is not there at all cannot be set.
            let matters =
                |id: &ColumnId| table.at(*id).identity_always || table.key.contains(id) || constraints.matters(*id);
            match columns.iter().any(matters) {
                true => {
                    writes.gone.push(key(row)?);
                    put(&mut writes.inserted, carried(&image.row()), (*row, image.row()));
                }
                false => put(&mut writes.updated, columns, (*row, image.row())),
            }
        }
        for (row, image) in &settled.inserted {
            put(&mut writes.inserted, carried(&image.row()), (*row, image.row()));
        }
        Ok(writes)
    }
}

fn put<'a>(groups: &mut Alike<'a>, columns: Vec<ColumnId>, row: (RowId, Row<'a>)) {
    match groups.iter_mut().find(|(known, _)| *known == columns) {
        Some((_, rows)) => rows.push(row),
        None => groups.push((columns, vec![row])),
    }
}

fn key_of(table: &Table, row: &Row<'_>) -> Texts {
    let text = |id: &ColumnId| match row[usize::from(id.0)] {
        Value::Text(text) | Value::Binary(text) => Some(text.to_vec()),
        Value::Null | Value::Unchanged => None,
    };
    table.key.iter().map(text).collect()
}
