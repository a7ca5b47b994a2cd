use std::ops::Range;

use synapse_engine_change::{Block, ChangeSet, FlatChange, FlatValue, Part, Transaction};
use synapse_engine_identity::Origin;

use crate::builder::BLOCK_BYTES;
use crate::error::{Error, Result};
use crate::header::RAW_BYTES_MAX;

/// What the names of relations and columns may take in a block beside the changes, in bytes.
const NAMES_BYTES_MAX: usize = 1 << 20;

/// Cuts one transaction into blocks of about [`BLOCK_BYTES`], while its changes come in piece by piece.
#[derive(Debug)]
pub struct Parts {
    origin: Origin,
    txn: Transaction,
    changes: ChangeSet,
    number: u32,
}

impl Parts {
    /// For the transaction `txn`; what it says of changes and part is not looked at.
    #[must_use]
    pub fn new(origin: Origin, txn: Transaction) -> Self {
        Parts {
            origin,
            txn,
            changes: ChangeSet::new(),
            number: 0,
        }
    }

    /// Takes the changes `range` of `source`; blocks that became full are added to `full`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a row that no block can hold.
    pub fn push(&mut self, source: &ChangeSet, range: Range<usize>, full: &mut Vec<Block>) -> Result<()> {
        for at in range {
            let bytes = bytes_of(source, at..at + 1);
            let limit = RAW_BYTES_MAX as usize - NAMES_BYTES_MAX;
            if bytes > limit {
                return Err(Error::TooLarge {
                    bytes: bytes as u64,
                    limit: limit as u64,
                });
            }
            if !self.changes.is_empty() && self.changes.bytes() + bytes > BLOCK_BYTES {
                let part = Part::Middle(self.number);
                self.number = self.number.checked_add(1).ok_or(synapse_engine_change::Full)?;
                full.push(self.close(part));
            }
            self.changes.extend_from(source, at..at + 1, |_| true)?;
        }
        Ok(())
    }

    /// The last block; it holds the whole transaction when no other was cut off.
    #[must_use]
    pub fn finish(mut self) -> Block {
        let part = match self.number {
            0 => Part::Whole,
            before => Part::Last(before),
        };
        self.close(part)
    }

    fn close(&mut self, part: Part) -> Block {
        let changes = std::mem::take(&mut self.changes);
        Block {
            origin: self.origin,
            transactions: vec![Transaction {
                changes: 0..changes.len(),
                part,
                ..self.txn.clone()
            }],
            changes,
        }
    }
}

/// What the changes `range` of `set` take, in bytes: as [`ChangeSet::bytes`] counts.
pub(crate) fn bytes_of(set: &ChangeSet, range: Range<usize>) -> usize {
    let (_, changes, values, _) = set.parts();
    let first_value = |at: usize| {
        changes
            .get(at)
            .map_or(values.len(), |change| change.first_value as usize)
    };
    let start_of = |value: usize| value.checked_sub(1).map_or(0, |before| values[before].end as usize);
    let (first, end) = (first_value(range.start), first_value(range.end));
    start_of(end) - start_of(first) + (end - first) * size_of::<FlatValue>() + range.len() * size_of::<FlatChange>()
}
