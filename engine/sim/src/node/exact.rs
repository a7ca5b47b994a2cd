//! The exact path: locked rows are made what their registers say.

use synapse_engine_change::{Change, Value};
use synapse_engine_identity::{ColumnId, RowId, TxnId};
use synapse_engine_plan::{Batch, Exact, ExactWrite, Mapping, Row, Tables, row_id};
use synapse_engine_replication::MarkerKind;

use super::job::{Job, Kept, Piece, Stage};
use super::steps::{delete, insert, update};
use crate::catalog::{datum, table_of};
use crate::postgres::{Datum, OnConflict, Target};
use crate::violation::Law;
use crate::world::World;

impl World {
    pub(crate) fn write_rows(&mut self, node: usize, rows: &[RowId]) {
        self.report.add("exact", rows.len());
        let Some(mut job) = self.daemon(node).and_then(|daemon| daemon.job.take()) else {
            return;
        };
        let resolved = rows
            .iter()
            .filter_map(|row| Some((*row, self.resolve(node, &job, *row)?)));
        job.resolved = resolved.collect();
        let gone = |(row, write): &&(RowId, ExactWrite)| *write == ExactWrite::Delete && !job.present.contains_key(row);
        job.absent = job.resolved.iter().filter(gone).map(|(row, _)| *row).collect();
        job.asked.clear();
        job.told.clear();
        let lacks = |(row, write): &(RowId, ExactWrite)| lacks_values(write) && !job.present.contains_key(row);
        let lacking: Vec<RowId> = job.resolved.iter().filter(|r| lacks(r)).map(|(row, _)| *row).collect();
        if let Some(daemon) = self.daemon(node) {
            daemon.job = Some(job);
        }
        if lacking.is_empty() {
            self.write_resolved(node);
        } else {
            self.ask(node, &lacking);
        }
    }

    fn resolve(&mut self, node: usize, job: &Job, row: RowId) -> Option<ExactWrite> {
        let values: Row<'_> = job.rows.get(&row)?.iter().map(Kept::value).collect();
        let described = self.catalog.find(self.relations.of(table_of(row.table)))?;
        let mut batch = Batch::default();
        batch.rows.insert(row, (described, values));
        let span = (job.origin, job.first, job.last);
        let registers = self.nodes[node].daemon.as_mut()?.kernel.registers_mut();
        Exact::of(registers, &batch, span, row).map(|exact| exact.write)
    }

    /// Everything is there that locked rows need.
    pub(super) fn write_resolved(&mut self, node: usize) {
        let Some(mut job) = self.daemon(node).and_then(|daemon| daemon.job.take()) else {
            return;
        };
        job.stage = Stage::Writing;
        for (row, write) in std::mem::take(&mut job.resolved) {
            if let Some(piece) = self.exact(node, &job, row, &write) {
                job.script.push_back(piece);
            }
        }
        if let Some(daemon) = self.daemon(node) {
            daemon.job = Some(job);
        }
        self.next_piece(node);
    }

    /// The statement that makes a row what it should be, if it is not.
    fn exact(&mut self, node: usize, job: &Job, row: RowId, write: &ExactWrite) -> Option<Piece> {
        let (table, key) = (table_of(row.table), job.key(row));
        let there = job.present.contains_key(&row);
        let (won, others, unknown) = match write {
            ExactWrite::Nothing => return None,
            ExactWrite::Delete => return there.then(|| Piece::plain(delete(table, vec![key], None))),
            ExactWrite::Live { won, others, unknown } => (won, others, unknown),
        };
        let column = |id: &ColumnId| usize::from(id.0);
        let values = job.rows.get(&row)?;
        let carried = |id: &ColumnId| datum(values[column(id)].value()).expect("what was won is carried");
        let mut set: Vec<(usize, Datum)> = won.iter().map(|id| (column(id), carried(id))).collect();
        if !there || matches!(job.kind, MarkerKind::Recheck { .. }) {
            for (txn, id) in others
                .iter()
                .flat_map(|(txn, columns)| columns.iter().map(|id| (*txn, *id)))
            {
                match self.fetch(node, txn, row, id) {
                    Some(value) => set.push((column(&id), value)),
                    None => self.violate(Law::NoError, format!("{txn} has no column {} of {row:?}", id.0)),
                }
            }
        }
        if there {
            set.retain(|(at, _)| *at != 0);
            let targets = vec![Target { key, set }];
            return (!targets[0].set.is_empty()).then(|| Piece::plain(update(table, targets, None)));
        }
        if !unknown.is_empty() {
            // A row that is nowhere any more: whoever deleted it there had seen the update, and that is on its way.
            let told = job.told.get(&row)?.as_ref()?;
            set.extend(unknown.iter().map(|id| (column(id), told[column(id)])));
        }
        let mut new = vec![None; table.columns().len()];
        new[0] = Some(key);
        for (at, value) in set {
            new[at] = value;
        }
        let statement = insert(table, vec![new], OnConflict::Nothing);
        Some(Piece {
            statement,
            rows: vec![(key, vec![row])],
        })
    }

    /// The value that a transaction gave to a column of a row, out of the journal.
    fn fetch(&self, node: usize, txn: TxnId, row: RowId, column: ColumnId) -> Option<Datum> {
        let block = self.nodes[node].disk.block(txn)?;
        let mut found = None;
        for change in block.changes_of(0) {
            let table = self.catalog.find(change.relation())?;
            if table.id != row.table {
                continue;
            }
            let mapping = Mapping::new(change.relation(), &table).ok()?;
            let new = match change {
                Change::Insert { new, .. } | Change::Update { new, .. } => new,
                Change::Delete { .. } | Change::Truncate { .. } => continue,
            };
            if row_id(&mapping, new) == row {
                match mapping.value(new, column) {
                    Value::Unchanged => {}
                    value @ (Value::Null | Value::Text(_) | Value::Binary(_)) => found = datum(value),
                }
            }
        }
        found
    }
}

/// Whether values are missing when the row is not there.
fn lacks_values(write: &ExactWrite) -> bool {
    match write {
        ExactWrite::Nothing | ExactWrite::Delete => false,
        ExactWrite::Live { unknown, .. } => !unknown.is_empty(),
    }
}
