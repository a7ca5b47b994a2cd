//! The policies of all tables, by epoch, and the order of writes that each gives.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use synapse_engine_identity::{ColumnSet, Epoch, Hlc, NodeId, Origin, TableId, WriteOp};
use synapse_wal_types::Lsn;

use crate::policy::{Deletes, Order, Policy};
use crate::register::{Author, OriginIndex};

/// A policy with its columns found.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Rules {
    /// What a person wrote.
    pub policy: Policy,
    /// The columns to which changes are added up.
    pub counters: ColumnSet,
}

/// A table's place in the order of writes: the greatest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// 0 is first.
    priority: Reverse<usize>,
    /// Greater is preferred: the time, or how long before the end of all time.
    time: u64,
    origin: Origin,
    lsn: Lsn,
}

static DEFAULT: LazyLock<Arc<Rules>> = LazyLock::new(Arc::default);

impl Rules {
    /// Whether an UPDATE says something of the columns only that it changed.
    #[must_use]
    pub fn merges(&self) -> bool {
        matches!(self.policy, Policy::Order { merge: true, .. }) && !mutant!(MergeIgnored)
    }

    /// Whether a function makes one row of those in conflict.
    #[must_use]
    pub const fn folds(&self) -> bool {
        matches!(self.policy, Policy::Custom { .. })
    }

    /// Whether a write carries all columns also where it left TOAST values alone: its old row has them.
    #[must_use]
    pub const fn carries_all(&self) -> bool {
        self.folds()
    }

    /// Whether what won once is outranked only by what comes later.
    pub(crate) fn keeps_winners(&self) -> bool {
        match &self.policy {
            Policy::Order { order, .. } => *order == Order::LastWriteWins,
            Policy::Custom { .. } => false,
            Policy::Error => true,
        }
    }

    pub(crate) fn rank(&self, hlc: Hlc, origin: Origin, lsn: Lsn) -> Rank {
        let order = match &self.policy {
            Policy::Order { order, .. } => order,
            Policy::Error | Policy::Custom { .. } => &Order::LastWriteWins,
        };
        let named = |nodes: &[NodeId]| nodes.iter().position(|n| *n == origin.node).unwrap_or(nodes.len());
        let (priority, time) = match order {
            _ if mutant!(TimeIgnored) => (0, 0),
            Order::LastWriteWins => (0, hlc.0),
            Order::FirstWriteWins if mutant!(FirstIsLast) => (0, hlc.0),
            Order::FirstWriteWins => (0, !hlc.0),
            Order::Priority(_) if mutant!(PriorityIgnored) => (0, hlc.0),
            Order::Priority(nodes) => (named(nodes), hlc.0),
        };
        Rank {
            priority: Reverse(priority),
            time,
            origin,
            lsn,
        }
    }

    /// A write as registers note it: an UPDATE carries no counter, only what it added. Answers also whether it did.
    pub(crate) fn noted(&self, op: &WriteOp) -> (WriteOp, bool) {
        match op {
            WriteOp::Update { missing } if !self.counters.is_empty() && !mutant!(AdditionCarried) => {
                let missing = missing.union(&self.counters);
                (WriteOp::Update { missing }, true)
            }
            WriteOp::Insert { .. } | WriteOp::Update { .. } | WriteOp::Delete => (op.clone(), false),
        }
    }
}

/// What is known of policies. They are given by one node, one after the other, each with an epoch greater than those before.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    tables: BTreeMap<TableId, Vec<(Epoch, Arc<Rules>)>>,
    latest: Epoch,
}

impl Policies {
    /// From `epoch` on `table` has these rules. Known once, they are for ever: learning them again changes nothing.
    pub fn learn(&mut self, epoch: Epoch, table: TableId, rules: Rules) {
        self.latest = self.latest.max(epoch);
        let known = self.tables.entry(table).or_default();
        let at = known.partition_point(|(e, _)| *e < epoch);
        match known.get_mut(at) {
            // Columns may be found that were not there before.
            Some((e, was)) if *e == epoch => *was = Arc::new(rules),
            Some(_) | None => known.insert(at, (epoch, Arc::new(rules))),
        }
    }

    /// The latest epoch of which something is known.
    #[must_use]
    pub const fn latest(&self) -> Epoch {
        self.latest
    }

    /// The rules that were in force for `table` at `epoch`.
    #[must_use]
    pub fn at(&self, table: TableId, epoch: Epoch) -> &Arc<Rules> {
        Self::of(self.tables.get(&table), epoch)
    }

    /// The rules for a conflict between writes the greatest of whose epochs is `epoch`.
    #[must_use]
    pub fn deciding(&self, table: TableId, epoch: Epoch) -> &Arc<Rules> {
        self.book(table, &[]).deciding(epoch)
    }

    fn of(known: Option<&Vec<(Epoch, Arc<Rules>)>>, epoch: Epoch) -> &Arc<Rules> {
        let before = known.and_then(|known| known.iter().rev().find(|(e, _)| *e <= epoch));
        before.map_or(&*DEFAULT, |(_, rules)| rules)
    }

    /// Whether a row of `table` that was deleted may live again because a delete is overruled.
    #[must_use]
    pub fn may_revive(&self, table: TableId) -> bool {
        if mutant!(TruncateRevivesNone) {
            return false;
        }
        let mut known = self.tables.get(&table).into_iter().flatten();
        known.any(|(_, rules)| !rules.keeps_winners() || rules.policy.deletes() != Deletes::InOrder)
    }

    /// Whether a conflict over rows of `table` may wait for a person.
    pub(crate) fn may_ask(&self, table: TableId) -> bool {
        let mut known = self.tables.get(&table).into_iter().flatten();
        known.any(|(_, rules)| rules.policy == Policy::Error)
    }

    pub(crate) fn book<'a>(&'a self, table: TableId, origins: &'a [Origin]) -> Book<'a> {
        Book {
            known: self.tables.get(&table),
            origins,
        }
    }
}

/// The rules of one table, to decide by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Book<'a> {
    known: Option<&'a Vec<(Epoch, Arc<Rules>)>>,
    origins: &'a [Origin],
}

impl<'a> Book<'a> {
    /// The rules for a conflict between writes the greatest of whose epochs is `epoch`. Those under which a person was asked
    /// for give way to the first after them: that is the person's answer.
    pub(crate) fn deciding(&self, epoch: Epoch) -> &'a Arc<Rules> {
        let then = self.at(epoch);
        if then.policy != Policy::Error || mutant!(AnswerIgnored) {
            return then;
        }
        let later = self.known.into_iter().flatten().filter(|(e, _)| *e > epoch);
        let mut answers = later.filter(|(_, rules)| rules.policy != Policy::Error);
        answers.next().map_or(then, |(_, rules)| rules)
    }

    /// The rules that were in force at `epoch`.
    pub(crate) fn at(&self, epoch: Epoch) -> &'a Arc<Rules> {
        Policies::of(self.known, epoch)
    }

    /// Whether a policy was set after the first epoch, and up to the last.
    pub(crate) fn changed_between(&self, first: Epoch, last: Epoch) -> bool {
        self.known
            .into_iter()
            .flatten()
            .any(|(epoch, _)| first < *epoch && *epoch <= last)
    }

    pub(crate) fn origin(&self, index: OriginIndex) -> Origin {
        self.origins[usize::from(index.0)]
    }

    pub(crate) fn rank(&self, rules: &Rules, author: Author) -> Rank {
        rules.rank(author.hlc, self.origin(author.origin), author.lsn)
    }
}

#[cfg(test)]
mod tests;
