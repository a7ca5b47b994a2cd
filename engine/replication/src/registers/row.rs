//! What is asked of a row's register.

use std::sync::Arc;

use synapse_engine_identity::{ColumnSet, RowId, TxnId};
use synapse_wal_types::Lsn;

use super::{Overflow, Registers};
use crate::exclusion::LastWrite;
use crate::register::{Author, Carried, Target};
use crate::rules::Rules;

/// What the counters of a row are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The transactions that added to them and are not stable, each with the columns that it counts in.
    pub adding: Vec<(TxnId, ColumnSet)>,
    /// Transactions that say what they were where the row is not there: a delete, which found it, or the write that brings
    /// it back. The first that says something counts.
    pub before: Vec<TxnId>,
}

impl<O: Overflow> Registers<O> {
    /// The rules by which `row` is decided as far as it is known.
    pub fn rules(&mut self, row: RowId) -> Arc<Rules> {
        let register = self.take(row);
        let rules = Arc::clone(register.rules(&self.book(row.table)));
        self.keep(row, register);
        rules
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

    /// Whether a write of this node is known that says that `row` is there, and that no known write has seen.
    pub(crate) fn lives_by_me(&mut self, row: RowId) -> bool {
        let register = self.take(row);
        let lives = register.lives_by(self.me);
        self.keep(row, register);
        lives
    }

    /// When `row` was last written, as far as its register knows, and by which transaction.
    pub(crate) fn last_written(&mut self, row: RowId) -> Option<(LastWrite, TxnId)> {
        let register = self.take(row);
        let last = register.authors().max_by_key(|a| (a.hlc, self.origin(a.origin)));
        self.keep(row, register);
        let last = last?;
        let (hlc, origin) = (last.hlc, self.origin(last.origin));
        Some((LastWrite { hlc, origin }, self.txn(last)))
    }

    /// This node's own transactions in (`after`, `up_to`] that wrote `row`.
    pub(crate) fn own_writes(&mut self, row: RowId, after: Lsn, up_to: Lsn) -> Vec<Lsn> {
        let register = self.take(row);
        let own = register.authors().filter(|a| a.origin == self.me);
        let own = own.map(|a| a.lsn).filter(|lsn| after < *lsn && *lsn <= up_to).collect();
        self.keep(row, register);
        own
    }

    /// Whether this node's own transactions in (`after`, `up_to`] wrote `row`.
    pub fn written_here(&mut self, row: RowId, after: Lsn, up_to: Lsn) -> bool {
        let register = self.take(row);
        let written = register.written_by(self.me, after, up_to);
        self.keep(row, register);
        written
    }
}
