use std::fmt;

use synapse_wal_types::{Lsn, TimelineId};

use crate::{SegmentNumber, SegmentSize};

/// A file of `pg_wal` that is archived: what `archive_command` and `restore_command` are called with
/// (`access/xlog_internal.h`, `IsXLogFileName` and its neighbours).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WalFile {
    /// `000000010000000000000002`: a complete segment.
    Segment(SegmentName),
    /// `000000010000000000000002.partial`: the last segment of a timeline that was left by a promotion.
    Partial(SegmentName),
    /// `000000010000000000000002.00000028.backup`: the notes of a base backup that began `offset` bytes into the segment.
    Backup {
        /// The segment in which the backup began.
        segment: SegmentName,
        /// Bytes from the segment's start to the backup's redo position.
        offset: u32,
    },
    /// `00000002.history`: where a timeline and its ancestors branched off.
    History(TimelineId),
}

/// The timeline and number of a segment. The text form depends on the segment size, which the name does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    /// The timeline whose file it is. Pages at its start may be of an ancestor, when the timeline branched off within.
    pub timeline: TimelineId,
    /// Which segment.
    pub number: SegmentNumber,
    /// The size that number and name agree on.
    pub size: SegmentSize,
}

/// The text is no name of an archived file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid WAL file name {name:?} for segments of {size} bytes: expected 24 upper-case hexadecimal digits, alone or \
     with .partial or .XXXXXXXX.backup, or 8 digits with .history"
)]
pub struct InvalidWalFileName {
    /// What was given.
    pub name: String,
    /// The segment size it was read for.
    pub size: SegmentSize,
}

impl WalFile {
    /// Reads a file name for segments of `size`. A name that this size cannot have (its last part counts too high, or
    /// a backup's offset lies outside of the segment) is an error, because it was written for another size.
    pub fn parse(name: &str, size: SegmentSize) -> Result<WalFile, InvalidWalFileName> {
        let (stem, rest) = name
            .split_once('.')
            .map_or((name, None), |(stem, rest)| (stem, Some(rest)));
        let file = match rest {
            None => SegmentName::digits(stem, size).map(WalFile::Segment),
            Some("partial") => SegmentName::digits(stem, size).map(WalFile::Partial),
            Some("history") => hex(stem).map(|timeline| WalFile::History(TimelineId(timeline))),
            Some(other) => other.strip_suffix(".backup").and_then(|digits| {
                let (segment, offset) = (SegmentName::digits(stem, size)?, hex(digits)?);
                (offset < size.bytes()).then_some(WalFile::Backup { segment, offset })
            }),
        };
        file.ok_or_else(|| InvalidWalFileName {
            name: name.to_owned(),
            size,
        })
    }
}

impl SegmentName {
    /// The name of the segment that holds the byte at `lsn` on a timeline (`XLogFileName`).
    #[must_use]
    pub const fn at(lsn: Lsn, timeline: TimelineId, size: SegmentSize) -> SegmentName {
        SegmentName {
            timeline,
            number: SegmentNumber::of(lsn, size),
            size,
        }
    }

    /// The position of its first byte.
    #[must_use]
    pub const fn start(&self) -> Lsn {
        self.number.start(self.size)
    }

    /// The position behind its last byte.
    #[must_use]
    pub const fn end(&self) -> Lsn {
        self.number.end(self.size)
    }

    /// Reads the 24 digits of a name (`XLogFromFileName`).
    fn digits(text: &str, size: SegmentSize) -> Option<SegmentName> {
        let (timeline, rest) = text.split_at_checked(8)?;
        let (high, low) = rest.split_at_checked(8)?;
        let (timeline, high, low) = (hex(timeline)?, u64::from(hex(high)?), u64::from(hex(low)?));
        (low < size.segments_per_id()).then(|| SegmentName {
            timeline: TimelineId(timeline),
            number: SegmentNumber(high * size.segments_per_id() + low),
            size,
        })
    }
}

/// Exactly eight upper-case hexadecimal digits.
fn hex(text: &str) -> Option<u32> {
    let fits = text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    fits.then(|| u32::from_str_radix(text, 16).ok()).flatten()
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (per_id, number) = (self.size.segments_per_id(), self.number.0);
        write!(
            f,
            "{:08X}{:08X}{:08X}",
            self.timeline.0,
            number / per_id,
            number % per_id
        )
    }
}

impl fmt::Display for WalFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WalFile::Segment(segment) => segment.fmt(f),
            WalFile::Partial(segment) => write!(f, "{segment}.partial"),
            WalFile::Backup { segment, offset } => write!(f, "{segment}.{offset:08X}.backup"),
            WalFile::History(timeline) => write!(f, "{:08X}.history", timeline.0),
        }
    }
}
