//! Values that are made of several writes: sums of counters, and rows that a function makes of others.

use std::collections::BTreeMap;

use synapse_engine_change::Value;
use synapse_engine_identity::{ColumnId, RowId, TxnId};
use synapse_engine_plan::{Counters, Made, Written, sum};

use super::job::Job;
use crate::catalog::datum;
use crate::mutation;
use crate::policies::greatest;
use crate::postgres::{Datum, Row};
use crate::world::World;

impl World {
    pub(super) fn make(&self, node: usize, job: &Job, row: RowId, made: &Made) -> BTreeMap<usize, Datum> {
        let folds = made.folds.iter();
        let folds = folds.map(|(members, columns)| self.fold(node, row, members, columns));
        let mut given: BTreeMap<usize, Datum> = folds.flatten().collect();
        if let Some(counters) = &made.counters {
            for (id, members) in &counters.folded {
                let at = usize::from(id.0);
                if let Some(from) = given.get(&at).copied() {
                    let text = from.unwrap_or_default().to_string();
                    let from = Value::Text(text.as_bytes());
                    given.insert(at, self.beyond(node, row, counters, (members, from), at));
                }
            }
            given.extend(self.sums(node, job, row, counters));
        }
        given
    }

    fn sums(&self, node: usize, job: &Job, row: RowId, counters: &Counters) -> BTreeMap<usize, Datum> {
        let mut sums = BTreeMap::new();
        for (id, txn) in &counters.written {
            let at = usize::from(id.0);
            if let Some(from) = self.written(node, *txn, row).value(at) {
                sums.insert(at, self.beyond(node, row, counters, (&[*txn], from), at));
            }
        }
        for at in counters.standing.iter().map(|id| usize::from(id.0)) {
            if let Some(stands) = job.present.get(&row) {
                sums.insert(
                    at,
                    Some(stands[at].unwrap_or_default().wrapping_add(job.added(row, at))),
                );
                continue;
            }
            let before = counters.before.iter().find_map(|txn| {
                let from = self.written(node, *txn, row).left(at)?;
                Some(self.beyond(node, row, counters, (&[*txn], from), at))
            });
            if let Some(before) = before {
                sums.insert(at, before);
            }
        }
        sums
    }

    /// `from`, as transactions left it, and what was added that none of them had seen.
    fn beyond(
        &self,
        node: usize,
        row: RowId,
        counters: &Counters,
        (base, from): (&[TxnId], Value<'_>),
        at: usize,
    ) -> Datum {
        let disk = &self.nodes[node].disk;
        let stamps: Vec<_> = base.iter().filter_map(|txn| Some(disk.block(*txn)?.stamp(0))).collect();
        let column = ColumnId(u16::try_from(at).expect("tables have a few columns"));
        let seen = if mutation::adds_what_was_seen() {
            &[]
        } else {
            &stamps[..]
        };
        let unseen = counters.unseen(column, seen);
        let unseen: Vec<Written<'_>> = unseen.map(|txn| self.written(node, txn, row)).collect();
        let total = sum(from, unseen.iter().flat_map(|written| written.added(at)));
        total
            .expect("simulated counters are numbers")
            .and_then(|text| text.parse().ok())
    }

    /// Of these columns those that every member has.
    fn fold(&self, node: usize, row: RowId, members: &[TxnId], columns: &[ColumnId]) -> BTreeMap<usize, Datum> {
        let all: Vec<Written<'_>> = members.iter().map(|txn| self.written(node, *txn, row)).collect();
        let in_all = |at: &usize| all.iter().all(|one| one.value(*at).is_some());
        let columns: Vec<usize> = columns.iter().map(|id| usize::from(id.0)).filter(in_all).collect();
        let image = |one: &Written<'_>| -> Row {
            let values = columns.iter().map(|at| one.value(*at).and_then(datum).flatten());
            values.collect()
        };
        let folded = all
            .iter()
            .map(image)
            .reduce(|a, b| greatest(&a, &b))
            .unwrap_or_default();
        columns.iter().copied().zip(folded).collect()
    }

    /// The row as the last of its known writes found it, where that is logged.
    pub(super) fn found(&mut self, node: usize, row: RowId) -> Option<Row> {
        let known = self.daemon(node)?.kernel.registers_mut().known(row);
        let found = known.into_iter().find_map(|txn| self.written(node, txn, row).found)?;
        Some(found.into_iter().map(|value| datum(value).flatten()).collect())
    }

    /// What a transaction did to a row.
    pub(super) fn written(&self, node: usize, txn: TxnId, row: RowId) -> Written<'_> {
        let mut written = Written::default();
        if let Some(block) = self.nodes[node].disk.block(txn) {
            let taken = written.take(&self.catalog, block, 0, row);
            taken.expect("all nodes have the same tables");
        }
        written
    }
}
