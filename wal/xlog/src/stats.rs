use std::ops::AddAssign;

use crate::{Record, RecordKind, Rmgr};

/// Operations that `xl_info` can name.
const OPERATIONS: usize = 16;
/// Kinds of records that can be told apart.
const KINDS: usize = 256 * OPERATIONS;

/// Counts records as `pg_waldump --stats=record` does (`access/transam/xlogstats.c`). Takes 96 KiB, whatever is counted.
#[derive(Clone, Debug)]
pub struct Stats {
    kinds: Vec<Counts>,
}

/// How many records there were, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// How many records.
    pub records: u64,
    /// Their bytes without full-page images; `Record size`.
    pub record_bytes: u64,
    /// Bytes of their full-page images, as stored; `FPI size`.
    pub image_bytes: u64,
}

impl Default for Stats {
    fn default() -> Self {
        Stats {
            kinds: vec![Counts::default(); KINDS],
        }
    }
}

impl Stats {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Stats {
        Stats::default()
    }

    /// Counts a record.
    pub fn count(&mut self, record: &Record<'_>) {
        let image_bytes = u64::from(record.image_bytes());
        let counts = Counts {
            records: 1,
            record_bytes: u64::from(record.total_bytes()) - image_bytes,
            image_bytes,
        };
        if let Some(kind) = self.kinds.get_mut(index(record.kind())) {
            *kind += counts;
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Stats) {
        for (ours, theirs) in self.kinds.iter_mut().zip(&other.kinds) {
            *ours += *theirs;
        }
    }

    /// The kinds that were counted, by resource manager and operation.
    pub fn kinds(&self) -> impl Iterator<Item = (RecordKind, Counts)> {
        let counted = self.kinds.iter().enumerate().filter(|(_, counts)| counts.records > 0);
        counted.map(|(index, counts)| (kind(index), *counts))
    }

    /// What was counted of one kind.
    #[must_use]
    pub fn of(&self, kind: RecordKind) -> Counts {
        self.kinds.get(index(kind)).copied().unwrap_or_default()
    }

    /// All together.
    #[must_use]
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for (_, counts) in self.kinds() {
            total += counts;
        }
        total
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.records += other.records;
        self.record_bytes += other.record_bytes;
        self.image_bytes += other.image_bytes;
    }
}

fn index(kind: RecordKind) -> usize {
    usize::from(kind.rmgr().0) * OPERATIONS + usize::from(kind.operation() >> 4)
}

fn kind(index: usize) -> RecordKind {
    #[expect(clippy::cast_possible_truncation, reason = "the index counts 256 times 16")]
    let (rmgr, operation) = ((index / OPERATIONS) as u8, (index % OPERATIONS) as u8);
    RecordKind::new(Rmgr(rmgr), operation << 4)
}
