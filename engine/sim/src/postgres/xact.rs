//! Transaction ids: who is running, who committed, what a snapshot sees (procarray.c, heapam_visibility.c).

use std::collections::BTreeSet;

use synapse_engine_replication::InProgress;
use synapse_wal_types::Xid;

use super::Roident;

/// What became of a transaction or subtransaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It runs, or its commit is not visible yet.
    Running {
        /// Its top-level transaction.
        top: Xid,
    },
    /// It is visible to new snapshots.
    Committed {
        /// The replication origin in its commit record; 0 when local.
        roident: Roident,
    },
    /// It never happened.
    Aborted,
}

/// The states of all xids from the first normal one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Xacts {
    statuses: Vec<Status>,
    /// Those that have a commit timestamp: given after the commit record, and before the transaction is visible.
    timestamps: BTreeSet<Xid>,
}

/// Which transactions a statement sees.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    next: Xid,
    running: Vec<Xid>,
}

const FIRST: u32 = 3;

impl Xacts {
    pub(crate) fn next(&self) -> Xid {
        Xid(FIRST + u32::try_from(self.statuses.len()).expect("a run makes few transactions"))
    }

    /// Starts a transaction, or a subtransaction of `top`.
    pub(crate) fn start(&mut self, top: Option<Xid>) -> Xid {
        let xid = self.next();
        self.statuses.push(Status::Running {
            top: top.unwrap_or(xid),
        });
        xid
    }

    pub(crate) fn status(&self, xid: Xid) -> Status {
        self.statuses[(xid.0 - FIRST) as usize]
    }

    pub(crate) fn end(&mut self, xid: Xid, status: Status) {
        self.statuses[(xid.0 - FIRST) as usize] = status;
    }

    /// Recovery: everything up to `last` is aborted until its commit record says otherwise.
    pub(crate) fn recover(last: Option<Xid>) -> Self {
        let count = last.map_or(0, |xid| xid.0 + 1 - FIRST);
        Xacts {
            statuses: vec![Status::Aborted; count as usize],
            timestamps: BTreeSet::new(),
        }
    }

    /// `pg_snapshot_xmin`: every xid below has ended.
    pub(crate) fn xmin(&self) -> Xid {
        let running = self.statuses.iter().position(|s| matches!(s, Status::Running { .. }));
        running.map_or_else(
            || self.next(),
            |at| Xid(FIRST + u32::try_from(at).expect("counted in 32 bits")),
        )
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let xmin = self.xmin();
        let running = (xmin.0..self.next().0).map(Xid);
        let running = running.filter(|xid| matches!(self.status(*xid), Status::Running { .. }));
        Snapshot {
            next: self.next(),
            running: running.collect(),
        }
    }

    pub(crate) fn set_timestamp(&mut self, xid: Xid) {
        self.timestamps.insert(xid);
    }

    /// All that run, or are not visible yet, but for `top` itself.
    pub(crate) fn in_progress(&self, top: Option<Xid>) -> Vec<InProgress> {
        let running = self.snapshot().running.into_iter();
        let others = running.filter(|xid| !self.mine(*xid, top));
        others
            .map(|xid| InProgress {
                xid,
                committed: self.timestamps.contains(&xid),
            })
            .collect()
    }

    /// Whether `xid` had committed when `snapshot` was taken.
    pub(crate) fn seen(&self, xid: Xid, snapshot: &Snapshot) -> bool {
        xid < snapshot.next && !snapshot.running.contains(&xid) && matches!(self.status(xid), Status::Committed { .. })
    }

    /// Whether it has committed, and no applier made it.
    pub(crate) fn is_local(&self, xid: Xid) -> bool {
        matches!(self.status(xid), Status::Committed { roident: 0 })
    }

    /// Whether `xid` runs as part of `top`.
    pub(crate) fn mine(&self, xid: Xid, top: Option<Xid>) -> bool {
        match self.status(xid) {
            Status::Running { top: owner } => Some(owner) == top,
            Status::Committed { .. } | Status::Aborted => false,
        }
    }
}
