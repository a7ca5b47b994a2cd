use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use synapse_engine_identity::Origin;
use synapse_wal_types::Lsn;

use crate::disk::{Disk, sync_dir};
use crate::error::{Error, Result};
use crate::header::{node_bytes, parse_origin};

const MAGIC: [u8; 4] = *b"SYNS";
const VERSION: u16 = 1;
/// Between two places that the index remembers, in bytes: a reader walks at most this far over headers.
const INDEX_STEP: u64 = 32 << 10;

/// The 64 bytes at the start of a segment.
///
/// ```text
/// 0 magic   4 version   6 zero   8 crc   12 incarnation   16 node (24)   40 after   48 zero
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) origin: Origin,
    /// The end of the log when the segment began.
    pub(crate) after: Lsn,
}

impl SegmentHeader {
    pub(crate) const LENGTH: u64 = 64;
    pub(crate) const SIZE: usize = 64;

    pub(crate) fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.origin.incarnation.0.to_le_bytes());
        bytes[16..40].copy_from_slice(&node_bytes(self.origin.node));
        bytes[40..48].copy_from_slice(&self.after.0.to_le_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; the error says what is wrong.
    pub(crate) fn parse(bytes: &[u8; Self::SIZE], path: &Path) -> Result<Self> {
        let damaged = |what| Error::Damaged {
            path: path.to_owned(),
            offset: 0,
            after: Lsn::ZERO,
            what,
        };
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let version = u16::from_le_bytes([bytes[4], bytes[5]]);
        if bytes[..4] != MAGIC {
            return Err(damaged("no segment begins here"));
        }
        if version != VERSION {
            return Err(Error::UnknownVersion {
                what: "a journal segment",
                version,
                known: VERSION,
            });
        }
        let mut unsealed = *bytes;
        unsealed[8..12].fill(0);
        if crc32fast::hash(&unsealed) != number(8) {
            return Err(damaged("the checksum of the segment's header does not match"));
        }
        let node = bytes[16..].first_chunk().expect("the header is 64 bytes long");
        let origin = parse_origin(node, number(12)).ok_or_else(|| damaged("not the name of an origin"))?;
        let after = Lsn(u64::from(number(44)) << 32 | u64::from(number(40)));
        Ok(SegmentHeader { origin, after })
    }
}

/// A place in a segment at which a transaction's first block begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The last transaction before it.
    pub(crate) after: Lsn,
    pub(crate) offset: u64,
}

/// One file of a log. Writer and readers share it; readers see what is `visible` and nothing else.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Orders the segments and names the file.
    pub(crate) number: Lsn,
    pub(crate) after: Lsn,
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    index: Mutex<Vec<Place>>,
    visible: AtomicU64,
    sealed: AtomicBool,
}

impl Segment {
    /// The name of the segment `number`.
    pub(crate) fn name(number: Lsn) -> String {
        format!("{:016x}.log", number.0)
    }

    /// The number in a name.
    pub(crate) fn parse_name(name: &str) -> Option<Lsn> {
        let digits = name.strip_suffix(".log")?;
        let number = Lsn(u64::from_str_radix(digits, 16).ok()?);
        (Self::name(number) == name).then_some(number)
    }

    /// A segment that stands in the file `path`, visible up to the end of its header.
    pub(crate) fn of(path: PathBuf, file: File, number: Lsn, after: Lsn) -> Self {
        Segment {
            number,
            after,
            path,
            file,
            index: Mutex::new(Vec::new()),
            visible: AtomicU64::new(SegmentHeader::LENGTH),
            sealed: AtomicBool::new(false),
        }
    }

    /// Makes the file of a new segment that begins with `head`, all of it durable before its name appears.
    pub(crate) fn create(dir: &Path, disk: &dyn Disk, header: SegmentHeader, number: Lsn, head: &[u8]) -> Result<Self> {
        let path = dir.join(Self::name(number));
        let unnamed = path.with_extension("tmp");
        let write = || {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .open(&unnamed)?;
            let bytes = [&header.to_bytes(), head].concat();
            disk.write(&file, &bytes, 0)?;
            disk.sync(&file)?;
            std::fs::rename(&unnamed, &path)?;
            Ok(file)
        };
        let made = write()
            .map_err(Error::io("create the segment", &path))
            .and_then(|file| sync_dir(dir).map(|()| file));
        let file = made.inspect_err(|_| {
            // Nothing was appended to it, so that it may also stay: whatever can be removed goes.
            let _ = std::fs::remove_file(&unnamed);
            let _ = std::fs::remove_file(&path);
        })?;
        Ok(Segment::of(path, file, number, header.after))
    }

    /// Up to where readers may read, in bytes.
    pub(crate) fn visible(&self) -> u64 {
        self.visible.load(Ordering::Acquire)
    }

    pub(crate) fn show(&self, offset: u64) {
        self.visible.store(offset, Ordering::Release);
    }

    /// Whether nothing will be appended any more: to be asked *before* `visible`.
    pub(crate) fn sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    pub(crate) fn seal(&self) {
        self.sealed.store(true, Ordering::Release);
    }

    /// Remembers a place at which a transaction begins, if the last one remembered is far enough.
    pub(crate) fn remember(&self, place: Place) {
        let mut index = self.index();
        if index.last().is_none_or(|last| last.offset + INDEX_STEP <= place.offset) {
            index.push(place);
        }
    }

    /// Forgets the places at or after `offset`.
    pub(crate) fn forget(&self, offset: u64) {
        self.index().retain(|place| place.offset < offset);
    }

    /// A place with nothing after `lsn` before it, as far on as the index knows.
    pub(crate) fn find(&self, lsn: Lsn) -> u64 {
        let index = self.index();
        let at = index.partition_point(|place| place.after <= lsn);
        at.checked_sub(1).map_or(SegmentHeader::LENGTH, |at| index[at].offset)
    }

    fn index(&self) -> MutexGuard<'_, Vec<Place>> {
        self.index.lock().expect("nothing panics while it holds the index")
    }
}
