use synapse_wal_types::{Lsn, Oid, PgTimestamp, Xid};

use super::{DroppedStatistics, INVALIDATION_BYTES, LOCATOR_BYTES, OriginPosition, XID_BYTES};
use crate::cursor::Cursor;
use crate::{Fault, Item, List, Record, RelFileLocator, Version};

/// What such records begin with (`TWOPHASE_MAGIC`, `access/transam/twophase.c`).
const MAGIC: u32 = 0x57F9_4534;

/// A transaction that was prepared (`xl_xact_prepare`). Its locks and the like follow in the record and are not read.
#[derive(Clone, Copy, Debug)]
pub struct Prepare<'a> {
    /// The transaction.
    pub xid: Xid,
    /// When it was prepared.
    pub time: PgTimestamp,
    /// Its name in the server's encoding, at most 200 bytes.
    pub identifier: &'a [u8],
    /// The database it ran in.
    pub database: Oid,
    /// The role that prepared it.
    pub owner: Oid,
    /// Its subtransactions.
    pub subtransactions: List<'a, Xid>,
    /// Relations whose files are deleted when it commits.
    pub relations_if_committed: List<'a, RelFileLocator>,
    /// Relations whose files are deleted when it aborts.
    pub relations_if_aborted: List<'a, RelFileLocator>,
    /// Statistics that are dropped when it commits; from version 15 on.
    pub statistics_if_committed: List<'a, DroppedStatistics>,
    /// Statistics that are dropped when it aborts; from version 15 on.
    pub statistics_if_aborted: List<'a, DroppedStatistics>,
    /// How many cache invalidations it sends when it commits.
    pub invalidations: usize,
    /// Where it came from, when it was replicated.
    pub origin: Option<OriginPosition>,
}

pub(super) fn decode<'a>(record: &Record<'a>, mut cursor: Cursor<'a>) -> Result<Prepare<'a>, Fault> {
    let magic = cursor.u32()?;
    if magic != MAGIC {
        return Err(cursor.field(4, "the magic number 0x57f94534", magic));
    }
    // The length of the file that a server may make of this record.
    cursor.u32()?;
    let (xid, database, time, owner) = (cursor.xid()?, cursor.oid()?, cursor.timestamp()?, cursor.oid()?);
    let (subtransactions, if_committed, if_aborted) = (cursor.count()?, cursor.count()?, cursor.count()?);
    let (statistics_committed, statistics_aborted) = match record.version {
        Version::V14 => (0, 0),
        Version::V15 | Version::V16 | Version::V17 | Version::V18 => (cursor.count()?, cursor.count()?),
    };
    let invalidations = cursor.count()?;
    // Whether the relation cache's file becomes invalid, and a byte of padding.
    cursor.u16()?;
    let identifier_bytes = cursor.u16()?;
    let origin = OriginPosition {
        lsn: cursor.lsn()?,
        time: cursor.timestamp()?,
    };
    cursor.align()?;
    let identifier = cursor.take(usize::from(identifier_bytes))?;
    cursor.align()?;
    let statistics_bytes = DroppedStatistics::bytes(record.version);
    let prepare = Prepare {
        xid,
        time,
        identifier: identifier.strip_suffix(b"\0").unwrap_or(identifier),
        database,
        owner,
        subtransactions: aligned(&mut cursor, subtransactions, XID_BYTES)?,
        relations_if_committed: aligned(&mut cursor, if_committed, LOCATOR_BYTES)?,
        relations_if_aborted: aligned(&mut cursor, if_aborted, LOCATOR_BYTES)?,
        statistics_if_committed: aligned(&mut cursor, statistics_committed, statistics_bytes)?,
        statistics_if_aborted: aligned(&mut cursor, statistics_aborted, statistics_bytes)?,
        invalidations,
        origin: (origin.lsn != Lsn::ZERO).then_some(origin),
    };
    cursor.take(invalidations.saturating_mul(INVALIDATION_BYTES))?;
    Ok(prepare)
}

/// Items, behind which the next ones are aligned to 8.
fn aligned<'a, T: Item>(cursor: &mut Cursor<'a>, count: usize, item_bytes: usize) -> Result<List<'a, T>, Fault> {
    let list = List::take(cursor, count, item_bytes)?;
    cursor.align()?;
    Ok(list)
}
