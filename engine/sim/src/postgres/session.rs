//! A connection to the server and the transaction it is in.

use std::collections::VecDeque;

use synapse_wal_types::{Lsn, Xid};

use super::Roident;
use super::foreign_key::Check;
use super::heap::Ctid;
use super::schema::Table;
use super::statement::{Answer, Statement};
use super::wal::Item;
use super::xact::Snapshot;

/// Which connection; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SessionId(pub(crate) u32);

/// Whose connection: it decides which faults meet it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Application,
    Apply,
    Barrier,
    /// Mends rows that refer to nothing; no trigger of the server acts on what it writes.
    Mender,
}

/// One connection.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) kind: Kind,
    pub(crate) txn: Option<Txn>,
    pub(crate) running: Option<Running>,
    pub(crate) origin: Option<(Roident, Lsn)>,
}

/// An open transaction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Txn {
    pub(crate) top: Option<Xid>,
    pub(crate) subxids: Vec<Xid>,
    pub(crate) savepoint: Option<Savepoint>,
    pub(crate) items: Vec<Item>,
    pub(crate) failed: bool,
}

/// An open subtransaction; it gets its xid with its first write.
#[derive(Clone, Debug)]
pub(crate) struct Savepoint {
    pub(crate) xid: Option<Xid>,
    pub(crate) items_before: usize,
}

/// A statement on its way.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) statement: Statement,
    pub(crate) stage: Stage,
    /// Which of its rows is next.
    pub(crate) at: usize,
    pub(crate) snapshot: Option<Snapshot>,
    /// The version of that row that was seen or last waited for.
    pub(crate) found: Option<Ctid>,
    pub(crate) answer: Answer,
    /// What is looked at when the rows are written.
    pub(crate) checks: VecDeque<Check>,
    pub(crate) wait: Option<Wait>,
}

/// How far a statement is; only COMMIT has more than one stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Start,
    /// The commit timestamp is taken; the record is not inserted.
    Stamped(i64),
    /// The record is inserted.
    Inserted(Lsn),
    /// The record is as durable as asked; the transaction is not visible.
    Durable(Lsn),
}

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Xact(Xid),
    Table(Table),
    Flush(Lsn),
}

impl Running {
    pub(crate) fn new(statement: Statement) -> Self {
        Running {
            statement,
            stage: Stage::Start,
            at: 0,
            snapshot: None,
            found: None,
            answer: Answer::default(),
            checks: VecDeque::new(),
            wait: None,
        }
    }
}

impl Session {
    pub(crate) const fn new(kind: Kind) -> Self {
        Session {
            kind,
            txn: None,
            running: None,
            origin: None,
        }
    }

    /// Its top-level xid, if it has one.
    pub(crate) fn top(&self) -> Option<Xid> {
        self.txn.as_ref().and_then(|txn| txn.top)
    }
}
