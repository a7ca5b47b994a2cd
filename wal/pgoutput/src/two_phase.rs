use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use crate::Error;
use crate::cursor::Cursor;
use crate::sink::Sink;

/// A prepared transaction: its begin, its end, and the end of a streamed one carry the same facts
/// (`logicalrep_write_begin_prepare`, `logicalrep_write_prepare_common`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prepared<'a> {
    /// Where the prepare record starts.
    pub prepare_lsn: Lsn,
    /// Where it ends.
    pub end_lsn: Lsn,
    /// When it was prepared.
    pub prepare_ts: PgTimestamp,
    /// Its top-level xid.
    pub xid: Xid,
    /// The name given to `PREPARE TRANSACTION`.
    pub gid: &'a str,
}

impl<'a> Prepared<'a> {
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        Ok(Prepared {
            prepare_lsn: cursor.lsn()?,
            end_lsn: cursor.lsn()?,
            prepare_ts: cursor.timestamp()?,
            xid: cursor.xid()?,
            gid: cursor.string()?,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.lsn(self.prepare_lsn);
        sink.lsn(self.end_lsn);
        sink.timestamp(self.prepare_ts);
        sink.xid(self.xid);
        sink.string(self.gid)
    }

    /// As above, behind the byte of flags that all but the begin have.
    pub(crate) fn read_flagged(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        cursor.no_flags()?;
        Self::read(cursor)
    }

    pub(crate) fn write_flagged(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.u8(0);
        self.write(sink)
    }
}

/// A prepared transaction committed (`logicalrep_write_commit_prepared`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitPrepared<'a> {
    /// Where the commit record starts.
    pub commit_lsn: Lsn,
    /// Where it ends.
    pub end_lsn: Lsn,
    /// When it committed.
    pub commit_ts: PgTimestamp,
    /// Its top-level xid.
    pub xid: Xid,
    /// The name given to `PREPARE TRANSACTION`.
    pub gid: &'a str,
}

impl<'a> CommitPrepared<'a> {
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        cursor.no_flags()?;
        Ok(CommitPrepared {
            commit_lsn: cursor.lsn()?,
            end_lsn: cursor.lsn()?,
            commit_ts: cursor.timestamp()?,
            xid: cursor.xid()?,
            gid: cursor.string()?,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.u8(0);
        sink.lsn(self.commit_lsn);
        sink.lsn(self.end_lsn);
        sink.timestamp(self.commit_ts);
        sink.xid(self.xid);
        sink.string(self.gid)
    }
}

/// A prepared transaction rolled back (`logicalrep_write_rollback_prepared`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollbackPrepared<'a> {
    /// Where the prepare record ended.
    pub prepare_end_lsn: Lsn,
    /// Where the rollback record ends.
    pub rollback_end_lsn: Lsn,
    /// When it was prepared.
    pub prepare_ts: PgTimestamp,
    /// When it rolled back.
    pub rollback_ts: PgTimestamp,
    /// Its top-level xid.
    pub xid: Xid,
    /// The name given to `PREPARE TRANSACTION`.
    pub gid: &'a str,
}

impl<'a> RollbackPrepared<'a> {
    pub(crate) fn read(cursor: &mut Cursor<'a>) -> Result<Self, Error> {
        cursor.no_flags()?;
        Ok(RollbackPrepared {
            prepare_end_lsn: cursor.lsn()?,
            rollback_end_lsn: cursor.lsn()?,
            prepare_ts: cursor.timestamp()?,
            rollback_ts: cursor.timestamp()?,
            xid: cursor.xid()?,
            gid: cursor.string()?,
        })
    }

    pub(crate) fn write(&self, sink: &mut Sink<'_>) -> Result<(), Error> {
        sink.u8(0);
        sink.lsn(self.prepare_end_lsn);
        sink.lsn(self.rollback_end_lsn);
        sink.timestamp(self.prepare_ts);
        sink.timestamp(self.rollback_ts);
        sink.xid(self.xid);
        sink.string(self.gid)
    }
}
