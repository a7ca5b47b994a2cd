//! What incoming writes made of the rows that they are in conflict over, as the log has it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use synapse_engine_apply::IMAGE_BYTES_MAX;
use synapse_engine_change::{Change, Value};
use synapse_engine_identity::{RowId, WriteOp};
use synapse_engine_plan::{Batch, Conflict, Mapping, Row, Table, writes_of};
use synapse_engine_replication::{Kind, Rules};
use synapse_wal_types::Lsn;

use crate::feed::Next;

/// What a delete, or a TRUNCATE, is in conflict as.
const MET_BY_DELETES: [Kind; 2] = [Kind::DeleteOriginDiffers, Kind::DeleteMissing];

/// What the incoming transactions made of the rows, as JSON, by the place of the conflict; nothing for a delete. A batch
/// knows only what became of a row in the end, and several of its transactions may have written it.
pub(super) fn images(batch: &Batch<'_>, txns: &[Next], conflicts: &[Conflict]) -> HashMap<usize, String> {
    let mut open: HashMap<(Lsn, RowId), Vec<usize>> = HashMap::new();
    let mut tables: HashMap<(&str, &str), &Arc<Table>> = HashMap::new();
    // The last stands first, and is taken last.
    for (at, conflict) in conflicts.iter().enumerate().rev() {
        open.entry((conflict.txn.lsn, conflict.row)).or_default().push(at);
        if let Some((table, _)) = batch.rows.get(&conflict.row) {
            tables.insert((&table.schema, &table.name), table);
        }
    }
    let wanted: HashSet<Lsn> = conflicts.iter().map(|conflict| conflict.txn.lsn).collect();
    let mut images = HashMap::new();
    for next in txns {
        let lsn = next.stamp().txn.lsn;
        if !wanted.contains(&lsn) {
            continue;
        }
        for change in next.block.changes_of(next.at) {
            let relation = change.relation();
            if let Change::Truncate { .. } = change {
                // It leaves no image, and what follows it in the transaction may.
                for (_, places) in open.iter_mut().filter(|((of, _), _)| *of == lsn) {
                    places.pop_if(|at| MET_BY_DELETES.contains(&conflicts[*at].kind));
                }
                continue;
            }
            let Some(table) = tables.get(&(relation.schema.as_str(), relation.name.as_str())) else {
                continue;
            };
            let Ok(mapping) = Mapping::new(relation, table) else {
                continue;
            };
            for write in writes_of(&mapping, &change, &Rules::default()).into_iter().flatten() {
                let Some(places) = open.get_mut(&(lsn, write.row)) else {
                    continue;
                };
                let met = |at: &mut usize| Kind::of(&write.op, conflicts[*at].met.standing) == conflicts[*at].kind;
                let Some(at) = places.pop_if(met) else { continue };
                if let Some(image) = image(&mapping, &change, &write.op) {
                    images.insert(at, image);
                }
            }
        }
    }
    images
}

fn image(mapping: &Mapping, change: &Change<'_>, op: &WriteOp) -> Option<String> {
    let row = match (op, change) {
        (WriteOp::Delete, _) | (_, Change::Delete { .. } | Change::Truncate { .. }) => return None,
        (WriteOp::Insert { .. } | WriteOp::Update { .. }, Change::Insert { new, .. } | Change::Update { new, .. }) => {
            mapping.row(*new)
        }
    };
    Some(json(mapping.table(), &row).to_string())
}

/// What the row carries: texts by column.
pub(super) fn json(table: &Table, row: &Row<'_>) -> serde_json::Value {
    let bytes: usize = row.iter().map(|value| value.flat().1.len()).sum();
    if bytes > IMAGE_BYTES_MAX {
        return format!("left out: {bytes} bytes").into();
    }
    let carried = table
        .columns
        .iter()
        .zip(row)
        .filter(|(_, value)| **value != Value::Unchanged);
    carried
        .map(|(column, value)| (column.name.clone(), crate::batch::values::json(*value)))
        .collect()
}
