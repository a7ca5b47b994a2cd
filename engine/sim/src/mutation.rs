//! Where the shell itself can be made wrong, to prove that the laws notice it. Without the feature these do nothing.

use synapse_wal_types::Xid;

use crate::postgres::{Guard, Statement, Table};

#[cfg(feature = "mutants")]
use synapse_engine_replication::Mutant;

/// The guard of a batch's statements.
#[cfg(feature = "mutants")]
pub(crate) fn guard(mut guard: Guard) -> Guard {
    if Mutant::GuardDropped.is_chosen() {
        guard.horizon = Some(Xid(u32::MAX));
    }
    guard
}

/// The guard of a batch's statements.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn guard(guard: Guard) -> Guard {
    guard
}

/// A statement as it is sent to the server; `horizon` is what the kernel knows now.
#[cfg(feature = "mutants")]
pub(crate) fn sent(mut statement: Statement, horizon: Option<Xid>) -> Statement {
    if Mutant::HorizonNotFrozen.is_chosen()
        && let Statement::Update { guard: Some(guard), .. } | Statement::Delete { guard: Some(guard), .. } =
            &mut statement
    {
        guard.horizon = horizon;
    }
    statement
}

/// A statement as it is sent to the server.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn sent(statement: Statement, _horizon: Option<Xid>) -> Statement {
    statement
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

/// Whether what a base had seen is added to it again.
#[cfg(feature = "mutants")]
pub(crate) fn adds_what_was_seen() -> bool {
    Mutant::AdditionSeen.is_chosen()
}

/// Whether what a base had seen is added to it again.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn adds_what_was_seen() -> bool {
    false
}

/// Whether re-checks do not look for rows that lose what they refer to.
#[cfg(feature = "mutants")]
pub(crate) fn blind_rechecks() -> bool {
    Mutant::BlindRechecks.is_chosen()
}

/// Whether re-checks do not look for rows that lose what they refer to.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn blind_rechecks() -> bool {
    false
}

/// Whether of what goes only the row itself is kept.
#[cfg(feature = "mutants")]
pub(crate) fn keeps_alone() -> bool {
    Mutant::KeptAlone.is_chosen()
}

/// Whether of what goes only the row itself is kept.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn keeps_alone() -> bool {
    false
}

/// What asks whether a row that is referred to is there.
#[cfg(feature = "mutants")]
pub(crate) fn standing(key: u64) -> Statement {
    let table = Table::Tree;
    if Mutant::StandingNotHeld.is_chosen() {
        let values = vec![(0, key)];
        return Statement::Find { table, values };
    }
    Statement::Share { table, key }
}

/// What asks whether a row that is referred to is there.
#[cfg(not(feature = "mutants"))]
pub(crate) const fn standing(key: u64) -> Statement {
    let table = Table::Tree;
    Statement::Share { table, key }
}
