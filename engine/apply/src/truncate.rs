//! TRUNCATE, as a statement where nothing survives it.

use std::collections::HashMap;
use std::sync::Arc;

use postgres_types::{ToSql, Type};
use synapse_engine_identity::RowId;
use synapse_engine_plan::{Batch, Row, Step, Table, TruncateTable};

use crate::error::{Error, MissingValues, Result};
use crate::render;
use crate::rows::arrays;
use crate::transaction::Transaction;

impl<'a> Transaction<'_> {
    /// Empties the tables but for the survivors. Where one row survives, all of the tables are emptied by DELETE, which
    /// foreign keys between them do not hinder here, and no sequence starts anew: it must not give out the number of a
    /// row that is still there.
    pub(crate) async fn truncate(
        &mut self,
        batch: &Batch<'a>,
        tables: &[TruncateTable],
        restart_identity: bool,
        survivors: &HashMap<RowId, Row<'a>>,
    ) -> Result<()> {
        let client = Arc::clone(&self.session.client);
        let doing = || Error::doing("truncate tables");
        if tables.iter().all(|table| table.survivors.is_empty()) {
            let sql = render::truncate(tables.iter().map(|t| &*t.table), restart_identity);
            return client.batch_execute(&sql).await.map_err(doing());
        }
        // A hash of the survivors, read past once for each row of the table.
        client
            .batch_execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_seqscan = on")
            .await
            .map_err(doing())?;
        for TruncateTable {
            table, survivors: rows, ..
        } in tables
        {
            let keys = keys(batch, table, rows, survivors)?;
            let shape = self.session.statements.shape(&client, table).await?;
            let arrays = arrays(table, &table.key, &keys)?;
            let parameters: Vec<(&(dyn ToSql + Sync), Type)> = arrays
                .iter()
                .map(|array| (array as &(dyn ToSql + Sync), Type::TEXT_ARRAY))
                .collect();
            let sql = render::delete_others(table, &shape);
            client.execute_typed(&sql, &parameters).await.map_err(doing())?;
        }
        client
            .batch_execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_seqscan = off")
            .await
            .map_err(doing())
    }
}

/// Whether the keys of all survivors are known: said before anything is sent.
pub(crate) fn check_survivors<'a>(batch: &Batch<'a>, survivors: &HashMap<RowId, Row<'a>>) -> Result<()> {
    for step in &batch.steps {
        if let Step::Truncate { tables, .. } = step {
            for table in tables {
                keys(batch, &table.table, &table.survivors, survivors)?;
            }
        }
    }
    Ok(())
}

/// The keys of these rows, from the batch or as given.
fn keys<'a>(
    batch: &Batch<'a>,
    table: &Table,
    rows: &[RowId],
    survivors: &HashMap<RowId, Row<'a>>,
) -> Result<Vec<(RowId, Row<'a>)>> {
    let (mut keys, mut missing) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let known = survivors
            .get(row)
            .or_else(|| batch.rows.get(row).map(|(_, values)| values));
        match known {
            Some(values) => keys.push((*row, values.clone())),
            None => missing.push(MissingValues {
                row: *row,
                authors: Vec::new(),
                unknown: table.key.clone(),
            }),
        }
    }
    match missing.is_empty() {
        true => Ok(keys),
        false => Err(Error::MissingValues { rows: missing }),
    }
}
