//! A law that did not hold.

use std::fmt;

/// The laws, named as in the description of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Law {
    /// All nodes hold the same rows, and those that the definition of the policy asks for.
    Convergence,
    /// Every transaction is applied once at every node.
    ExactlyOnce,
    /// A transaction is applied after all that it saw.
    CausalOrder,
    /// What we apply is not published as our own.
    NoEcho,
    /// A stamp never changes, and says what its node had applied.
    AStampNeverChanges,
    /// A local value is not overwritten by a write that neither saw it nor outranks it.
    NoLocalValueVanishes,
    /// A guarded statement replaces no local value that capture had not read when its verdict was taken.
    NoUnreadValueIsReplaced,
    /// What a node told a peer that lacked it, no crash of its server takes back.
    WhatIsToldStays,
    /// Confirmed positions never pass durable ones, nor durable ones captured ones.
    ConfirmedDurableCaptured,
    /// Of a table without a key every insert is applied, and every update or delete takes one equal row or none.
    AKeylessChangeTakesOneRow,
    /// No row refers to nothing, unless its rule leaves it so, and then a node tells of it.
    NoOrphanIsSilent,
    /// What is kept in memory is bounded by configuration.
    MemoryIsBounded,
    /// A cluster without writes forgets every register.
    AnIdleClusterBecomesStable,
    /// When faults cease, everything arrives everywhere in bounded time.
    NothingWaitsForEver,
    /// An update that saw the other write is no conflict.
    AnUpdateThatSawTheOtherIsNoConflict,
    /// The engine stopped with an error that its world cannot cause.
    NoError,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Law::Convergence => "convergence",
            Law::ExactlyOnce => "exactly once",
            Law::CausalOrder => "causal order",
            Law::NoEcho => "no echo",
            Law::AStampNeverChanges => "a stamp never changes",
            Law::NoLocalValueVanishes => "no local value vanishes unresolved",
            Law::NoUnreadValueIsReplaced => "no unread local value is replaced",
            Law::WhatIsToldStays => "what is told stays",
            Law::ConfirmedDurableCaptured => "confirmed <= durable <= captured",
            Law::AKeylessChangeTakesOneRow => "a change without a key takes one equal row or none",
            Law::NoOrphanIsSilent => "no orphan is silent",
            Law::MemoryIsBounded => "memory is bounded",
            Law::AnIdleClusterBecomesStable => "an idle cluster becomes stable",
            Law::NothingWaitsForEver => "nothing waits for ever",
            Law::AnUpdateThatSawTheOtherIsNoConflict => "an update that saw the other is no conflict",
            Law::NoError => "no error",
        })
    }
}

/// A run broke a law.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "law broken: {law}\n  seed {seed}, virtual time {}.{:06} s\n  {what}\n  replay: make sim SEEDS=1 FROM={seed}{}",
    at_micros / 1_000_000,
    at_micros % 1_000_000,
    if flags.is_empty() { String::new() } else { format!(" FLAGS='{flags}'") }
)]
pub struct Violation {
    /// The run.
    pub seed: u64,
    /// What its world was made of, other than by default.
    pub flags: String,
    /// Which law.
    pub law: Law,
    /// Virtual microseconds since the run began.
    pub at_micros: u64,
    /// What happened.
    pub what: String,
    /// What happened before, if that was asked for.
    pub trace: Vec<String>,
}
