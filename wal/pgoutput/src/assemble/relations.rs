use std::collections::HashMap;
use std::sync::Arc;

use synapse_wal_types::Oid;

use crate::{ColumnMessage, RelationMessage, ReplicaIdentity};

/// The definition of a table at the time of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The table, on the sending server.
    pub oid: Oid,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// How its rows are told apart.
    pub identity: ReplicaIdentity,
    /// Its published columns, in the order of the tuples.
    pub columns: Vec<Column>,
}

/// One column of a [`Relation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// It belongs to the replica identity (all do under `REPLICA IDENTITY FULL`).
    pub key: bool,
    /// Its type, on the sending server.
    pub type_oid: Oid,
    /// `atttypmod`: -1 for none.
    pub type_modifier: i32,
}

impl From<&RelationMessage<'_>> for Relation {
    fn from(message: &RelationMessage<'_>) -> Self {
        let schema = if message.schema.is_empty() {
            "pg_catalog"
        } else {
            message.schema
        };
        Relation {
            oid: message.oid,
            schema: schema.to_owned(),
            name: message.name.to_owned(),
            identity: message.identity,
            columns: message.columns.iter().map(Column::from).collect(),
        }
    }
}

impl From<&ColumnMessage<'_>> for Column {
    fn from(message: &ColumnMessage<'_>) -> Self {
        Column {
            name: message.name.to_owned(),
            key: message.key,
            type_oid: message.type_oid,
            type_modifier: message.type_modifier,
        }
    }
}

/// A definition and when it came, as a count of all definitions that came.
#[derive(Clone, Debug)]
struct Described {
    relation: Arc<Relation>,
    received: u64,
}

/// Definitions that hold together: those of committed transactions, or those of one streamed transaction.
///
/// It mirrors the server's `RelationSyncCache` (`pgoutput.c`): `schema_sent` for committed transactions, `streamed_txns`
/// for each streamed one. As many entries as the database has published tables.
#[derive(Debug, Default)]
pub(super) struct Relations {
    by_oid: HashMap<Oid, Described>,
}

impl Relations {
    /// The definition in force.
    pub(super) fn get(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.by_oid.get(&oid).map(|described| &described.relation)
    }

    /// Takes a definition that just came as number `received`. One that says nothing new keeps its `Arc`.
    pub(super) fn learn(&mut self, relation: Relation, received: u64) {
        match self.by_oid.get_mut(&relation.oid) {
            Some(known) if *known.relation == relation => known.received = received,
            Some(known) => {
                *known = Described {
                    relation: Arc::new(relation),
                    received,
                }
            }
            None => {
                self.by_oid.insert(
                    relation.oid,
                    Described {
                        relation: Arc::new(relation),
                        received,
                    },
                );
            }
        }
    }

    /// Takes over what a streamed transaction learnt, because it committed: the server will not repeat it
    /// (`cleanup_rel_sync_cache`). What a committed transaction brought later than that stays.
    pub(super) fn merge(&mut self, streamed: Relations) {
        for (oid, theirs) in streamed.by_oid {
            match self.by_oid.get_mut(&oid) {
                Some(ours) if ours.received > theirs.received => {}
                Some(ours) if ours.relation == theirs.relation => ours.received = theirs.received,
                Some(ours) => *ours = theirs,
                None => {
                    self.by_oid.insert(oid, theirs);
                }
            }
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.by_oid.clear();
    }
}
