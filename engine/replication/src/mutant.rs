//! Known wrong kernels, to prove that the simulator's laws notice them. Compiled for that test alone.

use std::cell::Cell;

/// One thing done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The least write wins.
    FlippedComparison,
    /// No marker asks for a re-check.
    RecheckDropped,
    /// What was applied is taken from the server, not from the stream.
    AppliedFromServer,
    /// Deletes leave no tombstone.
    TombstoneForgotten,
    /// Locked rows are written before capture has read the barrier.
    BarrierNotAwaited,
    /// What the server has committed is not asked for at the start.
    FrontierForgotten,
    /// Transactions are applied before those that they saw.
    CausalCheckDropped,
    /// Positions are confirmed without a durable progress item.
    ProgressSkipped,
    /// The set-based statements carry no guard.
    GuardDropped,
    /// The guard's horizon is read when a statement runs, and not frozen with the verdicts.
    HorizonNotFrozen,
    /// What one member has applied is held to be stable.
    StableTooEarly,
    /// Writes of a transaction that was rolled back stay in the registers.
    NotGivenUp,
    /// A row that is not found is left alone, though a transaction that has committed may not be visible yet.
    LateNotAwaited,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Mutant; 13] = [
        Mutant::FlippedComparison,
        Mutant::RecheckDropped,
        Mutant::AppliedFromServer,
        Mutant::TombstoneForgotten,
        Mutant::BarrierNotAwaited,
        Mutant::FrontierForgotten,
        Mutant::CausalCheckDropped,
        Mutant::ProgressSkipped,
        Mutant::GuardDropped,
        Mutant::HorizonNotFrozen,
        Mutant::StableTooEarly,
        Mutant::NotGivenUp,
        Mutant::LateNotAwaited,
    ];

    /// Makes this thread's kernels do it; `None` makes them right again.
    pub fn choose(mutant: Option<Mutant>) {
        CHOSEN.set(mutant);
    }

    /// Whether this thread's kernels do it.
    #[must_use]
    pub fn is_chosen(self) -> bool {
        CHOSEN.get() == Some(self)
    }
}

thread_local! {
    static CHOSEN: Cell<Option<Mutant>> = const { Cell::new(None) };
}
