use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use synapse_engine_identity::{KeyHash, RowId, TableId};
use synapse_engine_replication::Register;

use super::bloom::Bloom;
use crate::error::{Error, Result};

/// How the files of runs are named.
pub(super) const EXTENSION: &str = "run";
/// Before a record: the table, the key, and the record's length in bytes, 4 + 16 + 4.
pub(super) const HEAD_BYTES: usize = 24;

/// Where a block of rows begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) first: RowId,
    pub(super) crc: u32,
    pub(super) offset: u64,
}

/// A file that is removed when nobody uses it any more.
#[derive(Debug)]
pub(super) struct RunFile {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl RunFile {
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(Error::io("create", &path))?;
        Ok(RunFile { file, path })
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // What stays behind is removed at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Registers sorted by row, each row once.
///
/// ```text
/// file:   record ...                                         in memory: a filter of all rows, and for every 64th
/// record: table u32 | key 16 bytes | length u32 | register   record its row, offset, and the checksum of the 64
/// ```
#[derive(Debug)]
pub(super) struct Run {
    pub(super) file: RunFile,
    pub(super) rows: usize,
    pub(super) bloom: Bloom,
    pub(super) blocks: Vec<Block>,
    pub(super) bytes: u64,
}

impl Run {
    /// On disk, in bytes.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Filter and index, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bloom.bytes() + self.blocks.capacity() * size_of::<Block>()
    }

    /// The record of `row`, in `buffer`.
    pub(super) fn get<'a>(&self, row: RowId, buffer: &'a mut Vec<u8>) -> Result<Option<&'a [u8]>> {
        if !self.bloom.may_hold(row) {
            return Ok(None);
        }
        let Some(block) = self.blocks.partition_point(|block| block.first <= row).checked_sub(1) else {
            return Ok(None);
        };
        self.read(block..block + 1, buffer)?;
        let mut rest = buffer.as_slice();
        while !rest.is_empty() {
            let (found, record, after) = record(rest).ok_or_else(|| self.damaged(block, "a record is cut off"))?;
            if found >= row {
                return Ok((found == row).then_some(record));
            }
            rest = after;
        }
        Ok(None)
    }

    /// Reads blocks into `buffer` and checks them.
    pub(super) fn read(&self, blocks: Range<usize>, buffer: &mut Vec<u8>) -> Result<()> {
        let start = self.offset(blocks.start);
        let length = |from: u64, to: u64| usize::try_from(to - from).expect("a block is far below 4 GiB");
        buffer.resize(length(start, self.offset(blocks.end)), 0);
        let RunFile { file, path } = &self.file;
        file.read_exact_at(buffer, start).map_err(Error::io("read", path))?;
        let mut rest = buffer.as_slice();
        for at in blocks {
            let (block, after) = rest.split_at(length(self.offset(at), self.offset(at + 1)));
            if crc32fast::hash(block) != self.blocks[at].crc {
                return Err(self.damaged(at, "the checksum of a block of registers is wrong"));
            }
            rest = after;
        }
        Ok(())
    }

    /// The register in a record.
    pub(super) fn decode(&self, record: &[u8]) -> Result<Register> {
        Register::decode(record).ok_or_else(|| self.damaged(0, "a register cannot be read"))
    }

    pub(super) fn damaged(&self, block: usize, what: &'static str) -> Error {
        Error::DamagedRegisters {
            path: self.file.path.clone(),
            offset: self.offset(block),
            what,
        }
    }

    fn offset(&self, block: usize) -> u64 {
        self.blocks.get(block).map_or(self.bytes, |block| block.offset)
    }
}

/// The first record of `bytes`: its row, its register, and what follows it.
pub(super) fn record(bytes: &[u8]) -> Option<(RowId, &[u8], &[u8])> {
    let (table, rest) = bytes.split_first_chunk()?;
    let (key, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (register, rest) = rest.split_at_checked(length)?;
    let row = RowId {
        table: TableId(u32::from_le_bytes(*table)),
        key: KeyHash(*key),
    };
    Some((row, register, rest))
}
