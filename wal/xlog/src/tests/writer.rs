//! WAL as a server would write it.

use synapse_wal_types::{Lsn, PgTimestamp, SystemId, TimelineId};

use super::spec::RecordSpec;
use crate::{Error, Event, PAGE_BYTES, Reader, Rmgr, SegmentSize, Version};

pub(super) const SYSTEM: SystemId = SystemId(0x6A1B_2C3D_4E5F_6071);

/// What a byte of the WAL belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    Header { page: Lsn, offset: usize },
    Record { lsn: Lsn, offset: usize },
    Padding,
    Unused,
}

pub(super) struct Writer {
    pub(super) version: Version,
    pub(super) size: SegmentSize,
    pub(super) timeline: TimelineId,
    pub(super) start: Lsn,
    pub(super) bytes: Vec<u8>,
    pub(super) regions: Vec<Region>,
    pub(super) previous: Lsn,
    pub(super) lsns: Vec<Lsn>,
}

const CONTINUES: u16 = 1;
const LONG: u16 = 2;
const OVERWRITES: u16 = 8;

impl Writer {
    /// At the start of the third segment.
    pub(super) fn new(version: Version) -> Writer {
        let size = SegmentSize::MIN;
        Writer {
            version,
            size,
            timeline: TimelineId(3),
            start: Lsn(2 * u64::from(size.bytes())),
            bytes: Vec::new(),
            regions: Vec::new(),
            previous: Lsn(0x1F_FF00),
            lsns: Vec::new(),
        }
    }

    pub(super) fn position(&self) -> Lsn {
        Lsn(self.start.0 + self.bytes.len() as u64)
    }

    fn page_left(&self) -> usize {
        PAGE_BYTES as usize - self.bytes.len() % PAGE_BYTES as usize
    }

    fn push(&mut self, bytes: &[u8], region: impl Fn(usize) -> Region) {
        self.bytes.extend(bytes);
        self.regions.extend((0..bytes.len()).map(region));
    }

    fn header(&mut self, flags: u16, remaining: u32) {
        let page = self.position();
        let long = self.size.offset(page) == 0;
        let mut header = Vec::new();
        header.extend(self.version.magic().to_le_bytes());
        header.extend((flags | if long { LONG } else { 0 }).to_le_bytes());
        header.extend(self.timeline.0.to_le_bytes());
        header.extend(page.0.to_le_bytes());
        header.extend(remaining.to_le_bytes());
        header.extend([0; 4]);
        if long {
            header.extend(SYSTEM.0.to_le_bytes());
            header.extend(self.size.bytes().to_le_bytes());
            header.extend(PAGE_BYTES.to_le_bytes());
        }
        self.push(&header, |offset| Region::Header { page, offset });
    }

    /// Goes to where the next record begins.
    pub(super) fn align(&mut self) {
        let padding = self.bytes.len().next_multiple_of(8) - self.bytes.len();
        self.push(&[0; 8][..padding], |_| Region::Padding);
        if self.page_left() == PAGE_BYTES as usize {
            self.header(0, 0);
        }
    }

    /// Writes a record over as many pages as it takes.
    pub(super) fn record(&mut self, spec: &RecordSpec) -> Lsn {
        let bytes = spec.encode(self.previous);
        self.whole(&bytes)
    }

    pub(super) fn whole(&mut self, bytes: &[u8]) -> Lsn {
        self.align();
        let lsn = self.position();
        let left = self.part(lsn, bytes, usize::MAX);
        assert_eq!(left, 0);
        self.lsns.push(lsn);
        self.previous = lsn;
        lsn
    }

    /// Writes as much of a record as at most so many pages take; the bytes that are left.
    fn part(&mut self, lsn: Lsn, bytes: &[u8], pages: usize) -> usize {
        let mut done = 0;
        for page in 0..pages {
            if page > 0 {
                self.header(CONTINUES, (bytes.len() - done) as u32);
            }
            let here = self.page_left().min(bytes.len() - done);
            self.push(&bytes[done..done + here], |offset| Region::Record {
                lsn,
                offset: done + offset,
            });
            done += here;
            if done == bytes.len() {
                break;
            }
        }
        bytes.len() - done
    }

    /// Crashes while a record is written that takes more than `pages`, and recovers; where the lost record begins.
    pub(super) fn lost(&mut self, spec: &RecordSpec, pages: usize) -> Lsn {
        self.align();
        let lsn = self.position();
        let left = self.part(lsn, &spec.encode(self.previous), pages);
        assert!(
            left > 0 && self.page_left() == PAGE_BYTES as usize,
            "the record is to be cut at a page's end"
        );
        self.header(OVERWRITES, 0);
        lsn
    }

    /// The record that a server writes after that.
    pub(super) fn overwrite(&mut self, lost: Lsn) -> Lsn {
        let main = [lost.0.to_le_bytes(), PgTimestamp(7).0.to_le_bytes()].concat();
        self.record(&RecordSpec::new(Rmgr::XLOG, 0xD0, &main))
    }

    /// Ends the segment early.
    pub(super) fn switch(&mut self) -> Lsn {
        let lsn = self.record(&RecordSpec::new(Rmgr::XLOG, 0x40, &[]));
        let end = self.bytes.len().next_multiple_of(self.size.bytes() as usize);
        let zeros = vec![0; end - self.bytes.len()];
        self.push(&zeros, |_| Region::Unused);
        lsn
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::at_page(self.start, self.size).unwrap()
    }

    /// All that a reader tells of this WAL, given in pieces of `piece` bytes.
    pub(super) fn told(&self, piece: usize) -> Told {
        tell(&mut self.reader().of_system(SYSTEM), &self.bytes, piece)
    }
}

/// Events with the bytes that they borrow.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) records: Vec<(Lsn, Lsn, Vec<u8>)>,
    pub(super) others: Vec<String>,
    pub(super) error: Option<Error>,
}

impl Told {
    pub(super) fn lsns(&self) -> Vec<Lsn> {
        self.records.iter().map(|(lsn, _, _)| *lsn).collect()
    }
}

pub(super) fn tell(reader: &mut Reader, bytes: &[u8], piece: usize) -> Told {
    let (mut records, mut others, mut error) = (Vec::new(), Vec::new(), None);
    for piece in bytes.chunks(piece) {
        let mut feed = reader.feed(piece);
        loop {
            match feed.poll() {
                Ok(Some(Event::Record(record))) => records.push((record.lsn, record.next, record.bytes().to_vec())),
                Ok(Some(other)) => others.push(format!("{other:?}")),
                Ok(None) => break,
                Err(fault) => {
                    error = Some(fault);
                    break;
                }
            }
        }
        if error.is_some() {
            break;
        }
    }
    Told { records, others, error }
}
