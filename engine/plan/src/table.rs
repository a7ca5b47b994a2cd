use synapse_engine_identity::{ColumnId, TableId};

use crate::key::KeyClass;

/// A local table that takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// This process's number for it.
    pub id: TableId,
    /// Schema, unquoted.
    pub schema: String,
    /// Name, unquoted.
    pub name: String,
    /// Columns; a column's place is its [`ColumnId`]. A dropped column keeps its place.
    pub columns: Vec<TableColumn>,
    /// The columns of the replica identity; empty for a table without a key.
    pub key: Vec<ColumnId>,
    /// What besides the key keeps two of its rows from standing together.
    pub constrained: Constrained,
}

/// What besides its key keeps two rows of a table from standing together: unique indexes and exclusion constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constrained {
    /// Nothing.
    No,
    /// Constraints that the server enforces on all that is written.
    Enforced,
    /// Deferrable ones among them: the server does not enforce these on what is applied.
    Deferrable,
}

/// A column of a local table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name, unquoted.
    pub name: String,
    /// Its type as SQL for a cast, schema-qualified.
    pub type_sql: String,
    /// How two values of it are told to be equal.
    pub class: KeyClass,
    /// Whether it is GENERATED ALWAYS AS IDENTITY, so that an insert must override it.
    pub identity_always: bool,
    /// Whether it can be written: not generated, not dropped.
    pub writable: bool,
}

impl Table {
    /// Whether rows can be told apart.
    #[must_use]
    pub fn has_key(&self) -> bool {
        !self.key.is_empty()
    }

    /// The column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<ColumnId> {
        let at = self.columns.iter().position(|c| c.name == name)?;
        u16::try_from(at).ok().map(ColumnId)
    }

    /// The column with that number.
    ///
    /// # Panics
    /// When the table has not so many.
    #[must_use]
    pub fn at(&self, column: ColumnId) -> &TableColumn {
        &self.columns[usize::from(column.0)]
    }
}
