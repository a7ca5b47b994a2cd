use synapse_wal_types::{Oid, PgTimestamp, Xid};

use super::{DroppedStatistics, INVALIDATION_BYTES, LOCATOR_BYTES, OriginPosition, XID_BYTES};
use crate::cursor::Cursor;
use crate::{Fault, Item, List, Record, RelFileLocator, Version};

/// The bit of `xl_info` that says that the optional parts' flags follow.
const HAS_PARTS: u8 = 0x80;

const DATABASE: u32 = 1 << 0;
const SUBTRANSACTIONS: u32 = 1 << 1;
const RELATIONS: u32 = 1 << 2;
const INVALIDATIONS: u32 = 1 << 3;
const TWO_PHASE: u32 = 1 << 4;
const ORIGIN: u32 = 1 << 5;
const EXCLUSIVE_LOCKS: u32 = 1 << 6;
const IDENTIFIER: u32 = 1 << 7;
const STATISTICS: u32 = 1 << 8;
const APPLY_FEEDBACK: u32 = 1 << 29;
const RELCACHE_FILE: u32 = 1 << 30;
const SYNCHRONOUS: u32 = 1 << 31;
const KNOWN_IN_14: u32 = DATABASE
    | SUBTRANSACTIONS
    | RELATIONS
    | INVALIDATIONS
    | TWO_PHASE
    | ORIGIN
    | EXCLUSIVE_LOCKS
    | IDENTIFIER
    | APPLY_FEEDBACK
    | RELCACHE_FILE
    | SYNCHRONOUS;

/// The end of a transaction, one way or the other (`xl_xact_parsed_commit`, `xl_xact_parsed_abort`).
#[derive(Clone, Copy, Debug)]
pub struct Completion<'a> {
    /// The top-level transaction that ended: the record's own, or the prepared one. What `recovery_target_xid` compares.
    pub xid: Xid,
    /// When, by the clock of its session. Not ordered like the WAL. What `recovery_target_time` compares.
    pub time: PgTimestamp,
    /// Where it was connected; told where a standby needs it.
    pub database: Option<DatabaseAndTablespace>,
    /// Its subtransactions that ended the same way.
    pub subtransactions: List<'a, Xid>,
    /// Relations whose files are deleted: dropped by a commit, created by what is aborted.
    pub relations: List<'a, RelFileLocator>,
    /// Statistics that are dropped with objects; from version 15 on.
    pub statistics: List<'a, DroppedStatistics>,
    /// How many cache invalidations it sends; 0 for an abort.
    pub invalidations: usize,
    /// How it was prepared, when it was.
    pub prepared: Option<PreparedAs<'a>>,
    /// Where it came from, when it was replicated. Which origin that is stands in [`Record::origin`].
    pub origin: Option<OriginPosition>,
    /// It held exclusive locks on relations.
    pub held_exclusive_locks: bool,
    /// The server waits for standbys to apply it (`XACT_COMPLETION_APPLY_FEEDBACK`).
    pub wants_apply_feedback: bool,
    /// It makes the cache file of the system catalogue invalid (`XACT_COMPLETION_UPDATE_RELCACHE_FILE`).
    pub invalidates_relcache_file: bool,
    /// It was flushed whatever `synchronous_commit` said (`XACT_COMPLETION_FORCE_SYNC_COMMIT`).
    pub is_forced_synchronous: bool,
}

/// The database a session was connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatabaseAndTablespace {
    /// The database.
    pub database: Oid,
    /// Its default tablespace.
    pub tablespace: Oid,
}

/// A prepared transaction that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PreparedAs<'a> {
    /// Its own transaction id; the record's belongs to the session that ended it, and is 0 as a rule.
    pub xid: Xid,
    /// Its name in the server's encoding, told with `wal_level = logical` only.
    pub identifier: Option<&'a [u8]>,
}

pub(super) fn decode<'a>(record: &Record<'a>, mut cursor: Cursor<'a>) -> Result<Completion<'a>, Fault> {
    let time = cursor.timestamp()?;
    let parts = match record.info() & HAS_PARTS {
        0 => 0,
        _ => parts(&mut cursor, record.version)?,
    };
    let has = |part: u32| parts & part != 0;
    let database = match has(DATABASE) {
        true => Some(DatabaseAndTablespace {
            database: cursor.oid()?,
            tablespace: cursor.oid()?,
        }),
        false => None,
    };
    let subtransactions = list(&mut cursor, has(SUBTRANSACTIONS), XID_BYTES)?;
    let relations = list(&mut cursor, has(RELATIONS), LOCATOR_BYTES)?;
    let statistics = list(&mut cursor, has(STATISTICS), DroppedStatistics::bytes(record.version))?;
    let invalidations = match has(INVALIDATIONS) {
        true => {
            let count = cursor.count()?;
            cursor.take(count.saturating_mul(INVALIDATION_BYTES))?;
            count
        }
        false => 0,
    };
    let prepared = match has(TWO_PHASE) {
        true => Some(PreparedAs {
            xid: cursor.xid()?,
            identifier: has(IDENTIFIER).then(|| cursor.c_string()).transpose()?,
        }),
        false => None,
    };
    // Not aligned: the identifier may have any length.
    let origin = match has(ORIGIN) {
        true => Some(OriginPosition {
            lsn: cursor.lsn()?,
            time: cursor.timestamp()?,
        }),
        false => None,
    };
    cursor.finish()?;
    Ok(Completion {
        xid: prepared.map_or(record.xid(), |prepared| prepared.xid),
        time,
        database,
        subtransactions,
        relations,
        statistics,
        invalidations,
        prepared,
        origin,
        held_exclusive_locks: has(EXCLUSIVE_LOCKS),
        wants_apply_feedback: has(APPLY_FEEDBACK),
        invalidates_relcache_file: has(RELCACHE_FILE),
        is_forced_synchronous: has(SYNCHRONOUS),
    })
}

/// Which parts follow. One that is not known has a length that is not known either.
fn parts(cursor: &mut Cursor<'_>, version: Version) -> Result<u32, Fault> {
    let parts = cursor.u32()?;
    let known = match version {
        Version::V14 => KNOWN_IN_14,
        Version::V15 | Version::V16 | Version::V17 | Version::V18 => KNOWN_IN_14 | STATISTICS,
    };
    match parts & !known {
        0 => Ok(parts),
        _ => Err(cursor.field(4, "flags of parts that this version has", parts)),
    }
}

fn list<'a, T: Item>(cursor: &mut Cursor<'a>, is_there: bool, item_bytes: usize) -> Result<List<'a, T>, Fault> {
    match is_there {
        true => {
            let count = cursor.count()?;
            List::take(cursor, count, item_bytes)
        }
        false => Ok(List::none(item_bytes)),
    }
}
