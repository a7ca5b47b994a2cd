//! One write in a register, packed: a node holds millions of them.

use synapse_engine_identity::{ColumnSet, Epoch, Hlc, WriteOp};
use synapse_wal_types::Lsn;

use crate::register::{Author, Carried, OriginIndex};

/// What a write says of whether the row exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Existence {
    /// It was there.
    Live,
    /// It was gone.
    Dead,
    /// A later write has said otherwise.
    Overruled,
}

/// One write that is still of interest: it is in no other known write's context, or brought values that no later
/// write has replaced. It takes 32 bytes, and more only when it carries some columns and not others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    hlc: Hlc,
    lsn: Lsn,
    /// Of what it carries, the set, when it is not empty.
    columns: Option<Box<ColumnSet>>,
    epoch: Epoch,
    origin: OriginIndex,
    /// What it says of whether the row exists.
    pub(crate) existence: Existence,
    form: Form,
    counts: Counts,
}

/// What a write is to the row's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// Nothing.
    Nothing,
    /// It added to them: it is kept for that until it is stable.
    Adds,
    /// Its transaction inserted the row: what it added is in what the row says.
    Inserts,
}

/// What an entry's columns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    AllBut,
    Only,
}

const _: () = assert!(size_of::<Entry>() == 32);

impl Entry {
    pub(crate) fn new(author: Author, existence: Existence, carried: Carried) -> Self {
        let Author {
            hlc,
            origin,
            lsn,
            epoch,
        } = author;
        let mut entry = Entry {
            hlc,
            lsn,
            columns: None,
            epoch,
            origin,
            existence,
            form: Form::Only,
            counts: Counts::Nothing,
        };
        entry.set_carried(carried);
        entry
    }

    /// Whose write it is.
    pub(crate) const fn author(&self) -> Author {
        Author {
            hlc: self.hlc,
            origin: self.origin,
            lsn: self.lsn,
            epoch: self.epoch,
        }
    }

    /// The columns whose values it brought and that no later write has replaced.
    pub(crate) fn carried(&self) -> Carried {
        let columns = self.columns.as_deref().cloned().unwrap_or_default();
        match self.form {
            Form::AllBut => Carried::AllBut(columns),
            Form::Only => Carried::Only(columns),
        }
    }

    pub(crate) fn set_carried(&mut self, carried: Carried) {
        let (form, columns) = match carried {
            Carried::AllBut(columns) => (Form::AllBut, columns),
            Carried::Only(columns) => (Form::Only, columns),
        };
        self.form = form;
        self.columns = (!columns.is_empty()).then(|| Box::new(columns));
    }

    /// Whether no column is left to it.
    pub(crate) fn carries_nothing(&self) -> bool {
        self.form == Form::Only && self.columns.is_none()
    }

    /// Whether it is kept for what it added to counters.
    pub(crate) fn adds(&self) -> bool {
        self.counts == Counts::Adds
    }

    pub(crate) const fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) const fn set_counts(&mut self, counts: Counts) {
        self.counts = counts;
    }

    /// A further write of the same transaction to the same row; whether it `adds` to counters.
    pub(crate) fn combine(&mut self, op: &WriteOp, adds: bool) {
        match op {
            // What the transaction gave before it deleted stays: it has replaced the values of those that it saw, and a
            // concurrent update may bring the row back.
            WriteOp::Delete => self.existence = Existence::Dead,
            WriteOp::Insert { missing } => {
                self.existence = Existence::Live;
                self.counts = Counts::Inserts;
                self.set_carried(Carried::AllBut(missing.clone()));
            }
            WriteOp::Update { missing } => {
                self.existence = Existence::Live;
                if adds && self.counts == Counts::Nothing && !mutant!(AdditionForgotten) {
                    self.counts = Counts::Adds;
                }
                self.set_carried(self.carried().or(&Carried::AllBut(missing.clone())));
            }
        }
    }
}
