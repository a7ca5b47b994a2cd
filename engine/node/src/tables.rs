//! The local tables, as plan and kernel know them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use synapse_engine_change::Relation;
use synapse_engine_identity::{ColumnId, TableId};
use synapse_engine_plan::{Constrained, KeyClass, Table, TableColumn, Tables};
use synapse_engine_setup::{Catalog, Fingerprint, Generated, IdentityColumn, Key, ReplicaIdentity};

/// Numbers for tables and columns: given once, kept as long as the process lives, whatever the catalogue does.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    tables: HashMap<(String, String), (TableId, Vec<String>)>,
}

impl Numbers {
    fn table(&mut self, schema: &str, name: &str) -> &mut (TableId, Vec<String>) {
        let next = u32::try_from(self.tables.len()).expect("a catalogue has fewer than 2^32 tables");
        self.tables
            .entry((schema.to_owned(), name.to_owned()))
            .or_insert_with(|| (TableId(next), Vec::new()))
    }
}

impl Numbers {
    /// Schema and name of a table.
    pub(crate) fn name_of(&self, id: TableId) -> Option<(String, String)> {
        let found = self.tables.iter().find(|(_, (number, _))| *number == id);
        found.map(|(name, _)| name.clone())
    }

    /// The numbers of a table and of some of its columns, whether they are there or not.
    pub(crate) fn columns(&mut self, schema: &str, name: &str, columns: &[String]) -> (TableId, Vec<ColumnId>) {
        let (id, names) = self.table(schema, name);
        let numbers = columns.iter().filter_map(|column| {
            let at = names.iter().position(|known| known == column).unwrap_or_else(|| {
                names.push(column.clone());
                names.len() - 1
            });
            u16::try_from(at).ok().map(ColumnId)
        });
        (*id, numbers.collect())
    }
}

/// One reading of the catalogue.
#[derive(Debug)]
pub(crate) struct Directory {
    tables: HashMap<(String, String), Arc<Table>>,
    pub(crate) catalog: Catalog,
    pub(crate) fingerprint: Fingerprint,
}

impl Directory {
    pub(crate) fn new(catalog: Catalog, numbers: &Mutex<Numbers>) -> Self {
        let mut numbers = numbers.lock().expect("nothing panics while it holds the numbers");
        let tables = catalog.tables.iter().map(|table| {
            let known = Arc::new(known(table, &mut numbers));
            ((table.schema.clone(), table.name.clone()), known)
        });
        let tables = tables.collect();
        Directory {
            tables,
            fingerprint: catalog.fingerprint(),
            catalog,
        }
    }

    pub(crate) fn get(&self, schema: &str, name: &str) -> Option<&Arc<Table>> {
        self.tables.get(&(schema.to_owned(), name.to_owned()))
    }

    /// Tables that are called so, with their schema or without.
    pub(crate) fn named(&self, name: &str) -> Vec<&Arc<Table>> {
        let full = |table: &Table| {
            name.strip_prefix(&table.schema)?
                .strip_prefix('.')
                .map(|rest| rest == table.name)
        };
        let is_it = |table: &&Arc<Table>| table.name == name || full(table) == Some(true);
        let mut found: Vec<_> = self.tables.values().filter(is_it).collect();
        found.sort_unstable_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
        found
    }

    pub(crate) fn by_id(&self, id: TableId) -> Option<&Arc<Table>> {
        self.tables.values().find(|table| table.id == id)
    }
}

impl Tables for Directory {
    fn find(&self, relation: &Relation) -> Option<Arc<Table>> {
        self.get(&relation.schema, &relation.name).cloned()
    }
}

/// A table of the stream that the catalogue no longer has: its changes were made before it was dropped.
pub(crate) fn from_relation(relation: &Relation, numbers: &Mutex<Numbers>) -> Table {
    let mut numbers = numbers.lock().expect("nothing panics while it holds the numbers");
    let (id, names) = numbers.table(&relation.schema, &relation.name);
    for column in &relation.columns {
        if !names.contains(&column.name) {
            names.push(column.name.clone());
        }
    }
    let columns = names.iter().map(|name| {
        let found = relation.columns.iter().find(|c| c.name == *name);
        TableColumn {
            name: name.clone(),
            type_sql: "text".to_owned(),
            class: found.map_or(KeyClass::Exact, |c| KeyClass::of_builtin(c.type_oid)),
            identity_always: false,
            writable: found.is_some(),
        }
    });
    let columns: Vec<TableColumn> = columns.collect();
    let key = relation
        .key()
        .filter_map(|at| column_id(&columns, &relation.columns[at].name))
        .collect();
    Table {
        id: *id,
        schema: relation.schema.clone(),
        name: relation.name.clone(),
        columns,
        key,
        constrained: Constrained::No,
    }
}

fn known(table: &synapse_engine_setup::Table, numbers: &mut Numbers) -> Table {
    let (id, names) = numbers.table(&table.schema, &table.name);
    for column in &table.columns {
        if !names.contains(&column.name) {
            names.push(column.name.clone());
        }
    }
    let columns: Vec<TableColumn> = names.iter().map(|name| column_of(table, name)).collect();
    // A deferrable key identifies no row: two may have it for a while.
    let key = match table.replica_identity {
        ReplicaIdentity::Index => table.identity_index.as_ref(),
        ReplicaIdentity::Default | ReplicaIdentity::Full => table.primary_key.as_ref().filter(|key| !key.deferrable),
        ReplicaIdentity::Nothing => None,
    };
    let key = key.filter(|key| !key.deferrable);
    let constrained = constrained(table, key);
    let key = key.map_or(Vec::new(), |key| {
        key.columns
            .iter()
            .filter_map(|name| column_id(&columns, name))
            .collect()
    });
    Table {
        id: *id,
        schema: table.schema.clone(),
        name: table.name.clone(),
        columns,
        key,
        constrained,
    }
}

/// What keeps rows apart besides the index of their key.
fn constrained(table: &synapse_engine_setup::Table, key: Option<&Key>) -> Constrained {
    let is_key = |name: &str| key.is_some_and(|key| key.name == name);
    let primary = table.primary_key.iter().map(|index| (&index.name, index.deferrable));
    let unique = table.unique_indexes.iter().map(|index| (&index.name, index.deferrable));
    let exclusions = table
        .exclusions
        .iter()
        .map(|constraint| (&constraint.name, constraint.deferrable));
    // A key WITHOUT OVERLAPS excludes rows of other keys.
    let besides = primary
        .chain(unique)
        .filter(|(name, _)| !is_key(name))
        .chain(exclusions);
    besides.fold(Constrained::No, |so_far, (_, deferrable)| match (so_far, deferrable) {
        (Constrained::Deferrable, _) | (_, true) => Constrained::Deferrable,
        (Constrained::No | Constrained::Enforced, false) => Constrained::Enforced,
    })
}

fn column_of(table: &synapse_engine_setup::Table, name: &str) -> TableColumn {
    let found = table.column(name);
    TableColumn {
        name: name.to_owned(),
        type_sql: found.map_or_else(|| "text".to_owned(), |c| c.type_name.clone()),
        class: found.map_or(KeyClass::Exact, |c| class(&c.base)),
        identity_always: found.is_some_and(|c| c.identity == IdentityColumn::Always),
        writable: found.is_some_and(|c| c.generated == Generated::No),
    }
}

fn class(base: &synapse_engine_setup::BaseType) -> KeyClass {
    if base.name == "citext" || base.name.ends_with(".citext") {
        KeyClass::Citext
    } else {
        KeyClass::of_builtin(base.oid.0)
    }
}

fn column_id(columns: &[TableColumn], name: &str) -> Option<ColumnId> {
    let at = columns.iter().position(|c| c.name == name)?;
    u16::try_from(at).ok().map(ColumnId)
}
