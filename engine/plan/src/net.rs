//! The changes of one row within a segment, merged.

use synapse_engine_change::Value;

use crate::Row;

/// What is left of a row's changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Net<'a> {
    Insert(Row<'a>),
    Update(Row<'a>),
    Delete,
    /// Deleted, then inserted anew.
    Replace(Row<'a>),
    /// Inserted, then deleted. No statement is needed: had someone else inserted it meanwhile, the re-check at the
    /// marker would see that. Not so where rows may be displaced: it may stand elsewhere.
    Nothing,
}

/// One more change of the row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next<'a> {
    Insert(Row<'a>),
    Update(Row<'a>),
    Delete,
}

impl<'a> Net<'a> {
    pub(crate) fn first(next: Next<'a>) -> Self {
        match next {
            Next::Insert(row) => Net::Insert(row),
            Next::Update(row) => Net::Update(row),
            Next::Delete => Net::Delete,
        }
    }

    /// The net effect with `next` after it. An error when one does not follow the other: the origin applied another
    /// node's delete or insert between the two, which its own stream does not show. It says what the origin wrote last.
    pub(crate) fn then(self, next: Next<'a>) -> Result<Self, Self> {
        Ok(match (self, next) {
            (Net::Insert(row), Next::Update(new)) => Net::Insert(merge(row, new)),
            (Net::Update(row), Next::Update(new)) => Net::Update(merge(row, new)),
            (Net::Replace(row), Next::Update(new)) => Net::Replace(merge(row, new)),
            (Net::Insert(_), Next::Delete) => Net::Nothing,
            (Net::Update(_) | Net::Replace(_), Next::Delete) => Net::Delete,
            (Net::Delete, Next::Insert(row)) => Net::Replace(row),
            (Net::Nothing, Next::Insert(row)) => Net::Insert(row),
            (Net::Insert(_) | Net::Update(_) | Net::Replace(_), next @ Next::Insert(_))
            | (Net::Delete | Net::Nothing, next @ (Next::Update(_) | Next::Delete)) => return Err(Net::first(next)),
        })
    }
}

fn merge<'a>(mut row: Row<'a>, new: Row<'a>) -> Row<'a> {
    for (was, is) in row.iter_mut().zip(new) {
        if is != Value::Unchanged {
            *was = is;
        }
    }
    row
}
