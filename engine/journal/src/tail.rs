use synapse_engine_change::Part;
use synapse_wal_types::Lsn;

use crate::header::{BlockHeader, Kind};

/// Where a log ends: the law of what may follow, the same for writing and for reading back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The last transaction that stands here whole.
    pub(crate) end: Lsn,
    /// The transaction whose last part is missing.
    pub(crate) unfinished: Option<Unfinished>,
}

/// A transaction of which some parts stand at the end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfinished {
    lsn: Lsn,
    parts: u32,
    /// Where its first part begins in the current segment.
    pub(crate) offset: u64,
}

/// How a block stands to the end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It continues the log.
    Next,
    /// It holds nothing that the log does not hold.
    Known,
    /// It begins what is unfinished once more: the parts so far must go first.
    Again,
}

impl Tail {
    /// The end of a log after `end`.
    pub(crate) const fn after(end: Lsn) -> Self {
        Tail { end, unfinished: None }
    }

    /// Whether the block may follow; the error says which law it breaks.
    pub(crate) fn fit(&self, header: &BlockHeader) -> Result<Fit, &'static str> {
        let begins = header.begins();
        match (header.kind, self.unfinished) {
            (Kind::Mark | Kind::Blank, _) | (Kind::Progress, None) => Ok(Fit::Next),
            (Kind::Progress, Some(_)) => Err("a progress item stands between the parts of a transaction"),
            (Kind::Transactions, None) if header.last <= self.end => Ok(Fit::Known),
            (Kind::Transactions, None) if begins => Ok(Fit::Next),
            (Kind::Transactions, None) => Err("a part of a transaction comes without the part before it"),
            (Kind::Transactions, Some(open)) if begins && header.first <= open.lsn && open.lsn <= header.last => {
                Ok(Fit::Again)
            }
            (Kind::Transactions, Some(open)) => match header.part {
                Part::Middle(number) | Part::Last(number) if header.last == open.lsn && number == open.parts => {
                    Ok(Fit::Next)
                }
                Part::Middle(_) | Part::Last(_) | Part::Whole => {
                    Err("another block stands between the parts of a transaction")
                }
            },
        }
    }

    /// Moves past a sound block that comes after damaged ones, of which nobody knows here what they held. Answers
    /// whether it knows the log's end again: the first transaction tells it.
    pub(crate) fn resume(&mut self, header: &BlockHeader, offset: u64) -> Result<bool, &'static str> {
        match header.kind {
            Kind::Progress => Ok(false),
            // These name the last transaction that stood before them whole.
            Kind::Mark | Kind::Blank => {
                self.at_least(header.last);
                Ok(false)
            }
            Kind::Transactions if header.last <= self.end => Err("a block repeats what stands before the damage"),
            Kind::Transactions => {
                if header.begins() {
                    self.unfinished = None;
                }
                self.take(header, offset);
                Ok(true)
            }
        }
    }

    fn at_least(&mut self, end: Lsn) {
        if end > self.end {
            *self = Tail::after(end);
        }
    }

    /// Moves past a block that fits and begins at `offset`.
    pub(crate) fn take(&mut self, header: &BlockHeader, offset: u64) {
        match (header.kind, header.part) {
            (Kind::Mark | Kind::Progress, _) => {}
            (Kind::Blank, _) => self.at_least(header.last),
            (Kind::Transactions, Part::Middle(number)) => {
                let offset = self.unfinished.map_or(offset, |open| open.offset);
                self.unfinished = Some(Unfinished {
                    lsn: header.last,
                    parts: number.saturating_add(1),
                    offset,
                });
            }
            (Kind::Transactions, Part::Whole | Part::Last(_)) => *self = Tail::after(header.last),
        }
    }
}
