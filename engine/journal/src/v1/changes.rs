use std::sync::Arc;

use rkyv::{Archive, Serialize};
use synapse_engine_change::{ChangeSet, FlatChange, FlatValue, Identity, OpCode, ValueTag};

use crate::error::Result;
use crate::header::malformed;

/// A set of changes by columns. A value's length stands here instead of its end: small numbers that repeat compress
/// well. Where a change's first value stands follows from the operations and the relations before it.
#[derive(Archive, Serialize)]
pub(crate) struct Changes {
    relations: Vec<Relation>,
    ops: Vec<u8>,
    relation_of: Vec<u32>,
    xids: Vec<u32>,
    tags: Vec<u8>,
    lengths: Vec<u32>,
    arena: Vec<u8>,
}

#[derive(Archive, Serialize)]
struct Relation {
    schema: String,
    name: String,
    identity: u8,
    columns: Vec<Column>,
}

#[derive(Archive, Serialize)]
struct Column {
    name: String,
    type_oid: u32,
    key: bool,
}

impl Changes {
    /// The twin of `set`.
    pub(crate) fn of(set: &ChangeSet) -> Self {
        let (relations, changes, values, arena) = set.parts();
        let mut before = 0;
        let lengths = values
            .iter()
            .map(|value| value.end - std::mem::replace(&mut before, value.end))
            .collect();
        Changes {
            relations: relations.iter().map(|relation| flatten(relation)).collect(),
            ops: changes.iter().map(|change| change.op as u8).collect(),
            relation_of: changes.iter().map(|change| change.relation).collect(),
            xids: changes.iter().map(|change| change.xid).collect(),
            tags: values.iter().map(|value| value.tag as u8).collect(),
            lengths,
            arena: arena.to_vec(),
        }
    }
}

impl ArchivedChanges {
    /// The set that this is the twin of.
    pub(crate) fn to_set(&self) -> Result<ChangeSet> {
        let relations = self.relations.iter().map(restore).collect::<Result<Vec<_>>>()?;
        let changes = self.flat_changes(&relations)?;
        let values = self.flat_values()?;
        ChangeSet::from_parts(relations, changes, values, self.arena.as_slice().to_vec())
            .map_err(|error| malformed(PAYLOAD, error.0))
    }

    fn flat_changes(&self, relations: &[Arc<synapse_engine_change::Relation>]) -> Result<Vec<FlatChange>> {
        if self.relation_of.len() != self.ops.len() || self.xids.len() != self.ops.len() {
            return Err(malformed(PAYLOAD, "columns of changes differ in length"));
        }
        let mut next = 0_u32;
        let columns = self.ops.iter().zip(self.relation_of.iter()).zip(self.xids.iter());
        columns
            .map(|((op, relation), xid)| {
                let op = OpCode::from_u8(*op).ok_or(malformed(PAYLOAD, "unknown operation"))?;
                let relation = relation.to_native();
                let width = relations
                    .get(relation as usize)
                    .ok_or(malformed(PAYLOAD, "a change names no relation"))?
                    .columns
                    .len();
                let first_value = next;
                next = u32::try_from(op.tuples() * width)
                    .ok()
                    .and_then(|count| next.checked_add(count))
                    .ok_or(malformed(PAYLOAD, "more values than positions"))?;
                Ok(FlatChange {
                    op,
                    relation,
                    first_value,
                    xid: xid.to_native(),
                })
            })
            .collect()
    }

    fn flat_values(&self) -> Result<Vec<FlatValue>> {
        if self.lengths.len() != self.tags.len() {
            return Err(malformed(PAYLOAD, "columns of values differ in length"));
        }
        let mut end = 0_u32;
        self.tags
            .iter()
            .zip(self.lengths.iter())
            .map(|(tag, length)| {
                let tag = ValueTag::from_u8(*tag).ok_or(malformed(PAYLOAD, "unknown kind of value"))?;
                end = end
                    .checked_add(length.to_native())
                    .ok_or(malformed(PAYLOAD, "values run past the arena"))?;
                Ok(FlatValue { tag, end })
            })
            .collect()
    }
}

/// Errors inside the payload name its start: an archive has no order that an offset would explain.
pub(super) const PAYLOAD: usize = crate::header::BlockHeader::LENGTH;

fn flatten(relation: &synapse_engine_change::Relation) -> Relation {
    Relation {
        schema: relation.schema.clone(),
        name: relation.name.clone(),
        identity: match relation.identity {
            Identity::Default => 0,
            Identity::Index => 1,
            Identity::Full => 2,
            Identity::Nothing => 3,
        },
        columns: relation
            .columns
            .iter()
            .map(|column| Column {
                name: column.name.clone(),
                type_oid: column.type_oid,
                key: column.key,
            })
            .collect(),
    }
}

fn restore(relation: &ArchivedRelation) -> Result<Arc<synapse_engine_change::Relation>> {
    let identity = match relation.identity {
        0 => Identity::Default,
        1 => Identity::Index,
        2 => Identity::Full,
        3 => Identity::Nothing,
        _ => return Err(malformed(PAYLOAD, "unknown replica identity")),
    };
    Ok(Arc::new(synapse_engine_change::Relation {
        schema: relation.schema.as_str().to_owned(),
        name: relation.name.as_str().to_owned(),
        identity,
        columns: relation
            .columns
            .iter()
            .map(|column| synapse_engine_change::Column {
                name: column.name.as_str().to_owned(),
                key: column.key,
                type_oid: column.type_oid.to_native(),
            })
            .collect(),
    }))
}
