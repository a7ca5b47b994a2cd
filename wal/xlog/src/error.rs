use synapse_wal_types::{Lsn, SystemId, TimelineId};

use crate::{Rmgr, SegmentSize, Version};

/// What a caller may do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The same attempt may succeed later.
    Transient,
    /// It will fail again until somebody brings other bytes.
    Definite,
    /// This program broke its own law.
    Bug,
}

/// Bytes that are no WAL: where, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("WAL at {lsn}: {fault}")]
pub struct Error {
    /// Where the page or the record in question begins.
    pub lsn: Lsn,
    /// Behind the last byte that was looked at to come to this judgement.
    pub judged_to: Lsn,
    /// What is wrong.
    pub fault: Fault,
}

impl Error {
    /// What may be done about it: read the range again from somewhere else. The same bytes give the same error.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::Definite
    }

    /// Whether this is simply where WAL ends so far, and no damage: the judgement rests on bytes that the server has not
    /// flushed yet, for what stands there may be left from a recycled segment or half written.
    ///
    /// `flushed` is the position up to which the bytes are known to be WAL: the server's flush position for a live
    /// segment, the segment's end for an archived one, [`Lsn::MAX`] for what a walsender sent. A server flushes whole
    /// pages of a long record ahead of its end, so that a lying length of the last record shows only when more arrives.
    #[must_use]
    pub fn is_end_of_wal(&self, flushed: Lsn) -> bool {
        self.judged_to > flushed
    }
}

/// What is wrong with a page, a record, or the contents of a record. Offsets and lengths are bytes; offsets count from
/// the start of what is named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each text names its fields")]
pub enum Fault {
    /// Not a page, or one of a version that this crate does not read (`None`), or of another one than the pages before.
    #[error("page with magic number {found:#06x}, expected {}", expected_magic(*.expected))]
    Magic { found: u16, expected: Option<Version> },
    /// Flags that no version from 14 to 18 has.
    #[error("page with flags {found:#06x}, expected none but {allowed:#06x}")]
    PageFlags { found: u16, allowed: u16 },
    /// The page belongs to another place; typical for a recycled segment that is not overwritten yet.
    #[error("page with address {found}, expected its own")]
    PageAddress { found: Lsn },
    /// Timelines grow along the WAL.
    #[error("page of timeline {found} after one of timeline {after}")]
    PageTimeline { found: TimelineId, after: TimelineId },
    /// The first page of a segment has the long header.
    #[error("first page of a segment with flags {found:#06x}, expected a long header (0x0002)")]
    ShortHeader { found: u16 },
    /// WAL of another cluster.
    #[error("page of system {found}, expected system {expected}")]
    System { found: SystemId, expected: SystemId },
    /// WAL cut into other segments.
    #[error("page with segment size {found}, expected {expected}")]
    SegmentSize { found: u32, expected: SegmentSize },
    /// A server that was built with another `XLOG_BLCKSZ`.
    #[error("page with page size {found}, expected {expected}")]
    PageSize { found: u32, expected: u32 },

    /// A record goes on here, where one was to begin.
    #[error("page that continues a record by {remaining} bytes, expected the start of a record")]
    UnexpectedContinuation { remaining: u32 },
    /// No record goes on here, where one must.
    #[error("record that does not go on at page {page}, expected {expected} more bytes of it")]
    NoContinuation { page: Lsn, expected: u32 },
    /// Page and record disagree about how long the record is.
    #[error("record that goes on at page {page} by {found} bytes, expected {expected}")]
    ContinuationLength { page: Lsn, found: u32, expected: u32 },

    /// `xl_tot_len` is impossible; 0 is what stands behind the last record.
    #[error("record with length {found}, expected {min} to {max}")]
    RecordLength { found: u32, min: u32, max: u32 },
    /// `xl_rmid` is none that this version has.
    #[error("record with resource manager {}, expected 0 to 21, or 128 to 255 from version 15 on", found.0)]
    Rmgr { found: Rmgr },
    /// `xl_prev` is not the record before.
    #[error("record that follows the one at {found}, expected {expected}")]
    PreviousLink { found: Lsn, expected: Lsn },
    /// `xl_prev` of a first record is not before it.
    #[error("record that follows the one at {found}, expected a position before its own")]
    PreviousAhead { found: Lsn },
    /// `xl_crc` is not that of the bytes.
    #[error("record with CRC {found:#010x}, expected {expected:#010x}")]
    Checksum { found: u32, expected: u32 },
    /// `XLOG_OVERWRITE_CONTRECORD` names another record than the one that was cut off before it.
    #[error("record that overwrites the one at {found}, expected {expected}")]
    Overwrites { found: Lsn, expected: Lsn },

    /// The contents end before what they promise.
    #[error("{what} ends early: {needed} bytes wanted at offset {offset}, {left} left")]
    Short {
        what: &'static str,
        offset: usize,
        needed: usize,
        left: usize,
    },
    /// The contents go on behind their end.
    #[error("{what} has {left} bytes too many from offset {offset}")]
    Trailing {
        what: &'static str,
        offset: usize,
        left: usize,
    },
    /// A value that it cannot have.
    #[error("{what} has {found} at offset {offset}, expected {expected}")]
    Field {
        what: &'static str,
        offset: usize,
        expected: &'static str,
        found: i64,
    },
    /// A record that changes files in a way that its block references do not tell, of a kind that this crate does not
    /// know: what it changes cannot be said.
    #[error("record of resource manager {rmgr} with info {info:#04x} changes files in an unknown way")]
    UnknownFileChange { rmgr: Rmgr, info: u8 },
}

fn expected_magic(version: Option<Version>) -> String {
    match version {
        Some(version) => format!("{:#06x} (PostgreSQL {version})", version.magic()),
        None => "that of PostgreSQL 14 to 18".to_owned(),
    }
}
