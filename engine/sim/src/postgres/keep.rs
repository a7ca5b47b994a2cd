//! What is about to go is copied into [`Table::Orphans`] as it is, with what it refers to in turn.

use super::execute::RowStep;
use super::foreign_key::orphan;
use super::heap::{Ctid, Found, Strength};
use super::schema::{Datum, Row, Table};
use super::server::Server;
use super::session::{Running, SessionId};
use super::wal::Effect;
use crate::mutation;

/// Its statements: lock the row; note it as it is now where it is noted; else note it; and what it refers to.
pub(super) const STATEMENTS: usize = 4;

impl Server {
    /// The statement that is next.
    pub(super) fn keep(&mut self, id: SessionId, running: &mut Running, key: u64) -> RowStep {
        match running.at {
            0 => self.lock_as_of_now(id, running, key),
            1 => self.note_again(id, key),
            2 => {
                if self.entry(id, key).is_none() {
                    let row = self.tree_row(id, key);
                    self.note(id, Some(key), row);
                }
                RowStep::Next
            }
            _ => {
                if !mutation::keeps_alone() {
                    self.keep_above(id);
                }
                RowStep::Next
            }
        }
    }

    fn lock_as_of_now(&mut self, id: SessionId, running: &mut Running, key: u64) -> RowStep {
        running.snapshot = Some(self.xacts.snapshot());
        self.lock_row(id, running, Table::Tree, key)
    }

    fn note_again(&mut self, id: SessionId, key: u64) -> RowStep {
        let (Some(entry), Some(row)) = (self.entry(id, key), self.tree_row(id, key)) else {
            return RowStep::Next;
        };
        let top = self.session(id).top();
        let heap = &self.heaps[Table::Orphans.index()];
        match heap.newest(entry, Strength::NoKeyUpdate, &self.xacts, top) {
            Found::Wait(xid) => RowStep::Wait(xid),
            Found::Gone => RowStep::Next,
            Found::Ready(at) => {
                let old = heap.version(at).row.clone();
                let xid = self.xid(id);
                let with = self.session(id).top().map(|top| u64::from(top.0));
                let new = entry_of(old[0], Some(key), Some(row), with);
                self.heaps[Table::Orphans.index()].update(at, new.clone(), xid);
                let untouched = Vec::new();
                self.log(id, Table::Orphans, xid, Effect::Update { old, new, untouched });
                RowStep::Next
            }
        }
    }

    /// What the rows refer to that this transaction has kept, as far up as it goes. What is gone already is kept as an
    /// earlier transaction did: that entry may be forgotten as soon as this row is gone too.
    fn keep_above(&mut self, id: SessionId) {
        loop {
            let with = self.session(id).top().map(|top| u64::from(top.0));
            let entries = self.orphans(id);
            let (kept, earlier): (Vec<&Row>, Vec<&Row>) = entries.iter().partition(|row| row[orphan::WITH] == with);
            let ups = kept
                .iter()
                .filter(|row| row[orphan::KEY].is_some())
                .filter_map(|row| row[orphan::KEY + 1]);
            let mut missing = ups.filter(|up| !kept.iter().any(|row| row[orphan::KEY] == Some(*up)));
            let known = |up: u64| {
                let images = earlier.iter().filter(|row| row[orphan::KEY] == Some(up));
                Some(images.max_by_key(|row| row[0])?[orphan::KEY..orphan::STATE].to_vec())
            };
            let row = missing.find_map(|up| self.tree_row(id, up).or_else(|| known(up)));
            let Some(row) = row else { return };
            self.note(id, None, Some(row));
        }
    }

    fn note(&mut self, id: SessionId, reference: Datum, row: Option<Row>) {
        let xid = self.xid(id);
        let with = self.session(id).top().map(|top| u64::from(top.0));
        self.last_orphan += 1;
        let new = entry_of(Some(self.last_orphan), reference, row, with);
        self.heaps[Table::Orphans.index()].insert(new.clone(), xid);
        self.log(id, Table::Orphans, xid, Effect::Insert { new });
    }

    fn entry(&mut self, id: SessionId, key: u64) -> Option<Ctid> {
        let entry = self.orphans(id).into_iter().find(|row| row[orphan::REF] == Some(key))?;
        self.visible(id, Table::Orphans, entry[0]?)
    }

    fn orphans(&mut self, id: SessionId) -> Vec<Row> {
        let top = self.session(id).top();
        let snapshot = self.xacts.snapshot();
        let heap = &self.heaps[Table::Orphans.index()];
        let seen = heap.scan(&self.xacts, &snapshot, top);
        seen.map(|at| heap.version(at).row.clone()).collect()
    }

    fn tree_row(&mut self, id: SessionId, key: u64) -> Option<Row> {
        let at = self.visible(id, Table::Tree, key)?;
        Some(self.heaps[Table::Tree.index()].version(at).row.clone())
    }
}

/// A row of [`Table::Orphans`] that waits.
fn entry_of(id: Datum, reference: Datum, row: Option<Row>, with: Datum) -> Row {
    let image = row.unwrap_or_else(|| vec![None; Table::Tree.columns().len()]);
    let mut entry = vec![id, reference];
    entry.extend(image);
    entry.extend([Some(orphan::WAITING), with]);
    entry
}
