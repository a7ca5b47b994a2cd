use synapse_wal_types::{Lsn, TimelineId, Xid};

use crate::layout::{BlockRefs, Layout};
use crate::{Error, Fault, RecordKind, Rmgr, Version};

/// Bytes of a record's header (`SizeOfXLogRecord`, `access/xlogrecord.h`): the least that `xl_tot_len` can be.
pub const RECORD_HEADER_BYTES: usize = 24;
/// The most bytes that a record may have: one less than 1 GiB, the largest buffer that a server of version 14 or 15 reads
/// one into (`MaxAllocSize`). From version 16 on servers write 1020 MiB at most (`XLogRecordMaxSize`).
pub const RECORD_BYTES_MAX: u32 = 0x3FFF_FFFF;

/// Bits of `xl_info` that belong to the format, not to the operation.
const SPECIAL_RELATION_UPDATE: u8 = 0x01;

/// A record whose place in the chain, checksum and lengths have been checked (`XLogRecord`, `access/xlogrecord.h`).
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where it begins.
    pub lsn: Lsn,
    /// Where the next one may begin: behind its last byte, aligned to 8; a page's start when that is the end of a page;
    /// for a [switch](Self::is_switch) the start of the next segment (`EndRecPtr`).
    pub next: Lsn,
    /// The timeline of the page on which it begins. On the page on which a new timeline begins to be written that is the
    /// old one: [`TimelineHistory::timeline_at`](crate::TimelineHistory::timeline_at) tells the record's own.
    pub page_timeline: TimelineId,
    /// The version that wrote it.
    pub version: Version,
    bytes: &'a [u8],
    layout: Layout,
}

/// The fixed fields of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordHeader {
    pub(crate) total: u32,
    pub(crate) xid: Xid,
    pub(crate) previous: Lsn,
    pub(crate) info: u8,
    pub(crate) rmgr: Rmgr,
    pub(crate) crc: u32,
}

impl RecordHeader {
    /// Splits the header; `None` when there are fewer bytes than that.
    #[inline]
    pub(crate) fn split(bytes: &[u8]) -> Option<RecordHeader> {
        let header = bytes.first_chunk::<RECORD_HEADER_BYTES>()?;
        let [
            t0,
            t1,
            t2,
            t3,
            x0,
            x1,
            x2,
            x3,
            p0,
            p1,
            p2,
            p3,
            p4,
            p5,
            p6,
            p7,
            info,
            rmgr,
            _,
            _,
            c0,
            c1,
            c2,
            c3,
        ] = *header;
        Some(RecordHeader {
            total: u32::from_le_bytes([t0, t1, t2, t3]),
            xid: Xid(u32::from_le_bytes([x0, x1, x2, x3])),
            previous: Lsn(u64::from_le_bytes([p0, p1, p2, p3, p4, p5, p6, p7])),
            info,
            rmgr: Rmgr(rmgr),
            crc: u32::from_le_bytes([c0, c1, c2, c3]),
        })
    }
}

impl<'a> Record<'a> {
    pub(crate) fn new(
        (lsn, next): (Lsn, Lsn),
        page_timeline: TimelineId,
        version: Version,
        bytes: &'a [u8],
        layout: Layout,
    ) -> Record<'a> {
        Record {
            lsn,
            next,
            page_timeline,
            version,
            bytes,
            layout,
        }
    }

    fn header(&self) -> RecordHeader {
        RecordHeader::split(self.bytes).expect("a record is at least its header long")
    }

    /// The whole record as it stands in the WAL, without the headers of pages that it crosses and without padding:
    /// [`RECORD_HEADER_BYTES`] to [`RECORD_BYTES_MAX`] bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Bytes of the whole record (`xl_tot_len`).
    #[must_use]
    pub fn total_bytes(&self) -> u32 {
        self.header().total
    }

    /// The (sub)transaction that wrote it; 0 when none did.
    #[must_use]
    pub fn xid(&self) -> Xid {
        self.header().xid
    }

    /// The transaction of which [`xid`](Self::xid) is a subtransaction, where the record says so: once for each, with
    /// `wal_level = logical`.
    #[must_use]
    pub fn top_level_xid(&self) -> Option<Xid> {
        self.layout.top_level
    }

    /// Where the record before it begins (`xl_prev`).
    #[must_use]
    pub fn previous(&self) -> Lsn {
        self.header().previous
    }

    /// `xl_info` as it stands there.
    #[must_use]
    pub fn info(&self) -> u8 {
        self.header().info
    }

    /// Who wrote it.
    #[must_use]
    pub fn rmgr(&self) -> Rmgr {
        self.header().rmgr
    }

    /// What it does.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        let header = self.header();
        RecordKind::new(header.rmgr, header.info)
    }

    /// `xl_crc`, which was found to be right.
    #[must_use]
    pub fn crc(&self) -> u32 {
        self.header().crc
    }

    /// The replication origin of the session that wrote it; `None` for the server itself.
    #[must_use]
    pub fn origin(&self) -> Option<u16> {
        self.layout.origin
    }

    /// The operation's own data, whose form depends on [`kind`](Self::kind) and version.
    #[must_use]
    pub fn main_data(&self) -> &'a [u8] {
        let (_, main) = self.bytes.split_at(self.bytes.len() - self.layout.main);
        main
    }

    /// The blocks that it names, in the order of their ids; 33 at most.
    #[must_use]
    pub fn block_refs(&self) -> BlockRefs<'a> {
        BlockRefs::new(self.bytes, &self.layout, self.version)
    }

    /// Bytes of its full-page images, as stored. The rest of [`total_bytes`](Self::total_bytes) is what `pg_waldump
    /// --stats` calls the record size.
    #[must_use]
    pub fn image_bytes(&self) -> u32 {
        self.layout.image_bytes
    }

    /// Whether it changes files in a way that its block references do not tell (`XLR_SPECIAL_REL_UPDATE`).
    #[must_use]
    pub fn changes_files(&self) -> bool {
        self.info() & SPECIAL_RELATION_UPDATE != 0
    }

    /// Whether the rest of the segment behind it is unused (`XLOG_SWITCH`).
    #[must_use]
    pub fn is_switch(&self) -> bool {
        is_switch(self.kind())
    }

    /// Says that its contents are wrong.
    pub(crate) fn error(&self, fault: Fault) -> Error {
        Error {
            lsn: self.lsn,
            judged_to: self.next,
            fault,
        }
    }
}

pub(crate) fn is_switch(kind: RecordKind) -> bool {
    kind == RecordKind::new(Rmgr::XLOG, 0x40)
}
