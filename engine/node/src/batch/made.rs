//! Values that no write carries as they are to be: sums of counters, and rows that a policy's function makes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use synapse_engine_apply::{Image, Texts, Transaction};
use synapse_engine_change::Value;
use synapse_engine_identity::{ColumnId, Hlc, RowId, Stamp, TableId, TxnId};
use synapse_engine_plan::{Added, Counters, Exact, Table, Written, sum};
use synapse_engine_replication::Policy;

use super::exact::Round;
use super::failure::Failure;
use super::stood::Stood;
use super::values::FromJournals;
use crate::lane::Applier;
use crate::shared::lock;

/// A value as text; `None` for NULL.
type Text = Option<Vec<u8>>;

/// Values that were made, by row.
pub(super) type Made = HashMap<RowId, BTreeMap<ColumnId, Text>>;

/// Rows of one table, and their counters.
type Counted = (Arc<Table>, Vec<ColumnId>, Vec<RowId>);

/// What stands in the counters of locked rows.
type Standing = HashMap<RowId, HashMap<ColumnId, Text>>;

impl Applier {
    /// Makes what the policies of these rows ask for.
    pub(super) async fn make<'a>(
        &self,
        transaction: &mut Transaction<'_>,
        round: &Round<'_, 'a>,
        exacts: &[Exact<'a>],
        stood: &Stood,
    ) -> Result<Made, Failure> {
        let mut made = Made::new();
        let open: Vec<&Exact<'a>> = exacts.iter().filter(|exact| !exact.made.is_nothing()).collect();
        if open.is_empty() {
            return Ok(made);
        }
        let mut journals = FromJournals::new(&self.shared);
        for exact in &open {
            for txn in needed(exact, transaction.is_there(exact.row)) {
                journals.want(&self.shared, txn, exact.row).await?;
            }
        }
        let standing = standing(transaction, round, &open, stood).await?;
        for exact in open {
            let mut values: BTreeMap<ColumnId, Text> = BTreeMap::new();
            for (members, columns) in &exact.made.folds {
                let Some(function) = self.function(exact.row) else {
                    continue;
                };
                let images = images(&exact.table, &journals, exact.row, members)?;
                let whole = |column: &ColumnId| images.iter().all(|i| i.values.iter().any(|(id, _)| id == column));
                let columns: Vec<ColumnId> = columns.iter().copied().filter(whole).collect();
                let texts = transaction.fold(&exact.table, &function, &images, &columns).await?;
                values.extend(columns.into_iter().zip(texts));
            }
            if let Some(counters) = &exact.made.counters {
                for (column, members) in &counters.folded {
                    if let Some(from) = values.get(column).cloned() {
                        let from = from.as_ref().map_or(Value::Null, |text| Value::Text(text));
                        let total = beyond(&journals, exact.row, counters, (members, from), *column)?;
                        values.insert(*column, total);
                    }
                }
                values.extend(sums(round, exact.row, counters, &journals, standing.get(&exact.row))?);
            }
            made.insert(exact.row, values);
        }
        Ok(made)
    }

    fn function(&self, row: RowId) -> Option<String> {
        let rules = lock(&self.kernel).registers_mut().rules(row);
        match &rules.policy {
            Policy::Custom { function, .. } => Some(function.clone()),
            Policy::Order { .. } | Policy::Error => None,
        }
    }
}

/// Gives rows the values that were made.
pub(super) fn give<'m>(exacts: &mut [Exact<'m>], made: &'m Made) {
    for exact in exacts {
        exact.made = synapse_engine_plan::Made::default();
        for (column, text) in made.get(&exact.row).into_iter().flatten() {
            let value = text.as_ref().map_or(Value::Null, |text| Value::Text(text));
            exact.give(*column, value);
        }
    }
}

/// The transactions whose blocks are looked into for a row.
fn needed(exact: &Exact<'_>, there: bool) -> Vec<TxnId> {
    let mut needed: Vec<TxnId> = exact
        .made
        .folds
        .iter()
        .flat_map(|(members, _)| members)
        .copied()
        .collect();
    if let Some(counters) = &exact.made.counters {
        needed.extend(counters.written.iter().map(|(_, txn)| *txn));
        if !there {
            needed.extend(&counters.before);
        }
        if !there || !counters.written.is_empty() || !counters.folded.is_empty() {
            needed.extend(counters.added.iter().map(|(txn, _)| *txn));
        }
    }
    needed.sort_unstable();
    needed.dedup();
    needed
}

/// Reads the counters of the rows that are there and whose sums begin with them.
async fn standing<'a>(
    transaction: &mut Transaction<'_>,
    round: &Round<'_, 'a>,
    exacts: &[&Exact<'a>],
    stood: &Stood,
) -> Result<Standing, Failure> {
    let mut tables: BTreeMap<TableId, Counted> = BTreeMap::new();
    let mut found = Standing::new();
    for exact in exacts {
        let counters = exact.made.counters.iter().flat_map(|counters| &counters.standing);
        let counters: Vec<ColumnId> = counters.copied().collect();
        let displaced = counters
            .iter()
            .filter_map(|id| Some((*id, stood.displaced(exact.row, *id)?)));
        let displaced: HashMap<ColumnId, Text> = displaced.collect();
        if !displaced.is_empty() {
            found.insert(exact.row, displaced);
            continue;
        }
        if counters.is_empty() || !transaction.is_there(exact.row) {
            continue;
        }
        let new = || (Arc::clone(&exact.table), Vec::new(), Vec::new());
        let (_, columns, rows) = tables.entry(exact.table.id).or_insert_with(new);
        columns.extend(
            counters
                .into_iter()
                .filter(|id| !columns.contains(id))
                .collect::<Vec<_>>(),
        );
        rows.push(exact.row);
    }
    for (table, columns, rows) in tables.into_values() {
        let texts: HashMap<RowId, Texts> = transaction.standing(round.batch, &table, &columns, &rows).await?;
        for (row, texts) in texts {
            found.insert(row, columns.iter().copied().zip(texts).collect());
        }
    }
    Ok(found)
}

fn sums(
    round: &Round<'_, '_>,
    row: RowId,
    counters: &Counters,
    journals: &FromJournals,
    standing: Option<&HashMap<ColumnId, Text>>,
) -> Result<Vec<(ColumnId, Text)>, Failure> {
    let mut sums = Vec::new();
    for (column, txn) in &counters.written {
        let base = journals.written(*txn, row)?;
        if let Some(from) = base.value(usize::from(column.0)) {
            sums.push((*column, beyond(journals, row, counters, (&[*txn], from), *column)?));
        }
    }
    for column in &counters.standing {
        let at = usize::from(column.0);
        if let Some(stands) = standing.and_then(|standing| standing.get(column)) {
            let stands = stands.as_ref().map_or(Value::Null, |text| Value::Text(text));
            let total = sum(stands, round.added(row, *column))?;
            sums.push((*column, total.map(String::into_bytes)));
            continue;
        }
        for txn in &counters.before {
            let base = journals.written(*txn, row)?;
            if let Some(from) = base.left(at) {
                sums.push((*column, beyond(journals, row, counters, (&[*txn], from), *column)?));
                break;
            }
        }
    }
    Ok(sums)
}

/// `from`, as transactions left it, and what was added that none of them had seen.
fn beyond(
    journals: &FromJournals,
    row: RowId,
    counters: &Counters,
    (base, from): (&[TxnId], Value<'_>),
    column: ColumnId,
) -> Result<Text, Failure> {
    let stamps: Vec<Stamp> = base.iter().filter_map(|txn| journals.stamp(*txn)).collect();
    let unseen = counters.unseen(column, &stamps);
    let unseen: Vec<Written<'_>> = unseen.map(|txn| journals.written(txn, row)).collect::<Result<_, _>>()?;
    let added = unseen.iter().flat_map(|written| written.added(usize::from(column.0)));
    Ok(sum(from, added)?.map(String::into_bytes))
}

impl<'a> Round<'_, 'a> {
    /// What the batch adds to a counter of a row that stands, beyond what its statements have written.
    fn added(&self, row: RowId, column: ColumnId) -> Vec<Added<'a>> {
        let dropped = self.dropped.contains(&row);
        let added = self.batch.added.get(&row).into_iter().flatten();
        let open = added.filter(|(id, added)| *id == column && (dropped || !added.planned));
        open.map(|(_, added)| *added).collect()
    }
}

/// The rows that transactions left, each with its stamp.
fn images(table: &Table, journals: &FromJournals, row: RowId, members: &[TxnId]) -> Result<Vec<Image>, Failure> {
    let mut images = Vec::with_capacity(members.len());
    for txn in members {
        let written = journals.written(*txn, row)?;
        let values = written.values.iter().flatten().enumerate().filter_map(|(at, value)| {
            let column = ColumnId(u16::try_from(at).ok()?);
            let text = match value {
                Value::Text(text) | Value::Binary(text) => Some(text.to_vec()),
                Value::Null => None,
                Value::Unchanged => return None,
            };
            table.columns.get(at).filter(|c| c.writable).map(|_| (column, text))
        });
        images.push(Image {
            values: values.collect(),
            txn: *txn,
            hlc: journals.stamp(*txn).map_or(Hlc::default(), |stamp| stamp.hlc),
        });
    }
    Ok(images)
}
