//! The foreign key of [`Table::Tree`]: what the server's triggers do for applications (ri_triggers.c), and statements of
//! those who write without triggers.

use synapse_wal_types::Xid;

use super::execute::{RowStep, answer_row};
use super::heap::{Ctid, Found, Mark, Strength};
use super::schema::{Row, Table};
use super::server::Server;
use super::session::{Kind, Running, SessionId};
use super::statement::SqlState;
use super::wal::Effect;

/// The column that refers.
const UP: usize = 1;

/// Columns of [`Table::Orphans`].
pub(crate) mod orphan {
    /// What rows refer to; NULL: kept beside such an entry.
    pub(crate) const REF: usize = 1;
    /// The key of the row that is kept; NULL: it is not known how it was.
    pub(crate) const KEY: usize = 2;
    /// [`WAITING`] or [`TOLD`].
    pub(crate) const STATE: usize = 5;
    /// The transaction that kept it.
    pub(crate) const WITH: usize = 6;
    /// It is to be mended.
    pub(crate) const WAITING: u64 = 0;
    /// It stays, and a person was told.
    pub(crate) const TOLD: u64 = 1;
}

/// What is looked at when a statement has written its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// The row that is referred to is there, and stays.
    Parent(u64),
    /// Rows that refer to one that is gone go too.
    Cascade(u64),
    /// No row refers to a key that was given up.
    NoChildren(u64),
}

/// What an application's statement has done to a row.
pub(super) fn checks(kind: Kind, table: Table, effect: &Effect) -> Vec<Check> {
    if kind != Kind::Application || table != Table::Tree {
        return Vec::new();
    }
    let key = |row: &Row| row[0].expect("a key is not null");
    match effect {
        Effect::Insert { new } => new[UP].map(Check::Parent).into_iter().collect(),
        Effect::Delete { old } => vec![Check::Cascade(key(old))],
        Effect::Update { old, new, .. } => {
            let parent = new[UP].filter(|_| old[UP] != new[UP]).map(Check::Parent);
            let moved = (old[0] != new[0]).then(|| Check::NoChildren(key(old)));
            parent.into_iter().chain(moved).collect()
        }
        Effect::Truncate => Vec::new(),
    }
}

impl Server {
    /// One check, as of now.
    pub(super) fn check(&mut self, id: SessionId, running: &mut Running, check: Check) -> RowStep {
        match check {
            Check::Parent(key) => match self.share(id, Table::Tree, key) {
                Ok(Some(_)) => RowStep::Next,
                Ok(None) => RowStep::Failed(SqlState::ForeignKeyViolation),
                Err(xid) => RowStep::Wait(xid),
            },
            Check::NoChildren(key) => {
                let taken = self.child(id, key).is_some() && self.visible(id, Table::Tree, key).is_none();
                match taken {
                    true => RowStep::Failed(SqlState::ForeignKeyViolation),
                    false => RowStep::Next,
                }
            }
            Check::Cascade(key) => match self.delete_referring(id, key) {
                Ok(gone) => {
                    let below = gone.iter().filter_map(|row| row[0]).map(Check::Cascade);
                    running.checks.extend(below);
                    RowStep::Next
                }
                Err(xid) => RowStep::Wait(xid),
            },
        }
    }

    /// `SELECT … FOR KEY SHARE`: the row if it is there, or whom it waits for.
    pub(super) fn share(&mut self, id: SessionId, table: Table, key: u64) -> Result<Option<Row>, Xid> {
        let top = self.session(id).top();
        let Some(seen) = self.visible(id, table, key) else {
            return Ok(None);
        };
        let heap = &self.heaps[table.index()];
        match heap.newest(seen, Strength::KeyShare, &self.xacts, top) {
            Found::Wait(xid) => Err(xid),
            Found::Ready(at) if heap.version(at).row[0] == Some(key) => {
                let row = heap.version(at).row.clone();
                let xid = self.xid(id);
                self.heaps[table.index()].share(at, xid);
                Ok(Some(row))
            }
            Found::Ready(_) | Found::Gone => Ok(None),
        }
    }

    /// `SELECT … WHERE up = $1 LIMIT 1 FOR KEY SHARE`.
    pub(super) fn referring(&mut self, id: SessionId, running: &mut Running, key: u64) -> RowStep {
        let Some(child) = self.child(id, key) else {
            return RowStep::Next;
        };
        let child = self.heaps[Table::Tree.index()].version(child).row[0].expect("a key is not null");
        match self.share(id, Table::Tree, child) {
            Ok(row) => {
                let row = row.filter(|row| row[UP] == Some(key));
                row.iter().for_each(|row| answer_row(running, Table::Tree, row));
                RowStep::Next
            }
            Err(xid) => RowStep::Wait(xid),
        }
    }

    /// `DELETE … WHERE up = $1 RETURNING *`. Whom it waits for may have changed all of it.
    pub(super) fn delete_referring(&mut self, id: SessionId, key: u64) -> Result<Vec<Row>, Xid> {
        let top = self.session(id).top();
        let mut gone = Vec::new();
        for child in self.children(id, key) {
            let heap = &self.heaps[Table::Tree.index()];
            let at = match heap.newest(child, Strength::Update, &self.xacts, top) {
                Found::Wait(xid) => return Err(xid),
                Found::Gone => continue,
                Found::Ready(at) => at,
            };
            let old = heap.version(at).row.clone();
            if old[UP] != Some(key) {
                continue;
            }
            let xid = self.xid(id);
            self.heaps[Table::Tree.index()].mark(at, Mark::Deleted(xid));
            self.log(id, Table::Tree, xid, Effect::Delete { old: old.clone() });
            gone.push(old);
        }
        Ok(gone)
    }

    /// References to nothing with the rows that have them: of these, or of all, and those that `rows` have. Answers with the reference, the key of the
    /// row, and 1 where it was last written by no applier, or in this transaction.
    pub(super) fn orphaned(
        &mut self,
        id: SessionId,
        running: &mut Running,
        references: Option<&[u64]>,
        rows: &[u64],
    ) -> RowStep {
        let top = self.session(id).top();
        let snapshot = self.xacts.snapshot();
        let heap = &self.heaps[Table::Tree.index()];
        let mut found = Vec::new();
        for at in heap.scan(&self.xacts, &snapshot, top) {
            let version = heap.version(at);
            let asked = |up: &u64| references.is_none_or(|these| these.contains(up));
            let is_asked = |up: &u64| asked(up) || version.row[0].is_some_and(|key| rows.contains(&key));
            let Some(up) = version.row[UP].filter(is_asked) else {
                continue;
            };
            if heap.seen(up, &self.xacts, &snapshot, top).is_none() {
                let local = self.xacts.is_local(version.xmin) || self.xacts.mine(version.xmin, top);
                found.push(vec![Some(up), version.row[0], Some(u64::from(local))]);
            }
        }
        running.answer.rows.extend(found);
        RowStep::Next
    }

    /// A row's version that a new snapshot sees.
    pub(super) fn visible(&mut self, id: SessionId, table: Table, key: u64) -> Option<Ctid> {
        let top = self.session(id).top();
        self.heaps[table.index()].seen(key, &self.xacts, &self.xacts.snapshot(), top)
    }

    fn child(&mut self, id: SessionId, key: u64) -> Option<Ctid> {
        self.children(id, key).first().copied()
    }

    fn children(&mut self, id: SessionId, key: u64) -> Vec<Ctid> {
        let top = self.session(id).top();
        let snapshot = self.xacts.snapshot();
        let heap = &self.heaps[Table::Tree.index()];
        let refers = |at: &Ctid| heap.version(*at).row[UP] == Some(key);
        heap.scan(&self.xacts, &snapshot, top).filter(refers).collect()
    }
}
