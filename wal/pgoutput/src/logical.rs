use synapse_wal_types::{Lsn, Xid};

use crate::Error;
use crate::cursor::Cursor;
use crate::relation::zero_or_one;
use crate::sink::Sink;

/// What `pg_logical_emit_message` wrote (`logicalrep_write_message`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogicalMessage<'a> {
    /// The (sub)transaction, inside a stream only.
    pub xid: Option<Xid>,
    /// It stands among the changes of its transaction and shares its fate; otherwise it is sent when it is read, even
    /// if the transaction that wrote it rolled back.
    pub transactional: bool,
    /// Where its record stands.
    pub lsn: Lsn,
    /// Whose message it is.
    pub prefix: &'a str,
    /// Any bytes.
    pub content: &'a [u8],
}

impl<'a> LogicalMessage<'a> {
    pub(crate) fn read(xid: Option<Xid>, cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        let transactional = cursor.one_of("message flags 0 or 1", zero_or_one)?;
        let lsn = cursor.lsn()?;
        Ok(LogicalMessage {
            xid,
            transactional,
            lsn,
            prefix: cursor.string()?,
            content: cursor.counted()?,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.stream_xid(self.xid);
        sink.u8(u8::from(self.transactional));
        sink.lsn(self.lsn);
        sink.string(self.prefix)?;
        sink.counted(self.content)
    }
}
