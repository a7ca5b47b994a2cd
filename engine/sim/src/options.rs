//! What a run is made of, and what it reports.

use std::collections::BTreeMap;

/// What a run is made of. Everything else follows from the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Nodes, 2 to 5; `None`: the seed decides, 2 or 3.
    pub nodes: Option<usize>,
    /// Transactions of each node's applications.
    pub transactions: u64,
    /// Keys per table: the fewer, the more conflicts.
    pub keys: u64,
    /// Rows of registers kept in memory.
    pub registers_max: usize,
    /// Crashes, broken links, clock jumps and failing statements.
    pub faults: bool,
    /// TRUNCATE among the applications' statements.
    pub truncates: bool,
    /// Deletes and key changes in the TOAST table, beside updates that leave the large value alone and may outlive them.
    pub revivals: bool,
    /// Keep a record of what happened, for a person: see `Violation::trace`.
    pub trace: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            nodes: None,
            transactions: 14,
            keys: 5,
            registers_max: 8,
            faults: true,
            truncates: true,
            revivals: false,
            trace: false,
        }
    }
}

/// What happened in one run, or in many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Runs.
    pub seeds: u64,
    counts: BTreeMap<&'static str, u64>,
    conflicts: BTreeMap<&'static str, u64>,
}

impl Report {
    /// How often `what` happened: `guarded`, `dropped out`, `exact`, `re-checked`, `barriers`, `engine crashes`,
    /// `server crashes`, `commits forgotten`, `retries`, `held`, `duplicates`, …
    #[must_use]
    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }

    /// Everything that was counted, by name.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.counts.iter().map(|(what, count)| (*what, *count))
    }

    /// Conflicts by kind.
    pub fn conflicts(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.conflicts.iter().map(|(kind, count)| (*kind, *count))
    }

    /// Adds what happened in another run.
    pub fn merge(&mut self, other: &Report) {
        self.seeds += other.seeds;
        for (what, count) in &other.counts {
            *self.counts.entry(what).or_default() += count;
        }
        for (kind, count) in &other.conflicts {
            *self.conflicts.entry(kind).or_default() += count;
        }
    }

    pub(crate) fn add(&mut self, what: &'static str, count: usize) {
        *self.counts.entry(what).or_default() += count as u64;
    }

    pub(crate) fn conflict(&mut self, kind: &'static str) {
        *self.conflicts.entry(kind).or_default() += 1;
    }
}
