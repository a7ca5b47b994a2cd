//! One row's register: who wrote what stands in it.

use smallvec::SmallVec;
use synapse_engine_identity::{ColumnSet, Hlc, WriteOp};
use synapse_wal_types::Lsn;

use crate::entry::{Entry, Existence};

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

    /// Whether `column` is in it.
    #[must_use]
    pub fn contains(&self, column: synapse_engine_identity::ColumnId) -> bool {
        match self {
            Carried::AllBut(set) => !set.contains(column),
            Carried::Only(set) => set.contains(column),
        }
    }
}

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
    /// update may bring the row back. Noting a write twice changes nothing.
    pub fn observe(&mut self, author: Author, op: &WriteOp, saw: impl Fn(Author) -> bool) {
        let own = |e: &Entry| same_txn(e.author(), author);
        for entry in &mut self.entries {
            if !own(entry) && saw(entry.author()) {
                entry.existence = Existence::Overruled;
                match op {
                    WriteOp::Delete => {}
                    // What an insert lacks, because its row came by a key change, stands under its old key: it is
                    // never what an earlier life of the row had.
                    WriteOp::Insert { .. } => entry.set_carried(Carried::NONE),
                    WriteOp::Update { missing } => {
                        entry.set_carried(entry.carried().and(&Carried::Only(missing.clone())));
                    }
                }
            }
        }
        self.entries
            .retain(|e| own(e) || e.existence != Existence::Overruled || !e.carries_nothing());
        if let Some(entry) = self.entries.iter_mut().find(|e| own(e)) {
            entry.combine(op);
            return;
        }
        let mut entry = Entry::new(author, Existence::Dead, Carried::NONE);
        entry.combine(op);
        #[cfg(feature = "mutants")]
        if crate::Mutant::TombstoneForgotten.is_chosen() && entry.existence == Existence::Dead {
            return;
        }
        self.entries.push(entry);
    }

    /// Whether some known write that is not `author`'s own transaction was not seen by it.
    #[must_use]
    pub fn contested(&self, author: Author, saw: impl Fn(Author) -> bool) -> bool {
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

    /// The write whose word on the row's existence counts.
    fn say<R: Ord>(&self, rank: impl Fn(OriginIndex) -> R, ignoring: Option<Author>) -> Option<&Entry> {
        let order = |e: &&Entry| (e.author().hlc, rank(e.author().origin), e.author().lsn);
        let ignored = |e: &&Entry| ignoring.is_none_or(|author| !same_txn(e.author(), author));
        let with_a_say = self.entries.iter().filter(|e| e.existence != Existence::Overruled);
        #[cfg(feature = "mutants")]
        if crate::Mutant::FlippedComparison.is_chosen() {
            return with_a_say.filter(ignored).min_by_key(order);
        }
        with_a_say.filter(ignored).max_by_key(order)
    }

    /// Who decides whether the row exists; `ignoring` as in [`Self::target`].
    pub(crate) fn decisive<R: Ord>(&self, rank: impl Fn(OriginIndex) -> R, ignoring: Option<Author>) -> Option<Author> {
        self.say(rank, ignoring).map(Entry::author)
    }

    /// What the row should be under `last-write-wins`: existence by the greatest (HLC, origin) among those with a say
    /// on it, each column by the greatest among those that carry it. `rank` orders origins the same on every node.
    /// `ignoring` leaves one transaction out, as if it had not been noted.
    #[must_use]
    pub fn target<R: Ord>(&self, rank: impl Fn(OriginIndex) -> R, ignoring: Option<Author>) -> Target {
        let ignored = |e: &&Entry| ignoring.is_none_or(|author| !same_txn(e.author(), author));
        let order = |e: &&Entry| (e.author().hlc, rank(e.author().origin), e.author().lsn);
        let say = self.say(&rank, ignoring);
        match say.map(|e| e.existence) {
            None => return Target::Untouched,
            Some(Existence::Dead) => return Target::Dead,
            Some(Existence::Live | Existence::Overruled) => {}
        }
        let mut values: SmallVec<[&Entry; 4]> = self.entries.iter().filter(ignored).collect();
        values.sort_by_key(|e| std::cmp::Reverse(order(e)));
        let mut open = Carried::ALL;
        let mut winners = SmallVec::new();
        for entry in values {
            let won = entry.carried().and(&open);
            if !won.is_none() {
                open = open.and(&won.complement());
                winners.push((entry.author(), won));
            }
        }
        Target::Live(winners)
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

    /// Drops what is stable, but keeps a stable write while an unstable one is left that it outranks (alone, that one
    /// would seem to have won), or an unstable delete above it (a concurrent update may bring its values back).
    pub(crate) fn prune<R: Ord>(&mut self, rank: impl Fn(OriginIndex) -> R, stable: impl Fn(Author) -> bool) {
        if self
            .entries
            .iter()
            .any(|e| e.existence == Existence::Dead && !stable(e.author()))
        {
            return;
        }
        self.drop_stable(rank, stable);
    }

    /// As [`Self::prune`], also under an unstable delete: what a concurrent update that brings the row back does not carry
    /// is asked of its node then.
    pub(crate) fn drop_stable<R: Ord>(&mut self, rank: impl Fn(OriginIndex) -> R, stable: impl Fn(Author) -> bool) {
        let order = |a: Author| (a.hlc, rank(a.origin), a.lsn);
        let Some(lowest) = self
            .entries
            .iter()
            .map(|e| e.author())
            .filter(|a| !stable(*a))
            .min_by_key(|a| order(*a))
        else {
            self.entries.clear();
            return;
        };
        self.entries
            .retain(|e| !stable(e.author()) || order(e.author()) > order(lowest));
    }
}

fn same_txn(a: Author, b: Author) -> bool {
    a.origin == b.origin && a.lsn == b.lsn
}

#[cfg(test)]
mod tests;
