//! Whole rows, kept beyond the answer that they came in.

use synapse_engine_change::Value;
use synapse_engine_identity::ColumnId;
use synapse_engine_plan::Row;

/// A whole row, by local column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole(Vec<Cell>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cell {
    /// The server computes it, or it is not known.
    Open,
    Null,
    Text(Vec<u8>),
}

impl Whole {
    /// A row of `width` columns that has these values, as the server writes them, `None` for NULL.
    pub fn of(width: usize, values: impl IntoIterator<Item = (ColumnId, Option<Vec<u8>>)>) -> Self {
        let mut cells = vec![Cell::Open; width];
        for (id, text) in values {
            if let Some(cell) = cells.get_mut(usize::from(id.0)) {
                *cell = text.map_or(Cell::Null, Cell::Text);
            }
        }
        Whole(cells)
    }

    /// The row with what `values` has in place of what it has.
    #[must_use]
    pub fn with(mut self, values: &Row<'_>) -> Self {
        for (cell, value) in self.0.iter_mut().zip(values) {
            match value {
                Value::Unchanged => {}
                Value::Null => *cell = Cell::Null,
                Value::Text(text) | Value::Binary(text) => *cell = Cell::Text(text.to_vec()),
            }
        }
        self
    }

    /// As statements take it.
    #[must_use]
    pub fn row(&self) -> Row<'_> {
        self.0.iter().map(Cell::value).collect()
    }

    /// Its values by column, without those that are open.
    pub fn values(&self) -> impl Iterator<Item = (ColumnId, Option<&[u8]>)> {
        let values = (0..=u16::MAX).map(ColumnId).zip(&self.0);
        values.filter_map(|(id, cell)| match cell {
            Cell::Open => None,
            Cell::Null => Some((id, None)),
            Cell::Text(text) => Some((id, Some(text.as_slice()))),
        })
    }

    /// The columns in which it differs from `other`.
    #[must_use]
    pub fn differs(&self, other: &Whole) -> Vec<ColumnId> {
        let pairs = (0..=u16::MAX).map(ColumnId).zip(self.0.iter().zip(&other.0));
        pairs.filter(|(_, (a, b))| a != b).map(|(id, _)| id).collect()
    }
}

impl Cell {
    fn value(&self) -> Value<'_> {
        match self {
            Cell::Open => Value::Unchanged,
            Cell::Null => Value::Null,
            Cell::Text(text) => Value::Text(text),
        }
    }
}
