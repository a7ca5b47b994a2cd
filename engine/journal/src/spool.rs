use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rkyv::rancor;
use synapse_engine_change::ChangeSet;
use synapse_wal_types::Lsn;

use crate::compress::{pack, unpack};
use crate::disk::{Disk, files};
use crate::encode::archive;
use crate::error::{Error, Result};
use crate::header::RAW_BYTES_MAX;
use crate::v1;

const MAGIC: [u8; 4] = *b"SYNC";
const VERSION: u16 = 1;
const HEADER: usize = 20;

/// The changes of a large transaction that is still in progress, in a file of its own until its end is known. It need
/// not survive a crash and is never fsynced: PostgreSQL sends such a transaction again.
///
/// ```text
/// chunk: 0 magic   4 version   6 compressed   8 crc (of all else)   12 raw bytes   16 stored bytes   20 zstd frame
/// ```
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    file: File,
    disk: Arc<dyn Disk>,
    length: u64,
}

impl Spool {
    /// An empty spool for the transaction `xid` in `dir`; `attempt` tells its sendings apart.
    ///
    /// # Errors
    /// [`Error::Io`], also when this attempt has a spool.
    pub fn create(dir: &Path, xid: u32, attempt: u32) -> Result<Self> {
        Self::create_on(dir, xid, attempt, files())
    }

    pub(crate) fn create_on(dir: &Path, xid: u32, attempt: u32, disk: Arc<dyn Disk>) -> Result<Self> {
        let path = dir.join(format!("{xid}-{attempt}.spool"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(Error::io("create", &path))?;
        Ok(Spool {
            path,
            file,
            disk,
            length: 0,
        })
    }

    /// Appends one chunk; the xids of its changes are kept, so that what is rolled back can be left out.
    ///
    /// # Errors
    /// [`Error::TooLarge`] over [`RAW_BYTES_MAX`]; [`Error::Io`]: the spool is as it was before.
    pub fn append(&mut self, changes: &ChangeSet) -> Result<()> {
        let payload = archive(&v1::Changes::of(changes))?;
        let packed = pack(&payload)?;
        let mut chunk = Vec::with_capacity(HEADER + packed.stored.len());
        chunk.extend_from_slice(&MAGIC);
        chunk.extend_from_slice(&VERSION.to_le_bytes());
        chunk.extend_from_slice(&u16::from(packed.compressed).to_le_bytes());
        chunk.extend_from_slice(&[0; 4]);
        chunk.extend_from_slice(&packed.raw_bytes.to_le_bytes());
        chunk.extend_from_slice(&packed.stored_bytes.to_le_bytes());
        chunk.extend_from_slice(&packed.stored);
        let crc = crc32fast::hash(&chunk);
        chunk[8..12].copy_from_slice(&crc.to_le_bytes());
        self.disk
            .write(&self.file, &chunk, self.length)
            .map_err(Error::io("append to", &self.path))?;
        self.length += chunk.len() as u64;
        Ok(())
    }

    /// What it takes on disk, in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.length
    }

    /// Reads all chunks from the front, without the changes of the (sub)transactions in `skip`, which were rolled
    /// back. A chunk of which nothing is left is not yielded.
    #[must_use]
    pub fn replay<'a>(&'a self, skip: &'a HashSet<u32>) -> Replay<'a> {
        Replay {
            spool: self,
            skip,
            offset: 0,
        }
    }

    /// Removes the file: the transaction has ended, or its sending has.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(Error::io("remove", &self.path))
    }
}

/// The chunks of a spool; it ends after the first error.
#[derive(Debug)]
pub struct Replay<'a> {
    spool: &'a Spool,
    skip: &'a HashSet<u32>,
    offset: u64,
}

impl Iterator for Replay<'_> {
    type Item = Result<ChangeSet>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.offset < self.spool.length {
            match self.chunk() {
                Ok(set) if set.is_empty() => {}
                Ok(set) => return Some(Ok(set)),
                Err(error) => {
                    self.offset = self.spool.length;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl Replay<'_> {
    fn chunk(&mut self) -> Result<ChangeSet> {
        let mut header = [0; HEADER];
        self.read(&mut header, self.offset)?;
        let number = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let (crc, raw_bytes, stored_bytes) = (number(8), number(12), number(16));
        let left = self.spool.length - self.offset;
        if header[..4] != MAGIC || raw_bytes > RAW_BYTES_MAX || u64::from(stored_bytes) + HEADER as u64 > left {
            return Err(self.damaged("no chunk begins here"));
        }
        let mut stored = vec![0; stored_bytes as usize];
        self.read(&mut stored, self.offset + HEADER as u64)?;
        let mut hasher = crc32fast::Hasher::new();
        for piece in [&header[..8], &[0; 4], &header[12..], &stored] {
            hasher.update(piece);
        }
        if hasher.finalize() != crc || header[4..6] != VERSION.to_le_bytes() {
            return Err(self.damaged("the checksum does not match"));
        }
        let payload = unpack(&stored, raw_bytes, header[6] != 0)?;
        let set = rkyv::access::<v1::ArchivedChanges, rancor::Error>(&payload)
            .map_err(|_| self.damaged("the payload is no archive of changes"))?
            .to_set()?;
        self.offset += (HEADER + stored.len()) as u64;
        if !set.parts().1.iter().any(|change| self.skip.contains(&change.xid)) {
            return Ok(set);
        }
        let mut kept = ChangeSet::new();
        kept.extend_from(&set, 0..set.len(), |xid| !self.skip.contains(&xid))?;
        Ok(kept)
    }

    fn read(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        let done = self.spool.file.read_exact_at(bytes, offset);
        done.map_err(|source| {
            if source.kind() == io::ErrorKind::UnexpectedEof {
                self.damaged("the file ends inside a chunk")
            } else {
                Error::io("read", &self.spool.path)(source)
            }
        })
    }

    fn damaged(&self, what: &'static str) -> Error {
        Error::Damaged {
            path: self.spool.path.clone(),
            offset: self.offset,
            after: Lsn::ZERO,
            what,
        }
    }
}

#[cfg(test)]
mod tests;
