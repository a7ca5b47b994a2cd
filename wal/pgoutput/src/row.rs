use synapse_wal_types::{Oid, Xid};

use crate::cursor::Cursor;
use crate::sink::Sink;
use crate::{Error, OldTuple, TupleData};

/// A new row (`logicalrep_write_insert`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insert<'a> {
    /// The (sub)transaction, inside a stream only.
    pub xid: Option<Xid>,
    /// The table.
    pub relation: Oid,
    /// The row.
    pub new: TupleData<'a>,
}

impl<'a> Insert<'a> {
    pub(crate) fn read(xid: Option<Xid>, cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let relation = cursor.oid()?;
        Ok(Insert {
            xid,
            relation,
            new: read_new(cursor)?,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.stream_xid(self.xid);
        sink.oid(self.relation);
        write_new(&self.new, sink)
    }
}

/// A row that changed (`logicalrep_write_update`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update<'a> {
    /// The (sub)transaction, inside a stream only.
    pub xid: Option<Xid>,
    /// The table.
    pub relation: Oid,
    /// The row before, as far as it is sent; none when the key stayed as it was.
    pub old: Option<OldTuple<'a>>,
    /// The row after.
    pub new: TupleData<'a>,
}

impl<'a> Update<'a> {
    pub(crate) fn read(xid: Option<Xid>, cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let relation = cursor.oid()?;
        let announced = cursor.one_of("tuple K, O or N", |byte| match byte {
            b'N' => Some(None),
            other => OldTuple::of_byte(other).map(Some),
        })?;
        let (old, new) = match announced {
            None => (None, TupleData::read(cursor)?),
            Some(make) => (Some(make(TupleData::read(cursor)?)), read_new(cursor)?),
        };
        Ok(Update {
            xid,
            relation,
            old,
            new,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.stream_xid(self.xid);
        sink.oid(self.relation);
        if let Some(old) = &self.old {
            old.write(sink)?;
        }
        write_new(&self.new, sink)
    }
}

/// A row that is gone (`logicalrep_write_delete`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete<'a> {
    /// The (sub)transaction, inside a stream only.
    pub xid: Option<Xid>,
    /// The table.
    pub relation: Oid,
    /// The row before, as far as it is sent.
    pub old: OldTuple<'a>,
}

impl<'a> Delete<'a> {
    pub(crate) fn read(xid: Option<Xid>, cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let relation = cursor.oid()?;
        let make = cursor.one_of("tuple K or O", OldTuple::of_byte)?;
        Ok(Delete {
            xid,
            relation,
            old: make(TupleData::read(cursor)?),
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.stream_xid(self.xid);
        sink.oid(self.relation);
        self.old.write(sink)
    }
}

/// What a TRUNCATE does besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TruncateOptions {
    /// `CASCADE`: the tables it reached are already in the list.
    pub cascade: bool,
    /// `RESTART IDENTITY`.
    pub restart_identity: bool,
}

impl TruncateOptions {
    fn of_byte(byte: u8) -> Option<Self> {
        (byte < 4).then_some(TruncateOptions {
            cascade: byte & 1 != 0,
            restart_identity: byte & 2 != 0,
        })
    }

    fn byte(self) -> u8 {
        u8::from(self.cascade) | u8::from(self.restart_identity) << 1
    }
}

/// Tables emptied by one command (`logicalrep_write_truncate`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truncate {
    /// The (sub)transaction, inside a stream only.
    pub xid: Option<Xid>,
    /// What it does besides.
    pub options: TruncateOptions,
    /// The published ones among the tables.
    pub relations: Vec<Oid>,
}

impl Truncate {
    pub(crate) fn read(xid: Option<Xid>, cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let count = cursor.u32()?;
        let options = cursor.one_of("truncate options 0 to 3", TruncateOptions::of_byte)?;
        let mut relations = Vec::with_capacity(usize::try_from(count).unwrap_or(usize::MAX).min(cursor.left() / 4));
        for _ in 0..count {
            relations.push(cursor.oid()?);
        }
        Ok(Truncate {
            xid,
            options,
            relations,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        let count = self.relations.len();
        sink.stream_xid(self.xid);
        sink.u32(u32::try_from(count).map_err(|_| Error::TooManyRelations { relations: count })?);
        sink.u8(self.options.byte());
        for relation in &self.relations {
            sink.oid(*relation);
        }
        Ok(())
    }
}

fn read_new<'a>(cursor: &mut Cursor<'a>) -> Result<TupleData<'a>, Error> {
    cursor.one_of("tuple N", |byte| (byte == b'N').then_some(()))?;
    TupleData::read(cursor)
}

fn write_new(new: &TupleData<'_>, sink: &mut Sink<'_>) -> Result<(), Error> {
    sink.u8(b'N');
    new.write(sink)
}
