//! What becomes of a write that is applied.

use std::sync::Arc;

use synapse_engine_identity::{Context, RowId, Stamp, TableId, TxnId, WriteOp};

use super::{Overflow, Registers};
use crate::conflict::{Met, Outcome, Standing};
use crate::register::{Adding, Author, Folds, Register, Target};

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
}
