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
    /// First-write-wins lets the last write win.
    FirstIsLast,
    /// Priorities are not looked at.
    PriorityIgnored,
    /// Of two writes the one of the greater node name wins, whatever their times.
    TimeIgnored,
    /// Delete-wins is not looked at.
    DeletesNeverWin,
    /// Update-wins is not looked at.
    UpdatesNeverWin,
    /// A set is decided by the policy of its least epoch.
    LeastEpoch,
    /// A conflict that waits for a person waits for ever.
    AnswerIgnored,
    /// A conflict that a person should decide is decided by time.
    NobodyAsked,
    /// A transaction that sets a policy is under the one before.
    PolicyNotRaised,
    /// What this node writes after a peer's transaction is not under its policies.
    MarkerEpochForgotten,
    /// What was added to a counter is not kept.
    AdditionForgotten,
    /// An update carries its counters as they were where it was made.
    AdditionCarried,
    /// What a base had seen is added to it again.
    AdditionSeen,
    /// Of a row that was deleted nothing says what its counters were.
    BaseForgotten,
    /// An update carries all columns though columns are merged.
    MergeIgnored,
    /// No function is called.
    FoldIgnored,
    /// What others won is not written to a row that stands.
    WinnerStays,
    /// Writes that are decided together are dropped one by one.
    DroppedApart,
    /// Rows that a TRUNCATE brings back stay away.
    TruncateRevivesNone,
    /// A TRUNCATE leaves no tombstones.
    TruncateForgotten,
    /// An insert leaves the values of an earlier life in the register.
    InsertKeepsValues,
    /// An update clears the values that it did not touch.
    UpdateClears,
    /// Every write is taken for one that saw all others.
    NothingContested,
    /// Registers made anew keep what had been dropped.
    NotDroppedAgain,
    /// What does not fit in memory is forgotten.
    OverflowForgotten,
    /// Of rows that exclude each other the one that was written first stands.
    EarlierRowStands,
    /// A displaced row stays away when what excluded it goes by a local transaction.
    RivalsForgotten,
    /// Rows of a table with displaced ones are applied without a look at those.
    DisplacedNotAsked,
    /// What is displaced says nothing of when it was last written.
    TimesForgotten,
    /// Whether a row is another node's is asked of its last version alone.
    AuthorForgotten,
    /// Re-checks do not look for rows that lose what they refer to.
    BlindRechecks,
    /// The mender does not hold what it finds.
    StandingNotHeld,
    /// Of what goes only the row itself is kept.
    KeptAlone,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Mutant; 46] = [
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
        Mutant::FirstIsLast,
        Mutant::PriorityIgnored,
        Mutant::TimeIgnored,
        Mutant::DeletesNeverWin,
        Mutant::UpdatesNeverWin,
        Mutant::LeastEpoch,
        Mutant::AnswerIgnored,
        Mutant::NobodyAsked,
        Mutant::PolicyNotRaised,
        Mutant::MarkerEpochForgotten,
        Mutant::AdditionForgotten,
        Mutant::AdditionCarried,
        Mutant::AdditionSeen,
        Mutant::BaseForgotten,
        Mutant::MergeIgnored,
        Mutant::FoldIgnored,
        Mutant::WinnerStays,
        Mutant::DroppedApart,
        Mutant::TruncateRevivesNone,
        Mutant::TruncateForgotten,
        Mutant::InsertKeepsValues,
        Mutant::UpdateClears,
        Mutant::NothingContested,
        Mutant::NotDroppedAgain,
        Mutant::OverflowForgotten,
        Mutant::EarlierRowStands,
        Mutant::RivalsForgotten,
        Mutant::DisplacedNotAsked,
        Mutant::TimesForgotten,
        Mutant::AuthorForgotten,
        Mutant::BlindRechecks,
        Mutant::StandingNotHeld,
        Mutant::KeptAlone,
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
