use std::sync::Arc;

use synapse_wal_types::{Oid, Xid};

use super::assembler::Assembler;
use super::place::{Facts, Place};
use super::relations::Relations;
use crate::{
    Change, Delete, Error, First, Insert, Kind, LogicalMessage, NamedOrigin, Origin, Relation, RelationMessage,
};
use crate::{Step, Truncate, TupleData, Update};

/// What stands inside transactions: definitions and changes.
impl Assembler {
    pub(super) fn origin<'a>(&mut self, origin: Origin<'_>) -> Result<Step<'a>, Error> {
        let named = NamedOrigin {
            name: origin.name.into(),
            origin_lsn: origin.origin_lsn,
        };
        self.facts(Kind::Origin)?.origin = Some(named);
        Ok(Step::Noted)
    }

    pub(super) fn relation<'a>(&mut self, message: &RelationMessage<'_>) -> Result<Step<'a>, Error> {
        self.writer(Kind::Relation, message.xid)?;
        self.definitions += 1;
        let received = self.definitions;
        self.relations_mut().learn(message.into(), received);
        Ok(Step::Noted)
    }

    pub(super) fn insert<'a>(&mut self, kind: Kind, insert: Insert<'a>) -> Result<Step<'a>, Error> {
        let relation = self.resolve(kind, insert.xid, insert.relation)?;
        fits(kind, &relation, &insert.new)?;
        self.change(
            kind,
            insert.xid,
            Change::Insert {
                relation,
                new: insert.new,
            },
        )
    }

    pub(super) fn update<'a>(&mut self, kind: Kind, update: Update<'a>) -> Result<Step<'a>, Error> {
        let relation = self.resolve(kind, update.xid, update.relation)?;
        fits(kind, &relation, &update.new)?;
        update
            .old
            .iter()
            .try_for_each(|old| fits(kind, &relation, old.tuple()))?;
        self.change(
            kind,
            update.xid,
            Change::Update {
                relation,
                old: update.old,
                new: update.new,
            },
        )
    }

    pub(super) fn delete<'a>(&mut self, kind: Kind, delete: Delete<'a>) -> Result<Step<'a>, Error> {
        let relation = self.resolve(kind, delete.xid, delete.relation)?;
        fits(kind, &relation, delete.old.tuple())?;
        self.change(
            kind,
            delete.xid,
            Change::Delete {
                relation,
                old: delete.old,
            },
        )
    }

    pub(super) fn truncate<'a>(&mut self, kind: Kind, truncate: &Truncate) -> Result<Step<'a>, Error> {
        let relations = truncate
            .relations
            .iter()
            .map(|oid| self.resolve(kind, truncate.xid, *oid));
        let relations = relations.collect::<Result<Vec<_>, _>>()?;
        self.change(
            kind,
            truncate.xid,
            Change::Truncate {
                relations,
                options: truncate.options,
            },
        )
    }

    pub(super) fn logical<'a>(&mut self, message: LogicalMessage<'a>) -> Result<Step<'a>, Error> {
        if !message.transactional {
            return Ok(Step::Message(message));
        }
        let writer = self.writer(Kind::Message, message.xid)?;
        self.facts(Kind::Message)?.first.note(writer, || First::from(&message));
        let LogicalMessage {
            lsn, prefix, content, ..
        } = message;
        Ok(self.place_change(writer, Change::Message { lsn, prefix, content }))
    }

    fn change<'a>(&mut self, kind: Kind, xid: Option<Xid>, change: Change<'a>) -> Result<Step<'a>, Error> {
        let writer = self.writer(kind, xid)?;
        self.facts(kind)?.first.note(writer, || First::Change);
        Ok(self.place_change(writer, change))
    }

    fn place_change<'a>(&self, subxid: Xid, change: Change<'a>) -> Step<'a> {
        match self.place {
            Place::Between | Place::Transaction(_) => Step::Change(change),
            Place::Chunk(xid) => Step::ChunkChange { xid, subxid, change },
        }
    }

    /// The (sub)transaction that wrote a message, which must say so in a chunk and nowhere else.
    pub(super) fn writer(&self, kind: Kind, xid: Option<Xid>) -> Result<Xid, Error> {
        match (&self.place, xid) {
            (Place::Transaction(open), None) => Ok(open.0.xid),
            (Place::Chunk(_), Some(subxid)) => Ok(subxid),
            (Place::Between, None) => Err(self.out_of_order(kind)),
            (Place::Between | Place::Transaction(_), Some(_)) | (Place::Chunk(_), None) => Err(Error::WrongXid {
                kind,
                xid,
                place: self.place.describe(),
            }),
        }
    }

    fn facts(&mut self, kind: Kind) -> Result<&mut Facts, Error> {
        match &mut self.place {
            Place::Transaction(open) => Ok(&mut open.1),
            Place::Chunk(xid) => Ok(&mut self.streams.get_mut(xid).expect("a chunk's transaction is open").facts),
            Place::Between => Err(Error::OutOfOrder {
                kind,
                place: Place::Between.describe(),
            }),
        }
    }

    fn relations_mut(&mut self) -> &mut Relations {
        match self.place {
            Place::Between | Place::Transaction(_) => &mut self.committed,
            Place::Chunk(xid) => {
                &mut self
                    .streams
                    .get_mut(&xid)
                    .expect("a chunk's transaction is open")
                    .relations
            }
        }
    }

    /// The definition of a table for the next change. The server describes each table in each streamed transaction anew, so
    /// that nothing falls back from a chunk to the committed definitions.
    fn resolve(&self, kind: Kind, xid: Option<Xid>, oid: Oid) -> Result<Arc<Relation>, Error> {
        self.writer(kind, xid)?;
        let relations = match self.place {
            Place::Between | Place::Transaction(_) => Some(&self.committed),
            Place::Chunk(xid) => self.streams.get(&xid).map(|open| &open.relations),
        };
        relations
            .and_then(|relations| relations.get(oid))
            .cloned()
            .ok_or(Error::UnknownRelation { kind, oid })
    }
}

fn fits(kind: Kind, relation: &Relation, tuple: &TupleData<'_>) -> Result<(), Error> {
    let (expected, found) = (relation.columns.len(), tuple.values.len());
    if expected == found {
        Ok(())
    } else {
        Err(Error::ColumnCount {
            kind,
            oid: relation.oid,
            expected,
            found,
        })
    }
}
