use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use crate::Error;
use crate::cursor::Cursor;
use crate::sink::Sink;

/// A transaction follows, whole and committed (`logicalrep_write_begin`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Where its commit record starts.
    pub final_lsn: Lsn,
    /// When it committed, by the server's clock or as an applier set it.
    pub commit_ts: PgTimestamp,
    /// Its top-level xid.
    pub xid: Xid,
}

impl Begin {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        Ok(Begin {
            final_lsn: cursor.lsn()?,
            commit_ts: cursor.timestamp()?,
            xid: cursor.xid()?,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) {
        sink.lsn(self.final_lsn);
        sink.timestamp(self.commit_ts);
        sink.xid(self.xid);
    }
}

/// The end of a transaction (`logicalrep_write_commit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Where the commit record starts.
    pub commit_lsn: Lsn,
    /// Where the commit record ends: the position that names the transaction.
    pub end_lsn: Lsn,
    /// When it committed.
    pub commit_ts: PgTimestamp,
}

impl Commit {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        cursor.no_flags()?;
        Ok(Commit {
            commit_lsn: cursor.lsn()?,
            end_lsn: cursor.lsn()?,
            commit_ts: cursor.timestamp()?,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) {
        sink.u8(0);
        sink.lsn(self.commit_lsn);
        sink.lsn(self.end_lsn);
        sink.timestamp(self.commit_ts);
    }
}

/// The transaction was applied from elsewhere (`logicalrep_write_origin`). It carries no xid, in a stream neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Where the transaction committed on its origin; zero in a stream, where it is not known yet.
    pub origin_lsn: Lsn,
    /// The name of the replication origin on the sending server.
    pub name: &'a str,
}

impl<'a> Origin<'a> {
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        Ok(Origin {
            origin_lsn: cursor.lsn()?,
            name: cursor.string()?,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.lsn(self.origin_lsn);
        sink.string(self.name)
    }
}
