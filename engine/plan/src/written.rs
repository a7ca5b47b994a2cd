//! What a transaction did to one row, read back from its blocks.

use synapse_engine_change::{Block, Change, Old, Value};
use synapse_engine_identity::RowId;

use crate::{Added, Mapping, Row, Tables, rows_of};

/// What a transaction did to one row.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Written<'a> {
    /// The last values that it brought, by local column; `Unchanged` where it brought none.
    pub values: Option<Row<'a>>,
    /// The row as its first UPDATE or DELETE found it, where old rows are sent whole.
    pub found: Option<Row<'a>>,
    /// The row as its last DELETE found it, where old rows are sent whole.
    pub deleted: Option<Row<'a>>,
    /// Of each UPDATE what it found and what it made of that, where old rows are sent whole.
    pub updates: Vec<(Row<'a>, Row<'a>)>,
}

impl<'a> Written<'a> {
    /// Takes in what the transaction at `at` of `block` did to `row`. A large one stands in several blocks: their order
    /// counts.
    ///
    /// # Errors
    /// When the local table has not the columns of the block's.
    pub fn take(&mut self, tables: &impl Tables, block: &'a Block, at: usize, row: RowId) -> Result<(), crate::Error> {
        for change in block.changes_of(at) {
            let Some(table) = tables.find(change.relation()).filter(|table| table.id == row.table) else {
                continue;
            };
            let mapping = Mapping::new(change.relation(), &table)?;
            let (is_old, is_new) = match rows_of(&mapping, &change) {
                [Some(old), Some(new)] => (old == row, new == row),
                [Some(only), None] => (only == row, only == row),
                [None, _] => (false, false),
            };
            match change {
                Change::Insert { new, .. } if is_new => self.bring(mapping.row(new)),
                Change::Update { old, new, .. } if is_new => {
                    self.bring(mapping.whole(old, new));
                    if let (true, Some(Old::Full(was))) = (is_old, old) {
                        let was = mapping.row(was);
                        self.updates.push((was.clone(), mapping.whole(old, new)));
                        self.found.get_or_insert(was);
                    }
                }
                Change::Update { old: Some(old), .. } | Change::Delete { old, .. } if is_old => {
                    self.deleted = match old {
                        Old::Full(was) => Some(mapping.row(was)),
                        Old::Key(_) => None,
                    };
                    if let Some(was) = &self.deleted {
                        self.found.get_or_insert_with(|| was.clone());
                    }
                }
                Change::Insert { .. } | Change::Update { .. } | Change::Delete { .. } | Change::Truncate { .. } => {}
            }
        }
        Ok(())
    }

    /// What it brought to a column.
    #[must_use]
    pub fn value(&self, column: usize) -> Option<Value<'a>> {
        let value = *self.values.as_ref()?.get(column)?;
        (value != Value::Unchanged).then_some(value)
    }

    /// What its UPDATEs made of a column.
    pub fn added(&self, column: usize) -> impl Iterator<Item = Added<'a>> + '_ {
        self.updates.iter().map(move |(old, new)| Added {
            old: old[column],
            new: new[column],
            planned: false,
        })
    }

    /// What a column was before the row went away, or is since it came back.
    #[must_use]
    pub fn left(&self, column: usize) -> Option<Value<'a>> {
        let deleted = self.deleted.as_ref().map(|old| old[column]);
        deleted.or_else(|| self.updates.last().map(|(_, new)| new[column]))
    }

    fn bring(&mut self, values: Row<'a>) {
        let known = self.values.get_or_insert_with(|| vec![Value::Unchanged; values.len()]);
        for (was, is) in known.iter_mut().zip(values) {
            if is != Value::Unchanged {
                *was = is;
            }
        }
    }
}
