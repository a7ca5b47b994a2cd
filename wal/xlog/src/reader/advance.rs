use synapse_wal_types::{Lsn, TimelineId};

use super::Reader;
use super::assembly::{Found, check_header, check_overwritten, check_record, check_total};
use crate::page::page_offset;
use crate::record::{RecordHeader, is_switch};
use crate::{Error, Fault, Overwritten, RECORD_HEADER_BYTES, RecordKind, SegmentNumber, SegmentStart, Unused};

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// The first page of all, whose header decides.
    First,
    /// The padding before a record, or its first byte.
    Between,
    /// The rest of a record that began before the first page.
    Continuation { left: u32 },
    /// A record whose first bytes are in the assembly.
    Within { lsn: Lsn, timeline: TimelineId },
    /// What a switch leaves of its segment.
    Switched {
        switch: Lsn,
        from: Lsn,
        nonzero: Option<Lsn>,
    },
}

/// What was come by; the bytes of an assembled record are in the assembly.
pub(super) enum Step<'i> {
    Starved,
    Segment(SegmentStart),
    Overwritten(Overwritten),
    Unused(Unused),
    Borrowed(Found, &'i [u8]),
    Assembled(Found),
}

impl Reader {
    /// Takes input up to the next step.
    pub(super) fn advance<'i>(&mut self, input: &mut &'i [u8]) -> Result<Step<'i>, Error> {
        loop {
            if let Some(lost) = self.lost.take() {
                return Ok(Step::Overwritten(lost));
            }
            if page_offset(self.position) == 0 && !matches!(self.place, Place::Switched { .. }) {
                let lsn = self.position;
                let Some(page) = self.take_header(input)? else {
                    return Ok(Step::Starved);
                };
                if let Some(step) = self.turn_page(lsn, &page)? {
                    return Ok(step);
                }
                continue;
            }
            if input.is_empty() {
                return Ok(Step::Starved);
            }
            let step = match self.place {
                Place::First | Place::Between => self.begin(input)?,
                Place::Continuation { left } => {
                    self.pass_continuation(left, input);
                    None
                }
                Place::Within { lsn, timeline } => self.assemble(lsn, timeline, input)?.map(Step::Assembled),
                Place::Switched { switch, from, nonzero } => self.pass_unused(switch, from, nonzero, input),
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    /// Takes bytes off the input, at most `count`, never beyond the page.
    fn take<'i>(&mut self, count: usize, input: &mut &'i [u8]) -> &'i [u8] {
        let count = count.min(self.page_left()).min(input.len());
        let (head, rest) = input.split_at(count);
        *input = rest;
        self.position.0 += count as u64;
        head
    }

    /// Passes the padding before a record; then takes the record if it is here whole, or begins to put it together.
    fn begin<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Step<'i>>, Error> {
        let padding = page_offset(self.position).next_multiple_of(8) - page_offset(self.position);
        if padding > 0 {
            // Nothing covers these bytes, so nothing is asked of them.
            self.take(padding as usize, input);
            return Ok(None);
        }
        let (lsn, timeline) = (self.position, self.timeline);
        let here = input.get(..self.page_left()).unwrap_or(input);
        let Some(header) = RecordHeader::split(here).filter(|header| header.total as usize <= here.len()) else {
            self.assembly.clear();
            self.place = Place::Within { lsn, timeline };
            return Ok(None);
        };
        let error = |judged: usize, fault| Error {
            lsn,
            judged_to: Lsn(lsn.0 + judged as u64),
            fault,
        };
        check_total(header.total).map_err(|fault| error(super::assembly::TOTAL_BYTES, fault))?;
        self.check_header(&header, lsn)
            .map_err(|fault| error(RECORD_HEADER_BYTES, fault))?;
        let bytes = self.take(header.total as usize, input);
        let found = self
            .complete(lsn, timeline, &header, bytes)
            .map_err(|fault| error(bytes.len(), fault))?;
        Ok(Some(Step::Borrowed(found, bytes)))
    }

    fn check_header(&self, header: &RecordHeader, lsn: Lsn) -> Result<(), Fault> {
        check_header(header, lsn, self.previous, self.known_version())
    }

    /// Adds to a record what the page and the input have of it, as far as it can be trusted already.
    fn assemble(&mut self, lsn: Lsn, timeline: TimelineId, input: &mut &[u8]) -> Result<Option<Found>, Error> {
        let wanted = self.assembly.wanted();
        let bytes = self.take(wanted - self.assembly.bytes().len(), input);
        self.assembly.append(bytes);
        if self.assembly.bytes().len() < wanted {
            return Ok(None);
        }
        let judged = self.judge(lsn, timeline);
        judged.map_err(|fault| Error {
            lsn,
            judged_to: self.position,
            fault,
        })
    }

    /// Judges a record by as much as has just been put together.
    fn judge(&mut self, lsn: Lsn, timeline: TimelineId) -> Result<Option<Found>, Fault> {
        let held = self.assembly.bytes().len();
        let Some(header) = RecordHeader::split(self.assembly.bytes()) else {
            return self.assembly.total().map_or(Ok(()), check_total).map(|()| None);
        };
        if held == RECORD_HEADER_BYTES {
            self.check_header(&header, lsn)?;
        }
        if held < header.total as usize {
            return Ok(None);
        }
        let assembly = std::mem::take(&mut self.assembly);
        let found = self.complete(lsn, timeline, &header, assembly.bytes());
        self.assembly = assembly;
        found.map(Some)
    }

    /// Checks a whole record that ends here, and says where the next one is.
    fn complete(
        &mut self,
        lsn: Lsn,
        timeline: TimelineId,
        header: &RecordHeader,
        bytes: &[u8],
    ) -> Result<Found, Fault> {
        let version = self.known_version();
        let layout = check_record(bytes, header, version)?;
        check_overwritten(bytes, header, &layout, self.overwritten.take())?;
        let aligned = Lsn(self.position.0.next_multiple_of(8));
        let switched = is_switch(RecordKind::new(header.rmgr, header.info)) && self.segment_size.offset(aligned) != 0;
        let (place, next) = match switched {
            true => (
                Place::Switched {
                    switch: lsn,
                    from: self.position,
                    nonzero: None,
                },
                SegmentNumber::of(aligned, self.segment_size).end(self.segment_size),
            ),
            false => (Place::Between, aligned),
        };
        self.place = place;
        self.previous = Some(lsn);
        Ok(Found {
            lsn,
            next,
            timeline,
            version,
            layout,
        })
    }

    fn pass_continuation(&mut self, left: u32, input: &mut &[u8]) {
        let passed = self.take(left as usize, input).len();
        #[expect(clippy::cast_possible_truncation, reason = "at most a page")]
        let left = left - passed as u32;
        self.place = match left {
            0 => Place::Between,
            _ => Place::Continuation { left },
        };
    }

    /// Passes what a switch leaves, and says so at the segment's end.
    fn pass_unused<'i>(
        &mut self,
        switch: Lsn,
        from: Lsn,
        nonzero: Option<Lsn>,
        input: &mut &'i [u8],
    ) -> Option<Step<'i>> {
        let start = self.position;
        let bytes = self.take(self.page_left(), input);
        let first = || bytes.iter().position(|byte| *byte != 0);
        let nonzero = nonzero.or_else(|| first().map(|offset| Lsn(start.0 + offset as u64)));
        let to = self.position;
        self.place = Place::Switched { switch, from, nonzero };
        if self.segment_size.offset(to) != 0 {
            return None;
        }
        self.place = Place::Between;
        Some(Step::Unused(Unused {
            switch,
            from,
            to,
            nonzero,
        }))
    }

    fn known_version(&self) -> crate::Version {
        self.version
            .expect("reading begins with a page header or with the version given")
    }
}
