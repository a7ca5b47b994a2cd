//! What is displaced, as the stream says it: the applier's own changes of `synapse.displaced` and `synapse.rivals`, and
//! an application's DELETE of a displaced row, which gives the row up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use synapse_engine_change::{Column, Identity, Relation, Value};
use synapse_engine_identity::{KeyHash, RowId};
use synapse_engine_replication::Contention;
use synapse_engine_setup::{DISPLACED, Generated, RIVALS, SCHEMA};
use synapse_wal_pgoutput as pgoutput;

use crate::shared::UNPOISONED;
use crate::tables::{Directory, Numbers};

/// What transactions that are being read changed in what is displaced, each change with its subtransaction.
#[derive(Default)]
pub(super) struct Contentions(HashMap<u32, Vec<(u32, Contention)>>);

impl Contentions {
    pub(super) fn push(&mut self, xid: u32, subxid: u32, contention: Contention) {
        self.0.entry(xid).or_default().push((subxid, contention));
    }

    /// A transaction, or a part of it, was rolled back.
    pub(super) fn abort(&mut self, xid: u32, subxid: u32) {
        if xid == subxid {
            self.0.remove(&xid);
        } else if let Some(changes) = self.0.get_mut(&xid) {
            changes.retain(|(of, _)| *of != subxid);
        }
    }

    pub(super) fn take(&mut self, xid: u32) -> Vec<Contention> {
        let changes = self.0.remove(&xid).unwrap_or_default();
        changes.into_iter().map(|(_, contention)| contention).collect()
    }
}

/// Whether a relation is one of those that say what is displaced.
fn is(relation: &pgoutput::Relation, name: &str) -> bool {
    relation.schema == SCHEMA && relation.name == name
}

/// What a change says of what is displaced, if it does.
pub(super) fn of_change(change: &pgoutput::Change<'_>, numbers: &Mutex<Numbers>) -> Option<Contention> {
    let (relation, tuple, stands) = match change {
        pgoutput::Change::Insert { relation, new } | pgoutput::Change::Update { relation, new, .. } => {
            (relation, new, true)
        }
        pgoutput::Change::Delete { relation, old } => (relation, old.tuple(), false),
        pgoutput::Change::Truncate { .. } | pgoutput::Change::Message { .. } => return None,
    };
    if !is(relation, DISPLACED) && !is(relation, RIVALS) {
        return None;
    }
    let text = |name: &str| text(relation, tuple, name);
    let hash = |name: &str| KeyHash::from_hex(text(name)?.strip_prefix("\\x")?);
    let table = numbers
        .lock()
        .expect(UNPOISONED)
        .columns(text("table_schema")?, text("table_name")?, &[])
        .0;
    let row = |key| RowId { table, key };
    Some(match is(relation, DISPLACED) {
        true => Contention::Displaced {
            row: row(hash("row_id")?),
            is: stands,
        },
        false => Contention::Rival {
            row: row(hash("row_id")?),
            rival: row(hash("rival_id")?),
            is: stands,
        },
    })
}

fn text<'t>(relation: &pgoutput::Relation, tuple: &'t pgoutput::TupleData<'_>, name: &str) -> Option<&'t str> {
    let at = relation.columns.iter().position(|column| column.name == name)?;
    match tuple.values.get(at)? {
        pgoutput::Value::Text(text) => std::str::from_utf8(text).ok(),
        pgoutput::Value::Null | pgoutput::Value::UnchangedToast | pgoutput::Value::Binary(_) => None,
    }
}

/// A displaced row that an application gave up: the DELETE of it in its own table.
pub(super) struct GivenUp {
    /// Its table.
    pub(super) relation: Arc<Relation>,
    /// The texts of its key, by column of the relation; none for the others.
    key: Vec<Option<String>>,
}

impl GivenUp {
    /// What a DELETE of `synapse.displaced` means; `None` for another change, or for a table that is not there any more.
    pub(super) fn of(change: &pgoutput::Change<'_>, directory: &Directory) -> Option<Self> {
        let pgoutput::Change::Delete { relation, old } = change else {
            return None;
        };
        if !is(relation, DISPLACED) {
            return None;
        }
        let text = |name: &str| text(relation, old.tuple(), name);
        let (schema, name) = (text("table_schema")?, text("table_name")?);
        let known = directory.get(schema, name)?;
        let mut tables = directory.catalog.tables.iter();
        let table = tables.find(|table| table.schema == schema && table.name == name)?;
        let key: serde_json::Value = serde_json::from_str(text("key")?).ok()?;
        let is_key = |name: &str| known.key.iter().any(|id| known.at(*id).name == name);
        let columns = table.columns.iter().filter(|column| column.generated == Generated::No);
        let columns: Vec<Column> = columns
            .map(|column| Column {
                name: column.name.clone(),
                key: is_key(&column.name),
                type_oid: column.base.oid.0,
            })
            .collect();
        let texts = columns.iter().map(|column| {
            let text = key.get(&column.name).filter(|_| column.key)?;
            text.as_str().map(str::to_owned)
        });
        let key: Vec<Option<String>> = texts.collect();
        let relation = Relation {
            schema: schema.to_owned(),
            name: name.to_owned(),
            identity: Identity::Default,
            columns,
        };
        let whole = relation.key().all(|at| key[at].is_some());
        whole.then(|| GivenUp {
            relation: Arc::new(relation),
            key,
        })
    }

    /// The old tuple of the DELETE.
    pub(super) fn tuple(&self) -> impl Iterator<Item = Value<'_>> {
        self.key.iter().map(|text| match text {
            None => Value::Null,
            Some(text) => Value::Text(text.as_bytes()),
        })
    }
}
