//! Rows that a TRUNCATE is in conflict over: logged as they stand under its lock, before they go.

use std::sync::Arc;

use synapse_engine_apply::Transaction;
use synapse_engine_change::{Change, Old, Tuple};
use synapse_engine_identity::{RowId, TxnId};
use synapse_engine_plan::{Batch, Mapping, Row, Step, Tables, row_id, rows_of};

use super::failure::Failure;
use super::log::Log;
use super::values::FromJournals;
use crate::lane::Applier;
use crate::shared::lock;

impl Applier {
    /// Logs what the TRUNCATEs of a batch are in conflict over, as far as the rate allows. Comes before its steps.
    pub(super) async fn log_truncated(
        &self,
        transaction: &mut Transaction<'_>,
        batch: &Batch<'_>,
        log: &mut Log,
    ) -> Result<(), Failure> {
        let rows = log.chosen_of(&met(batch));
        if rows.is_empty() {
            return Ok(());
        }
        let mut journals = FromJournals::new(&self.shared);
        let mut writers = Vec::new();
        for row in rows.into_iter().filter(|row| !batch.rows.contains_key(row)) {
            let known = lock(&self.kernel).registers_mut().known(row);
            for txn in known {
                journals.want(&self.shared, txn, row).await?;
                if journals.key(txn, row)?.is_some() {
                    writers.push((txn, row));
                    break;
                }
            }
        }
        let directory = self.shared.directory();
        let mut known = Batch::default();
        for (txn, row) in writers {
            if let (Some(key), Some(table)) = (journals.key(txn, row)?, directory.by_id(row.table)) {
                known.rows.insert(row, (Arc::clone(table), key));
            }
        }
        let here = met(batch);
        let of_batch = here.iter().filter_map(|row| Some((*row, batch.rows.get(row)?.clone())));
        known.rows.extend(of_batch);
        let mut rows: Vec<RowId> = known.rows.keys().copied().collect();
        rows.sort_unstable();
        log.write(transaction, &self.shared, &known, &rows).await?;
        log.keep_as_logged(&rows);
        Ok(())
    }
}

/// The rows that TRUNCATEs of the batch met, in order.
fn met(batch: &Batch<'_>) -> Vec<RowId> {
    let tables = batch.steps.iter().filter_map(|step| match step {
        Step::Truncate { tables, .. } => Some(tables),
        Step::Delete(_)
        | Step::Update(_)
        | Step::Insert(_)
        | Step::InsertKeyless { .. }
        | Step::Move { .. }
        | Step::Keyless { .. } => None,
    });
    let mut rows: Vec<RowId> = tables.flatten().flat_map(|table| &table.met).copied().collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

impl FromJournals {
    /// The key of a row, as a transaction that is wanted names it.
    fn key(&self, txn: TxnId, row: RowId) -> Result<Option<Row<'_>>, Failure> {
        for (block, at) in self.pieces(txn) {
            for change in block.changes_of(*at) {
                let Some(table) = self.tables().find(change.relation()).filter(|t| t.id == row.table) else {
                    continue;
                };
                let mapping = Mapping::new(change.relation(), &table)?;
                if !rows_of(&mapping, &change).contains(&Some(row)) {
                    continue;
                }
                let of_row = |tuple: &Tuple<'_>| row_id(&mapping, *tuple) == row;
                if let Some(tuple) = tuples(&change).into_iter().flatten().find(of_row) {
                    return Ok(Some(mapping.key_row(tuple)));
                }
            }
        }
        Ok(None)
    }
}

/// What a change says of rows, before and after it.
pub(super) fn tuples<'a>(change: &Change<'a>) -> [Option<Tuple<'a>>; 2] {
    match *change {
        Change::Insert { new, .. } => [None, Some(new)],
        Change::Update { old, new, .. } => [old.map(Old::tuple), Some(new)],
        Change::Delete { old, .. } => [Some(old.tuple()), None],
        Change::Truncate { .. } => [None, None],
    }
}
