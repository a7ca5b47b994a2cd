//! The log: records in the order of their insertion, of which a crash keeps what was flushed.

use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use super::Roident;
use super::schema::{Row, Table};

/// What one statement did to one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Insert {
        new: Row,
    },
    /// `untouched` columns keep a TOAST value that the log does not carry.
    Update {
        old: Row,
        new: Row,
        untouched: Vec<usize>,
    },
    Delete {
        old: Row,
    },
    Truncate,
}

/// One thing in a transaction, in the order of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Change { table: Table, xid: Xid, effect: Effect },
    Message { text: String },
}

/// A commit record, with all that logical decoding gathers for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) end: Lsn,
    pub(crate) xid: Xid,
    pub(crate) subxids: Vec<Xid>,
    pub(crate) commit_ts: PgTimestamp,
    pub(crate) items: Vec<Item>,
    /// The session's replication origin and the position given to `xact_setup`.
    pub(crate) origin: Option<(Roident, Lsn)>,
}

impl Commit {
    /// The messages with which it begins, if it begins with one.
    pub(crate) fn first_message(&self) -> Option<&str> {
        match self.items.first() {
            Some(Item::Message { text }) => Some(text),
            Some(Item::Change { .. }) | None => None,
        }
    }

    /// Whether any of it goes to peers.
    pub(crate) fn publishes(&self) -> bool {
        let published = |item: &Item| matches!(item, Item::Change { table, .. } if table.published());
        self.items.iter().any(published)
    }
}

/// The log.
#[derive(Clone, Debug)]
pub(crate) struct Wal {
    commits: Vec<Commit>,
    /// First record of each xid, to know which xids a crash forgets.
    begun: Vec<(Xid, Lsn)>,
    inserted: Lsn,
    flushed: Lsn,
}

impl Wal {
    pub(crate) const fn new() -> Self {
        let start = Lsn(0x0100_0000);
        Wal {
            commits: Vec::new(),
            begun: Vec::new(),
            inserted: start,
            flushed: start,
        }
    }

    pub(crate) const fn flushed(&self) -> Lsn {
        self.flushed
    }

    pub(crate) const fn inserted(&self) -> Lsn {
        self.inserted
    }

    pub(crate) fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// The end of the commit of a transaction or subtransaction, if an application made it.
    pub(crate) fn application(&self, xid: Xid) -> Option<Lsn> {
        let found = self
            .commits
            .iter()
            .rev()
            .find(|c| c.xid == xid || c.subxids.contains(&xid));
        found.filter(|commit| commit.origin.is_none()).map(|commit| commit.end)
    }

    /// A record that is no commit.
    pub(crate) fn advance(&mut self, bytes: u64) {
        self.inserted.0 += bytes.max(1) * 8;
    }

    pub(crate) fn begin(&mut self, xid: Xid) {
        self.advance(4);
        self.begun.push((xid, self.inserted));
    }

    /// Inserts a commit record and answers its end.
    pub(crate) fn commit(&mut self, mut commit: Commit) -> Lsn {
        self.advance(5);
        commit.end = self.inserted;
        self.commits.push(commit);
        self.inserted
    }

    /// Everything up to `lsn` survives a crash from now on.
    pub(crate) fn flush(&mut self, lsn: Lsn) {
        self.flushed = self.flushed.max(lsn.min(self.inserted));
    }

    /// Commits that a walsender may send: flushed, and after `lsn`.
    pub(crate) fn after(&self, lsn: Lsn) -> impl Iterator<Item = &Commit> {
        let first = self.commits.partition_point(|commit| commit.end <= lsn);
        self.commits[first..]
            .iter()
            .take_while(|commit| commit.end <= self.flushed)
    }

    /// A crash: what was not flushed is gone, and its positions are used again. Answers the last xid that the log knows,
    /// and the commits that it does not.
    pub(crate) fn crash(&mut self) -> (Option<Xid>, Vec<Commit>) {
        self.inserted = self.flushed;
        let kept = self.commits.partition_point(|commit| commit.end <= self.flushed);
        let forgotten = self.commits.split_off(kept);
        self.begun.retain(|(_, lsn)| *lsn <= self.flushed);
        (self.begun.iter().map(|(xid, _)| *xid).max(), forgotten)
    }
}
