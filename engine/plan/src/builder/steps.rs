//! Changes that were decided become steps: merged by row within a segment, or one by one.

use std::sync::Arc;

use synapse_engine_change::{Change, Value};
use synapse_engine_identity::{ColumnId, RowId};

use super::Builder;
use crate::net::{Net, Next};
use crate::{Constrained, KeylessStep, Mapping, Row, Rows, Step, Table, TruncateTable};

impl<'a> Builder<'a> {
    pub(super) fn net(&mut self, row: RowId, mapping: &Mapping, values: Row<'a>, next: Next<'a>) {
        let table = mapping.table();
        self.know(row, table, &values);
        let Some(at) = self.places.get(&row).copied() else {
            self.places.insert(row, self.segment.len());
            self.segment.push((row, Arc::clone(table), values, Net::first(next)));
            return;
        };
        let (_, _, key, net) = &mut self.segment[at];
        *key = values;
        *net = match std::mem::replace(net, Net::Nothing).then(next) {
            // Where its transaction was made, the row may have been displaced; here it may stand.
            Ok(Net::Nothing) if table.constrained != Constrained::No => Net::Delete,
            Ok(net) => net,
            // Another node's write lies between the two that not both of them have seen: the registers decide.
            Err(last) => {
                self.contested.insert(row);
                last
            }
        };
    }

    /// Remembers the values that the batch brought last, column by column. A delete takes none away: a concurrent
    /// update may bring the row back.
    pub(super) fn know(&mut self, row: RowId, table: &Arc<Table>, values: &Row<'a>) {
        let known = self.batch.rows.entry(row);
        let (_, known) = known.or_insert_with(|| (Arc::clone(table), vec![Value::Unchanged; values.len()]));
        for (was, is) in known.iter_mut().zip(values) {
            if *is != Value::Unchanged {
                *was = *is;
            }
        }
    }

    pub(super) fn step_move(&mut self, mapping: &Mapping, from: (RowId, Row<'a>), to: (RowId, Row<'a>)) {
        self.close();
        for (row, values) in [&from, &to] {
            self.know(*row, mapping.table(), values);
        }
        self.batch.steps.push(Step::Move {
            table: Arc::clone(mapping.table()),
            from,
            to,
        });
    }

    pub(super) fn keyless(&mut self, mapping: &Mapping, change: &Change<'a>) {
        let table = mapping.table();
        let step = match *change {
            Change::Insert { new, .. } => {
                let rows = self
                    .keyless
                    .entry(table.id)
                    .or_insert_with(|| (Arc::clone(table), Vec::new()));
                rows.1.push(mapping.row(new));
                return;
            }
            Change::Update { old, new, .. } => {
                let new = mapping.row(new);
                let old = old.map_or_else(|| new.clone(), |old| mapping.row(old.tuple()));
                KeylessStep::Update { old, new }
            }
            Change::Delete { old, .. } => KeylessStep::Delete {
                old: mapping.row(old.tuple()),
            },
            Change::Truncate { .. } => return,
        };
        self.close();
        self.batch.steps.push(Step::Keyless {
            table: Arc::clone(table),
            step,
        });
    }

    /// Consecutive tables of one TRUNCATE go together: foreign keys ask for it.
    pub(super) fn truncate(&mut self, table: TruncateTable, restart: bool) {
        self.close();
        if let Some(Step::Truncate {
            tables,
            restart_identity,
        }) = self.batch.steps.last_mut()
            && *restart_identity == restart
        {
            tables.push(table);
            return;
        }
        self.batch.steps.push(Step::Truncate {
            tables: vec![table],
            restart_identity: restart,
        });
    }

    /// Ends the segment: its net changes become steps.
    pub(super) fn close(&mut self) {
        self.places.clear();
        let mut groups: [Vec<Rows<'a>>; 3] = Default::default();
        for (row, table, values, net) in self.segment.drain(..) {
            if !self.contested.contains(&row) {
                for (_, added) in self.batch.added.get_mut(&row).into_iter().flatten() {
                    added.planned = true;
                }
                let key = || table.key.clone();
                match net {
                    Net::Delete => put(&mut groups[0], &table, key(), row, values),
                    Net::Update(values) => put(&mut groups[1], &table, present(&values), row, values),
                    Net::Insert(values) => put(&mut groups[2], &table, present(&values), row, values),
                    Net::Replace(values) => {
                        put(&mut groups[0], &table, key(), row, values.clone());
                        put(&mut groups[2], &table, present(&values), row, values);
                    }
                    Net::Nothing => {}
                }
            }
        }
        let [deletes, updates, inserts] = groups;
        self.batch.steps.extend(deletes.into_iter().map(Step::Delete));
        self.batch.steps.extend(updates.into_iter().map(Step::Update));
        self.batch.steps.extend(inserts.into_iter().map(Step::Insert));
        let mut keyless: Vec<_> = self.keyless.drain().map(|(_, entry)| entry).collect();
        keyless.sort_by_key(|(table, _)| table.id);
        for (table, rows) in keyless {
            // Rows of one relation carry the same columns: nothing is left out of a row without a key.
            let columns = rows.first().map(present).unwrap_or_default();
            self.batch.steps.push(Step::InsertKeyless { table, columns, rows });
        }
    }
}

fn present(row: &Row<'_>) -> Vec<ColumnId> {
    (0..=u16::MAX)
        .map(ColumnId)
        .zip(row)
        .filter(|(_, value)| **value != Value::Unchanged)
        .map(|(id, _)| id)
        .collect()
}

fn put<'a>(groups: &mut Vec<Rows<'a>>, table: &Arc<Table>, columns: Vec<ColumnId>, row: RowId, values: Row<'a>) {
    match groups
        .iter_mut()
        .find(|g| g.table.id == table.id && g.columns == columns)
    {
        Some(group) => group.rows.push((row, values)),
        None => groups.push(Rows {
            table: Arc::clone(table),
            columns,
            rows: vec![(row, values)],
        }),
    }
}
