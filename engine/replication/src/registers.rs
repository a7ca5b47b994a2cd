//! The registers of all rows written in the unstable window.

mod overflow;
mod row;
mod stable;
mod truncates;
mod verdict;

use std::collections::{BTreeMap, VecDeque};

use synapse_engine_identity::{Context, Origin, RowId, Stamp, TableId, TxnId, WriteOp};
use synapse_wal_types::Lsn;

use crate::register::{Author, OriginIndex, Register};
use crate::row_hash::RowMap;
use crate::rules::{Book, Policies};
pub use overflow::{MemoryOverflow, Overflow};
pub use row::Counted;
use stable::{Dropped, drop_from};
use truncates::{Truncates, merge_truncates};
pub use verdict::Verdict;

/// Rows that go to the overflow at once: what it writes while everybody waits, about 3 MiB.
const EVICTED_MAX: usize = 65_536;

/// Rows of one transaction of the applier whose registers are kept as they were before it. Only one that is applied by
/// itself has more; it is decided again by itself too, and meets no writes but its own.
const WITHOUT_MAX: usize = 65_536;

/// All registers, with a bounded number of them in memory.
#[derive(Debug)]
pub struct Registers<O> {
    me: OriginIndex,
    origins: Vec<Origin>,
    rows: RowMap<Register>,
    /// Rows in memory, each once, in the order in which they came.
    order: VecDeque<RowId>,
    limit: usize,
    truncates: BTreeMap<TableId, Truncates>,
    policies: Policies,
    overflow: O,
    /// The latest write of each origin that went to the overflow; empty when nothing is there.
    overflowed: BTreeMap<OriginIndex, Lsn>,
    /// The earliest write of each origin that went to the overflow.
    overflowed_from: BTreeMap<OriginIndex, Lsn>,
    /// The earliest write of each origin whose values a register in memory may ask for, as of the last pruning.
    needed: BTreeMap<OriginIndex, Lsn>,
    /// Registers as they would be without the transaction that is being decided: it may be rolled back. `None` when
    /// there are too many.
    without: Option<RowMap<Register>>,
    /// What had been dropped of the registers that were before the start.
    dropped: Option<Dropped>,
}

impl<O: Overflow> Registers<O> {
    /// No registers yet; at most `limit` rows in memory.
    #[must_use]
    pub fn new(me: Origin, limit: usize, overflow: O) -> Self {
        Registers {
            me: OriginIndex(0),
            origins: vec![me],
            rows: RowMap::default(),
            order: VecDeque::new(),
            limit: limit.max(1),
            truncates: BTreeMap::new(),
            policies: Policies::default(),
            overflow,
            overflowed: BTreeMap::new(),
            overflowed_from: BTreeMap::new(),
            needed: BTreeMap::new(),
            without: Some(RowMap::default()),
            dropped: None,
        }
    }

    /// From here to [`Self::drop_again`] registers are made anew, of writes in the order of their time; `dropped` is what was
    /// dropped before.
    pub(crate) fn make_anew(&mut self, dropped: Context) {
        self.dropped = Some(Dropped::Later(dropped));
    }

    /// Rows in memory.
    #[must_use]
    pub fn rows_in_memory(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing unstable is known, nowhere.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.overflowed.is_empty()
            && self.truncates.values().all(Truncates::is_empty)
            && self.rows.values().all(Register::is_empty)
    }

    /// The origin behind a number.
    #[must_use]
    pub fn origin(&self, index: OriginIndex) -> Origin {
        self.origins[usize::from(index.0)]
    }

    /// The earliest transaction of `origin` that a register may still ask values of, as of the last pruning.
    pub(crate) fn needed(&self, origin: Origin) -> Option<Lsn> {
        let at = self.origins.iter().position(|o| *o == origin)?;
        let index = OriginIndex(u8::try_from(at).ok()?);
        let found = [self.needed.get(&index), self.overflowed_from.get(&index)];
        found.into_iter().flatten().min().copied()
    }

    fn index(&mut self, origin: Origin) -> OriginIndex {
        let at = self.origins.iter().position(|o| *o == origin).unwrap_or_else(|| {
            self.origins.push(origin);
            self.origins.len() - 1
        });
        OriginIndex(u8::try_from(at).expect("a cluster has fewer than 256 origins in its unstable window"))
    }

    fn author(&mut self, stamp: &Stamp) -> Author {
        Author {
            hlc: stamp.hlc,
            origin: self.index(stamp.txn.origin),
            lsn: stamp.txn.lsn,
            epoch: stamp.epoch,
        }
    }

    /// What is known of policies.
    #[must_use]
    pub const fn policies(&self) -> &Policies {
        &self.policies
    }

    /// What is known of policies, to learn more.
    pub const fn policies_mut(&mut self) -> &mut Policies {
        &mut self.policies
    }

    fn book(&self, table: TableId) -> Book<'_> {
        self.policies.book(table, &self.origins)
    }

    /// A write as registers note it.
    fn noted(&self, stamp: &Stamp, table: TableId, op: &WriteOp) -> (WriteOp, bool) {
        self.policies.at(table, stamp.epoch).noted(op)
    }

    /// Takes note of a write, without asking what becomes of it: local writes, and those read back from journals.
    pub fn note(&mut self, stamp: &Stamp, row: RowId, op: &WriteOp) {
        let author = self.author(stamp);
        let (op, adds) = self.noted(stamp, row.table, op);
        let mut register = self.take(row);
        register.observe(author, (&op, adds), self.saw(stamp));
        self.keep(row, register);
        if let Some(mut without) = self.without.as_mut().and_then(|rows| rows.remove(&row)) {
            merge_truncates(&mut without, self.truncates.get(&row.table), &self.origins);
            without.observe(author, (&op, adds), self.saw(stamp));
            self.keep_without(row, &without);
        }
    }

    /// A transaction of the applier is going to be decided; the one before is committed.
    pub(crate) fn begin(&mut self) {
        self.without.get_or_insert_default().clear();
    }

    /// Keeps a row's register as it is before its first write of the transaction that is being decided.
    fn keep_without(&mut self, row: RowId, register: &Register) {
        if let Some(rows) = &mut self.without {
            rows.entry(row).or_insert_with(|| register.clone());
            if rows.len() > WITHOUT_MAX {
                self.without = None;
            }
        }
    }

    /// The transaction that was decided is rolled back: its writes are not known any more. Parts of it may be decided
    /// again by themselves, and must not meet its later ones.
    pub(crate) fn give_up(&mut self) {
        let mut without: Vec<(RowId, Register)> =
            self.without.replace(RowMap::default()).into_iter().flatten().collect();
        without.sort_unstable_by_key(|(row, _)| *row);
        for (row, register) in without {
            self.keep(row, register);
        }
    }

    fn txn(&self, author: Author) -> TxnId {
        TxnId {
            origin: self.origin(author.origin),
            lsn: author.lsn,
        }
    }

    fn saw<'a>(&'a self, stamp: &'a Stamp) -> impl Fn(Author) -> bool + 'a {
        |author| {
            stamp.saw(TxnId {
                origin: self.origin(author.origin),
                lsn: author.lsn,
            })
        }
    }

    /// The row's register, out of memory or back from the overflow, with the table's truncates merged in. Its place in
    /// memory, if it has one, stays for [`Self::keep`].
    fn take(&mut self, row: RowId) -> Register {
        let (mut register, of_overflow) = match self.rows.get_mut(&row) {
            Some(register) => (std::mem::take(register), false),
            None if self.overflowed.is_empty() => (Register::default(), false),
            None => {
                let kept = self.overflow.get(row).filter(|_| !mutant!(OverflowForgotten));
                (kept.unwrap_or_default(), true)
            }
        };
        merge_truncates(&mut register, self.truncates.get(&row.table), &self.origins);
        if let (Some(Dropped::OfOverflow(dropped)), true) = (&self.dropped, of_overflow) {
            drop_from(&mut register, dropped, &self.policies.book(row.table, &self.origins));
        }
        register
    }

    fn keep(&mut self, row: RowId, register: Register) {
        if let Some(place) = self.rows.get_mut(&row) {
            *place = register;
            return;
        }
        if register.is_empty() && self.overflowed.is_empty() {
            return;
        }
        self.rows.insert(row, register);
        self.order.push_back(row);
        if self.rows.len() > self.limit {
            self.evict();
        }
    }

    /// Moves the older half, or a good piece of it, to the overflow.
    fn evict(&mut self) {
        let stay = (self.limit / 2).max(self.limit.saturating_sub(EVICTED_MAX));
        let mut evicted = Vec::with_capacity(self.rows.len().saturating_sub(stay));
        while self.rows.len() > stay {
            let row = self.order.pop_front().expect("every row in memory stands in the order");
            let register = self.rows.remove(&row).expect("every row of the order is in memory");
            for Author { origin, lsn, .. } in register.entries.iter().map(|e| e.author()) {
                let high = self.overflowed.entry(origin).or_default();
                *high = lsn.max(*high);
            }
            register.lowest_authors(&mut self.overflowed_from);
            evicted.push((row, register));
        }
        self.overflow.put(evicted);
    }
}
