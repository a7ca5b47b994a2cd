//! What became of transactions: commits, aborts, prepared ones (`access/xact.h`, `access/rmgrdesc/xactdesc.c`).

use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use crate::cursor::Cursor;
use crate::list::private::Read;
use crate::{Error, Fault, Item, List, Record, Rmgr, Version};

mod completion;
mod prepare;

pub use completion::{Completion, DatabaseAndTablespace, PreparedAs};
pub use prepare::Prepare;

/// Bytes of an invalidation message (`SharedInvalidationMessage`).
const INVALIDATION_BYTES: usize = 16;
/// Bytes of a transaction id.
const XID_BYTES: usize = 4;
/// Bytes of a relation's locator.
const LOCATOR_BYTES: usize = 12;

/// A record of [`Rmgr::TRANSACTION`].
#[derive(Clone, Copy, Debug)]
pub enum Transaction<'a> {
    /// `COMMIT` or `COMMIT_PREPARED`.
    Committed(Completion<'a>),
    /// `ABORT` or `ABORT_PREPARED`.
    Aborted(Completion<'a>),
    /// `PREPARE`.
    Prepared(Prepare<'a>),
    /// `ASSIGNMENT`: these are subtransactions of `top`, which a standby must know before it runs out of memory for them.
    Assigned {
        /// The top-level transaction.
        top: Xid,
        /// Its subtransactions.
        subtransactions: List<'a, Xid>,
    },
    /// `INVALIDATION`: what a command of a transaction in progress invalidates, for logical decoding.
    Invalidated {
        /// How many messages.
        messages: usize,
    },
}

/// Where a transaction came from, when it was replicated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginPosition {
    /// Its position on the node it came from.
    pub lsn: Lsn,
    /// When it was committed there.
    pub time: PgTimestamp,
}

/// Statistics of an object that is gone, from version 15 on (`xl_xact_stats_item`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DroppedStatistics {
    /// Of what kind of object (`PgStat_Kind`).
    pub kind: i32,
    /// In which database.
    pub database: u32,
    /// Which one; of 32 bits before version 18.
    pub object: u64,
}

impl Item for DroppedStatistics {}

#[expect(private_interfaces, reason = "the trait cannot be named outside of this crate")]
impl Read for DroppedStatistics {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, Fault> {
        let (kind, database) = (cursor.i32()?, cursor.u32()?);
        let object = match cursor.left() {
            4 => u64::from(cursor.u32()?),
            _ => cursor.u64()?,
        };
        Ok(DroppedStatistics { kind, database, object })
    }
}

impl DroppedStatistics {
    /// Bytes of an item.
    const fn bytes(version: Version) -> usize {
        match version {
            Version::V14 | Version::V15 | Version::V16 | Version::V17 => 12,
            Version::V18 => 16,
        }
    }
}

impl<'a> Transaction<'a> {
    /// Reads a record; `None` when it is of another resource manager. Fails when the contents are not exactly of the form
    /// that its version has, or when it is of a kind that the version does not have.
    pub fn read(record: &Record<'a>) -> Result<Option<Transaction<'a>>, Error> {
        if record.rmgr() != Rmgr::TRANSACTION {
            return Ok(None);
        }
        decode(record).map(Some).map_err(|fault| record.error(fault))
    }
}

fn decode<'a>(record: &Record<'a>) -> Result<Transaction<'a>, Fault> {
    let told = |what| Cursor::new(what, record.main_data());
    let operation = record.kind().operation();
    match operation {
        0x00 => completion::decode(record, told("commit")).map(Transaction::Committed),
        0x10 => prepare::decode(record, told("prepare")).map(Transaction::Prepared),
        0x20 => completion::decode(record, told("abort")).map(Transaction::Aborted),
        0x30 => completion::decode(record, told("commit of a prepared transaction")).map(Transaction::Committed),
        0x40 => completion::decode(record, told("abort of a prepared transaction")).map(Transaction::Aborted),
        0x50 => {
            let mut cursor = told("assignment of subtransactions");
            let top = cursor.xid()?;
            let count = cursor.count()?;
            let subtransactions = List::take(&mut cursor, count, XID_BYTES)?;
            cursor.finish()?;
            Ok(Transaction::Assigned { top, subtransactions })
        }
        0x60 => {
            let mut cursor = told("invalidations");
            let messages = cursor.count()?;
            cursor.take(messages.saturating_mul(INVALIDATION_BYTES))?;
            cursor.finish()?;
            Ok(Transaction::Invalidated { messages })
        }
        other => Err(told("transaction").field(0, "an operation from 0x00 to 0x60", other)),
    }
}
