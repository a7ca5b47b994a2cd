use std::collections::VecDeque;
use std::ops::Range;

use synapse_engine_change::{Block, ChangeSet, Part, Transaction};
use synapse_engine_identity::Origin;

use crate::error::{Error, Result};
use crate::parts::{Parts, bytes_of};

/// A block closes when its changes are as large as this, in bytes: large enough to compress well and to make an fsync
/// worth it, small enough for a link's credit.
pub const BLOCK_BYTES: usize = 256 << 10;
/// What a transaction takes beside its changes, in bytes, roughly.
const TRANSACTION_BYTES: usize = 48;

/// Gathers consecutive transactions of one origin into blocks.
///
/// ```text
/// push(txn) until is_full() or nothing more is waiting; then finish() until it yields nothing
/// ```
#[derive(Debug)]
pub struct BlockBuilder {
    origin: Origin,
    transactions: Vec<Transaction>,
    changes: ChangeSet,
    /// Closed blocks that wait for `finish`: a large transaction yields several at once.
    closed: VecDeque<Block>,
}

impl BlockBuilder {
    /// With nothing in it.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        BlockBuilder {
            origin,
            transactions: Vec::new(),
            changes: ChangeSet::new(),
            closed: VecDeque::new(),
        }
    }

    /// Appends a transaction with the changes `range` of `source`; what `txn` says of changes and part is not looked
    /// at. A transaction larger than [`BLOCK_BYTES`] is cut into parts of its own.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a row that no block can hold, [`Error::OutOfOrder`] when it does not come after the one
    /// before. The builder is as it was before.
    pub fn push(&mut self, txn: &Transaction, source: &ChangeSet, range: Range<usize>) -> Result<()> {
        if let Some(last) = self
            .transactions
            .last()
            .or_else(|| self.closed.back()?.transactions.last())
            && txn.lsn <= last.lsn
        {
            return Err(Error::OutOfOrder {
                end: last.lsn,
                last: txn.lsn,
                what: "a transaction comes after those that committed before it",
            });
        }
        if bytes_of(source, range.clone()) > BLOCK_BYTES {
            let (mut parts, mut cut) = (Parts::new(self.origin, txn.clone()), Vec::new());
            parts.push(source, range, &mut cut)?;
            cut.push(parts.finish());
            self.close();
            self.closed.extend(cut);
            return Ok(());
        }
        if bytes_of(source, range.clone()) + self.bytes() > BLOCK_BYTES {
            self.close();
        }
        let start = self.changes.len();
        self.changes.extend_from(source, range, |_| true)?;
        self.transactions.push(Transaction {
            changes: start..self.changes.len(),
            part: Part::Whole,
            ..txn.clone()
        });
        Ok(())
    }

    /// Appends blocks that [`Parts`] cut from a transaction too large for memory.
    pub fn push_parts(&mut self, blocks: impl IntoIterator<Item = Block>) {
        self.close();
        self.closed.extend(blocks);
    }

    /// Size of the open block, in bytes before compression, roughly.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.changes.bytes() + self.transactions.len() * TRANSACTION_BYTES
    }

    /// Whether a block is ready: `finish` before pushing more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.closed.is_empty() || self.bytes() >= BLOCK_BYTES
    }

    /// The next block, closed or open; nothing when all was taken.
    pub fn finish(&mut self) -> Option<Block> {
        if self.closed.is_empty() {
            self.close();
        }
        self.closed.pop_front()
    }

    fn close(&mut self) {
        if !self.transactions.is_empty() {
            self.closed.push_back(Block {
                origin: self.origin,
                transactions: std::mem::take(&mut self.transactions),
                changes: std::mem::take(&mut self.changes),
            });
        }
    }
}

#[cfg(test)]
mod tests;
