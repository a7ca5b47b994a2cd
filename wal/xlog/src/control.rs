//! What the WAL says about itself: checkpoints, restore points, switches, the end of recovery (`access/rmgrdesc/xlogdesc.c`).

use synapse_wal_types::{Lsn, Oid, PgTimestamp, TimelineId};

use crate::cursor::Cursor;
use crate::{Error, Fault, Record, Rmgr, Version};

mod checkpoint;

pub use checkpoint::{Checkpoint, CheckpointKind};

/// Bytes of a restore point's name with its zero byte (`MAXFNAMELEN`).
const NAME_BYTES: usize = 64;

/// A record of [`Rmgr::XLOG`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control<'a> {
    /// A checkpoint has ended.
    Checkpoint(Checkpoint),
    /// An online checkpoint begins here, from version 17 on: its redo position is this record's.
    CheckpointRedo {
        /// `wal_level` at this point.
        wal_level: WalLevel,
    },
    /// Object ids are reserved up to this one.
    NextOid(Oid),
    /// The rest of the segment is unused.
    Switch,
    /// A base backup of this server has ended: whoever restores it is consistent from here on.
    BackupEnd {
        /// The backup's redo position.
        start: Lsn,
    },
    /// Settings of which a standby must know have changed.
    ParameterChange(ParameterChange),
    /// `pg_create_restore_point()`.
    RestorePoint(RestorePoint<'a>),
    /// `full_page_writes` was switched.
    FullPageWrites {
        /// To what.
        on: bool,
    },
    /// Recovery has ended without a checkpoint.
    EndOfRecovery(EndOfRecovery),
    /// The record that began at `overwritten` was lost in a crash.
    OverwriteContrecord {
        /// Where it begins.
        overwritten: Lsn,
        /// When that was found.
        time: PgTimestamp,
    },
}

/// How much the WAL tells (`wal_level`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WalLevel {
    /// Enough for crash recovery only: bulk loads are missing, so that nothing may be restored across such WAL.
    Minimal,
    /// Enough for archives and standbys.
    Replica,
    /// Enough for logical decoding, too.
    Logical,
}

/// The settings of `XLOG_PARAMETER_CHANGE`, by their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the setting of that name")]
pub struct ParameterChange {
    pub max_connections: i32,
    pub max_worker_processes: i32,
    pub max_wal_senders: i32,
    pub max_prepared_transactions: i32,
    pub max_locks_per_transaction: i32,
    pub wal_level: WalLevel,
    pub wal_log_hints: bool,
    pub track_commit_timestamp: bool,
}

/// A name that somebody gave to this point of the WAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestorePoint<'a> {
    /// When.
    pub time: PgTimestamp,
    /// The name in the server's encoding, at most 63 bytes.
    pub name: &'a [u8],
}

/// Where a timeline begins to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndOfRecovery {
    /// When recovery ended.
    pub time: PgTimestamp,
    /// The timeline that begins.
    pub timeline: TimelineId,
    /// The one it branched off from.
    pub previous_timeline: TimelineId,
    /// `wal_level`, told from version 17 on.
    pub wal_level: Option<WalLevel>,
}

impl<'a> Control<'a> {
    /// Reads a record; `None` when it is of another resource manager, or says nothing beyond its kind and its blocks
    /// (`NOOP`, `FPI`, `FPI_FOR_HINT`). Fails when the contents are not of the form that its version has.
    pub fn read(record: &Record<'a>) -> Result<Option<Control<'a>>, Error> {
        if record.rmgr() != Rmgr::XLOG {
            return Ok(None);
        }
        decode(record).map_err(|fault| record.error(fault))
    }

    /// `wal_level` at this record, where it says so.
    #[must_use]
    pub fn wal_level(&self) -> Option<WalLevel> {
        match self {
            Control::Checkpoint(checkpoint) => checkpoint.wal_level,
            Control::CheckpointRedo { wal_level } => Some(*wal_level),
            Control::ParameterChange(change) => Some(change.wal_level),
            Control::EndOfRecovery(end) => end.wal_level,
            Control::NextOid(_)
            | Control::Switch
            | Control::BackupEnd { .. }
            | Control::RestorePoint(_)
            | Control::FullPageWrites { .. }
            | Control::OverwriteContrecord { .. } => None,
        }
    }
}

fn decode<'a>(record: &Record<'a>) -> Result<Option<Control<'a>>, Fault> {
    let data = record.main_data();
    let told = |what| Cursor::new(what, data);
    Ok(Some(match record.kind().operation() {
        0x00 => Control::Checkpoint(checkpoint::decode(record, CheckpointKind::Shutdown)?),
        0x10 => Control::Checkpoint(checkpoint::decode(record, CheckpointKind::Online)?),
        0x30 => Control::NextOid(told("next object id").oid()?),
        0x40 => Control::Switch,
        0x50 => Control::BackupEnd {
            start: told("end of a backup").lsn()?,
        },
        0x60 => Control::ParameterChange(parameter_change(&mut told("parameter change"))?),
        0x70 => Control::RestorePoint(restore_point(&mut told("restore point"))?),
        0x80 => Control::FullPageWrites {
            on: told("full_page_writes").flag()?,
        },
        0x90 => Control::EndOfRecovery(end_of_recovery(&mut told("end of recovery"), record.version)?),
        0xD0 => {
            let mut cursor = told("overwrite of a record");
            Control::OverwriteContrecord {
                overwritten: cursor.lsn()?,
                time: cursor.timestamp()?,
            }
        }
        0xE0 if record.version >= Version::V17 => Control::CheckpointRedo {
            wal_level: WalLevel::take(&mut told("start of a checkpoint"))?,
        },
        _ => return Ok(None),
    }))
}

impl WalLevel {
    fn take(cursor: &mut Cursor<'_>) -> Result<WalLevel, Fault> {
        match cursor.i32()? {
            0 => Ok(WalLevel::Minimal),
            1 => Ok(WalLevel::Replica),
            2 => Ok(WalLevel::Logical),
            other => Err(cursor.field(4, "a wal_level from 0 to 2", other)),
        }
    }
}

fn parameter_change(cursor: &mut Cursor<'_>) -> Result<ParameterChange, Fault> {
    Ok(ParameterChange {
        max_connections: cursor.i32()?,
        max_worker_processes: cursor.i32()?,
        max_wal_senders: cursor.i32()?,
        max_prepared_transactions: cursor.i32()?,
        max_locks_per_transaction: cursor.i32()?,
        wal_level: WalLevel::take(cursor)?,
        wal_log_hints: cursor.flag()?,
        track_commit_timestamp: cursor.flag()?,
    })
}

fn restore_point<'a>(cursor: &mut Cursor<'a>) -> Result<RestorePoint<'a>, Fault> {
    let time = cursor.timestamp()?;
    let field = cursor.take(NAME_BYTES)?;
    let name = field.split(|byte| *byte == 0).next().unwrap_or(field);
    Ok(RestorePoint { time, name })
}

fn end_of_recovery(cursor: &mut Cursor<'_>, version: Version) -> Result<EndOfRecovery, Fault> {
    Ok(EndOfRecovery {
        time: cursor.timestamp()?,
        timeline: cursor.timeline()?,
        previous_timeline: cursor.timeline()?,
        wal_level: match version >= Version::V17 {
            true => Some(WalLevel::take(cursor)?),
            false => None,
        },
    })
}
