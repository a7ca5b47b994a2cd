use std::path::PathBuf;
use std::sync::Arc;

use synapse_engine_identity::Origin;
use synapse_wal_types::Lsn;

use crate::disk::Disk;
use crate::encode::{EncodedBlock, encode_mark};
use crate::error::{Error, Result};
use crate::header::{BlockHeader, Kind};
use crate::reader::Segments;
use crate::segment::{Place, Segment, SegmentHeader};
use crate::tail::{Fit, Tail};

/// The end of a log, where blocks are appended.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) origin: Origin,
    pub(crate) dir: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) segment_bytes: u64,
    pub(crate) segments: Arc<Segments>,
    pub(crate) current: Option<Arc<Segment>>,
    /// End of what was appended to the current segment.
    pub(crate) offset: u64,
    /// Bytes after `offset` that a failed write may have left and that could not be cut off yet.
    pub(crate) dirty: bool,
    pub(crate) tail: Tail,
    pub(crate) progress: Option<EncodedBlock>,
    /// The last transaction known to be on the disk.
    pub(crate) durable: Lsn,
    /// The offset up to which no fsync is due.
    pub(crate) clean: u64,
    /// Grows when the current segment changes or is cut: then an fsync that was under way proves nothing of it.
    pub(crate) generation: u64,
    /// The segment whose fsync failed.
    pub(crate) failed: Option<PathBuf>,
}

/// What became of a block that was to be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It stands at the end of the log.
    New,
    /// The log held all of it before; nothing was written.
    Known,
}

impl Writer {
    pub(crate) fn append(&mut self, block: &EncodedBlock) -> Result<Appended> {
        let header = block.header();
        self.check(header)?;
        let out_of_order = |end| {
            move |what| Error::OutOfOrder {
                end,
                last: header.last,
                what,
            }
        };
        match self.tail.fit(header).map_err(out_of_order(self.tail.end))? {
            Fit::Known => return Ok(Appended::Known),
            Fit::Again => self.drop_unfinished()?,
            Fit::Next => {}
        }
        let bytes = block.bytes().len() as u64;
        let full = self.current.is_none() || self.offset + bytes > self.segment_bytes;
        // A transaction stays in one segment, so that an unfinished one can be cut off.
        let boundary = self.tail.unfinished.is_none();
        let blank = self.offset <= SegmentHeader::LENGTH;
        if self.current.is_none() || full && boundary && !blank {
            self.rotate(header.first)?;
        }
        let place = Place {
            after: self.tail.end,
            offset: self.offset,
        };
        self.write(block)?;
        self.tail.take(header, place.offset);
        let segment = self.segment();
        if header.kind == Kind::Transactions && header.begins() {
            segment.remember(place);
        }
        if self.tail.unfinished.is_none() {
            segment.show(self.offset);
        }
        if header.kind == Kind::Progress {
            self.progress = Some(block.clone());
        }
        Ok(Appended::New)
    }

    /// Cuts off the parts of a transaction whose last part did not come. No reader has seen them.
    pub(crate) fn drop_unfinished(&mut self) -> Result<()> {
        self.check_usable()?;
        let Some(unfinished) = self.tail.unfinished else {
            return Ok(());
        };
        let segment = Arc::clone(self.segment());
        segment
            .file
            .set_len(unfinished.offset)
            .map_err(Error::io("cut", &segment.path))?;
        segment.forget(unfinished.offset);
        self.tail.unfinished = None;
        self.offset = unfinished.offset;
        self.clean = self.clean.min(self.offset);
        self.generation += 1;
        segment.show(self.offset);
        Ok(())
    }

    /// Notes that everything before `synced` is on the disk, and leaves a mark that proves it.
    pub(crate) fn synced(&mut self, synced: u64, end: Lsn, generation: u64) {
        self.durable = self.durable.max(end);
        if generation != self.generation {
            return;
        }
        self.clean = self.clean.max(synced);
        let nothing_since = self.offset == synced;
        let mark = encode_mark(self.origin, end, synced).expect("a mark has no payload that could be too large");
        // Without its mark a damaged block here would look like a torn tail after a crash: nothing worse.
        if self.write(&mark).is_ok() {
            if nothing_since {
                self.clean = self.offset;
            }
            if self.tail.unfinished.is_none() {
                self.segment().show(self.offset);
            }
        }
    }

    pub(crate) fn check_usable(&self) -> Result<()> {
        self.failed
            .as_ref()
            .map_or(Ok(()), |path| Err(Error::Unsynced { path: path.clone() }))
    }

    fn check(&self, header: &BlockHeader) -> Result<()> {
        self.check_usable()?;
        if header.origin == self.origin {
            Ok(())
        } else {
            Err(Error::WrongOrigin {
                log: self.origin,
                block: header.origin,
            })
        }
    }

    /// Writes at the end. After an error the log is as it was before.
    fn write(&mut self, block: &EncodedBlock) -> Result<()> {
        let segment = Arc::clone(self.segment());
        self.clean_up(&segment).map_err(Error::io("cut", &segment.path))?;
        if let Err(source) = self.disk.write(&segment.file, block.bytes(), self.offset) {
            self.dirty = true;
            // What cannot be cut off now is cut off before the next write.
            let _ = self.clean_up(&segment);
            return Err(Error::Io {
                action: "append to",
                path: segment.path.clone(),
                source,
            });
        }
        self.offset += block.bytes().len() as u64;
        Ok(())
    }

    fn clean_up(&mut self, segment: &Segment) -> std::io::Result<()> {
        if self.dirty {
            segment.file.set_len(self.offset)?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Begins a new segment. The old one is on the disk before the new one has a name, and the new one has the latest
    /// progress item in it from its birth: only the last segment can ever be torn, and pruning loses no progress.
    pub(crate) fn rotate(&mut self, first: Lsn) -> Result<()> {
        if let Some(old) = self.current.clone() {
            self.clean_up(&old).map_err(Error::io("cut", &old.path))?;
            self.sync(&old)?;
            self.durable = self.tail.end;
            self.clean = self.offset;
        }
        let header = SegmentHeader {
            origin: self.origin,
            after: self.tail.end,
        };
        let number = self
            .current
            .as_ref()
            .map_or(first, |old| first.max(Lsn(old.number.0 + 1)));
        let head = self.progress.as_ref().map_or(&[][..], |progress| progress.bytes());
        let segment = Arc::new(Segment::create(&self.dir, &*self.disk, header, number, head)?);
        self.offset = SegmentHeader::LENGTH + head.len() as u64;
        self.clean = self.offset;
        self.generation += 1;
        segment.show(self.offset);
        self.segments.push(Arc::clone(&segment));
        if let Some(old) = self.current.replace(segment) {
            old.seal();
        }
        Ok(())
    }

    /// Begins a new segment if the current one is full and holds whole transactions only, none of them after `lsn`.
    pub(crate) fn rotate_if_spent(&mut self, lsn: Lsn) -> Result<()> {
        let full = self.current.is_some() && self.offset >= self.segment_bytes;
        if full && self.tail.unfinished.is_none() && self.tail.end <= lsn {
            self.check_usable()?;
            self.rotate(self.tail.end)?;
        }
        Ok(())
    }

    /// Waits for the disk; a failure leaves the log unusable, because the kernel forgets what it could not write.
    pub(crate) fn sync(&mut self, segment: &Segment) -> Result<()> {
        let done = self.disk.sync(&segment.file);
        if done.is_err() {
            self.failed = Some(segment.path.clone());
        }
        done.map_err(Error::io("sync", &segment.path))
    }

    fn segment(&self) -> &Arc<Segment> {
        self.current
            .as_ref()
            .expect("a segment was begun before anything is written to it")
    }
}
