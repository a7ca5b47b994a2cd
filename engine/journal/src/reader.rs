use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use synapse_engine_change::Part;
use synapse_wal_types::Lsn;

use crate::encode::EncodedBlock;
use crate::error::{Error, Result};
use crate::header::{BlockHeader, Kind};
use crate::segment::{Segment, SegmentHeader};
use crate::walk::sound_block_at;

/// The segments of a log in order, shared by its writer and its readers.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    list: Mutex<Vec<Arc<Segment>>>,
}

impl Segments {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<Arc<Segment>>> {
        self.list
            .lock()
            .expect("nothing panics while it holds the list of segments")
    }

    pub(crate) fn push(&self, segment: Arc<Segment>) {
        self.lock().push(segment);
    }
}

/// Reads a log in order, also while it grows, is pruned or its unfinished end is cut off: it sees whole transactions
/// only. After an error it stands where it stood, so that it can go on once a damaged block was repaired.
#[derive(Debug)]
pub struct Reader {
    segments: Arc<Segments>,
    segment: Option<Arc<Segment>>,
    offset: u64,
    /// Blocks up to here are skipped.
    from: Lsn,
    /// The last transaction that was passed whole.
    passed: Lsn,
    until: Until,
}

#[derive(Debug, PartialEq, Eq)]
enum Until {
    Ever,
    /// The end of the transaction at this position.
    Transaction(Lsn),
    Done,
}

impl Reader {
    /// Of all that comes after `from`.
    pub(crate) fn after(segments: &Arc<Segments>, from: Lsn) -> Result<Self> {
        let mut reader = Reader {
            segments: Arc::clone(segments),
            segment: None,
            offset: 0,
            from,
            passed: from,
            until: Until::Ever,
        };
        reader.find()?;
        Ok(reader)
    }

    /// Of the blocks of the transaction at `lsn`.
    pub(crate) fn of_transaction(segments: &Arc<Segments>, lsn: Lsn) -> Result<Self> {
        let mut reader = Self::after(segments, Lsn(lsn.0.saturating_sub(1)))?;
        reader.until = Until::Transaction(lsn);
        Ok(reader)
    }

    /// The next block; nothing when the log holds no more *yet*, or when all blocks asked for were read.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a block's checksum does not match, [`Error::Pruned`] when the log has moved on.
    pub fn next_block(&mut self) -> Result<Option<EncodedBlock>> {
        loop {
            if self.until == Until::Done || self.segment.is_none() && !self.find()? {
                return Ok(None);
            }
            let segment = Arc::clone(self.segment.as_ref().expect("it was found above"));
            // In this order: what is sealed does not grow.
            let (sealed, visible) = (segment.sealed(), segment.visible());
            if self.offset >= visible {
                if sealed && self.advance(&segment)? {
                    continue;
                }
                return Ok(None);
            }
            let Some(block) = self.read_block(&segment, visible)? else {
                self.offset += BlockHeader::LENGTH as u64;
                continue;
            };
            let header = *block.header();
            let wanted = header.kind == Kind::Transactions && header.last > self.from;
            if let Until::Transaction(lsn) = self.until
                && wanted
                && header.first > lsn
            {
                self.until = Until::Done;
                return Ok(None);
            }
            self.offset += header.block_bytes() as u64;
            let complete = !matches!(header.part, Part::Middle(_));
            // What a blank stands for is stable everywhere: nobody wants it any more.
            if matches!(header.kind, Kind::Transactions | Kind::Blank) && complete {
                self.passed = self.passed.max(header.last);
            }
            if wanted {
                if self.until != Until::Ever && complete {
                    self.until = Until::Done;
                }
                return Ok(Some(block));
            }
        }
    }

    /// Finds the segment to begin with, if there is any.
    fn find(&mut self) -> Result<bool> {
        let list = self.segments.lock();
        let at = list.partition_point(|segment| segment.after <= self.from);
        let found = at.checked_sub(1).map(|at| Arc::clone(&list[at]));
        if let (None, Some(first)) = (&found, list.first()) {
            return Err(Error::Pruned {
                first_available: first.after,
            });
        }
        self.offset = found.as_ref().map_or(0, |segment| segment.find(self.from));
        self.segment = found;
        Ok(self.segment.is_some())
    }

    /// Goes on to the segment after `segment`, if there is one.
    fn advance(&mut self, segment: &Segment) -> Result<bool> {
        let list = self.segments.lock();
        let at = list.partition_point(|other| other.number <= segment.number);
        let Some(next) = list.get(at) else {
            return Ok(false);
        };
        if next.after > self.passed {
            return Err(Error::Pruned {
                first_available: next.after,
            });
        }
        self.offset = SegmentHeader::LENGTH;
        self.segment = Some(Arc::clone(next));
        Ok(true)
    }

    /// The block at the offset; nothing for a mark that was damaged. What is passed over is checked like the rest: a
    /// header that lies would lead past what is wanted.
    fn read_block(&self, segment: &Segment, visible: u64) -> Result<Option<EncodedBlock>> {
        let (mut start, left) = ([0; BlockHeader::LENGTH], visible - self.offset);
        if left < BlockHeader::LENGTH as u64 {
            return Err(self.damaged(segment, "a block is cut short"));
        }
        let read = |error| Error::io("read", &segment.path)(error);
        segment.file.read_exact_at(&mut start, self.offset).map_err(read)?;
        let header = BlockHeader::parse(&start).ok();
        let mut what = "no block begins here";
        if let Some(header) = header.filter(|header| header.block_bytes() as u64 <= left) {
            let mut bytes = vec![0; header.block_bytes()];
            segment.file.read_exact_at(&mut bytes, self.offset).map_err(read)?;
            if let Ok(block) = EncodedBlock::from_bytes(Bytes::from(bytes)) {
                return Ok(Some(block));
            }
            what = "the checksum does not match";
        }
        let next = self.offset + BlockHeader::LENGTH as u64;
        if next == visible || sound_block_at(&segment.file, next, visible).map_err(read)? {
            return Ok(None);
        }
        Err(self.damaged(segment, what))
    }

    fn damaged(&self, segment: &Segment, what: &'static str) -> Error {
        Error::Damaged {
            path: segment.path.clone(),
            offset: self.offset,
            after: self.passed,
            what,
        }
    }
}
