use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use crate::cursor::Cursor;
use crate::relation::zero_or_one;
use crate::sink::Sink;
use crate::{Commit, Error};

/// A chunk of a transaction in progress follows (`logicalrep_write_stream_start`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStart {
    /// The top-level transaction.
    pub xid: Xid,
    /// No chunk of it was sent before.
    pub first_segment: bool,
}

impl StreamStart {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let xid = cursor.xid()?;
        Ok(StreamStart {
            xid,
            first_segment: cursor.one_of("first segment 0 or 1", zero_or_one)?,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) {
        sink.xid(self.xid);
        sink.u8(u8::from(self.first_segment));
    }
}

/// A streamed transaction committed (`logicalrep_write_stream_commit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamCommit {
    /// The top-level transaction.
    pub xid: Xid,
    /// Where and when.
    pub commit: Commit,
}

impl StreamCommit {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        Ok(StreamCommit {
            xid: cursor.xid()?,
            commit: Commit::read(cursor)?,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) {
        sink.xid(self.xid);
        self.commit.write(sink);
    }
}

/// A streamed transaction, or a savepoint in it, rolled back (`logicalrep_write_stream_abort`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamAbort {
    /// The top-level transaction.
    pub xid: Xid,
    /// What rolled back: `xid` for the whole, else one subtransaction (each nested one has a message of its own).
    pub subxid: Xid,
    /// Where and when; sent only with `streaming = parallel` (protocol 4, PostgreSQL 16).
    pub record: Option<AbortRecord>,
}

/// The abort record of a [`StreamAbort`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortRecord {
    /// Where it stands.
    pub lsn: Lsn,
    /// When it was written.
    pub ts: PgTimestamp,
}

impl StreamAbort {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let (xid, subxid) = (cursor.xid()?, cursor.xid()?);
        let record = match cursor.left() {
            0 => None,
            _ => Some(AbortRecord {
                lsn: cursor.lsn()?,
                ts: cursor.timestamp()?,
            }),
        };
        Ok(StreamAbort { xid, subxid, record })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) {
        sink.xid(self.xid);
        sink.xid(self.subxid);
        if let Some(record) = &self.record {
            sink.lsn(record.lsn);
            sink.timestamp(record.ts);
        }
    }
}
