use synapse_wal_types::Lsn;

use super::Reader;
use super::advance::{Place, Step};
use crate::page::{PAGE_BYTES, PageHeader};
use crate::{Error, Fault, Overwritten, SegmentStart};

impl Reader {
    /// Takes the header of the page that begins here; `None` while it has not come whole.
    pub(super) fn take_header(&mut self, input: &mut &[u8]) -> Result<Option<PageHeader>, Error> {
        loop {
            let wanted = PageHeader::wanted(&self.held);
            let missing = wanted - self.held.len();
            if missing == 0 {
                break;
            }
            let Some((head, rest)) = input.split_at_checked(missing.min(input.len())) else {
                break;
            };
            if head.is_empty() {
                return Ok(None);
            }
            self.held.extend_from_slice(head);
            *input = rest;
        }
        let header = PageHeader::decode(&self.held).and_then(|header| self.check_page(&header).map(|()| header));
        let header = header.map_err(|fault| self.page_error(self.position, fault))?;
        self.position.0 += self.held.len() as u64;
        self.held.clear();
        Ok(Some(header))
    }

    /// An error that looking at the header of this page has shown.
    fn page_error(&self, lsn: Lsn, fault: Fault) -> Error {
        Error {
            lsn,
            judged_to: self.position(),
            fault,
        }
    }

    /// Whether the page is the one that belongs here (`XLogReaderValidatePageHeader`, `access/transam/xlogreader.c`).
    fn check_page(&self, page: &PageHeader) -> Result<(), Fault> {
        if let Some(expected) = self.version.filter(|version| *version != page.version) {
            return Err(Fault::Magic {
                found: page.version.magic(),
                expected: Some(expected),
            });
        }
        if let Some(long) = &page.long {
            let found = long.system;
            if let Some(expected) = self.system.filter(|system| *system != found) {
                return Err(Fault::System { found, expected });
            }
            if long.segment_size != self.segment_size.bytes() {
                return Err(Fault::SegmentSize {
                    found: long.segment_size,
                    expected: self.segment_size,
                });
            }
            if long.page_size != PAGE_BYTES {
                return Err(Fault::PageSize {
                    found: long.page_size,
                    expected: PAGE_BYTES,
                });
            }
        } else if self.segment_size.offset(self.position) == 0 {
            return Err(Fault::ShortHeader { found: page.flags });
        }
        if page.address != self.position {
            return Err(Fault::PageAddress { found: page.address });
        }
        if page.timeline < self.timeline {
            return Err(Fault::PageTimeline {
                found: page.timeline,
                after: self.timeline,
            });
        }
        Ok(())
    }

    /// Goes on to the page at `lsn`, whose header was just taken, and says what it means for the record in question.
    pub(super) fn turn_page<'i>(&mut self, lsn: Lsn, page: &PageHeader) -> Result<Option<Step<'i>>, Error> {
        self.version = Some(page.version);
        self.timeline = page.timeline;
        let segment = page.long.filter(|_| self.segment_size.offset(lsn) == 0).map(|header| {
            self.system = Some(header.system);
            Step::Segment(SegmentStart {
                lsn,
                timeline: page.timeline,
                version: page.version,
                header,
            })
        });
        self.lost = self.turn_place(lsn, page)?;
        Ok(segment)
    }

    fn turn_place(&mut self, lsn: Lsn, page: &PageHeader) -> Result<Option<Overwritten>, Error> {
        let (record, expected) = match self.place {
            Place::First if page.continues_record() && page.remaining > 0 => {
                self.place = Place::Continuation { left: page.remaining };
                return Ok(None);
            }
            Place::First | Place::Between | Place::Switched { .. } if page.continues_record() => {
                let remaining = page.remaining;
                return Err(self.page_error(lsn, Fault::UnexpectedContinuation { remaining }));
            }
            Place::First | Place::Between | Place::Switched { .. } => {
                self.place = Place::Between;
                return Ok(None);
            }
            Place::Continuation { left } => (None, left),
            Place::Within { lsn: record, .. } => (Some(record), self.assembly.missing()),
        };
        if page.overwrites_record() {
            self.place = Place::Between;
            self.overwritten = record;
            return Ok(record.map(|record| Overwritten { record, page: lsn }));
        }
        let found = page.remaining;
        let fault = match page.continues_record() {
            true if found == expected => return Ok(None),
            true => Fault::ContinuationLength {
                page: lsn,
                found,
                expected,
            },
            false => Fault::NoContinuation { page: lsn, expected },
        };
        Err(self.page_error(record.unwrap_or(lsn), fault))
    }
}
