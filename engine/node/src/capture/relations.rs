//! pgoutput's relations as ours, and which of them take part.

use std::collections::HashMap;
use std::sync::Arc;

use synapse_engine_change::{ChangeSet, Column, Identity, OpCode, Relation, Value};
use synapse_engine_plan::Mapping;
use synapse_engine_setup::{POLICIES, Pattern, SCHEMA, excluded};
use synapse_wal_pgoutput as pgoutput;

use super::contention::GivenUp;
use crate::error::Error;
use crate::shared::Shared;
use crate::tables::{Directory, from_relation};

/// Relations of the stream, converted once each.
pub(super) struct Relations {
    shared: Arc<Shared>,
    sql: tokio_postgres::Client,
    exclude: Vec<Pattern>,
    /// By the address of the stream's relation, which is held and so stays its own.
    converted: HashMap<usize, (Arc<pgoutput::Relation>, Option<Arc<Relation>>)>,
    mappings: HashMap<Arc<Relation>, Mapping>,
}

impl Relations {
    pub(super) fn new(shared: Arc<Shared>, sql: tokio_postgres::Client) -> Self {
        let patterns = shared.config.replication.exclude.iter();
        let exclude = patterns
            .map(|p| p.parse().expect("the configuration was checked when it was read"))
            .collect();
        Relations {
            shared,
            sql,
            exclude,
            converted: HashMap::new(),
            mappings: HashMap::new(),
        }
    }

    /// Appends a change of the stream, unless its table takes no part.
    pub(super) async fn push(
        &mut self,
        set: &mut ChangeSet,
        change: &pgoutput::Change<'_>,
        xid: u32,
    ) -> Result<(), Error> {
        match change {
            pgoutput::Change::Message { .. } => {}
            pgoutput::Change::Insert { relation, new } => {
                if let Some(ours) = self.convert(relation).await? {
                    set.push(&ours, OpCode::Insert, xid, values(new))?;
                }
            }
            pgoutput::Change::Update { relation, old, new } => {
                if let Some(ours) = self.convert(relation).await? {
                    match old {
                        None => set.push(&ours, OpCode::Update, xid, values(new))?,
                        Some(old) => {
                            let op = match old {
                                pgoutput::OldTuple::Key(_) => OpCode::UpdateOldKey,
                                pgoutput::OldTuple::Full(_) => OpCode::UpdateOldFull,
                            };
                            set.push(&ours, op, xid, values(old.tuple()).chain(values(new)))?;
                        }
                    }
                }
            }
            pgoutput::Change::Delete { relation, old } => {
                if let Some(given_up) = GivenUp::of(change, &self.shared.directory()) {
                    set.push(&given_up.relation, OpCode::DeleteKey, xid, given_up.tuple())?;
                }
                if let Some(ours) = self.convert(relation).await? {
                    let op = match old {
                        pgoutput::OldTuple::Key(_) => OpCode::DeleteKey,
                        pgoutput::OldTuple::Full(_) => OpCode::DeleteFull,
                    };
                    set.push(&ours, op, xid, values(old.tuple()))?;
                }
            }
            pgoutput::Change::Truncate { relations, options } => {
                let op = if options.restart_identity {
                    OpCode::TruncateRestart
                } else {
                    OpCode::Truncate
                };
                for relation in relations {
                    if let Some(ours) = self.convert(relation).await? {
                        set.push(&ours, op, xid, [])?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes sure that every relation of `set` has a mapping: a spool brings them back as new values.
    pub(super) async fn check(&mut self, set: &ChangeSet) -> Result<(), Error> {
        for relation in set.parts().0 {
            if !self.mappings.contains_key(relation) {
                let mapping = self.map(relation).await?;
                self.mappings.insert(Arc::clone(relation), mapping);
            }
        }
        Ok(())
    }

    /// The mapping of a relation that was pushed or checked.
    pub(super) fn mapping(&self, relation: &Arc<Relation>) -> &Mapping {
        self.mappings
            .get(relation)
            .expect("every set is checked before it is noted")
    }

    async fn convert(&mut self, relation: &Arc<pgoutput::Relation>) -> Result<Option<Arc<Relation>>, Error> {
        if let Some((_, ours)) = self.converted.get(&Arc::as_ptr(relation).addr()) {
            return Ok(ours.clone());
        }
        let (schema, name) = (&relation.schema, &relation.name);
        let ours = if !replicated(&self.exclude, schema, name) {
            None
        } else {
            if self
                .shared
                .directory()
                .get(schema, name)
                .is_none_or(|t| relation.columns.iter().any(|c| t.column(&c.name).is_none()))
            {
                self.refresh().await?;
            }
            Some(Arc::new(self.ours(relation)))
        };
        self.converted
            .insert(Arc::as_ptr(relation).addr(), (Arc::clone(relation), ours.clone()));
        Ok(ours)
    }

    /// Under full identity the stream marks every column as key; ours are those of the primary key.
    fn ours(&self, relation: &pgoutput::Relation) -> Relation {
        let table = self.shared.directory().get(&relation.schema, &relation.name).cloned();
        let identity = match relation.identity {
            pgoutput::ReplicaIdentity::Default => Identity::Default,
            pgoutput::ReplicaIdentity::Index => Identity::Index,
            pgoutput::ReplicaIdentity::Full => Identity::Full,
            pgoutput::ReplicaIdentity::Nothing => Identity::Nothing,
        };
        let is_key = |column: &pgoutput::Column| match (identity, &table) {
            (Identity::Full, Some(table)) => table.key.iter().any(|id| table.at(*id).name == column.name),
            (Identity::Full, None) => false,
            (Identity::Default | Identity::Index | Identity::Nothing, _) => column.key,
        };
        let columns = relation.columns.iter();
        let columns = columns
            .map(|c| Column {
                name: c.name.clone(),
                key: is_key(c),
                type_oid: c.type_oid.0,
            })
            .collect();
        Relation {
            schema: relation.schema.clone(),
            name: relation.name.clone(),
            identity,
            columns,
        }
    }

    async fn map(&mut self, relation: &Arc<Relation>) -> Result<Mapping, Error> {
        let directory = self.shared.directory();
        if let Some(table) = directory.get(&relation.schema, &relation.name)
            && let Ok(mapping) = Mapping::new(relation, table)
        {
            return Ok(mapping);
        }
        // The catalogue has moved on since the change: its own description serves.
        let table = Arc::new(from_relation(relation, &self.shared.numbers));
        Mapping::new(relation, &table).map_err(|error| Error::Refused(error.to_string()))
    }

    async fn refresh(&mut self) -> Result<(), Error> {
        let catalog = synapse_engine_setup::catalog(&mut self.sql, &self.exclude).await?;
        self.mappings.clear();
        self.shared.set_directory(Directory::new(catalog, &self.shared.numbers));
        Ok(())
    }
}

/// Whether a table takes part: of our own schema the policies alone, whatever is left out by configuration.
fn replicated(exclude: &[Pattern], schema: &str, name: &str) -> bool {
    match schema == SCHEMA {
        true => name == POLICIES,
        false => !excluded(exclude, schema, name),
    }
}

fn values<'a>(tuple: &'a pgoutput::TupleData<'a>) -> impl Iterator<Item = Value<'a>> {
    tuple.values.iter().map(|value| match *value {
        pgoutput::Value::Null => Value::Null,
        pgoutput::Value::UnchangedToast => Value::Unchanged,
        pgoutput::Value::Text(bytes) => Value::Text(bytes),
        pgoutput::Value::Binary(bytes) => Value::Binary(bytes),
    })
}
