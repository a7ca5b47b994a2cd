use synapse_wal_types::{Lsn, TimelineId};

use crate::crc::record_crc;
use crate::layout::Layout;
use crate::record::RecordHeader;
use crate::{Fault, RECORD_BYTES_MAX, RECORD_HEADER_BYTES, Record, RecordKind, Rmgr, Version};

/// Bytes of the buffer that are kept from one record to the next: more than all but bulk loads and large messages write.
const KEPT_BYTES_MAX: usize = 1 << 20;
/// Bytes of `xl_tot_len`, which never crosses a page.
pub(super) const TOTAL_BYTES: usize = 4;

/// A record that does not lie in one piece of input, put together. It grows with the bytes that come.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    buffer: Vec<u8>,
}

impl Assembly {
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES_MAX);
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    #[cfg(test)]
    pub(super) fn reserved(&self) -> usize {
        self.buffer.capacity()
    }

    /// What the record says of its length, once its first bytes are there.
    pub(super) fn total(&self) -> Option<u32> {
        self.buffer.first_chunk().map(|total| u32::from_le_bytes(*total))
    }

    /// Bytes that it still lacks, as its length has it.
    pub(super) fn missing(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it never grows beyond its own length, of 32 bits"
        )]
        let held = self.buffer.len() as u32;
        self.total().unwrap_or(0).saturating_sub(held)
    }

    /// The length to which it must grow before anything more can be said: that of `xl_tot_len`, of the header, of all.
    pub(super) fn wanted(&self) -> usize {
        match self.total() {
            None => TOTAL_BYTES,
            Some(_) if self.buffer.len() < RECORD_HEADER_BYTES => RECORD_HEADER_BYTES,
            Some(total) => total as usize,
        }
    }
}

/// A record that was found good, without its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) lsn: Lsn,
    pub(super) next: Lsn,
    pub(super) timeline: TimelineId,
    pub(super) version: Version,
    pub(super) layout: Layout,
}

impl Found {
    pub(super) fn record(self, bytes: &[u8]) -> Record<'_> {
        Record::new((self.lsn, self.next), self.timeline, self.version, bytes, self.layout)
    }
}

/// Whether a record can have this length.
pub(super) fn check_total(total: u32) -> Result<(), Fault> {
    #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
    let min = RECORD_HEADER_BYTES as u32;
    match (min..=RECORD_BYTES_MAX).contains(&total) {
        true => Ok(()),
        false => Err(Fault::RecordLength {
            found: total,
            min,
            max: RECORD_BYTES_MAX,
        }),
    }
}

/// Whether the record at `lsn` fits what is known (`ValidXLogRecordHeader`, `access/transam/xlogreader.c`).
pub(super) fn check_header(
    header: &RecordHeader,
    lsn: Lsn,
    previous: Option<Lsn>,
    version: Version,
) -> Result<(), Fault> {
    if !header.rmgr.is_valid(version) {
        return Err(Fault::Rmgr { found: header.rmgr });
    }
    let found = header.previous;
    match previous {
        Some(expected) if found != expected => Err(Fault::PreviousLink { found, expected }),
        None if found >= lsn => Err(Fault::PreviousAhead { found }),
        Some(_) | None => Ok(()),
    }
}

/// Checks a whole record: its CRC, and that its lengths agree.
#[inline(always)]
pub(super) fn check_record(bytes: &[u8], header: &RecordHeader, version: Version) -> Result<Layout, Fault> {
    let expected = record_crc(bytes);
    if header.crc != expected {
        return Err(Fault::Checksum {
            found: header.crc,
            expected,
        });
    }
    Layout::read(bytes, version)
}

/// Whether a record that overwrites another one names the one that was cut off (`VerifyOverwriteContrecord`,
/// `access/transam/xlogrecovery.c`).
pub(super) fn check_overwritten(
    bytes: &[u8],
    header: &RecordHeader,
    layout: &Layout,
    overwritten: Option<Lsn>,
) -> Result<(), Fault> {
    let Some(expected) = overwritten else { return Ok(()) };
    if RecordKind::new(header.rmgr, header.info) != RecordKind::new(Rmgr::XLOG, 0xD0) {
        return Ok(());
    }
    let (_, main) = bytes.split_at(bytes.len() - layout.main);
    let found = crate::cursor::Cursor::new("overwrite of a record", main).lsn()?;
    match found == expected {
        true => Ok(()),
        false => Err(Fault::Overwrites { found, expected }),
    }
}
