use serde::{Deserialize, Serialize};

/// How old rows are identified in the stream (`REPLICA IDENTITY`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Identity {
    /// By the primary key.
    Default,
    /// By a unique index.
    Index,
    /// By all columns.
    Full,
    /// Not at all: no updates and deletes are published.
    Nothing,
}

/// A table as its origin published it. Peers find their own by schema and name, columns by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Relation {
    /// Schema name, unquoted.
    pub schema: String,
    /// Table name, unquoted.
    pub name: String,
    /// How old rows are identified.
    pub identity: Identity,
    /// The published columns, in the order of the values.
    pub columns: Vec<Column>,
}

impl Relation {
    /// Positions of the identity's columns.
    pub fn key(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.key)
            .map(|(at, _)| at)
    }
}

/// A published column.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Column {
    /// Its name, unquoted.
    pub name: String,
    /// Whether it belongs to the primary key (or to the identity index), also under full identity.
    pub key: bool,
    /// The type's OID at the origin: only those below 16384 mean the same everywhere.
    pub type_oid: u32,
}
