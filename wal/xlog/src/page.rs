use synapse_wal_types::{Lsn, SystemId, TimelineId};

use crate::cursor::Cursor;
use crate::{Error, Fault, Version};

/// Bytes of a WAL page (`XLOG_BLCKSZ`): 8192 in every build that is packaged. Another size is refused.
pub const PAGE_BYTES: u32 = 8192;
/// Bytes of the header of every page but the first of a segment (`SizeOfXLogShortPHD`).
pub const SHORT_HEADER_BYTES: usize = 24;
/// Bytes of the header of a segment's first page (`SizeOfXLogLongPHD`).
pub const LONG_HEADER_BYTES: usize = 40;

const CONTINUES: u16 = 0x0001;
const LONG: u16 = 0x0002;
const REMOVABLE: u16 = 0x0004;
const OVERWRITES: u16 = 0x0008;
const KNOWN: u16 = CONTINUES | LONG | REMOVABLE | OVERWRITES;

/// The header of a WAL page (`XLogPageHeaderData`, `access/xlog_internal.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHeader {
    /// By its magic number.
    pub version: Version,
    /// `xlp_info` as it stands there; the methods name its bits.
    pub flags: u16,
    /// The timeline on which the page was begun (`xlp_tli`); a later one may go on on it.
    pub timeline: TimelineId,
    /// The position of the page itself (`xlp_pageaddr`).
    pub address: Lsn,
    /// Bytes of the record that [continues](Self::continues_record) here and on the pages that follow (`xlp_rem_len`).
    /// Means nothing otherwise.
    pub remaining: u32,
    /// What only the first page of a segment says.
    pub long: Option<LongHeader>,
}

/// What the first page of a segment says beyond the short header (`XLogLongPageHeaderData`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongHeader {
    /// The cluster's identifier (`xlp_sysid`).
    pub system: SystemId,
    /// Bytes of a segment as the page has it, not checked (`xlp_seg_size`).
    pub segment_size: u32,
    /// Bytes of a page as the page has it, not checked (`xlp_xlog_blcksz`).
    pub page_size: u32,
}

impl PageHeader {
    /// Reads the header of the page at `lsn` from its first bytes: [`SHORT_HEADER_BYTES`], or [`LONG_HEADER_BYTES`] when
    /// the page is the first of a segment. It tells the version, and from a first page the segment size, without which
    /// no reader can be made.
    ///
    /// Fails when the bytes are too few, or magic number or flags are unknown; it compares nothing with `lsn`.
    pub fn read(lsn: Lsn, bytes: &[u8]) -> Result<PageHeader, Error> {
        PageHeader::decode(bytes).map_err(|fault| Error {
            lsn,
            judged_to: Lsn(lsn.0.saturating_add(bytes.len() as u64)),
            fault,
        })
    }

    /// Bytes that the header has, by the flags in its first bytes; the shorter size while they are not there.
    pub(crate) fn wanted(bytes: &[u8]) -> usize {
        match bytes {
            [_, _, low, high, ..] if u16::from_le_bytes([*low, *high]) & LONG != 0 => LONG_HEADER_BYTES,
            _ => SHORT_HEADER_BYTES,
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<PageHeader, Fault> {
        let mut cursor = Cursor::new("page header", bytes);
        let magic = cursor.u16()?;
        let version = Version::from_magic(magic).ok_or(Fault::Magic {
            found: magic,
            expected: None,
        })?;
        let flags = cursor.u16()?;
        if flags & !KNOWN != 0 {
            return Err(Fault::PageFlags {
                found: flags,
                allowed: KNOWN,
            });
        }
        let (timeline, address, remaining) = (cursor.timeline()?, cursor.lsn()?, cursor.u32()?);
        cursor.align()?;
        let long = match flags & LONG {
            0 => None,
            _ => Some(LongHeader {
                system: SystemId(cursor.u64()?),
                segment_size: cursor.u32()?,
                page_size: cursor.u32()?,
            }),
        };
        Ok(PageHeader {
            version,
            flags,
            timeline,
            address,
            remaining,
            long,
        })
    }

    /// Bytes of this header.
    #[must_use]
    pub fn length(&self) -> usize {
        match self.long {
            Some(_) => LONG_HEADER_BYTES,
            None => SHORT_HEADER_BYTES,
        }
    }

    /// The page begins with the rest of a record that began on an earlier one (`XLP_FIRST_IS_CONTRECORD`).
    #[must_use]
    pub fn continues_record(&self) -> bool {
        self.flags & CONTINUES != 0
    }

    /// The record that was to continue here is lost, and another one stands in its place
    /// (`XLP_FIRST_IS_OVERWRITE_CONTRECORD`).
    #[must_use]
    pub fn overwrites_record(&self) -> bool {
        self.flags & OVERWRITES != 0
    }

    /// Full-page images from here on need not be kept by who archives WAL without them (`XLP_BKP_REMOVABLE`).
    #[must_use]
    pub fn images_removable(&self) -> bool {
        self.flags & REMOVABLE != 0
    }
}

/// Bytes from the start of its page to a position.
pub(crate) const fn page_offset(lsn: Lsn) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "masked to less than a page")]
    let offset = (lsn.0 & (PAGE_BYTES as u64 - 1)) as u32;
    offset
}
