//! Where the shell itself can be made wrong, to prove that the laws notice it. Without the feature these do nothing.

use crate::postgres::Guard;

#[cfg(feature = "mutants")]
use synapse_engine_replication::Mutant;

/// The guard of a batch's statements.
#[cfg(feature = "mutants")]
pub(crate) fn guard(mut guard: Guard) -> Guard {
    if Mutant::GuardDropped.is_chosen() {
        guard.horizon = Some(synapse_wal_types::Xid(u32::MAX));
    }
    guard
}

/// The guard of a batch's statements.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn guard(guard: Guard) -> Guard {
    guard
}

/// Whether positions are confirmed that no progress item backs.
#[cfg(feature = "mutants")]
pub(crate) fn skips_progress() -> bool {
    Mutant::ProgressSkipped.is_chosen()
}

/// Whether positions are confirmed that no progress item backs.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn skips_progress() -> bool {
    false
}
