use std::fmt;

use synapse_wal_types::Lsn;

/// Bytes of one WAL segment file (`wal_segment_size`): a power of two from 1 MiB to 1 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentSize(u32);

/// The size is none that initdb accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid WAL segment size {bytes}: expected a power of two from 1048576 to 1073741824 bytes")]
pub struct InvalidSegmentSize {
    /// What was given, in bytes.
    pub bytes: u32,
}

impl SegmentSize {
    /// The smallest size, 1 MiB.
    pub const MIN: SegmentSize = SegmentSize(1 << 20);
    /// What initdb takes unless told otherwise, 16 MiB.
    pub const DEFAULT: SegmentSize = SegmentSize(16 << 20);
    /// The largest size, 1 GiB.
    pub const MAX: SegmentSize = SegmentSize(1 << 30);

    /// Checks a size in bytes (`IsValidWalSegSize`, `access/xlog_internal.h`).
    pub fn new(bytes: u32) -> Result<SegmentSize, InvalidSegmentSize> {
        let allowed = SegmentSize::MIN.0..=SegmentSize::MAX.0;
        if bytes.is_power_of_two() && allowed.contains(&bytes) {
            Ok(SegmentSize(bytes))
        } else {
            Err(InvalidSegmentSize { bytes })
        }
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(self) -> u32 {
        self.0
    }

    /// Segments that share the middle part of their names (`XLogSegmentsPerXLogId`): 4 to 4096.
    #[must_use]
    pub const fn segments_per_id(self) -> u64 {
        (1 << 32) / self.0 as u64
    }

    /// Bytes from the start of its segment to a position.
    #[must_use]
    pub const fn offset(self, lsn: Lsn) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "masked to less than 1 GiB")]
        let offset = (lsn.0 & (self.0 as u64 - 1)) as u32;
        offset
    }
}

impl fmt::Display for SegmentSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a segment, counted from the start of the WAL (`XLogSegNo`). It means a position only together with a
/// [`SegmentSize`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(pub u64);

impl SegmentNumber {
    /// The segment that holds the byte at `lsn` (`XLByteToSeg`).
    #[must_use]
    pub const fn of(lsn: Lsn, size: SegmentSize) -> SegmentNumber {
        SegmentNumber(lsn.0 / size.0 as u64)
    }

    /// The position of its first byte, saturating.
    #[must_use]
    pub const fn start(self, size: SegmentSize) -> Lsn {
        Lsn(self.0.saturating_mul(size.0 as u64))
    }

    /// The position behind its last byte, saturating.
    #[must_use]
    pub const fn end(self, size: SegmentSize) -> Lsn {
        self.next().start(size)
    }

    /// The segment after it, saturating.
    #[must_use]
    pub const fn next(self) -> SegmentNumber {
        SegmentNumber(self.0.saturating_add(1))
    }
}

impl fmt::Display for SegmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
