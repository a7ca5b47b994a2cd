//! Version 1 of the payload: flat twins of the domain types, archived with rkyv. Never change a type here: add a `v2`.

mod changes;
mod transactions;

use rkyv::{Archive, Serialize};
use synapse_engine_change::Block;
use synapse_engine_identity::Origin;

pub(crate) use changes::{ArchivedChanges, Changes};
use transactions::{ContextEntry, Transaction};

use crate::error::Result;

/// A block of transactions.
#[derive(Archive, Serialize)]
pub(crate) struct Transactions {
    /// The entries of all contexts, one context after the other.
    context_entries: Vec<ContextEntry>,
    /// Where each context ends in these; transactions name their context by its place here.
    context_ends: Vec<u32>,
    transactions: Vec<Transaction>,
    changes: Changes,
}

impl Transactions {
    /// The twin of `block`.
    pub(crate) fn of(block: &Block) -> Result<Self> {
        let (context_entries, context_ends, transactions) = transactions::flatten(block)?;
        Ok(Transactions {
            context_entries,
            context_ends,
            transactions,
            changes: Changes::of(&block.changes),
        })
    }
}

impl ArchivedTransactions {
    /// The block that this is the twin of.
    pub(crate) fn to_block(&self, origin: Origin) -> Result<Block> {
        let changes = self.changes.to_set()?;
        let contexts = transactions::contexts(&self.context_entries, &self.context_ends)?;
        let transactions = transactions::restore(&self.transactions, &contexts, changes.len())?;
        Ok(Block {
            origin,
            transactions,
            changes,
        })
    }
}
