//! What a run is made of, and what it reports.

use std::collections::BTreeMap;

/// What a run is made of. Everything else follows from the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Nodes, 2 to 7; `None`: the seed decides.
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
            trace: false,
        }
    }
}

/// A word that no run understands, or a number that it cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word} {wrong}")]
pub struct WrongFlag {
    word: String,
    wrong: &'static str,
}

impl Options {
    /// Every flag that [`Self::flag`] reads.
    pub const FLAGS: &str = "[--nodes N] [--transactions N] [--keys N] [--registers N] [--no-faults] [--no-truncates]";

    /// Takes one flag, with its number from `words` where it has one. Answers whether it is a flag of a run.
    ///
    /// # Errors
    /// When its number is missing or out of bounds.
    pub fn flag(&mut self, word: &str, words: &mut impl Iterator<Item = String>) -> Result<bool, WrongFlag> {
        let mut number = |low: u64, high: u64, wrong: &'static str| {
            let number = words.next().and_then(|text| text.parse::<u64>().ok());
            let found = number.filter(|number| (low..=high).contains(number));
            let word = word.to_owned();
            found.ok_or(WrongFlag { word, wrong })
        };
        let some = "wants a number above 0";
        match word {
            "--nodes" => self.nodes = usize::try_from(number(2, 7, "wants 2 to 7")?).ok(),
            "--transactions" => self.transactions = number(1, u64::MAX, some)?,
            "--keys" => self.keys = number(1, u64::MAX, some)?,
            "--registers" => self.registers_max = usize::try_from(number(1, u64::MAX, some)?).unwrap_or(usize::MAX),
            "--no-faults" => self.faults = false,
            "--no-truncates" => self.truncates = false,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The flags that make these options of the default ones: what a replay has to be given.
    #[must_use]
    pub fn flags(&self) -> String {
        let Options {
            nodes,
            transactions,
            keys,
            registers_max,
            faults,
            truncates,
            trace: _,
        } = self;
        let usual = Options::default();
        let flags = [
            nodes.filter(|_| *nodes != usual.nodes).map(|n| format!("--nodes {n}")),
            (*transactions != usual.transactions).then(|| format!("--transactions {transactions}")),
            (*keys != usual.keys).then(|| format!("--keys {keys}")),
            (*registers_max != usual.registers_max).then(|| format!("--registers {registers_max}")),
            (*faults != usual.faults).then(|| "--no-faults".to_owned()),
            (*truncates != usual.truncates).then(|| "--no-truncates".to_owned()),
        ];
        flags.into_iter().flatten().collect::<Vec<_>>().join(" ")
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
