use synapse_wal_types::{Oid, Xid};

use crate::Error;
use crate::cursor::Cursor;
use crate::sink::Sink;

/// How the rows of a table are told apart (`pg_class.relreplident`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReplicaIdentity {
    /// By the primary key, if there is one.
    Default,
    /// Not at all: UPDATE and DELETE are refused on a published table.
    Nothing,
    /// By all columns.
    Full,
    /// By the columns of a chosen unique index.
    Index,
}

impl ReplicaIdentity {
    fn of_byte(byte: u8) -> Option<Self> {
        match byte {
            b'd' => Some(ReplicaIdentity::Default),
            b'n' => Some(ReplicaIdentity::Nothing),
            b'f' => Some(ReplicaIdentity::Full),
            b'i' => Some(ReplicaIdentity::Index),
            _ => None,
        }
    }

    fn byte(self) -> u8 {
        match self {
            ReplicaIdentity::Default => b'd',
            ReplicaIdentity::Nothing => b'n',
            ReplicaIdentity::Full => b'f',
            ReplicaIdentity::Index => b'i',
        }
    }
}

/// The definition of a table, sent before its first change and after it may have changed (`logicalrep_write_rel`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelationMessage<'a> {
    /// The (sub)transaction, inside a stream only.
    pub xid: Option<Xid>,
    /// The table, on the sending server.
    pub oid: Oid,
    /// Its schema; empty for `pg_catalog`.
    pub schema: &'a str,
    /// Its name.
    pub name: &'a str,
    /// How its rows are told apart.
    pub identity: ReplicaIdentity,
    /// Its published columns, in the order of the tuples; dropped columns are not there, generated ones only if the
    /// publication says so (18).
    pub columns: Vec<ColumnMessage<'a>>,
}

/// One column of a [`RelationMessage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnMessage<'a> {
    /// It belongs to the replica identity.
    pub key: bool,
    /// Its name.
    pub name: &'a str,
    /// Its type, on the sending server.
    pub type_oid: Oid,
    /// `atttypmod`: -1 for none.
    pub type_modifier: i32,
}

/// The least bytes of a column: flags, an empty name, type and modifier.
const COLUMN_BYTES_MIN: usize = 10;

impl<'a> RelationMessage<'a> {
    pub(crate) fn read(xid: Option<Xid>, cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let oid = cursor.oid()?;
        let schema = cursor.string()?;
        let name = cursor.string()?;
        let identity = cursor.one_of("replica identity d, n, f or i", ReplicaIdentity::of_byte)?;
        let count = usize::from(cursor.u16()?);
        let mut columns = Vec::with_capacity(count.min(cursor.left() / COLUMN_BYTES_MIN));
        for _ in 0..count {
            columns.push(ColumnMessage::read(cursor)?);
        }
        Ok(RelationMessage {
            xid,
            oid,
            schema,
            name,
            identity,
            columns,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.stream_xid(self.xid);
        sink.oid(self.oid);
        sink.string(self.schema)?;
        sink.string(self.name)?;
        sink.u8(self.identity.byte());
        sink.column_count(self.columns.len())?;
        self.columns.iter().try_for_each(|column| column.write(sink))
    }
}

impl<'a> ColumnMessage<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let key = cursor.one_of("column flags 0 or 1", zero_or_one)?;
        Ok(ColumnMessage {
            key,
            name: cursor.string()?,
            type_oid: cursor.oid()?,
            type_modifier: cursor.i32()?,
        })
    }

    fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.u8(u8::from(self.key));
        sink.string(self.name)?;
        sink.oid(self.type_oid);
        sink.i32(self.type_modifier);
        Ok(())
    }
}

/// The name of a type that is not built in, sent before a table that uses it (`logicalrep_write_typ`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeMessage<'a> {
    /// The (sub)transaction, inside a stream only.
    pub xid: Option<Xid>,
    /// The type, on the sending server.
    pub oid: Oid,
    /// The schema of the type, or of the base type of a domain; empty for `pg_catalog`.
    pub schema: &'a str,
    /// The name of the type, or of the base type of a domain.
    pub name: &'a str,
}

impl<'a> TypeMessage<'a> {
    pub(crate) fn read(xid: Option<Xid>, cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        Ok(TypeMessage {
            xid,
            oid: cursor.oid()?,
            schema: cursor.string()?,
            name: cursor.string()?,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.stream_xid(self.xid);
        sink.oid(self.oid);
        sink.string(self.schema)?;
        sink.string(self.name)
    }
}

/// A flag that fills a byte.
pub(crate) fn zero_or_one(byte: u8) -> Option<bool> {
    match byte {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}
