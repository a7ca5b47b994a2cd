use serde::{Deserialize, Serialize};
use synapse_wal_types::Oid;

/// A replicated table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its id on this server.
    pub oid: Oid,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Whether it is part of a partitioned table.
    pub kind: TableKind,
    /// What old tuples carry.
    pub replica_identity: ReplicaIdentity,
    /// Its columns, in order; dropped ones are left out.
    pub columns: Vec<Column>,
    /// Its primary key.
    pub primary_key: Option<Key>,
    /// The index of REPLICA IDENTITY USING INDEX.
    pub identity_index: Option<Key>,
    /// Valid unique indexes other than the primary key, by name.
    pub unique_indexes: Vec<UniqueIndex>,
    /// Exclusion constraints, by name.
    pub exclusions: Vec<Exclusion>,
    /// Whether it refers to other tables.
    pub foreign_keys: bool,
    /// Whether other tables refer to it.
    pub referenced: bool,
    /// Triggers marked ENABLE ALWAYS or REPLICA, which fire in apply sessions too.
    pub apply_triggers: Vec<String>,
    /// Row level security; matters to apply sessions when forced.
    pub row_security: RowSecurity,
}

impl Table {
    /// The columns that identify a row: the primary key, else the replica identity's index; none for a table without a
    /// key. A deferrable key is none: it is not enforced in apply sessions, and PostgreSQL does not log it.
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        let primary_key = self.primary_key.as_ref().filter(|key| !key.deferrable);
        primary_key.or(self.identity_index.as_ref())
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// The kinds of tables that hold rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// A table by itself.
    Ordinary,
    /// A leaf of a partitioned table.
    Partition,
}

/// What WAL carries of a row that was changed or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaIdentity {
    /// The primary key.
    Default,
    /// All columns.
    Full,
    /// The columns of an index.
    Index,
    /// Nothing.
    Nothing,
}

/// Row level security of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowSecurity {
    /// None.
    Off,
    /// For all but the owner and those who bypass it.
    On,
    /// For the owner too.
    Forced,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its number in the table, from 1, with gaps where columns were dropped.
    pub attnum: i16,
    /// Its type with its modifier, fit for a cast whatever the search path: `numeric(10,2)`, `app."Mood"[]`.
    pub type_name: String,
    /// Its type's id on this server.
    pub type_oid: Oid,
    /// Its type's kind.
    pub type_kind: TypeKind,
    /// Its type's category letter (`typcategory`).
    pub type_category: char,
    /// Its type without domains.
    pub base: BaseType,
    /// NOT NULL.
    pub not_null: bool,
    /// Whether it is computed.
    pub generated: Generated,
    /// Whether it is an identity column.
    pub identity: IdentityColumn,
    /// Whether equal values are the same bytes, as far as the collation is concerned.
    pub deterministic: bool,
    /// Whether its values may be stored out of line, so that an update may leave them unsent.
    pub toastable: bool,
}

/// The type below all domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseType {
    /// Its name without a modifier, fit for a cast whatever the search path.
    pub name: String,
    /// Its id on this server.
    pub oid: Oid,
    /// Its kind; never a domain.
    pub kind: TypeKind,
    /// Its category letter (`typcategory`).
    pub category: char,
    /// For an array: its elements' type.
    pub element_oid: Option<Oid>,
    /// For an array: the name of its elements' type, fit for a cast.
    pub element_name: Option<String>,
}

impl BaseType {
    /// Whether it is an array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        self.element_oid.is_some()
    }
}

/// The kinds of types (`typtype`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeKind {
    /// A base type or an array.
    Base,
    /// A row type.
    Composite,
    /// A domain.
    Domain,
    /// An enum.
    Enum,
    /// A range.
    Range,
    /// A multirange.
    Multirange,
    /// A pseudo-type; no column has one.
    Pseudo,
}

/// Whether a column is computed from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generated {
    /// It is not.
    No,
    /// When it is written.
    Stored,
    /// When it is read (PostgreSQL 18).
    Virtual,
}

/// Whether a column draws from a sequence of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityColumn {
    /// It does not.
    No,
    /// GENERATED ALWAYS AS IDENTITY: writing it needs OVERRIDING SYSTEM VALUE.
    Always,
    /// GENERATED BY DEFAULT AS IDENTITY.
    ByDefault,
}

/// A unique index over plain columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The index's name.
    pub name: String,
    /// Its columns, in index order.
    pub columns: Vec<String>,
    /// Whether it belongs to a deferrable constraint, which is not enforced in apply sessions.
    pub deferrable: bool,
}

/// A unique index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniqueIndex {
    /// Its name.
    pub name: String,
    /// Its plain columns, in index order.
    pub columns: Vec<String>,
    /// Whether it belongs to a deferrable constraint, which is not enforced in apply sessions.
    pub deferrable: bool,
    /// Whether it holds expressions besides `columns`.
    pub expressions: bool,
    /// The condition of a partial index, as SQL.
    pub predicate: Option<String>,
    /// Whether two nulls differ; not so with NULLS NOT DISTINCT (PostgreSQL 15).
    pub nulls_distinct: bool,
}

/// An exclusion constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Its name.
    pub name: String,
    /// Its plain columns, in index order.
    pub columns: Vec<String>,
    /// Whether it is deferrable, and so not enforced in apply sessions.
    pub deferrable: bool,
    /// The constraint as SQL; none for a primary key or unique constraint WITHOUT OVERLAPS (PostgreSQL 18).
    pub definition: Option<String>,
}
