//! Row versions and unique indexes (heapam.c, nbtinsert.c), as far as concurrency shows.

use std::collections::BTreeMap;

use synapse_wal_types::Xid;

use super::schema::{Datum, Row, Table};
use super::xact::{Snapshot, Status, Xacts};

/// Where a version stands.
pub(crate) type Ctid = usize;

/// What was done to a version after it was made; as good as its xid.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    Locked(Xid),
    Deleted(Xid),
    Updated { by: Xid, next: Ctid },
}

/// One version of a row.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) row: Row,
    pub(crate) xmin: Xid,
    pub(crate) mark: Option<Mark>,
    /// Who holds its key (FOR KEY SHARE), as long as they run.
    shares: Vec<Xid>,
}

/// How strongly a row is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strength {
    /// FOR KEY SHARE: it stays, with its key.
    KeyShare,
    /// An update that keeps the key.
    NoKeyUpdate,
    /// FOR UPDATE, a delete, an update of the key.
    Update,
}

/// All versions of one table's rows.
#[derive(Clone, Debug)]
pub(crate) struct Heap {
    table: Table,
    versions: Vec<Version>,
    indexes: Vec<BTreeMap<u64, Vec<Ctid>>>,
}

/// What a writer finds when it wants a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The row's newest version, free to be written.
    Ready(Ctid),
    /// Another transaction must end first.
    Wait(Xid),
    /// No such row any more.
    Gone,
}

/// What an inserter finds in the unique indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Free,
    Wait(Xid),
    Taken,
}

impl Heap {
    pub(crate) fn new(table: Table) -> Self {
        Heap {
            table,
            versions: Vec::new(),
            indexes: vec![BTreeMap::new(); table.unique().len()],
        }
    }

    pub(crate) fn version(&self, at: Ctid) -> &Version {
        &self.versions[at]
    }

    pub(crate) fn mark(&mut self, at: Ctid, mark: Mark) {
        self.versions[at].mark = Some(mark);
    }

    pub(crate) fn insert(&mut self, row: Row, xmin: Xid) -> Ctid {
        let at = self.versions.len();
        for (index, column) in self.indexes.iter_mut().zip(self.table.unique()) {
            if let Some(value) = row[*column] {
                index.entry(value).or_default().push(at);
            }
        }
        self.versions.push(Version {
            row,
            xmin,
            mark: None,
            shares: Vec::new(),
        });
        at
    }

    pub(crate) fn update(&mut self, at: Ctid, row: Row, xid: Xid) {
        let next = self.insert(row, xid);
        self.versions[next].shares = self.versions[at].shares.clone();
        self.mark(at, Mark::Updated { by: xid, next });
    }

    /// Holds the key of a version, and of those that it is being updated to.
    pub(crate) fn share(&mut self, mut at: Ctid, xid: Xid) {
        loop {
            self.versions[at].shares.push(xid);
            match self.versions[at].mark {
                Some(Mark::Updated { next, .. }) => at = next,
                Some(Mark::Locked(_) | Mark::Deleted(_)) | None => return,
            }
        }
    }

    /// Versions a reader with this snapshot sees, in the order in which they were made.
    pub(crate) fn scan<'a>(
        &'a self,
        xacts: &'a Xacts,
        snapshot: &'a Snapshot,
        top: Option<Xid>,
    ) -> impl Iterator<Item = Ctid> + 'a {
        (0..self.versions.len()).filter(move |at| self.visible(*at, xacts, snapshot, top))
    }

    /// The version with this key that a reader sees.
    pub(crate) fn seen(&self, key: u64, xacts: &Xacts, snapshot: &Snapshot, top: Option<Xid>) -> Option<Ctid> {
        let candidates = self.indexes.first()?.get(&key)?;
        candidates
            .iter()
            .copied()
            .find(|at| self.visible(*at, xacts, snapshot, top))
    }

    fn visible(&self, at: Ctid, xacts: &Xacts, snapshot: &Snapshot, top: Option<Xid>) -> bool {
        let version = &self.versions[at];
        let by = |xid| xacts.mine(xid, top) || xacts.seen(xid, snapshot);
        let ended = match version.mark {
            None | Some(Mark::Locked(_)) => false,
            Some(Mark::Deleted(xid) | Mark::Updated { by: xid, .. }) => by(xid),
        };
        by(version.xmin) && !ended
    }

    /// From a version that a statement has seen to the newest one, waiting for whoever holds it.
    pub(crate) fn newest(&self, mut at: Ctid, strength: Strength, xacts: &Xacts, top: Option<Xid>) -> Found {
        let ready = |at: Ctid| match strength {
            Strength::KeyShare | Strength::NoKeyUpdate => Found::Ready(at),
            Strength::Update => self.shared(at, xacts, top).map_or(Found::Ready(at), Found::Wait),
        };
        loop {
            let (xid, next) = match self.versions[at].mark {
                None => return ready(at),
                Some(Mark::Locked(xid)) => match xacts.status(xid) {
                    Status::Running { .. } if !xacts.mine(xid, top) => return Found::Wait(xid),
                    Status::Running { .. } | Status::Committed { .. } | Status::Aborted => return ready(at),
                },
                Some(Mark::Deleted(xid)) => (xid, None),
                Some(Mark::Updated { by, next }) => (by, Some(next)),
            };
            match (xacts.status(xid), next) {
                (Status::Aborted, _) => return ready(at),
                // Whoever updates no key lets those pass that want the key alone.
                (Status::Running { .. }, Some(next))
                    if !xacts.mine(xid, top)
                        && strength == Strength::KeyShare
                        && self.versions[at].row[0] == self.versions[next].row[0] =>
                {
                    return Found::Ready(at);
                }
                (Status::Running { .. }, _) if !xacts.mine(xid, top) => return Found::Wait(xid),
                (Status::Running { .. } | Status::Committed { .. }, Some(next)) => at = next,
                (Status::Running { .. } | Status::Committed { .. }, None) => return Found::Gone,
            }
        }
    }

    /// Another transaction that holds its key.
    fn shared(&self, at: Ctid, xacts: &Xacts, top: Option<Xid>) -> Option<Xid> {
        let runs = |xid: &Xid| matches!(xacts.status(*xid), Status::Running { .. }) && !xacts.mine(*xid, top);
        self.versions[at].shares.iter().copied().find(runs)
    }

    /// Whether `row` may be put in; `instead_of` is the version that it replaces.
    pub(crate) fn place(&self, row: &[Datum], instead_of: Option<Ctid>, xacts: &Xacts, top: Option<Xid>) -> Place {
        for (index, column) in self.indexes.iter().zip(self.table.unique()) {
            let Some(value) = row[*column] else { continue };
            if instead_of.is_some_and(|old| self.versions[old].row[*column] == Some(value)) {
                continue;
            }
            for at in index.get(&value).into_iter().flatten() {
                match self.occupied(*at, xacts, top) {
                    Place::Free => {}
                    Place::Wait(xid) => return Place::Wait(xid),
                    Place::Taken => return Place::Taken,
                }
            }
        }
        Place::Free
    }

    fn occupied(&self, at: Ctid, xacts: &Xacts, top: Option<Xid>) -> Place {
        let version = &self.versions[at];
        match xacts.status(version.xmin) {
            Status::Aborted => return Place::Free,
            Status::Running { .. } if !xacts.mine(version.xmin, top) => return Place::Wait(version.xmin),
            Status::Running { .. } | Status::Committed { .. } => {}
        }
        match version.mark {
            None | Some(Mark::Locked(_)) => Place::Taken,
            Some(Mark::Deleted(xid) | Mark::Updated { by: xid, .. }) => match xacts.status(xid) {
                Status::Aborted => Place::Taken,
                Status::Running { .. } if !xacts.mine(xid, top) => Place::Wait(xid),
                Status::Running { .. } | Status::Committed { .. } => Place::Free,
            },
        }
    }
}
