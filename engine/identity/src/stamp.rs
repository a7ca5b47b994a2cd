use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Context, TxnId};

/// A hybrid logical clock: microseconds since 2000-01-01 UTC, moved ahead where causality asks for it. Greater than
/// that of every transaction in its transaction's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Hlc(pub u64);

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which set of conflict policies was in force: it only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Epoch(pub u32);

/// What a transaction is known by everywhere: its id, what its node had applied when it committed, and its time. A
/// stamp never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Where it was made and where its commit ends.
    pub txn: TxnId,
    /// What its node had applied of *other* origins; its own origin is implied up to `txn.lsn`.
    pub context: Arc<Context>,
    /// Its time.
    pub hlc: Hlc,
    /// The policies in force.
    pub epoch: Epoch,
}

impl Stamp {
    /// Whether the transaction saw `earlier`: same origin and not later, or covered by the context.
    #[must_use]
    pub fn saw(&self, earlier: TxnId) -> bool {
        if earlier.origin == self.txn.origin {
            earlier.lsn <= self.txn.lsn
        } else {
            self.context.covers(earlier)
        }
    }
}
