use synapse_wal_types::{Lsn, TimelineId};

use crate::{LongHeader, Record, Version};

/// What a [`Reader`](crate::Reader) comes by, in the order of the WAL.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A segment begins. It is told as soon as its first page is, so that a record which crosses into it comes after.
    Segment(SegmentStart),
    /// A record, whole and checked.
    Record(Record<'a>),
    /// A record that was never written to its end, because the server crashed.
    Overwritten(Overwritten),
    /// What a switch left of its segment has been passed.
    Unused(Unused),
}

/// The first page of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentStart {
    /// Its position.
    pub lsn: Lsn,
    /// The timeline on which its page was begun. A segment file may be named for a later one, when that branched off
    /// within.
    pub timeline: TimelineId,
    /// The version that wrote it.
    pub version: Version,
    /// What its long header says; sizes have been checked.
    pub header: LongHeader,
}

/// A record that is to be forgotten: the server crashed while it was written, and went on behind its first pages. An
/// `OVERWRITE_CONTRECORD` record follows (`CreateOverwriteContrecordRecord`, `access/transam/xlog.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overwritten {
    /// Where the lost record begins.
    pub record: Lsn,
    /// The page on which it was to go on and another record begins.
    pub page: Lsn,
}

/// The rest of a segment behind a switch. Its pages have no headers and hold zeros, where the server wrote them; nothing
/// of it is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unused {
    /// Where the record of the switch begins.
    pub switch: Lsn,
    /// Behind that record.
    pub from: Lsn,
    /// The end of the segment.
    pub to: Lsn,
    /// The first byte that is not zero. No damage, for replay ignores it: typically left in a recycled segment by a
    /// receiver that wrote no zeros.
    pub nonzero: Option<Lsn>,
}
