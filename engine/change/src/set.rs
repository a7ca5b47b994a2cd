use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Relation;
use crate::view::{Change, Old, Value};

/// What kind of change stands at a place, and which tuples it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum OpCode {
    /// One tuple: the new row.
    Insert = 0,
    /// One tuple: the new row, whose identity did not change.
    Update = 1,
    /// Two tuples: the old identity, then the new row.
    UpdateOldKey = 2,
    /// Two tuples: the whole old row, then the new row.
    UpdateOldFull = 3,
    /// One tuple: the old identity.
    DeleteKey = 4,
    /// One tuple: the whole old row.
    DeleteFull = 5,
    /// No tuple. A TRUNCATE of several tables is one change for each; consecutive ones are written as one statement.
    Truncate = 6,
    /// As `Truncate`, with RESTART IDENTITY.
    TruncateRestart = 7,
}

impl OpCode {
    /// The code for a number, if it is one.
    #[must_use]
    pub const fn from_u8(code: u8) -> Option<OpCode> {
        Some(match code {
            0 => OpCode::Insert,
            1 => OpCode::Update,
            2 => OpCode::UpdateOldKey,
            3 => OpCode::UpdateOldFull,
            4 => OpCode::DeleteKey,
            5 => OpCode::DeleteFull,
            6 => OpCode::Truncate,
            7 => OpCode::TruncateRestart,
            _ => return None,
        })
    }

    /// How many tuples a change of this kind has.
    #[must_use]
    pub const fn tuples(self) -> usize {
        match self {
            OpCode::Truncate | OpCode::TruncateRestart => 0,
            OpCode::Insert | OpCode::Update | OpCode::DeleteKey | OpCode::DeleteFull => 1,
            OpCode::UpdateOldKey | OpCode::UpdateOldFull => 2,
        }
    }
}

/// What stands in a value's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum ValueTag {
    /// SQL NULL.
    Null = 0,
    /// A TOAST value that was not touched and that the stream does not carry.
    Unchanged = 1,
    /// The type's text output.
    Text = 2,
    /// The type's binary output.
    Binary = 3,
}

impl ValueTag {
    /// The tag for a number, if it is one.
    #[must_use]
    pub const fn from_u8(tag: u8) -> Option<ValueTag> {
        Some(match tag {
            0 => ValueTag::Null,
            1 => ValueTag::Unchanged,
            2 => ValueTag::Text,
            3 => ValueTag::Binary,
            _ => return None,
        })
    }
}

/// One change in flat form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlatChange {
    /// What was done.
    pub op: OpCode,
    /// Which of the set's relations.
    pub relation: u32,
    /// Where its first value stands in the list of values; it has `op.tuples()` times the relation's columns of them.
    pub first_value: u32,
    /// The transaction or subtransaction that made it; only large transactions need it, to drop what was rolled back.
    pub xid: u32,
}

/// One value in flat form: its bytes end at `end` in the arena and begin where the one before ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlatValue {
    /// What stands here.
    pub tag: ValueTag,
    /// End of its bytes in the arena.
    pub end: u32,
}

/// The changes of one or many transactions, flat: relations, changes, values, one arena of bytes. At most 4 GiB of
/// values, at most 2^32 of anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    relations: Vec<Arc<Relation>>,
    changes: Vec<FlatChange>,
    values: Vec<FlatValue>,
    arena: Vec<u8>,
}

/// The flat parts of a set, in the order in which they refer to one another.
pub type FlatParts<'a> = (&'a [Arc<Relation>], &'a [FlatChange], &'a [FlatValue], &'a [u8]);

/// A set would outgrow its 32-bit positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a set of changes holds at most 4 GiB of values")]
pub struct Full;

/// The parts do not make a set: a position points past an end, or counts disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed set of changes: {0}")]
pub struct Malformed(pub &'static str);

impl ChangeSet {
    /// A set with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a set together from its flat parts, checking that every position stays inside.
    pub fn from_parts(
        relations: Vec<Arc<Relation>>,
        changes: Vec<FlatChange>,
        values: Vec<FlatValue>,
        arena: Vec<u8>,
    ) -> Result<Self, Malformed> {
        let mut end = 0;
        for value in &values {
            if value.end < end {
                return Err(Malformed("values do not follow one another"));
            }
            end = value.end;
        }
        if end as usize != arena.len() {
            return Err(Malformed("values do not fill the arena"));
        }
        let mut next = 0;
        for change in &changes {
            let relation = relations
                .get(change.relation as usize)
                .ok_or(Malformed("a change names no relation"))?;
            if change.first_value as usize != next {
                return Err(Malformed("changes do not follow one another"));
            }
            next += change.op.tuples() * relation.columns.len();
        }
        if next != values.len() {
            return Err(Malformed("changes do not use all values"));
        }
        Ok(ChangeSet {
            relations,
            changes,
            values,
            arena,
        })
    }

    /// The flat parts: relations, changes, values, arena.
    #[must_use]
    pub fn parts(&self) -> FlatParts<'_> {
        (&self.relations, &self.changes, &self.values, &self.arena)
    }

    /// How many changes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Memory held, in bytes, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.arena.len() + self.values.len() * size_of::<FlatValue>() + self.changes.len() * size_of::<FlatChange>()
    }

    /// The number of `relation` in this set, added if it is new. Relations are compared by content.
    pub fn relation(&mut self, relation: &Arc<Relation>) -> u32 {
        let known = self
            .relations
            .iter()
            .rposition(|r| Arc::ptr_eq(r, relation) || r == relation);
        let at = known.unwrap_or_else(|| {
            self.relations.push(Arc::clone(relation));
            self.relations.len() - 1
        });
        u32::try_from(at).expect("fewer relations than changes, and those are counted in 32 bits")
    }

    /// Appends a change. `tuples` yields the values of each tuple of the operation in column order.
    ///
    /// # Panics
    /// When the number of values is not `op.tuples()` times the relation's columns: going on would misread every later
    /// change.
    pub fn push<'v>(
        &mut self,
        relation: &Arc<Relation>,
        op: OpCode,
        xid: u32,
        values: impl IntoIterator<Item = Value<'v>>,
    ) -> Result<(), Full> {
        let first_value = u32::try_from(self.values.len()).map_err(|_| Full)?;
        let (values_before, arena_before) = (self.values.len(), self.arena.len());
        for value in values {
            let (tag, bytes) = value.flat();
            self.arena.extend_from_slice(bytes);
            let Ok(end) = u32::try_from(self.arena.len()) else {
                self.values.truncate(values_before);
                self.arena.truncate(arena_before);
                return Err(Full);
            };
            self.values.push(FlatValue { tag, end });
        }
        let expected = op.tuples() * relation.columns.len();
        assert_eq!(
            self.values.len() - values_before,
            expected,
            "a change carries a value for every column"
        );
        let relation = self.relation(relation);
        self.changes.push(FlatChange {
            op,
            relation,
            first_value,
            xid,
        });
        Ok(())
    }

    /// Appends the changes `range` of `other` for which `keep` says so of their xid.
    pub fn extend_from(
        &mut self,
        other: &ChangeSet,
        range: std::ops::Range<usize>,
        keep: impl Fn(u32) -> bool,
    ) -> Result<(), Full> {
        for at in range {
            let flat = other.changes[at];
            if keep(flat.xid) {
                let relation = &other.relations[flat.relation as usize];
                let first = flat.first_value as usize;
                let count = flat.op.tuples() * relation.columns.len();
                self.push(
                    relation,
                    flat.op,
                    flat.xid,
                    (first..first + count).map(|v| other.value(v)),
                )?;
            }
        }
        Ok(())
    }

    /// The change at `at`.
    ///
    /// # Panics
    /// When there are not so many.
    #[must_use]
    pub fn get(&self, at: usize) -> Change<'_> {
        let flat = self.changes[at];
        let relation = &self.relations[flat.relation as usize];
        let first = flat.first_value as usize;
        let width = relation.columns.len();
        let tuple = |n: usize| crate::Tuple::new(self, first + n * width, width);
        match flat.op {
            OpCode::Insert => Change::Insert {
                relation,
                new: tuple(0),
            },
            OpCode::Update => Change::Update {
                relation,
                old: None,
                new: tuple(0),
            },
            OpCode::UpdateOldKey => Change::Update {
                relation,
                old: Some(Old::Key(tuple(0))),
                new: tuple(1),
            },
            OpCode::UpdateOldFull => Change::Update {
                relation,
                old: Some(Old::Full(tuple(0))),
                new: tuple(1),
            },
            OpCode::DeleteKey => Change::Delete {
                relation,
                old: Old::Key(tuple(0)),
            },
            OpCode::DeleteFull => Change::Delete {
                relation,
                old: Old::Full(tuple(0)),
            },
            OpCode::Truncate => Change::Truncate {
                relation,
                restart_identity: false,
            },
            OpCode::TruncateRestart => Change::Truncate {
                relation,
                restart_identity: true,
            },
        }
    }

    /// The changes of `range`, in order.
    pub fn iter(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = Change<'_>> {
        range.map(|at| self.get(at))
    }

    /// The value at `at` in the flat list.
    pub(crate) fn value(&self, at: usize) -> Value<'_> {
        let start = if at == 0 { 0 } else { self.values[at - 1].end as usize };
        let FlatValue { tag, end } = self.values[at];
        let bytes = &self.arena[start..end as usize];
        match tag {
            ValueTag::Null => Value::Null,
            ValueTag::Unchanged => Value::Unchanged,
            ValueTag::Text => Value::Text(bytes),
            ValueTag::Binary => Value::Binary(bytes),
        }
    }
}
