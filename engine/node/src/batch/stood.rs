//! What rows that may exclude each other were when they were locked, and what they are to be.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use synapse_engine_apply::{Displaced, MissingValues, Transaction, Values, Wanted, Which, Whole};
use synapse_engine_identity::{ColumnId, KeyHash, RowId, TableId};
use synapse_engine_plan::{Batch, Constrained, Exact, Neighbour, Table};
use synapse_engine_replication::LastWrite;

use super::exact::Round;
use super::failure::Failure;
use crate::lane::Applier;
use crate::shared::lock;

/// Rows that a batch does not know: neighbours of its rows, by their keys.
#[derive(Default)]
pub(super) struct Found(Vec<(RowId, Arc<Table>, Whole)>);

impl Found {
    /// The batch with these rows.
    pub(super) fn with<'s>(&'s self, batch: &'s Batch<'s>) -> Cow<'s, Batch<'s>> {
        if self.0.is_empty() {
            return Cow::Borrowed(batch);
        }
        let mut batch = batch.clone();
        for (row, table, key) in &self.0 {
            batch.rows.entry(*row).or_insert_with(|| (Arc::clone(table), key.row()));
        }
        Cow::Owned(batch)
    }

    pub(super) fn put(&mut self, batch: &Batch<'_>, row: RowId, table: &Arc<Table>, key: Whole) {
        if !batch.rows.contains_key(&row) && !self.0.iter().any(|(known, ..)| *known == row) {
            self.0.push((row, Arc::clone(table), key));
        }
    }

    pub(super) fn extend(&mut self, more: Found) {
        self.0.extend(more.0);
    }

    /// Takes in displaced rows of a table that is emptied; answers which.
    pub(super) fn emptied(&mut self, batch: &Batch<'_>, table: &Arc<Table>, displaced: Vec<Displaced>) -> Vec<RowId> {
        let rows = displaced.into_iter().map(|displaced| {
            let row = row_of(table, displaced.row);
            self.put(batch, row, table, key_of(table, &displaced.key));
            row
        });
        rows.collect()
    }
}

/// What locked rows were, in their table or displaced.
#[derive(Default)]
pub(super) struct Stood {
    standing: HashMap<RowId, Whole>,
    displaced: HashMap<RowId, (Whole, LastWrite)>,
}

impl Stood {
    fn row(&self, row: RowId) -> Option<&Whole> {
        let displaced = || self.displaced.get(&row).map(|(image, _)| image);
        self.standing.get(&row).or_else(displaced)
    }

    /// A value of a row that is displaced, and does not stand.
    pub(super) fn displaced(&self, row: RowId, column: ColumnId) -> Option<Option<Vec<u8>>> {
        let image = self.row(row).filter(|_| !self.standing.contains_key(&row))?;
        let value = image.values().find(|(id, _)| *id == column);
        value.map(|(_, text)| text.map(<[u8]>::to_vec))
    }
}

impl Applier {
    /// Reads what stands, and what is displaced, of locked rows of tables whose rows may exclude each other.
    pub(super) async fn stood<'a>(
        &self,
        transaction: &mut Transaction<'_>,
        round: &Round<'_, 'a>,
        exacts: &[Exact<'a>],
    ) -> Result<Stood, Failure> {
        let mut stood = Stood::default();
        for (table, rows) in by_table(exacts) {
            let columns = writable(&table);
            let there: Vec<RowId> = rows.iter().copied().filter(|row| transaction.is_there(*row)).collect();
            let texts = transaction.standing(round.batch, &table, &columns, &there).await?;
            let whole =
                |texts: Vec<Option<Vec<u8>>>| Whole::of(table.columns.len(), columns.iter().copied().zip(texts));
            stood
                .standing
                .extend(texts.into_iter().map(|(row, texts)| (row, whole(texts))));
            if !lock(&self.kernel).contended(table.id) {
                continue;
            }
            let hashes: Vec<KeyHash> = rows.iter().map(|row| row.key).collect();
            for displaced in transaction.displaced(&table, Which::Rows(&hashes)).await? {
                let row = row_of(&table, displaced.row);
                stood.displaced.insert(row, kept(&table, displaced));
            }
        }
        Ok(stood)
    }
}

/// Values that are missing to say what rows are to be.
pub(super) fn missing<'a>(
    exacts: &[Exact<'a>],
    values: &Values<'a>,
    round: &Round<'_, 'a>,
    stood: &Stood,
) -> Vec<MissingValues> {
    let missing = exacts
        .iter()
        .filter_map(|exact| intended(exact, values, round, stood).err());
    missing.collect()
}

/// What a locked row is to be.
pub(super) fn intended<'a>(
    exact: &Exact<'a>,
    values: &Values<'a>,
    round: &Round<'_, 'a>,
    stood: &Stood,
) -> Result<Neighbour<Whole>, MissingValues> {
    let was = stood.row(exact.row);
    let image = match Wanted::of(exact, was.is_some(), values, round.scope)? {
        Wanted::AsItIs => was.cloned(),
        Wanted::Gone => None,
        Wanted::Alive(row) => {
            let base = was.cloned().unwrap_or_else(|| key_alone(exact));
            Some(base.with(&row))
        }
    };
    Ok(Neighbour {
        stands: stood.standing.get(&exact.row).cloned(),
        displaced: stood.displaced.get(&exact.row).cloned(),
        image,
    })
}

/// A row of which nothing is known but its key.
fn key_alone(exact: &Exact<'_>) -> Whole {
    let table = &exact.table;
    let mut key = vec![synapse_engine_change::Value::Unchanged; table.columns.len()];
    for at in table.key.iter().map(|id| usize::from(id.0)) {
        key[at] = exact.values[at];
    }
    Whole::of(table.columns.len(), []).with(&key)
}

/// The rows of tables whose rows may exclude each other.
pub(super) fn by_table(exacts: &[Exact<'_>]) -> Vec<(Arc<Table>, Vec<RowId>)> {
    let mut tables: BTreeMap<TableId, (Arc<Table>, Vec<RowId>)> = BTreeMap::new();
    for exact in exacts.iter().filter(|exact| exact.table.constrained != Constrained::No) {
        let new = || (Arc::clone(&exact.table), Vec::new());
        let (_, rows) = tables.entry(exact.table.id).or_insert_with(new);
        rows.push(exact.row);
    }
    tables.into_values().collect()
}

fn writable(table: &Table) -> Vec<ColumnId> {
    let all = (0..=u16::MAX).map(ColumnId).take(table.columns.len());
    all.filter(|id| table.at(*id).writable).collect()
}

pub(super) const fn row_of(table: &Table, key: KeyHash) -> RowId {
    RowId { table: table.id, key }
}

pub(super) fn key_of(table: &Table, key: &[Option<Vec<u8>>]) -> Whole {
    Whole::of(table.columns.len(), table.key.iter().copied().zip(key.iter().cloned()))
}

pub(super) fn kept(table: &Table, displaced: Displaced) -> (Whole, LastWrite) {
    let last = LastWrite {
        hlc: displaced.hlc,
        origin: displaced.origin,
    };
    (Whole::of(table.columns.len(), displaced.image), last)
}
