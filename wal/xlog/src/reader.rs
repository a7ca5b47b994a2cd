use synapse_wal_types::{Lsn, SystemId, TimelineId};

use crate::page::{PAGE_BYTES, SHORT_HEADER_BYTES, page_offset};
use crate::{Error, Event, Overwritten, SegmentSize, Version};

mod advance;
mod assembly;
mod pages;

use advance::{Place, Step};
use assembly::Assembly;

/// Follows WAL from a position on: bytes in, checked records out.
///
/// Segments are given one after the other as if they were one file, in pieces of any size. The memory it takes is
/// bounded by twice the bytes of the longest record *that was given*, and so by 2 GiB; a length that a record merely
/// claims reserves nothing.
#[derive(Debug)]
pub struct Reader {
    segment_size: SegmentSize,
    /// Where the next byte belongs that is neither read nor held.
    position: Lsn,
    /// Of the pages so far.
    version: Option<Version>,
    system: Option<SystemId>,
    timeline: TimelineId,
    /// Where the last record begins; none is known at first.
    previous: Option<Lsn>,
    /// The record that was cut off right before.
    overwritten: Option<Lsn>,
    /// That, while it has not been told.
    lost: Option<Overwritten>,
    place: Place,
    /// The first bytes of a page header that has not come whole.
    held: Vec<u8>,
    /// The record that has not come whole, or did last.
    assembly: Assembly,
    failed: Option<Error>,
}

/// The position is none at which reading can begin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read WAL from {lsn}: expected {expected}")]
pub struct InvalidStart {
    /// What was given.
    pub lsn: Lsn,
    /// What would do.
    pub expected: &'static str,
}

/// A record of which the input so far holds the beginning only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Where it begins.
    pub lsn: Lsn,
    /// Bytes of it that have been given.
    pub held: usize,
    /// Bytes that it claims to have, not checked yet; `None` while not even that has come.
    pub total: Option<u32>,
}

impl Reader {
    /// Reads from the start of a page, typically of a segment. The rest of a record that began earlier is passed over; the
    /// first record that *begins* there or later is the first one told.
    pub fn at_page(lsn: Lsn, segment_size: SegmentSize) -> Result<Reader, InvalidStart> {
        match page_offset(lsn) {
            0 => Ok(Reader::new(lsn, segment_size, None, Place::First)),
            _ => Err(InvalidStart {
                lsn,
                expected: "the start of a page, a multiple of 8192",
            }),
        }
    }

    /// Reads from the start of a record: [`Record::lsn`](crate::Record::lsn) or [`Record::next`](crate::Record::next) of one read before. The version must be
    /// known, because the next page header may be far.
    pub fn at_record(lsn: Lsn, segment_size: SegmentSize, version: Version) -> Result<Reader, InvalidStart> {
        let offset = page_offset(lsn) as usize;
        match offset.is_multiple_of(8) && (offset == 0 || offset >= SHORT_HEADER_BYTES) {
            true => Ok(Reader::new(lsn, segment_size, Some(version), Place::Between)),
            false => Err(InvalidStart {
                lsn,
                expected: "the start of a record, a multiple of 8 outside of page headers",
            }),
        }
    }

    fn new(lsn: Lsn, segment_size: SegmentSize, version: Option<Version>, place: Place) -> Reader {
        Reader {
            segment_size,
            position: lsn,
            version,
            system: None,
            timeline: TimelineId(0),
            previous: None,
            overwritten: None,
            lost: None,
            place,
            held: Vec::new(),
            assembly: Assembly::default(),
            failed: None,
        }
    }

    /// Demands that the first record follows the one at `previous`. Without it, the first record's link must only point
    /// backwards.
    #[must_use]
    pub fn following(mut self, previous: Lsn) -> Reader {
        self.previous = Some(previous);
        self
    }

    /// Demands pages of this cluster. Without it, the first segment start that comes by decides.
    #[must_use]
    pub fn of_system(mut self, system: SystemId) -> Reader {
        self.system = Some(system);
        self
    }

    /// Demands pages of this timeline or of later ones. Without it, the first page decides.
    #[must_use]
    pub fn from_timeline(mut self, timeline: TimelineId) -> Reader {
        self.timeline = timeline;
        self
    }

    /// Gives the next bytes; the first of them belongs to [`position`](Self::position). What is not polled to the end
    /// is not taken, and must be given again.
    pub fn feed<'r, 'i>(&'r mut self, input: &'i [u8]) -> Feed<'r, 'i> {
        Feed { reader: self, input }
    }

    /// Where the next byte belongs.
    #[must_use]
    pub fn position(&self) -> Lsn {
        Lsn(self.position.0 + self.held.len() as u64)
    }

    /// The version of the pages so far; `None` before the first.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// The cluster whose WAL it is, once a segment start has come by.
    #[must_use]
    pub fn system(&self) -> Option<SystemId> {
        self.system
    }

    /// The timeline of the last page; 0 before the first.
    #[must_use]
    pub fn timeline(&self) -> TimelineId {
        self.timeline
    }

    /// Where the last record that was told begins.
    #[must_use]
    pub fn previous(&self) -> Option<Lsn> {
        self.previous
    }

    /// The record that the input so far breaks off in; at the end of a segment nothing unusual.
    #[must_use]
    pub fn pending(&self) -> Option<Pending> {
        match self.place {
            Place::Within { lsn, .. } => Some(Pending {
                lsn,
                held: self.assembly.bytes().len(),
                total: self.assembly.total(),
            }),
            Place::First | Place::Between | Place::Continuation { .. } | Place::Switched { .. } => None,
        }
    }

    /// Bytes that are reserved for what has not come whole.
    #[cfg(test)]
    pub(crate) fn held_bytes(&self) -> usize {
        self.assembly.reserved() + self.held.capacity()
    }

    /// Bytes from here to the end of the page.
    fn page_left(&self) -> usize {
        (PAGE_BYTES - page_offset(self.position)) as usize
    }
}

/// Bytes on their way through a [`Reader`].
#[derive(Debug)]
pub struct Feed<'r, 'i> {
    reader: &'r mut Reader,
    input: &'i [u8],
}

impl Feed<'_, '_> {
    /// What comes next in these bytes; `None` when more are needed.
    ///
    /// A record that lies in one page and whole in the input is borrowed from it, any other one from a buffer that the
    /// next call uses again. An error ends the reader: each further call returns it again.
    pub fn poll(&mut self) -> Result<Option<Event<'_>>, Error> {
        if let Some(error) = &self.reader.failed {
            return Err(error.clone());
        }
        let step = self.reader.advance(&mut self.input).inspect_err(|error| {
            self.reader.failed = Some(error.clone());
        })?;
        Ok(match step {
            Step::Starved => None,
            Step::Segment(segment) => Some(Event::Segment(segment)),
            Step::Overwritten(overwritten) => Some(Event::Overwritten(overwritten)),
            Step::Unused(unused) => Some(Event::Unused(unused)),
            Step::Borrowed(found, bytes) => Some(Event::Record(found.record(bytes))),
            Step::Assembled(found) => Some(Event::Record(found.record(self.reader.assembly.bytes()))),
        })
    }
}
