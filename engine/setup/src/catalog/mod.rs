//! The tables there are, which of them are replicated, and what is to be known of each.

mod read;
mod table;

use serde::{Deserialize, Serialize};

pub use read::catalog;
pub use table::{
    BaseType, Column, Exclusion, Generated, IdentityColumn, Key, ReplicaIdentity, RowSecurity, Table, TableKind,
    TypeKind, UniqueIndex,
};

/// The tables of one database at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    /// What is replicated, by schema and name.
    pub tables: Vec<Table>,
    /// What is not, by schema and name, and why.
    pub why_not_replicated: Vec<LeftOut>,
}

/// A table that is not replicated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: Reason,
}

/// Why a table is not replicated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The configuration leaves it out, by this pattern.
    Excluded(String),
    /// It holds no rows itself: its partitions are replicated, each by its name.
    Partitioned,
    /// Unlogged tables write no WAL.
    Unlogged,
    /// It belongs to one session.
    Temporary,
    /// Its rows are elsewhere.
    Foreign,
    /// The same, and the table it is a partition of is replicated: its part is missing.
    ForeignPartition,
}

/// 128 bits of BLAKE3 over a catalogue: equal when nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fingerprint(pub u128);

impl Catalog {
    /// The replicated table of that name.
    #[must_use]
    pub fn find(&self, schema: &str, name: &str) -> Option<&Table> {
        let at = self
            .tables
            .binary_search_by(|table| (table.schema.as_str(), table.name.as_str()).cmp(&(schema, name)))
            .ok()?;
        self.tables.get(at)
    }

    /// Changes with anything that this catalogue says, object ids included: comparable on one server only.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let text = serde_json::to_vec(self).expect("a catalogue is plain data");
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&blake3::hash(&text).as_bytes()[..16]);
        Fingerprint(u128::from_le_bytes(bytes))
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::Excluded(pattern) => write!(f, "left out by the pattern {pattern}"),
            Reason::Partitioned => f.write_str("its partitions are replicated, each by its name"),
            Reason::Unlogged => f.write_str("unlogged tables write no WAL"),
            Reason::Temporary => f.write_str("temporary tables belong to one session"),
            Reason::Foreign => f.write_str("foreign tables hold no rows here"),
            Reason::ForeignPartition => f.write_str("a foreign partition holds no rows here"),
        }
    }
}
