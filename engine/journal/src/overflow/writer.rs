use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use synapse_engine_identity::RowId;

use super::bloom::Bloom;
use super::run::{Block, HEAD_BYTES, Run, RunFile};
use crate::error::{Error, Result};

/// Rows of a block: what one look-up reads and checks, about 3 KiB.
const ROWS_PER_BLOCK: usize = 64;
/// Bytes that are written at once.
const WRITE_BYTES: usize = 256 << 10;

/// A run while it is written.
#[derive(Debug)]
pub(super) struct RunWriter {
    file: RunFile,
    /// What is not written yet: ends with the block that is not full yet.
    buffer: Vec<u8>,
    /// Where in `buffer` that block begins.
    block_at: usize,
    rows_in_block: usize,
    /// How many bytes are in the file.
    written: u64,
    blocks: Vec<Block>,
    rows: usize,
    bloom: Bloom,
}

impl RunWriter {
    /// Of at most `rows` rows.
    pub(super) fn create(path: PathBuf, rows: usize) -> Result<Self> {
        Ok(RunWriter {
            file: RunFile::create(path)?,
            buffer: Vec::with_capacity(WRITE_BYTES + WRITE_BYTES / 4),
            block_at: 0,
            rows_in_block: 0,
            written: 0,
            blocks: Vec::new(),
            rows: 0,
            bloom: Bloom::for_rows(rows),
        })
    }

    /// Takes the next record; rows come in ascending order.
    pub(super) fn push(&mut self, row: RowId, register: &[u8]) -> Result<()> {
        let length = u32::try_from(register.len()).map_err(|_| Error::TooLarge {
            bytes: u64::try_from(register.len()).unwrap_or(u64::MAX),
            limit: u64::from(u32::MAX),
        })?;
        if self.rows_in_block == ROWS_PER_BLOCK {
            self.close_block()?;
        }
        if self.rows_in_block == 0 {
            self.blocks.push(Block {
                first: row,
                crc: 0,
                offset: self.written + u64::try_from(self.buffer.len()).expect("a usize fits"),
            });
        }
        self.rows_in_block += 1;
        self.rows += 1;
        self.bloom.insert(row);
        self.buffer.reserve(HEAD_BYTES + register.len());
        self.buffer.extend(row.table.0.to_le_bytes());
        self.buffer.extend(row.key.0);
        self.buffer.extend(length.to_le_bytes());
        self.buffer.extend(register);
        Ok(())
    }

    /// The run, all of which is in the file.
    pub(super) fn finish(mut self) -> Result<Run> {
        self.close_block()?;
        self.flush()?;
        self.blocks.shrink_to_fit();
        Ok(Run {
            file: self.file,
            rows: self.rows,
            bloom: self.bloom,
            blocks: self.blocks,
            bytes: self.written,
        })
    }

    fn close_block(&mut self) -> Result<()> {
        if let Some(block) = self.blocks.last_mut() {
            block.crc = crc32fast::hash(&self.buffer[self.block_at..]);
        }
        self.block_at = self.buffer.len();
        self.rows_in_block = 0;
        if self.buffer.len() >= WRITE_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let RunFile { file, path } = &self.file;
        file.write_all_at(&self.buffer, self.written)
            .map_err(Error::io("write", path))?;
        self.written += u64::try_from(self.buffer.len()).expect("a usize fits");
        self.buffer.clear();
        self.block_at = 0;
        Ok(())
    }
}
