use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use synapse_engine_identity::Origin;
use synapse_wal_types::Lsn;

use crate::damage::Damage;
use crate::disk::{Disk, files, sync_dir};
use crate::encode::{EncodedBlock, decode_progress, encode_progress};
use crate::error::{Error, Result};
use crate::header::Kind;
use crate::open::open_writer;
use crate::reader::{Reader, Segments};
use crate::recover::{Cut, Damaged};
use crate::tail::Tail;
use crate::writer::{Appended, Writer};

/// A segment ends when it is as large as this, in bytes: pruning gives back space in such pieces.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// The log of one origin: a directory of segments. Shared between threads; appending and syncing may overlap.
#[derive(Debug)]
pub struct Log {
    origin: Origin,
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    segments: Arc<Segments>,
    writer: Mutex<Writer>,
    cuts: Vec<Cut>,
    damaged: Vec<Damaged>,
    progress_lost: Option<Damaged>,
}

/// The kernel's progress item as it was last written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its position.
    pub lsn: Lsn,
    /// What the node made of it.
    pub payload: Vec<u8>,
}

impl Log {
    /// Opens the log of `origin` in `dir`, which is made when it does not exist. A torn or unfinished end is cut off;
    /// the log opens also when single blocks are damaged ([`Log::damaged`]), and readers stop before these.
    /// A segment ends at `segment_bytes`: [`SEGMENT_BYTES`], unless the journal's limit wants less.
    ///
    /// # Errors
    /// [`Error::Damaged`] when what no block can mend is damaged: a segment's header, the order of blocks, a missing
    /// segment.
    pub fn open(dir: &Path, origin: Origin, segment_bytes: u64) -> Result<Self> {
        Self::open_on(dir, origin, segment_bytes, files())
    }

    pub(crate) fn open_on(dir: &Path, origin: Origin, segment_bytes: u64, disk: Arc<dyn Disk>) -> Result<Self> {
        let opened = open_writer(dir, origin, segment_bytes, Arc::clone(&disk))?;
        Ok(Log {
            origin,
            dir: dir.to_owned(),
            disk,
            segments: Arc::clone(&opened.writer.segments),
            writer: Mutex::new(opened.writer),
            cuts: opened.cuts,
            damaged: opened.damaged,
            progress_lost: opened.progress_lost,
        })
    }

    /// Whose log it is.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// Where its segments are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What was cut off the end when the log was opened.
    #[must_use]
    pub fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// What was found damaged when the log was opened, beside what readers find: [`Log::damage`] tells how to mend it.
    #[must_use]
    pub fn damaged(&self) -> &[Damaged] {
        &self.damaged
    }

    /// What was damaged after the last progress item when the log was opened, and may have been a later one: it has no
    /// copy anywhere.
    #[must_use]
    pub const fn progress_lost(&self) -> Option<&Damaged> {
        self.progress_lost.as_ref()
    }

    /// The first damage in the segment `path`, with what can mend it; nothing when the segment is gone, or sound so
    /// far as readers may read.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Unfit`] when a later fsync has yet to bound it; [`Error::Damaged`] when blocks are out of
    /// order, which nothing mends.
    pub fn damage(&self, path: &Path) -> Result<Option<Damage>> {
        let (segment, next) = {
            let list = self.segments.lock();
            let Some(at) = list.iter().position(|segment| segment.path == path) else {
                return Ok(None);
            };
            (Arc::clone(&list[at]), list.get(at + 1).map(|next| next.after))
        };
        Damage::find(self.origin, segment, next)
    }

    /// Lets an empty log begin after `lsn`: what came before is known by other means (a snapshot).
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] when the log is not empty.
    pub fn begin_after(&self, lsn: Lsn) -> Result<()> {
        let mut writer = self.writer();
        if writer.current.is_some() {
            return Err(Error::OutOfOrder {
                end: writer.tail.end,
                last: lsn,
                what: "only an empty log can begin elsewhere",
            });
        }
        writer.tail = Tail::after(lsn);
        writer.rotate(lsn)?;
        writer.durable = lsn;
        Ok(())
    }

    /// Appends a block of transactions; it is not durable before [`Log::sync`]. A block that begins an unfinished
    /// transaction once more replaces the parts so far.
    ///
    /// # Errors
    /// [`Error::WrongOrigin`], [`Error::OutOfOrder`], or [`Error::Io`]: the log is as it was before, also on a full
    /// disk.
    pub fn append(&self, block: &EncodedBlock) -> Result<Appended> {
        match block.header().kind {
            Kind::Transactions => self.writer().append(block),
            Kind::Progress | Kind::Mark | Kind::Blank => Err(Error::Invalid {
                what: "only blocks of transactions come from outside",
            }),
        }
    }

    /// Appends the kernel's progress item of the position `lsn`; it is not durable before [`Log::sync`].
    ///
    /// # Errors
    /// [`Error::OutOfOrder`] between the parts of a transaction, [`Error::TooLarge`], [`Error::Io`].
    pub fn append_progress(&self, lsn: Lsn, payload: &[u8]) -> Result<()> {
        let block = encode_progress(self.origin, lsn, payload)?;
        self.writer().append(&block).map(|_| ())
    }

    /// The progress item that was appended last, also before the log was opened.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it does not decompress: its checksum matched, so the program that wrote it failed.
    pub fn last_progress(&self) -> Result<Option<Progress>> {
        let block = self.writer().progress.clone();
        block
            .map(|block| {
                Ok(Progress {
                    lsn: block.header().last,
                    payload: decode_progress(&block)?,
                })
            })
            .transpose()
    }

    /// Waits until everything appended before the call is on the disk; appending goes on meanwhile. Answers the last
    /// transaction that is durable.
    ///
    /// # Errors
    /// [`Error::Io`]; after it every call says [`Error::Unsynced`] until the log is opened anew.
    pub fn sync(&self) -> Result<Lsn> {
        let mut writer = self.writer();
        writer.check_usable()?;
        let due = writer.current.clone().filter(|_| writer.offset > writer.clean);
        let Some(segment) = due else {
            return Ok(writer.durable);
        };
        let (offset, end, generation) = (writer.offset, writer.tail.end, writer.generation);
        drop(writer);
        let done = self.disk.sync(&segment.file);
        writer = self.writer();
        if let Err(source) = done {
            writer.failed = Some(segment.path.clone());
            return Err(Error::Io {
                action: "sync",
                path: segment.path.clone(),
                source,
            });
        }
        writer.synced(offset, end, generation);
        Ok(writer.durable)
    }

    /// The last transaction that was appended whole; [`Lsn::ZERO`] for an empty log.
    #[must_use]
    pub fn end(&self) -> Lsn {
        self.writer().tail.end
    }

    /// The last transaction that is known to be on the disk.
    #[must_use]
    pub fn durable(&self) -> Lsn {
        self.writer().durable
    }

    /// Where the log begins: reading after this position, or a later one, is possible.
    #[must_use]
    pub fn begin(&self) -> Lsn {
        self.segments.lock().first().map_or(Lsn::ZERO, |segment| segment.after)
    }

    /// What the log takes on disk, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let writer = self.writer();
        let list = self.segments.lock();
        let sealed = list
            .iter()
            .filter(|segment| segment.sealed())
            .map(|segment| segment.visible());
        sealed.sum::<u64>() + writer.current.as_ref().map_or(0, |_| writer.offset)
    }

    /// Reads what comes after `lsn`, now and as the log grows.
    ///
    /// # Errors
    /// [`Error::Pruned`].
    pub fn read_after(&self, lsn: Lsn) -> Result<Reader> {
        Reader::after(&self.segments, lsn)
    }

    /// Reads the block in which the transaction at `lsn` stands, or all its parts. Yields at most a block without it
    /// when the log does not hold it.
    ///
    /// # Errors
    /// [`Error::Pruned`].
    pub fn read_transaction(&self, lsn: Lsn) -> Result<Reader> {
        Reader::of_transaction(&self.segments, lsn)
    }

    /// Cuts off the parts of a transaction whose last part did not come: it will be sent again.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn drop_unfinished(&self) -> Result<()> {
        self.writer().drop_unfinished()
    }

    /// Removes the segments that hold nothing after `lsn`. A current one that is full and holds nothing after it
    /// either gives way to a new one first: nothing more may ever be written that would end it. Answers the bytes
    /// that became free.
    ///
    /// # Errors
    /// [`Error::Io`]; segments before the one that could not be removed are gone.
    pub fn prune_below(&self, lsn: Lsn) -> Result<u64> {
        self.writer().rotate_if_spent(lsn)?;
        let mut freed = 0;
        loop {
            let mut list = self.segments.lock();
            if list.get(1).is_none_or(|next| next.after > lsn) {
                break;
            }
            // The oldest first, so that a crash leaves no hole.
            let oldest = list.remove(0);
            if let Err(source) = std::fs::remove_file(&oldest.path) {
                let path = oldest.path.clone();
                list.insert(0, oldest);
                return Err(Error::Io {
                    action: "remove",
                    path,
                    source,
                });
            }
            freed += oldest.visible();
        }
        if freed > 0 {
            sync_dir(&self.dir)?;
        }
        Ok(freed)
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().expect("nothing panics while it holds the writer")
    }
}

#[cfg(test)]
pub(crate) mod tests;
