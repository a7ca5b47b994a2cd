//! The registers of all rows written in the unstable window.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use synapse_engine_identity::{ColumnSet, Context, KeyHash, Origin, RowId, Stamp, TableId, TxnId, WriteOp};
use synapse_wal_types::Lsn;

use crate::conflict::{Met, Outcome, Standing};
use crate::register::{Adding, Author, Carried, Folds, OriginIndex, Register, Target};
use crate::row_hash::RowMap;
use crate::rules::{Book, Policies, Rules};

/// Rows that go to the overflow at once: what it writes while everybody waits, about 3 MiB.
const EVICTED_MAX: usize = 65_536;

/// Rows of one transaction of the applier whose registers are kept as they were before it. Only one that is applied by
/// itself has more; it is decided again by itself too, and meets no writes but its own.
const WITHOUT_MAX: usize = 65_536;

/// Where registers go that do not fit in memory. What is put last for a row is what is got; a row may stay in it after
/// it has been taken back into memory. A synchronous port: what stands behind it must answer within a disk read.
pub trait Overflow {
    /// The last register put for `row`.
    fn get(&mut self, row: RowId) -> Option<Register>;
    /// Takes registers in.
    fn put(&mut self, registers: Vec<(RowId, Register)>);
    /// Every row of `table` that was ever put and may still matter.
    fn rows_of(&mut self, table: TableId) -> Vec<RowId>;
    /// Everything put so far is stable and may be forgotten.
    fn clear(&mut self);
}

/// A TRUNCATE: a delete of every row of its table that it saw.
#[derive(Debug)]
struct Truncate {
    stamp: Stamp,
    author: Author,
}

/// A table's truncates, counted since the start: registers remember how many they have merged in.
#[derive(Debug, Default)]
struct Truncates {
    dropped: u32,
    list: Vec<Truncate>,
}

impl Truncates {
    fn count(&self) -> u32 {
        self.dropped
            .saturating_add(u32::try_from(self.list.len()).unwrap_or(u32::MAX))
    }

    fn after(&self, merged: u32) -> &[Truncate] {
        let from = usize::try_from(merged.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        self.list.get(from..).unwrap_or_default()
    }
}

/// What had been dropped of registers that are made anew.
#[derive(Debug)]
enum Dropped {
    /// They are being made: all of a row's writes have to be known first.
    Later(Context),
    /// It is dropped of those in memory, and of those in the overflow when they come back.
    OfOverflow(Context),
}

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

/// Whether a write can be applied without looking further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It saw every write known here: it is applied as it is, guarded against those that are not known yet.
    Plain,
    /// Some write known here was not seen by it, and nothing changes: the row stays as it is.
    Lost(Met),
    /// Some write known here was not seen by it: the row is resolved through the exact path.
    Contested(Met),
}

/// What the counters of a row are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The transactions that added to them and are not stable, each with the columns that it counts in.
    pub adding: Vec<(TxnId, ColumnSet)>,
    /// Transactions that say what they were where the row is not there: a delete, which found it, or the write that brings
    /// it back. The first that says something counts.
    pub before: Vec<TxnId>,
}

/// What a row is to be, and who decides whether it exists.
#[derive(Debug)]
struct Stands {
    target: Target,
    by: Option<Author>,
    adding: Adding,
    folds: Folds,
}

impl Stands {
    /// Nothing is made of a row that does not live.
    fn of_a_row_that(self, lives: bool) -> Self {
        let (adding, folds) = match lives {
            true => (self.adding, self.folds),
            false => Default::default(),
        };
        Stands { adding, folds, ..self }
    }

    fn is(&self, other: &Stands) -> bool {
        self.target == other.target && self.adding == other.adding && self.folds == other.folds
    }

    fn is_made(&self) -> bool {
        !self.adding.is_empty() || !self.folds.is_empty()
    }
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
            && self.truncates.values().all(|t| t.list.is_empty())
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

    /// The rules by which `row` is decided as far as it is known.
    pub fn rules(&mut self, row: RowId) -> Arc<Rules> {
        let register = self.take(row);
        let rules = Arc::clone(register.rules(&self.book(row.table)));
        self.keep(row, register);
        rules
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

    /// Takes note of an incoming write and says what becomes of it.
    pub fn decide(&mut self, stamp: &Stamp, row: RowId, op: &WriteOp) -> Verdict {
        let author = self.author(stamp);
        let (op, adds) = self.noted(stamp, row.table, op);
        let mut register = self.take(row);
        self.keep_without(row, &register);
        let verdict = if register.contested(author, self.saw(stamp)) {
            let before = self.stands(&register, row.table, Some(author));
            register.observe(author, (&op, adds), self.saw(stamp));
            let met = self.met_by(&register, row.table, author, &before);
            match met.outcome {
                Outcome::Local => Verdict::Lost(met),
                Outcome::Remote | Outcome::Both => Verdict::Contested(met),
            }
        } else {
            register.observe(author, (&op, adds), self.saw(stamp));
            Verdict::Plain
        };
        self.keep(row, register);
        verdict
    }

    /// What a transaction met whose write of `row` is noted already; nothing when it saw all that is known.
    pub fn met(&mut self, stamp: &Stamp, row: RowId) -> Option<Met> {
        let author = self.author(stamp);
        let register = self.take(row);
        let contested = register.contested(author, self.saw(stamp));
        let met = contested.then(|| {
            let before = self.stands(&register, row.table, Some(author));
            self.met_by(&register, row.table, author, &before)
        });
        self.keep(row, register);
        met
    }

    /// What the row is to be.
    fn stands(&self, register: &Register, table: TableId, ignoring: Option<Author>) -> Stands {
        let book = self.book(table);
        let target = register.target(&book, ignoring);
        let lives = matches!(target, Target::Live(_));
        Stands {
            by: register.decisive(&book, ignoring),
            adding: register.adding(&book, ignoring),
            folds: register.folds(&book, ignoring),
            target,
        }
        .of_a_row_that(lives)
    }

    /// What `author` met, now that its write is noted: `before` is how the row stood.
    fn met_by(&self, register: &Register, table: TableId, author: Author, before: &Stands) -> Met {
        let after = self.stands(register, table, None);
        let outcome = match &after.target {
            _ if after.is(before) => Outcome::Local,
            Target::Live(winners) if after.is_made() || winners.iter().any(|(by, _)| *by != author) => Outcome::Both,
            Target::Live(_) | Target::Dead | Target::Untouched => Outcome::Remote,
        };
        // What is contested stands in the register; where only values were left of it, by nobody's word but the write's own.
        let stood = before.by.or(after.by).unwrap_or(author);
        Met {
            standing: match before.target {
                Target::Dead => Standing::Dead,
                Target::Live(_) | Target::Untouched => Standing::Live,
            },
            by: self.txn(stood),
            hlc: stood.hlc,
            outcome,
            rules: Arc::clone(register.rules(&self.book(table))),
        }
    }

    /// Takes note of a write that a copy of its table holds already, with every other write that `copy` covers. Answers
    /// whether some known write that the copy does not hold was not seen by it: then the row is resolved through the
    /// exact path, and else it stands as it was copied.
    pub fn decide_copied(&mut self, stamp: &Stamp, row: RowId, op: &WriteOp, copy: &Context) -> bool {
        let author = self.author(stamp);
        let (op, adds) = self.noted(stamp, row.table, op);
        let mut register = self.take(row);
        self.keep_without(row, &register);
        let copied = |author: Author| {
            copy.covers(TxnId {
                origin: self.origin(author.origin),
                lsn: author.lsn,
            })
        };
        let contested = register.contested_beside(author, self.saw(stamp), copied);
        register.observe(author, (&op, adds), self.saw(stamp));
        self.keep(row, register);
        contested
    }

    /// What `row` should be.
    pub fn target(&mut self, row: RowId) -> Target {
        let register = self.take(row);
        let target = register.target(&self.book(row.table), None);
        self.keep(row, register);
        target
    }

    /// Columns of `row` that a function makes of the rows that several transactions left, each with those, in the order of
    /// their time.
    pub fn folds(&mut self, row: RowId) -> Vec<(Vec<TxnId>, Carried)> {
        let register = self.take(row);
        let folds = register.folds(&self.book(row.table), None);
        self.keep(row, register);
        let named = |members: smallvec::SmallVec<[Author; 4]>| members.into_iter().map(|a| self.txn(a)).collect();
        folds
            .into_iter()
            .map(|(members, columns)| (named(members), columns))
            .collect()
    }

    /// What the counters of `row` are made of.
    pub fn counted(&mut self, row: RowId) -> Counted {
        let register = self.take(row);
        let book = self.book(row.table);
        let counted = Counted {
            adding: register
                .adding(&book, None)
                .into_iter()
                .map(|(author, columns)| (self.txn(author), columns))
                .collect(),
            before: register.before(&book).into_iter().map(|a| self.txn(a)).collect(),
        };
        self.keep(row, register);
        counted
    }

    /// Whether what others won of `row` may not stand in it.
    pub fn may_return(&mut self, row: RowId) -> bool {
        let register = self.take(row);
        let may_return = register.may_return(&self.book(row.table));
        self.keep(row, register);
        may_return
    }

    /// Two transactions that wrote `row` and that a person has to decide between, the one that was noted later first.
    pub fn undecided(&mut self, row: RowId) -> Option<(TxnId, TxnId)> {
        let register = self.take(row);
        let undecided = register.undecided(&self.book(row.table));
        self.keep(row, register);
        undecided.map(|(later, earlier)| (self.txn(later), self.txn(earlier)))
    }

    /// The transactions whose writes of `row` are known, the latest first.
    pub fn known(&mut self, row: RowId) -> Vec<TxnId> {
        let register = self.take(row);
        let mut authors: Vec<Author> = register.authors().collect();
        self.keep(row, register);
        authors.sort_unstable_by_key(|a| std::cmp::Reverse((a.hlc, self.origin(a.origin), a.lsn)));
        authors.into_iter().map(|author| self.txn(author)).collect()
    }

    fn txn(&self, author: Author) -> TxnId {
        TxnId {
            origin: self.origin(author.origin),
            lsn: author.lsn,
        }
    }

    /// Whether this node's own transactions in (`after`, `up_to`] wrote `row`.
    pub fn written_here(&mut self, row: RowId, after: Lsn, up_to: Lsn) -> bool {
        let register = self.take(row);
        let written = register.written_by(self.me, after, up_to);
        self.keep(row, register);
        written
    }

    /// Takes note of a TRUNCATE. Noted again, it comes after what was noted since.
    pub fn note_truncate(&mut self, stamp: &Stamp, table: TableId) {
        if mutant!(TruncateForgotten) {
            return;
        }
        let author = self.author(stamp);
        self.truncates.entry(table).or_default().list.push(Truncate {
            stamp: stamp.clone(),
            author,
        });
    }

    /// Rows of `table` that live although `table` was truncated: written by someone who did not see it, or after it.
    pub fn survivors(&mut self, table: TableId) -> Vec<RowId> {
        let mut rows = self.rows_of(table);
        rows.retain(|row| matches!(self.target(*row), Target::Live(_)));
        rows
    }

    /// A row that stands against a TRUNCATE of `table`, and who wrote it, where a person has to decide between the two.
    pub fn undecided_truncate(&mut self, stamp: &Stamp, table: TableId) -> Option<(RowId, TxnId)> {
        if !self.policies.may_ask(table) {
            return None;
        }
        self.rows_of(table).into_iter().find_map(|row| {
            let register = self.take(row);
            let against = register.stands_against(stamp.epoch, &self.book(table), self.saw(stamp));
            self.keep(row, register);
            Some((row, self.txn(against?)))
        })
    }

    fn rows_of(&mut self, table: TableId) -> Vec<RowId> {
        let mut rows: Vec<RowId> = self.rows.keys().copied().filter(|row| row.table == table).collect();
        if !self.overflowed.is_empty() {
            rows.extend(self.overflow.rows_of(table));
        }
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// Registers are made anew: what was dropped before is dropped again. Other origins' writes that replaced some of it may
    /// not have been read again, so none of it stands by itself.
    pub(crate) fn drop_again(&mut self) {
        if mutant!(NotDroppedAgain) {
            self.dropped = None;
        }
        let Some(Dropped::Later(dropped)) = self.dropped.take() else {
            return;
        };
        for (row, register) in &mut self.rows {
            drop_from(register, &dropped, &self.policies.book(row.table, &self.origins));
        }
        self.dropped = Some(Dropped::OfOverflow(dropped));
    }

    /// Drops what every member has applied, where nothing unstable is left that it still decides over.
    pub fn prune(&mut self, stable: impl Fn(Origin, Lsn) -> bool) {
        let origins = std::mem::take(&mut self.origins);
        let is_stable = |author: Author| stable(origins[usize::from(author.origin.0)], author.lsn);
        if self
            .overflowed
            .iter()
            .all(|(origin, lsn)| stable(origins[usize::from(origin.0)], *lsn))
        {
            self.overflow.clear();
            self.dropped
                .take_if(|dropped| matches!(dropped, Dropped::OfOverflow(_)));
            self.overflowed.clear();
            self.overflowed_from.clear();
        }
        // A row of the overflow stays shadowed by its newer register in memory, also by an empty one.
        let keep_empty = !self.overflowed.is_empty();
        let (truncates, policies) = (&self.truncates, &self.policies);
        let mut needed = BTreeMap::new();
        self.rows.retain(|row, register| {
            merge_truncates(register, truncates.get(&row.table), &origins);
            register.prune(&policies.book(row.table, &origins), is_stable);
            register.lowest_authors(&mut needed);
            keep_empty || !register.is_empty()
        });
        if self.order.len() != self.rows.len() {
            let rows = &self.rows;
            self.order.retain(|row| rows.contains_key(row));
        }
        self.without
            .iter()
            .flat_map(RowMap::values)
            .for_each(|register| register.lowest_authors(&mut needed));
        self.needed = needed;
        if self.overflowed.is_empty() {
            for truncates in self.truncates.values_mut() {
                let stable = truncates.list.iter().take_while(|t| is_stable(t.author)).count();
                truncates.list.drain(..stable);
                truncates.dropped = truncates
                    .dropped
                    .saturating_add(u32::try_from(stable).unwrap_or(u32::MAX));
            }
        }
        self.origins = origins;
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
        let mut register = match self.rows.get_mut(&row) {
            Some(register) => std::mem::take(register),
            None if self.overflowed.is_empty() => Register::default(),
            None => self.of_overflow(row),
        };
        merge_truncates(&mut register, self.truncates.get(&row.table), &self.origins);
        register
    }

    fn of_overflow(&mut self, row: RowId) -> Register {
        let kept = self.overflow.get(row).filter(|_| !mutant!(OverflowForgotten));
        let mut register = kept.unwrap_or_default();
        if let Some(Dropped::OfOverflow(dropped)) = &self.dropped {
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

fn drop_from(register: &mut Register, dropped: &Context, book: &Book<'_>) {
    register.drop_stable(book, |author| author.lsn <= dropped.get(book.origin(author.origin)));
}

fn merge_truncates(register: &mut Register, truncates: Option<&Truncates>, origins: &[Origin]) {
    let Some(truncates) = truncates else { return };
    for truncate in truncates.after(register.truncates) {
        register.observe(truncate.author, (&WriteOp::Delete, false), |author| {
            let txn = TxnId {
                origin: origins[usize::from(author.origin.0)],
                lsn: author.lsn,
            };
            truncate.stamp.saw(txn)
        });
    }
    register.truncates = truncates.count();
}

/// An overflow that holds everything in memory: for tests, simulation and tools.
#[derive(Debug, Default)]
pub struct MemoryOverflow {
    rows: BTreeMap<(TableId, KeyHash), Register>,
}

impl Overflow for MemoryOverflow {
    fn get(&mut self, row: RowId) -> Option<Register> {
        self.rows.get(&(row.table, row.key)).cloned()
    }

    fn put(&mut self, registers: Vec<(RowId, Register)>) {
        self.rows.extend(
            registers
                .into_iter()
                .map(|(row, register)| ((row.table, row.key), register)),
        );
    }

    fn rows_of(&mut self, table: TableId) -> Vec<RowId> {
        self.rows
            .keys()
            .filter(|(t, _)| *t == table)
            .map(|(table, key)| RowId {
                table: *table,
                key: *key,
            })
            .collect()
    }

    fn clear(&mut self) {
        self.rows.clear();
    }
}
