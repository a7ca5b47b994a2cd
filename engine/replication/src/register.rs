//! One row's register: who wrote what stands in it.

use std::sync::Arc;

use smallvec::SmallVec;
use synapse_engine_identity::{ColumnId, ColumnSet, Epoch, Hlc, WriteOp};
use synapse_wal_types::Lsn;

use crate::entry::{Entry, Existence};
use crate::policy::{Deletes, Policy};
use crate::rules::{Book, Rules};

/// An origin as this process numbers it: registers hold many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginIndex(pub u8);

/// A write as registers know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Author {
    /// Its time.
    pub hlc: Hlc,
    /// Whose.
    pub origin: OriginIndex,
    /// Which of theirs.
    pub lsn: Lsn,
    /// The policies that were in force where it was made.
    pub epoch: Epoch,
}

/// Columns whose values a write brought and that no later write has replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried {
    /// All but these.
    AllBut(ColumnSet),
    /// Just these.
    Only(ColumnSet),
}

impl Carried {
    /// No column.
    pub const NONE: Carried = Carried::Only(ColumnSet::new());
    /// Every column.
    pub const ALL: Carried = Carried::AllBut(ColumnSet::new());

    /// Whether no column is left.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Carried::Only(set) if set.is_empty())
    }

    /// Whether it is every column.
    #[must_use]
    pub fn is_all(&self) -> bool {
        matches!(self, Carried::AllBut(set) if set.is_empty())
    }

    /// What of it is also in `other`.
    #[must_use]
    pub fn and(&self, other: &Carried) -> Carried {
        match (self, other) {
            (Carried::AllBut(a), Carried::AllBut(b)) => Carried::AllBut(a.union(b)),
            (Carried::AllBut(a), Carried::Only(b)) | (Carried::Only(b), Carried::AllBut(a)) => {
                Carried::Only(b.difference(a))
            }
            (Carried::Only(a), Carried::Only(b)) => Carried::Only(a.intersection(b)),
        }
    }

    /// What is in either.
    #[must_use]
    pub fn or(&self, other: &Carried) -> Carried {
        self.complement().and(&other.complement()).complement()
    }

    /// What is not in it.
    #[must_use]
    pub fn complement(&self) -> Carried {
        match self {
            Carried::AllBut(set) => Carried::Only(set.clone()),
            Carried::Only(set) => Carried::AllBut(set.clone()),
        }
    }

    /// The columns that it names, whether it is these or all others.
    fn named(&self) -> &ColumnSet {
        match self {
            Carried::AllBut(set) | Carried::Only(set) => set,
        }
    }

    /// Whether `column` is in it.
    #[must_use]
    pub fn contains(&self, column: ColumnId) -> bool {
        match self {
            Carried::AllBut(set) => !set.contains(column),
            Carried::Only(set) => set.contains(column),
        }
    }
}

/// Writes that added to counters, each with the columns that it counts in.
pub(crate) type Adding = SmallVec<[(Author, ColumnSet); 1]>;

/// Columns that a function makes, each with the writes that it makes them of.
pub(crate) type Folds = SmallVec<[(SmallVec<[Author; 4]>, Carried); 1]>;

/// The unstable writes of one row. At most a few entries; see [`Register::observe`] for what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Register {
    pub(crate) entries: SmallVec<[Entry; 1]>,
    /// How many of the table's truncates have been merged in.
    pub(crate) truncates: u32,
}

/// What a row should be, as far as its register knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// No unstable write: what stands, stands.
    Untouched,
    /// The row is gone.
    Dead,
    /// The row lives. Each author won the columns beside it; columns that no author carries keep what stands.
    Live(SmallVec<[(Author, Carried); 1]>),
}

impl Register {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes note of a write that `saw` what it saw. Writes it saw lose their say on existence, and their values in
    /// the columns it carries; what a delete saw keeps its values until the delete is stable, because a concurrent
    /// update may bring the row back. A write that `adds` to counters is kept for what it added. Noting a write twice
    /// changes nothing.
    pub fn observe(&mut self, author: Author, (op, adds): (&WriteOp, bool), saw: impl Fn(Author) -> bool) {
        let own = |e: &Entry| same_txn(e.author(), author);
        for entry in &mut self.entries {
            if !own(entry) && saw(entry.author()) {
                entry.existence = Existence::Overruled;
                match op {
                    WriteOp::Delete => {}
                    // What an insert lacks, because its row came by a key change, stands under its old key: it is
                    // never what an earlier life of the row had.
                    WriteOp::Insert { .. } if mutant!(InsertKeepsValues) => {}
                    WriteOp::Insert { .. } => entry.set_carried(Carried::NONE),
                    WriteOp::Update { .. } if mutant!(UpdateClears) => entry.set_carried(Carried::NONE),
                    WriteOp::Update { missing } => {
                        entry.set_carried(entry.carried().and(&Carried::Only(missing.clone())));
                    }
                }
            }
        }
        self.entries
            .retain(|e| own(e) || e.existence != Existence::Overruled || !e.carries_nothing() || e.adds());
        if let Some(entry) = self.entries.iter_mut().find(|e| own(e)) {
            entry.combine(op, adds);
            return;
        }
        let mut entry = Entry::new(author, Existence::Dead, Carried::NONE);
        entry.combine(op, adds);
        #[cfg(feature = "mutants")]
        if crate::Mutant::TombstoneForgotten.is_chosen() && entry.existence == Existence::Dead {
            return;
        }
        self.entries.push(entry);
    }

    /// Whether some known write that is not `author`'s own transaction was not seen by it.
    #[must_use]
    pub fn contested(&self, author: Author, saw: impl Fn(Author) -> bool) -> bool {
        if mutant!(NothingContested) {
            return false;
        }
        self.entries
            .iter()
            .any(|e| !same_txn(e.author(), author) && !saw(e.author()))
    }

    /// As [`Self::contested`], leaving out the writes for which `known` holds.
    #[must_use]
    pub(crate) fn contested_beside(
        &self,
        author: Author,
        saw: impl Fn(Author) -> bool,
        known: impl Fn(Author) -> bool,
    ) -> bool {
        self.entries
            .iter()
            .any(|e| !same_txn(e.author(), author) && !saw(e.author()) && !known(e.author()))
    }

    /// Whether `origin` wrote the row in the positions (`after`, `up_to`].
    #[must_use]
    pub fn written_by(&self, origin: OriginIndex, after: Lsn, up_to: Lsn) -> bool {
        self.entries
            .iter()
            .any(|e| e.author().origin == origin && after < e.author().lsn && e.author().lsn <= up_to)
    }

    /// All writes, or all but those of one transaction.
    fn but(&self, ignoring: Option<Author>) -> impl Iterator<Item = &Entry> + Clone {
        self.entries
            .iter()
            .filter(move |e| ignoring.is_none_or(|author| !same_txn(e.author(), author)))
    }

    /// The rules by which the row is decided: those of the greatest epoch of its writes.
    pub(crate) fn rules<'a>(&self, book: &Book<'a>) -> &'a Arc<Rules> {
        book.deciding(greatest_epoch(self.entries.iter()))
    }

    /// The write whose word on the row's existence counts.
    fn say(&self, book: &Book<'_>, ignoring: Option<Author>) -> Option<&Entry> {
        let with_a_say = self.but(ignoring).filter(|e| e.existence != Existence::Overruled);
        let rules = book.deciding(greatest_epoch(with_a_say.clone()));
        let preferred = match rules.policy.deletes() {
            Deletes::InOrder => None,
            Deletes::Win if mutant!(DeletesNeverWin) => None,
            Deletes::Win => Some(Existence::Dead),
            Deletes::Lose if mutant!(UpdatesNeverWin) => None,
            Deletes::Lose => Some(Existence::Live),
        };
        let order = |e: &&Entry| (Some(e.existence) == preferred, book.rank(rules, e.author()));
        #[cfg(feature = "mutants")]
        if crate::Mutant::FlippedComparison.is_chosen() {
            return with_a_say.min_by_key(order);
        }
        with_a_say.max_by_key(order)
    }

    /// Who decides whether the row exists; `ignoring` as in [`Self::target`].
    pub(crate) fn decisive(&self, book: &Book<'_>, ignoring: Option<Author>) -> Option<Author> {
        self.say(book, ignoring).map(Entry::author)
    }

    /// What the row should be: existence by the greatest among those with a say on it, each column by the greatest among
    /// those that carry it, in the order that the policy gives to a set of writes: that of the greatest epoch among them.
    /// Columns that a function makes of several writes have no winner: see [`Self::folds`]. `ignoring` leaves one transaction
    /// out, as if it had not been noted.
    #[must_use]
    pub(crate) fn target(&self, book: &Book<'_>, ignoring: Option<Author>) -> Target {
        match self.say(book, ignoring).map(|e| e.existence) {
            None => return Target::Untouched,
            Some(Existence::Dead) => return Target::Dead,
            Some(Existence::Live | Existence::Overruled) => {}
        }
        let mut winners: SmallVec<[(Author, Carried); 1]> = SmallVec::new();
        for (columns, members) in self.sets(ignoring) {
            let rules = book.deciding(greatest(&members));
            if rules.folds() && members.len() > 1 && !mutant!(FoldIgnored) {
                continue;
            }
            let Some(by) = members.into_iter().max_by_key(|by| book.rank(rules, *by)) else {
                continue;
            };
            match winners.iter_mut().find(|(author, _)| same_txn(*author, by)) {
                Some((_, carried)) => *carried = carried.or(&columns),
                None => winners.push((by, columns)),
            }
        }
        Target::Live(winners)
    }

    /// Columns that a function makes of the rows that several writes left, each with those, in the order of their time.
    pub(crate) fn folds(&self, book: &Book<'_>, ignoring: Option<Author>) -> Folds {
        let mut folds = Folds::new();
        if mutant!(FoldIgnored) {
            return folds;
        }
        for (columns, mut members) in self.sets(ignoring) {
            if members.len() < 2 || !book.deciding(greatest(&members)).folds() {
                continue;
            }
            members.sort_unstable_by_key(|a| (a.hlc, book.origin(a.origin), a.lsn));
            match folds.iter_mut().find(|(others, _)| *others == members) {
                Some((_, carried)) => *carried = carried.or(&columns),
                None => folds.push((members, columns)),
            }
        }
        folds
    }

    /// The writes that carry a column, for each set of columns that the same ones carry.
    fn sets(&self, ignoring: Option<Author>) -> SmallVec<[(Carried, SmallVec<[Author; 4]>); 2]> {
        let carrying: SmallVec<[(Author, Carried); 4]> = self
            .but(ignoring)
            .filter(|e| !e.carries_nothing())
            .map(|e| (e.author(), e.carried()))
            .collect();
        // Columns that are named somewhere, one by one; all others are carried by the same writes.
        let mut named: SmallVec<[ColumnId; 4]> = carrying.iter().flat_map(|(_, c)| c.named().iter()).collect();
        named.sort_unstable();
        named.dedup();
        let members = |carries: &dyn Fn(&Carried) -> bool| {
            let members = carrying.iter().filter(|(_, carried)| carries(carried));
            members.map(|(by, _)| *by).collect::<SmallVec<[Author; 4]>>()
        };
        let rest = Carried::AllBut(named.iter().copied().collect());
        let mut sets = SmallVec::new();
        sets.push((rest, members(&|carried| matches!(carried, Carried::AllBut(_)))));
        for column in named {
            let set = Carried::Only([column].into_iter().collect());
            sets.push((set, members(&|carried| carried.contains(column))));
        }
        sets
    }

    /// The writes that added to counters, each with the columns that it counts in: those that are counters under the policy
    /// of the greatest epoch among it and those that carry the column.
    pub(crate) fn adding(&self, book: &Book<'_>, ignoring: Option<Author>) -> Adding {
        let carriers = |column: ColumnId| self.but(ignoring).filter(move |e| e.carried().contains(column));
        let counts_in = |author: Author| {
            let counters = book.at(author.epoch).counters.iter();
            let counts = |column: &ColumnId| {
                let epoch = greatest_epoch(carriers(*column)).max(author.epoch);
                book.deciding(epoch).counters.contains(*column)
            };
            counters.filter(counts).collect::<ColumnSet>()
        };
        let adding = self.but(ignoring).filter(|e| e.adds()).map(Entry::author);
        let adding = adding.map(|author| (author, counts_in(author)));
        adding.filter(|(_, columns)| !columns.is_empty()).collect()
    }

    /// Whether a write that lost may win again, so that what it wrote does not stand in the row: under every order but that
    /// of time, when one that it lost to is overruled; and where writes of several policies meet.
    pub(crate) fn may_return(&self, book: &Book<'_>) -> bool {
        if mutant!(WinnerStays) {
            return false;
        }
        let epochs = || self.entries.iter().map(|e| e.author().epoch);
        let (Some(first), Some(last)) = (epochs().min(), epochs().max()) else {
            return false;
        };
        !book.deciding(last).keeps_winners() || book.changed_between(first, last)
    }

    /// Two writes that a person has to decide between.
    pub(crate) fn undecided(&self, book: &Book<'_>) -> Option<(Author, Author)> {
        if mutant!(NobodyAsked) {
            return None;
        }
        if self.rules(book).policy != Policy::Error {
            return None;
        }
        let with_a_say = self.entries.iter().filter(|e| e.existence != Existence::Overruled);
        let dead = with_a_say.clone().all(|e| e.existence == Existence::Dead);
        let say: SmallVec<[Author; 4]> = with_a_say.map(Entry::author).collect();
        let sets = self.sets(None).into_iter().map(|(_, members)| members);
        let waits = |set: &SmallVec<[Author; 4]>| set.len() > 1 && book.deciding(greatest(set)).policy == Policy::Error;
        let set = sets.chain((!dead).then_some(say)).find(waits)?;
        Some((set[set.len() - 1], set[0]))
    }

    /// A write of a row that lives that a delete of this epoch had not seen, where a person has to decide between the two.
    pub(crate) fn stands_against(&self, epoch: Epoch, book: &Book<'_>, saw: impl Fn(Author) -> bool) -> Option<Author> {
        let living = self.entries.iter().filter(|e| e.existence == Existence::Live);
        let mut unseen = living.map(Entry::author).filter(|author| !saw(*author));
        unseen.find(|author| book.deciding(author.epoch.max(epoch)).policy == Policy::Error)
    }

    /// Whether a write of `origin` says that the row is there.
    pub(crate) fn lives_by(&self, origin: OriginIndex) -> bool {
        let lives = |entry: &Entry| entry.existence == Existence::Live && entry.author().origin == origin;
        self.entries.iter().any(lives)
    }

    /// The writes that are known.
    pub(crate) fn authors(&self) -> impl Iterator<Item = Author> + '_ {
        self.entries.iter().map(Entry::author)
    }

    /// The writes that say what counters were of a row that is not there: a delete, which found it, or the write that brings
    /// it back. The first that says something counts.
    pub(crate) fn before(&self, book: &Book<'_>) -> SmallVec<[Author; 2]> {
        if mutant!(BaseForgotten) {
            return SmallVec::new();
        }
        let dead = self.entries.iter().filter(|e| e.existence == Existence::Dead);
        let mut before: SmallVec<[Author; 2]> = dead.map(Entry::author).collect();
        before.sort_unstable_by_key(|a| std::cmp::Reverse(book.rank(&Rules::default(), *a)));
        before.extend(self.decisive(book, None));
        before
    }

    /// Lowers, for each origin, the first of its writes that is known here.
    pub(crate) fn lowest_authors(&self, lowest: &mut std::collections::BTreeMap<OriginIndex, Lsn>) {
        for Author { origin, lsn, .. } in self.entries.iter().map(|e| e.author()) {
            lowest
                .entry(origin)
                .and_modify(|low| *low = lsn.min(*low))
                .or_insert(lsn);
        }
    }

    /// Drops what is stable, as [`Self::drop_stable`] does, but nothing under an unstable delete: a concurrent update may
    /// bring the values below it back.
    pub(crate) fn prune(&mut self, book: &Book<'_>, stable: impl Fn(Author) -> bool) {
        if self
            .entries
            .iter()
            .any(|e| e.existence == Existence::Dead && !stable(e.author()))
        {
            return;
        }
        self.drop_stable(book, stable);
    }

    /// Drops what is stable and stands in no set with what is not: writes that did not see each other are decided together,
    /// and stay together until all of them are stable.
    pub(crate) fn drop_stable(&mut self, book: &Book<'_>, stable: impl Fn(Author) -> bool) {
        let mut kept: SmallVec<[bool; 8]> = self.entries.iter().map(|e| !stable(e.author())).collect();
        if !kept.contains(&true) {
            self.entries.clear();
            return;
        }
        let counters = added_to(self.entries.iter(), book);
        let stays = |at: usize, kept: &[bool]| {
            let mut others = self.entries.iter().zip(kept).filter(|(_, kept)| **kept);
            others.any(|(other, _)| stays_with(&self.entries[at], other, &counters))
        };
        while let Some(at) = (0..kept.len()).find(|at| !kept[*at] && stays(*at, &kept) && !mutant!(DroppedApart)) {
            kept[at] = true;
        }
        let mut at = 0;
        self.entries.retain(|_| {
            at += 1;
            kept[at - 1]
        });
    }
}

/// Whether a write is needed as long as another: they are decided together; or one is added to what the other says; or one
/// says, under a later policy, that the other's addition does not count.
fn stays_with(one: &Entry, other: &Entry, counters: &ColumnSet) -> bool {
    let both_say = one.existence != Existence::Overruled && other.existence != Existence::Overruled;
    let says = |e: &Entry| {
        let carries = counters.iter().any(|c| e.carried().contains(c));
        !counters.is_empty() && (e.existence == Existence::Dead || carries)
    };
    let overrules = one.author().epoch > other.author().epoch && other.adds() && says(one);
    both_say || !one.carried().and(&other.carried()).is_none() || (one.adds() && says(other)) || overrules
}

/// The columns that something was added to.
fn added_to<'a>(entries: impl Iterator<Item = &'a Entry>, book: &Book<'_>) -> ColumnSet {
    let adding = entries.filter(|e| e.adds());
    adding.fold(ColumnSet::new(), |columns, e| {
        columns.union(&book.at(e.author().epoch).counters)
    })
}

fn greatest(authors: &[Author]) -> Epoch {
    if mutant!(LeastEpoch) {
        return authors.iter().map(|a| a.epoch).min().unwrap_or_default();
    }
    authors.iter().map(|a| a.epoch).max().unwrap_or_default()
}

fn greatest_epoch<'a>(entries: impl Iterator<Item = &'a Entry>) -> Epoch {
    entries.map(|e| e.author().epoch).max().unwrap_or_default()
}

fn same_txn(a: Author, b: Author) -> bool {
    a.origin == b.origin && a.lsn == b.lsn
}

#[cfg(test)]
mod tests;
