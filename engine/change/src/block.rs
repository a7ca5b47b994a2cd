use std::ops::Range;
use std::sync::Arc;

use synapse_engine_identity::{Context, Epoch, Hlc, Origin, Stamp, TxnId};
use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use crate::{Change, ChangeSet};

/// One committed transaction, or one part of a large one; its changes stand in its block's [`ChangeSet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// End of its commit record at its origin.
    pub lsn: Lsn,
    /// Its time.
    pub hlc: Hlc,
    /// What its node had applied of others.
    pub context: Arc<Context>,
    /// The policies in force.
    pub epoch: Epoch,
    /// When it committed by its server's clock: for people.
    pub commit_ts: PgTimestamp,
    /// Its xid at its origin: for people.
    pub xid: Xid,
    /// Which of the set's changes are its own.
    pub changes: Range<usize>,
    /// Whether the whole transaction stands here.
    pub part: Part,
}

/// A transaction too large for one block fills several blocks of its own, one after the other, that share its stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The whole transaction.
    Whole,
    /// One of several and not the last; counted from 0.
    Middle(u32),
    /// The last of several; its number is how many came before it.
    Last(u32),
}

/// What the journal stores and links carry: consecutive transactions of one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Whose.
    pub origin: Origin,
    /// In the order of their commits.
    pub transactions: Vec<Transaction>,
    /// Their changes, in the order of the transactions.
    pub changes: ChangeSet,
}

impl Block {
    /// The stamp of the transaction at `at`.
    #[must_use]
    pub fn stamp(&self, at: usize) -> Stamp {
        let txn = &self.transactions[at];
        Stamp {
            txn: TxnId {
                origin: self.origin,
                lsn: txn.lsn,
            },
            context: Arc::clone(&txn.context),
            hlc: txn.hlc,
            epoch: txn.epoch,
        }
    }

    /// The changes of the transaction at `at`, in order.
    pub fn changes_of(&self, at: usize) -> impl Iterator<Item = Change<'_>> {
        self.changes.iter(self.transactions[at].changes.clone())
    }
}
