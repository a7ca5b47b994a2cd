use std::fmt;
use std::sync::Arc;

use crate::{ChangeSet, Relation, ValueTag};

/// One value of a tuple, read in place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Value<'a> {
    /// SQL NULL.
    Null,
    /// A TOAST value that was not touched and that the stream does not carry.
    Unchanged,
    /// The type's text output, in the encoding the stream was asked for.
    Text(&'a [u8]),
    /// The type's binary output.
    Binary(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Tag and bytes.
    #[must_use]
    pub const fn flat(self) -> (ValueTag, &'a [u8]) {
        match self {
            Value::Null => (ValueTag::Null, &[]),
            Value::Unchanged => (ValueTag::Unchanged, &[]),
            Value::Text(bytes) => (ValueTag::Text, bytes),
            Value::Binary(bytes) => (ValueTag::Binary, bytes),
        }
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Unchanged => f.write_str("unchanged"),
            Value::Text(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
            Value::Binary(bytes) => write!(f, "binary({} bytes)", bytes.len()),
        }
    }
}

/// The values of one row, in the order of its relation's columns.
#[derive(Clone, Copy)]
pub struct Tuple<'a> {
    set: &'a ChangeSet,
    first: usize,
    width: usize,
}

impl<'a> Tuple<'a> {
    pub(crate) const fn new(set: &'a ChangeSet, first: usize, width: usize) -> Self {
        Tuple { set, first, width }
    }

    /// How many values.
    #[must_use]
    pub const fn len(self) -> usize {
        self.width
    }

    /// Whether the relation has no columns.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.width == 0
    }

    /// The value of the column at `column`.
    ///
    /// # Panics
    /// When the relation has not so many columns.
    #[must_use]
    pub fn get(self, column: usize) -> Value<'a> {
        assert!(column < self.width, "column {column} of {}", self.width);
        self.set.value(self.first + column)
    }

    /// All values in column order.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        (self.first..self.first + self.width).map(move |at| self.set.value(at))
    }
}

impl fmt::Debug for Tuple<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Tuple<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.width == other.width && self.iter().eq(other.iter())
    }
}

/// What is known of a row before its change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Old<'a> {
    /// The identity's columns; the others are NULL in the stream and mean nothing.
    Key(Tuple<'a>),
    /// The whole row.
    Full(Tuple<'a>),
}

impl<'a> Old<'a> {
    /// The tuple, whichever it is.
    #[must_use]
    pub const fn tuple(self) -> Tuple<'a> {
        match self {
            Old::Key(tuple) | Old::Full(tuple) => tuple,
        }
    }
}

/// One change, read in place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change<'a> {
    /// A row came to be.
    Insert {
        /// Its table.
        relation: &'a Arc<Relation>,
        /// The row.
        new: Tuple<'a>,
    },
    /// A row changed.
    Update {
        /// Its table.
        relation: &'a Arc<Relation>,
        /// What it was; absent when its identity did not change and is not full.
        old: Option<Old<'a>>,
        /// What it is.
        new: Tuple<'a>,
    },
    /// A row went away.
    Delete {
        /// Its table.
        relation: &'a Arc<Relation>,
        /// What it was.
        old: Old<'a>,
    },
    /// All rows of a table went away.
    Truncate {
        /// The table.
        relation: &'a Arc<Relation>,
        /// Whether its sequences started anew.
        restart_identity: bool,
    },
}

impl<'a> Change<'a> {
    /// The table changed.
    #[must_use]
    pub const fn relation(&self) -> &'a Arc<Relation> {
        match self {
            Change::Insert { relation, .. }
            | Change::Update { relation, .. }
            | Change::Delete { relation, .. }
            | Change::Truncate { relation, .. } => relation,
        }
    }
}
