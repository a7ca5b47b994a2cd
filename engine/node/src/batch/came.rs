//! Rows that came into being here, made of what several nodes wrote, or brought back: what they refer to was looked at by no
//! server. One transaction may give a row a parent and take both away, and another node's update bring the row back.

use std::sync::Arc;

use synapse_engine_apply::Transaction;
use synapse_engine_identity::{ColumnId, RowId};
use synapse_engine_plan::{Batch, Table};

use super::failure::Failure;
use super::gone::Gone;
use crate::lane::Applier;

impl Applier {
    /// What such rows refer to. They are read as they were written, and stay so: they are locked.
    pub(super) async fn read_missed<'a>(
        &self,
        transaction: &mut Transaction<'_>,
        batch: &Batch<'a>,
        gone: &mut Gone,
    ) -> Result<(), Failure> {
        let keys = Arc::clone(&gone.keys);
        if keys.is_empty() {
            return Ok(());
        }
        let mut tables: Vec<(&Arc<Table>, Vec<RowId>)> = Vec::new();
        for row in &self.came {
            let Some((table, _)) = batch.rows.get(row) else {
                continue;
            };
            match tables.iter_mut().find(|(known, _)| known.id == table.id) {
                Some((_, rows)) if !rows.contains(row) => rows.push(*row),
                Some(_) => {}
                None => tables.push((table, vec![*row])),
            }
        }
        for (table, rows) in tables {
            for place in keys.of_rows_of(table) {
                let columns = keys.at(place).columns.iter().map(|pair| table.column(&pair.child));
                let Some(columns) = columns.collect::<Option<Vec<ColumnId>>>() else {
                    continue;
                };
                let found = transaction.standing(batch, table, &columns, &rows).await?;
                let refers = found.into_values().filter(|texts| texts.iter().all(Option::is_some));
                gone.missed.entry(place).or_default().extend(refers);
            }
        }
        gone.missed.retain(|_, references| !references.is_empty());
        Ok(())
    }
}
