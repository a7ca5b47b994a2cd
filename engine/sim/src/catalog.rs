//! The local tables as plan sees them, and the way from keys to rows and back.

use std::sync::Arc;

use synapse_engine_change::{Change, Relation, Value};
use synapse_engine_identity::{ColumnId, KeyHash, RowId, TableId};
use synapse_engine_plan::{Constrained, KeyClass, PolicySet, TableColumn, Tables};

use crate::policies;
use crate::postgres::{Datum, Table};

/// Every table that takes part.
#[derive(Debug)]
pub(crate) struct Catalog {
    tables: Vec<Arc<synapse_engine_plan::Table>>,
}

impl Catalog {
    pub(crate) fn new() -> Self {
        Catalog {
            tables: Table::ALL.into_iter().map(|table| Arc::new(described(table))).collect(),
        }
    }
}

impl Tables for Catalog {
    fn find(&self, relation: &Relation) -> Option<Arc<synapse_engine_plan::Table>> {
        self.tables
            .iter()
            .find(|table| table.name == relation.name)
            .map(Arc::clone)
    }

    fn policy(&self, change: &Change<'_>) -> Option<PolicySet> {
        policies::of_change(change)
    }
}

fn described(table: Table) -> synapse_engine_plan::Table {
    let column = |name: &&str| TableColumn {
        name: (*name).to_owned(),
        type_sql: "pg_catalog.int8".to_owned(),
        class: KeyClass::Exact,
        identity_always: false,
        writable: true,
    };
    synapse_engine_plan::Table {
        id: table_id(table),
        schema: "public".to_owned(),
        name: table.name().to_owned(),
        columns: table.columns().iter().map(column).collect(),
        key: if table.keyed() { vec![ColumnId(0)] } else { Vec::new() },
        constrained: match table.unique().len() {
            0 | 1 => Constrained::No,
            _ => Constrained::Enforced,
        },
    }
}

pub(crate) fn table_id(table: Table) -> TableId {
    TableId(u32::try_from(table.index()).expect("there are a few tables"))
}

pub(crate) fn table_of(id: TableId) -> Table {
    Table::ALL[id.0 as usize]
}

pub(crate) fn row_id(table: Table, key: u64) -> RowId {
    let text = key.to_string();
    RowId {
        table: table_id(table),
        key: KeyHash::of([text.as_bytes()]),
    }
}

/// What a value stands for; `None` when the stream does not carry it.
pub(crate) fn datum(value: Value<'_>) -> Option<Datum> {
    match value {
        Value::Null => Some(None),
        Value::Unchanged => None,
        Value::Text(text) => {
            let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            Some(Some(number.expect("simulated values are numbers")))
        }
        Value::Binary(_) => unreachable!("simulated values are sent as text"),
    }
}
