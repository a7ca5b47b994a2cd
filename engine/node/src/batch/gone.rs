//! What a batch may take away that others refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use synapse_engine_apply::{Reference, Transaction, Whole};
use synapse_engine_change::Value;
use synapse_engine_identity::{ColumnId, RowId};
use synapse_engine_plan::{Batch, KeylessStep, Row, Step, Table};

use super::failure::Failure;
use crate::lane::Applier;
use crate::orphans::Keys;

/// Above so many a table that refers is read as a whole instead.
const REFERENCES_MAX: usize = 100_000;

/// What a transaction of the applier may take away that others refer to.
#[derive(Debug, Default)]
pub(super) struct Gone {
    pub(super) keys: Arc<Keys>,
    pub(super) by_key: BTreeMap<usize, References>,
    /// What of each foreign key was displaced, with the stamp of what displaced it.
    pub(super) displaced: BTreeMap<usize, BTreeMap<Reference, String>>,
    /// What of each foreign key rows refer to that came into being here: nobody's server has looked whether it is there.
    pub(super) missed: BTreeMap<usize, BTreeSet<Reference>>,
    /// The tables that may lose something, by schema and name.
    pub(super) tables: BTreeSet<(String, String)>,
    /// Whether the foreign keys were read anew between two parts of the transaction.
    pub(super) mixed: bool,
}

/// A row that stood, and that another one has displaced.
#[derive(Debug)]
pub(crate) struct Displacement {
    pub(super) table: Arc<Table>,
    /// As it stood.
    pub(super) row: Whole,
    /// The stamp of the row in its way, as JSON.
    pub(super) by: String,
}

/// What of one foreign key may be gone.
#[derive(Debug)]
pub(super) enum References {
    These(BTreeSet<Reference>),
    /// Whatever is referred to.
    Any,
}

impl Gone {
    pub(super) fn and(&mut self, more: Gone) {
        if self.is_empty() {
            self.keys = more.keys;
        } else if !more.is_empty() && !Arc::ptr_eq(&self.keys, &more.keys) {
            self.mixed = true;
        }
        self.tables.extend(more.tables);
        for (key, references) in more.by_key {
            match references {
                References::These(these) => these.into_iter().for_each(|reference| self.put(key, reference)),
                References::Any => self.put_any(key),
            }
        }
        for (key, references) in more.displaced {
            self.displaced.entry(key).or_default().extend(references);
        }
        for (key, references) in more.missed {
            self.missed.entry(key).or_default().extend(references);
        }
    }

    /// Whether there is nothing to look for.
    pub(super) fn is_empty(&self) -> bool {
        self.tables.is_empty() && self.missed.is_empty()
    }

    fn put(&mut self, key: usize, reference: Reference) {
        let place = self.by_key.entry(key).or_insert(References::These(BTreeSet::new()));
        match place {
            References::These(these) if these.len() < REFERENCES_MAX => {
                these.insert(reference);
            }
            References::These(_) | References::Any => *place = References::Any,
        }
    }

    fn put_any(&mut self, key: usize) {
        self.by_key.insert(key, References::Any);
    }

    fn rows<'r>(&mut self, table: &Table, rows: impl Iterator<Item = &'r Row<'r>>) {
        self.table(table);
        if !self.keys.referring_to(table).is_empty() {
            rows.for_each(|row| self.row(table, row));
        }
    }

    fn table(&mut self, table: &Table) {
        let known = |(schema, name): &(String, String)| *schema == table.schema && *name == table.name;
        if !self.tables.iter().any(known) {
            self.tables.insert((table.schema.clone(), table.name.clone()));
        }
    }

    /// Adds a row that may go, as far as what is known of it says how it is referred to.
    fn row(&mut self, table: &Table, row: &Row<'_>) {
        let keys = Arc::clone(&self.keys);
        for (place, reference) in references(&keys, table, row) {
            self.put(place, reference);
        }
    }

    /// Adds rows that were displaced.
    pub(super) fn displaced(&mut self, displaced: &[Displacement]) {
        let keys = Arc::clone(&self.keys);
        for Displacement { table, row, by } in displaced {
            self.table(table);
            for (place, reference) in references(&keys, table, &row.row()) {
                self.displaced.entry(place).or_default().insert(reference, by.clone());
            }
        }
    }

    /// Adds rows that the exact path takes away.
    pub(super) fn deleted(&mut self, batch: &Batch<'_>, rows: &[RowId]) {
        for (table, row) in rows.iter().filter_map(|row| batch.rows.get(row)) {
            self.rows(table, std::iter::once(row));
        }
    }
}

impl Applier {
    /// What the batch may take away. Asks the server only where rows are referred to by other columns than their key.
    pub(super) async fn may_go<'a>(
        &self,
        transaction: &mut Transaction<'_>,
        batch: &Batch<'a>,
    ) -> Result<Gone, Failure> {
        let mut gone = Gone {
            keys: self.shared.orphans.keys(),
            ..Gone::default()
        };
        for step in &batch.steps {
            match step {
                Step::Delete(rows) => gone.rows(&rows.table, rows.rows.iter().map(|(_, row)| row)),
                Step::Move { table, from, .. } => gone.rows(table, std::iter::once(&from.1)),
                Step::Keyless { table, step } => {
                    let (KeylessStep::Update { old, .. } | KeylessStep::Delete { old }) = step;
                    gone.rows(table, std::iter::once(old));
                }
                Step::Truncate { tables, .. } => {
                    tables.iter().for_each(|truncated| gone.table(&truncated.table));
                    let keys = Arc::clone(&gone.keys);
                    let places = tables.iter().flat_map(|t| keys.referring_to(&t.table));
                    places.for_each(|place| gone.put_any(*place));
                }
                // It may be referred to by something else than its key.
                Step::Update(rows) if self.has_other_keys(&rows.table) => gone.table(&rows.table),
                Step::Update(_) | Step::Insert(_) | Step::InsertKeyless { .. } => {}
            }
        }
        self.read_others(transaction, batch, &mut gone).await?;
        Ok(gone)
    }

    fn has_other_keys(&self, table: &Table) -> bool {
        let directory = self.shared.directory();
        let found = directory.catalog.find(&table.schema, &table.name);
        found.is_some_and(|table| !table.unique_indexes.is_empty())
    }

    /// Reads, under their locks, columns that rows are referred to by and that are not their key.
    async fn read_others<'a>(
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
        let mut add = |row: &RowId| {
            let Some((table, _)) = batch.rows.get(row) else { return };
            match tables.iter_mut().find(|(known, _)| known.id == table.id) {
                Some((_, rows)) => rows.push(*row),
                None if keys.referring_to(table).iter().any(|key| !by_key(&keys, *key, table)) => {
                    tables.push((table, vec![*row]));
                }
                None => {}
            }
        };
        for step in &batch.steps {
            match step {
                Step::Delete(rows) | Step::Update(rows) => rows.rows.iter().for_each(|(row, _)| add(row)),
                Step::Move { from, .. } => add(&from.0),
                Step::Insert(_) | Step::InsertKeyless { .. } | Step::Keyless { .. } | Step::Truncate { .. } => {}
            }
        }
        batch.contested.iter().for_each(add);
        for (table, rows) in tables {
            transaction.lock(batch, &rows).await?;
            for place in keys
                .referring_to(table)
                .iter()
                .filter(|key| !by_key(&keys, **key, table))
            {
                let columns = keys.at(*place).columns.iter().map(|pair| table.column(&pair.parent));
                let Some(columns) = columns.collect::<Option<Vec<ColumnId>>>() else {
                    continue;
                };
                let found = transaction.standing(batch, table, &columns, &rows).await?;
                let whole = found.into_values().filter(|texts| texts.iter().all(Option::is_some));
                whole.for_each(|reference| gone.put(*place, reference));
            }
        }
        Ok(())
    }
}

/// Whether rows of `table` are referred to by columns of its key through that foreign key.
fn by_key(keys: &Keys, place: usize, table: &Table) -> bool {
    let of_key = |name: &str| table.column(name).is_some_and(|id| table.key.contains(&id));
    keys.at(place).columns.iter().all(|pair| of_key(&pair.parent))
}

/// What a row may be referred to by, by foreign key.
fn references<'k>(keys: &'k Keys, table: &'k Table, row: &'k Row<'_>) -> impl Iterator<Item = (usize, Reference)> + 'k {
    keys.referring_to(table).iter().filter_map(|place| {
        let columns = keys.at(*place).columns.iter().map(|pair| pair.parent.as_str());
        Some((*place, reference(table, row, columns)?))
    })
}

/// What a row is referred to by; `None` where one of the columns is NULL, or is not known.
fn reference<'n>(table: &Table, row: &Row<'_>, columns: impl Iterator<Item = &'n str>) -> Option<Reference> {
    let text = |name: &str| match row.get(usize::from(table.column(name)?.0))? {
        Value::Text(text) => Some(Some(text.to_vec())),
        Value::Null | Value::Unchanged | Value::Binary(_) => None,
    };
    columns.map(text).collect()
}
