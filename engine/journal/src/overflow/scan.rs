use std::sync::Arc;

use synapse_engine_identity::{KeyHash, RowId, TableId};

use super::run::{Run, record};
use crate::error::Result;

/// Blocks that are read at once, about 200 KiB.
const BLOCKS_AT_ONCE: usize = 64;

/// Reads a run from some row on, in order.
#[derive(Debug)]
pub(super) struct Scan {
    run: Arc<Run>,
    /// The first block that is not in `buffer`.
    next: usize,
    buffer: Vec<u8>,
    /// The record that the scan stands at: where it begins, where its register does, and where that ends.
    at: usize,
    register_at: usize,
    end: usize,
    row: Option<RowId>,
}

impl Scan {
    /// All of a run.
    pub(super) fn all(run: Arc<Run>) -> Result<Self> {
        Self::from_block(run, 0)
    }

    /// A run from the first row on that may be of `table` or a later one.
    pub(super) fn of_table(run: Arc<Run>, table: TableId) -> Result<Self> {
        let least = RowId {
            table,
            key: KeyHash([0; 16]),
        };
        let block = run.blocks.partition_point(|block| block.first <= least);
        let mut scan = Self::from_block(run, block.saturating_sub(1))?;
        while scan.row.is_some_and(|row| row < least) {
            scan.advance()?;
        }
        Ok(scan)
    }

    fn from_block(run: Arc<Run>, block: usize) -> Result<Self> {
        let mut scan = Scan {
            run,
            next: block,
            buffer: Vec::new(),
            at: 0,
            register_at: 0,
            end: 0,
            row: None,
        };
        scan.advance()?;
        Ok(scan)
    }

    /// The row that the scan stands at; `None` at the end.
    pub(super) const fn row(&self) -> Option<RowId> {
        self.row
    }

    /// Its register, as bytes.
    pub(super) fn register(&self) -> &[u8] {
        &self.buffer[self.register_at..self.end]
    }

    /// Goes on to the next row.
    pub(super) fn advance(&mut self) -> Result<()> {
        self.at = self.end;
        if self.at == self.buffer.len() {
            let end = self.run.blocks.len().min(self.next.saturating_add(BLOCKS_AT_ONCE));
            if self.next >= end {
                self.row = None;
                return Ok(());
            }
            self.run.read(self.next..end, &mut self.buffer)?;
            self.next = end;
            self.at = 0;
        }
        let (row, register, rest) =
            record(&self.buffer[self.at..]).ok_or_else(|| self.run.damaged(self.next - 1, "a record is cut off"))?;
        self.end = self.buffer.len() - rest.len();
        self.register_at = self.end - register.len();
        self.row = Some(row);
        Ok(())
    }
}
