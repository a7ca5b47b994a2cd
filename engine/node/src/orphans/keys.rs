//! The foreign keys of this node's database, as they were read last.

use std::collections::BTreeMap;
use std::sync::Arc;

use synapse_engine_apply::{ForeignKey, Marks, Related, foreign_key_marks, foreign_keys};
use synapse_engine_plan::Table;
use tokio_postgres::Client;

use crate::error::Error;
use crate::shared::{Shared, UNPOISONED};

/// One reading.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    all: Vec<ForeignKey>,
    /// Places in `all`, by schema and name of the tables that hold the rows referred to.
    by_parent: BTreeMap<String, BTreeMap<String, Vec<usize>>>,
    marks: Marks,
}

impl Keys {
    fn new(all: Vec<ForeignKey>, marks: Marks) -> Self {
        let mut by_parent: BTreeMap<String, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
        for (at, key) in all.iter().enumerate() {
            for (schema, name) in &key.parent.leaves {
                let names = by_parent.entry(schema.clone()).or_default();
                names.entry(name.clone()).or_default().push(at);
            }
        }
        Keys { all, by_parent, marks }
    }

    pub(crate) fn all(&self) -> &[ForeignKey] {
        &self.all
    }

    /// Whether nothing refers to anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether these tables have the foreign keys that were read, by their marks of now.
    pub(crate) fn agree(&self, tables: &[(String, String)], now: &Marks) -> bool {
        tables.iter().all(|table| self.marks.get(table) == now.get(table))
    }

    /// Places of those through which rows of `table` are referred to.
    pub(crate) fn referring_to(&self, table: &Table) -> &[usize] {
        let names = self.by_parent.get(&table.schema);
        names
            .and_then(|names| names.get(&table.name))
            .map_or(&[], Vec::as_slice)
    }

    /// Places of those through which rows of `table` refer to others.
    pub(crate) fn of_rows_of(&self, table: &Table) -> Vec<usize> {
        let holds = |key: &ForeignKey| {
            let mut leaves = key.child.leaves.iter();
            leaves.any(|(schema, name)| *schema == table.schema && *name == table.name)
        };
        let places = self.all.iter().enumerate().filter(|(_, key)| holds(key));
        places.map(|(place, _)| place).collect()
    }

    pub(crate) fn at(&self, place: usize) -> &ForeignKey {
        &self.all[place]
    }

    /// The foreign key of that name.
    pub(crate) fn named(&self, schema: &str, table: &str, name: &str) -> Option<&ForeignKey> {
        let is_it = |key: &&ForeignKey| key.name == name && key.child.name == table && key.child.schema == schema;
        self.all.iter().find(is_it)
    }

    /// Those of `table`: what its rows refer to.
    pub(crate) fn of<'k>(&'k self, table: &'k Related) -> impl Iterator<Item = &'k ForeignKey> {
        self.all.iter().filter(|key| key.child.is(table))
    }

    /// Those through which rows of `table` may be referred to.
    pub(crate) fn to_rows_of<'k>(&'k self, table: &'k Related) -> impl Iterator<Item = &'k ForeignKey> {
        let holds = |key: &&ForeignKey| key.parent.leaves.iter().any(|leaf| table.leaves.contains(leaf));
        self.all.iter().filter(holds)
    }
}

/// Reads them anew.
pub(crate) async fn refresh(shared: &Shared, client: &Client) -> Result<Arc<Keys>, Error> {
    // In this order: what comes in between is found to be another mark.
    let marks = foreign_key_marks(client).await?;
    let keys = Keys::new(foreign_keys(client).await?, marks);
    let mut known = shared.orphans.keys.write().expect(UNPOISONED);
    if **known != keys {
        *known = Arc::new(keys);
    }
    Ok(Arc::clone(&known))
}
