use synapse_wal_types::{Lsn, Oid, PgTimestamp, TimelineId, Xid};

use super::WalLevel;
use crate::cursor::Cursor;
use crate::{Fault, Record, Version};

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;

/// A checkpoint's record (`CheckPoint`, `catalog/pg_control.h`): the same bytes stand in `pg_control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whether writes went on meanwhile.
    pub kind: CheckpointKind,
    /// Replay that begins with this checkpoint begins here.
    pub redo: Lsn,
    /// The timeline it was written on.
    pub timeline: TimelineId,
    /// The one before, when this record begins a timeline; else the same.
    pub previous_timeline: TimelineId,
    /// `full_page_writes`.
    pub full_page_writes: bool,
    /// `wal_level`, told from version 17 on.
    pub wal_level: Option<WalLevel>,
    /// How often transaction ids have wrapped around.
    pub next_xid_epoch: u32,
    /// The next transaction id.
    pub next_xid: Xid,
    /// The next object id.
    pub next_oid: Oid,
    /// The next multixact.
    pub next_multi: u32,
    /// The next offset of multixact members.
    pub next_multi_offset: u32,
    /// The oldest `datfrozenxid` of all databases.
    pub oldest_xid: Xid,
    /// Whose that is.
    pub oldest_xid_database: Oid,
    /// The oldest `datminmxid` of all databases.
    pub oldest_multi: u32,
    /// Whose that is.
    pub oldest_multi_database: Oid,
    /// When it began, to the second.
    pub time: PgTimestamp,
    /// The oldest transaction with a commit timestamp; 0 for none.
    pub oldest_commit_ts_xid: Xid,
    /// The newest one; 0 for none.
    pub newest_commit_ts_xid: Xid,
    /// The oldest transaction in progress; 0 when a shutdown leaves none or `wal_level` is minimal.
    pub oldest_active_xid: Xid,
}

/// How a checkpoint was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckpointKind {
    /// While the server shut down, or recovery ended: it is its own redo position.
    Shutdown,
    /// While writes went on.
    Online,
}

pub(super) fn decode(record: &Record<'_>, kind: CheckpointKind) -> Result<Checkpoint, Fault> {
    let mut cursor = Cursor::new("checkpoint", record.main_data());
    let redo = cursor.lsn()?;
    let (timeline, previous_timeline) = (cursor.timeline()?, cursor.timeline()?);
    let full_page_writes = cursor.flag()?;
    // The level took what was padding.
    cursor.take(3)?;
    let wal_level = match record.version >= Version::V17 {
        true => Some(WalLevel::take(&mut cursor)?),
        false => None,
    };
    cursor.align()?;
    let (next_xid, next_xid_epoch) = (cursor.xid()?, cursor.u32()?);
    let next_oid = cursor.oid()?;
    let (next_multi, next_multi_offset) = (cursor.u32()?, cursor.u32()?);
    let (oldest_xid, oldest_xid_database) = (cursor.xid()?, cursor.oid()?);
    let (oldest_multi, oldest_multi_database) = (cursor.u32()?, cursor.oid()?);
    cursor.align()?;
    Ok(Checkpoint {
        kind,
        redo,
        timeline,
        previous_timeline,
        full_page_writes,
        wal_level,
        next_xid_epoch,
        next_xid,
        next_oid,
        next_multi,
        next_multi_offset,
        oldest_xid,
        oldest_xid_database,
        oldest_multi,
        oldest_multi_database,
        time: PgTimestamp::from_unix_micros(cursor.i64()?.saturating_mul(MICROS)),
        oldest_commit_ts_xid: cursor.xid()?,
        newest_commit_ts_xid: cursor.xid()?,
        oldest_active_xid: cursor.xid()?,
    })
}
