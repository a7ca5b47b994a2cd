//! Rows that must be looked at again once capture has read the transaction that wrote them.

use serde::{Deserialize, Serialize};
use synapse_engine_identity::Origin;
use synapse_wal_types::Lsn;

/// A row that is absent can be neither guarded nor locked: a local transaction in (`decided_at`, `marker`] may have
/// deleted what a batch then wrote. Such rows of the batch are resolved once more. Durable until done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recheck {
    /// End of the transaction that is re-checked: a batch, or an earlier re-check of it.
    pub marker: Lsn,
    /// How far capture had read when its earliest verdict was taken.
    pub decided_at: Lsn,
    /// Whose transactions the batch carried.
    pub origin: Origin,
    /// The first of them.
    pub first: Lsn,
    /// The last of them.
    pub last: Lsn,
}
