use std::fmt;

use serde::{Deserialize, Serialize};

/// A table as this process knows it: interned from schema and name; another process numbers differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId(pub u32);

/// A column as this process knows it: interned per table from its name, because peers may order columns differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ColumnId(pub u16);

/// 128 bits of BLAKE3 over the canonical key: equal for keys that PostgreSQL holds equal, and for no others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyHash(pub [u8; 16]);

impl KeyHash {
    /// Hashes key parts, each already in canonical form. The parts' lengths are hashed as well, so that no two lists
    /// of parts run together.
    #[must_use]
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut hash = [0; 16];
        hash.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        KeyHash(hash)
    }

    /// Reads 32 hexadecimal digits.
    #[must_use]
    pub fn from_hex(digits: &str) -> Option<Self> {
        let number = u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32)?;
        Some(KeyHash(number.to_be_bytes()))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..6] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// One row for ever: a table and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RowId {
    /// The table.
    pub table: TableId,
    /// The row in it.
    pub key: KeyHash,
}

/// A set of columns of one table. Empty for nearly every write, and then it owns no memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ColumnSet {
    words: Vec<u64>,
}

impl ColumnSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        ColumnSet { words: Vec::new() }
    }

    /// Whether no column is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether `column` is in it.
    #[must_use]
    pub fn contains(&self, column: ColumnId) -> bool {
        self.words
            .get(usize::from(column.0 / 64))
            .is_some_and(|word| word & (1 << (column.0 % 64)) != 0)
    }

    /// Puts `column` in.
    pub fn insert(&mut self, column: ColumnId) {
        let word = usize::from(column.0 / 64);
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (column.0 % 64);
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &ColumnSet) -> ColumnSet {
        Self::trimmed(self.words.iter().zip(&other.words).map(|(a, b)| a & b).collect())
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn difference(&self, other: &ColumnSet) -> ColumnSet {
        let theirs = other.words.iter().copied().chain(std::iter::repeat(0));
        Self::trimmed(self.words.iter().zip(theirs).map(|(a, b)| a & !b).collect())
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &ColumnSet) -> ColumnSet {
        let (long, short) = if self.words.len() < other.words.len() {
            (other, self)
        } else {
            (self, other)
        };
        let mut words = long.words.clone();
        for (word, more) in words.iter_mut().zip(&short.words) {
            *word |= more;
        }
        Self::trimmed(words)
    }

    /// Its columns, ascending.
    pub fn iter(&self) -> impl Iterator<Item = ColumnId> + '_ {
        let columns = (0..=u16::MAX).take(self.words.len() * 64);
        columns.map(ColumnId).filter(|column| self.contains(*column))
    }

    /// Equal sets are equal values: no zero words at the end.
    fn trimmed(mut words: Vec<u64>) -> Self {
        while words.last() == Some(&0) {
            words.pop();
        }
        ColumnSet { words }
    }
}

impl FromIterator<ColumnId> for ColumnSet {
    fn from_iter<I: IntoIterator<Item = ColumnId>>(columns: I) -> Self {
        let mut set = ColumnSet::new();
        for column in columns {
            set.insert(column);
        }
        set
    }
}

/// What one transaction did to one row, as far as the kernel must know: values stay where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The row.
    pub row: RowId,
    /// What was done.
    pub op: WriteOp,
}

/// The kinds of writes. A key change is a delete of the old row and an insert of the new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriteOp {
    /// A row came to be; it carries every column but `missing` (empty unless a key change left TOAST values behind).
    Insert {
        /// Columns whose values the stream did not carry.
        missing: ColumnSet,
    },
    /// A row changed; it carries every column but `missing` (unchanged TOAST values).
    Update {
        /// Columns that were not touched, and whose values the stream did not carry.
        missing: ColumnSet,
    },
    /// A row went away.
    Delete,
}
