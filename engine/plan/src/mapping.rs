use std::sync::Arc;

use synapse_engine_change::{Old, Relation, Tuple, Value};
use synapse_engine_identity::{ColumnId, ColumnSet};
use synapse_engine_replication::Rules;

use crate::{Error, Row, Table};

/// An origin's columns, in the order of its tuples, onto a local table.
#[derive(Clone, Debug)]
pub struct Mapping {
    table: Arc<Table>,
    /// For each column of the relation its place in the table; `None` where the table computes it itself.
    columns: Vec<Option<ColumnId>>,
}

impl Mapping {
    /// Finds every column by name and compares the identities.
    pub fn new(relation: &Relation, table: &Arc<Table>) -> Result<Self, Error> {
        let names = || (table.schema.clone(), table.name.clone());
        let mut columns = Vec::with_capacity(relation.columns.len());
        for column in &relation.columns {
            let Some(id) = table.column(&column.name) else {
                let (schema, table) = names();
                return Err(Error::MissingColumn {
                    schema,
                    table,
                    column: column.name.clone(),
                });
            };
            columns.push(table.at(id).writable.then_some(id));
        }
        let mut theirs: Vec<&str> = relation.key().map(|at| relation.columns[at].name.as_str()).collect();
        let mut ours: Vec<&str> = table.key.iter().map(|id| table.at(*id).name.as_str()).collect();
        theirs.sort_unstable();
        ours.sort_unstable();
        if theirs != ours {
            let (schema, table) = names();
            return Err(Error::IdentityDiffers {
                schema,
                table,
                theirs: theirs.join(", "),
                ours: ours.join(", "),
            });
        }
        Ok(Mapping {
            table: Arc::clone(table),
            columns,
        })
    }

    /// The local table.
    #[must_use]
    pub const fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// The tuple's values by local column; what it does not carry is `Unchanged`.
    #[must_use]
    pub fn row<'a>(&self, tuple: Tuple<'a>) -> Row<'a> {
        let mut row = vec![Value::Unchanged; self.table.columns.len()];
        for (value, column) in tuple.iter().zip(&self.columns) {
            if let Some(id) = column {
                row[usize::from(id.0)] = value;
            }
        }
        row
    }

    /// As [`Self::row`], with what the stream carries of the old row in place of what the new one leaves alone.
    #[must_use]
    pub fn whole<'a>(&self, old: Option<Old<'a>>, new: Tuple<'a>) -> Row<'a> {
        let mut row = self.row(new);
        if let Some(Old::Full(old)) = old {
            for (value, was) in row.iter_mut().zip(self.row(old)) {
                if *value == Value::Unchanged {
                    *value = was;
                }
            }
        }
        row
    }

    /// What an UPDATE says of its row under these rules: all columns of the new row; where columns are merged only those
    /// that it changed, and the key; where a function needs the row whole, all of it.
    #[must_use]
    pub fn carried<'a>(&self, old: Option<Old<'a>>, new: Tuple<'a>, rules: &Rules) -> Row<'a> {
        if rules.carries_all() {
            return self.whole(old, new);
        }
        let mut row = self.row(new);
        if let Some(Old::Full(old)) = old.filter(|_| rules.merges()) {
            for (at, (value, was)) in row.iter_mut().zip(self.row(old)).enumerate() {
                let of_key = self.table.key.iter().any(|column| usize::from(column.0) == at);
                if *value == was && !of_key {
                    *value = Value::Unchanged;
                }
            }
        }
        row
    }

    /// The relation's columns that can be written here.
    pub fn columns(&self) -> impl Iterator<Item = ColumnId> + '_ {
        self.columns.iter().flatten().copied()
    }

    /// The key's values by local column and nothing else: what an old tuple says beside its key is not a write, and
    /// where it is not full, not even true.
    #[must_use]
    pub fn key_row<'a>(&self, tuple: Tuple<'a>) -> Row<'a> {
        let mut row = self.row(tuple);
        for (at, value) in row.iter_mut().enumerate() {
            if !self.table.key.iter().any(|column| usize::from(column.0) == at) {
                *value = Value::Unchanged;
            }
        }
        row
    }

    /// The tuple's columns whose values the stream did not carry.
    #[must_use]
    pub fn missing(&self, tuple: Tuple<'_>) -> ColumnSet {
        let unchanged = tuple
            .iter()
            .zip(&self.columns)
            .filter(|(value, _)| matches!(value, Value::Unchanged));
        unchanged.filter_map(|(_, column)| *column).collect()
    }

    /// The value of a local column in the tuple.
    #[must_use]
    pub fn value<'a>(&self, tuple: Tuple<'a>, column: ColumnId) -> Value<'a> {
        self.columns
            .iter()
            .position(|c| *c == Some(column))
            .map_or(Value::Unchanged, |at| tuple.get(at))
    }
}

#[cfg(test)]
mod tests;
