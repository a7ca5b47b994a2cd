//! Statements, row by row, under READ COMMITTED (nodeModifyTable.c).

use synapse_wal_types::Xid;

use super::foreign_key::checks;
use super::heap::{Found, Mark, Place, Strength, Version};
use super::keep;
use super::locks::Mode;
use super::schema::{Row, Table};
use super::server::{Replaced, Server};
use super::session::{Running, Savepoint, SessionId, Txn, Wait};
use super::statement::{Answer, Guard, OnConflict, SqlState, Statement, Step};
use super::wal::{Effect, Item};
use super::xact::Status;
use crate::rng::Rng;
use crate::schedule::Micros;

/// How an update makes a new row of an old one, and the TOAST columns that it leaves alone.
type NewRow<'a> = (&'a dyn Fn(&Row) -> Row, Vec<usize>);

/// What came of one row.
pub(super) enum RowStep {
    Next,
    Wait(Xid),
    Failed(SqlState),
}

impl Server {
    pub(super) fn execute(&mut self, id: SessionId, running: &mut Running, now: Micros, rng: &mut Rng) -> Step {
        let statement = running.statement.clone();
        let failed = self.session(id).txn.as_ref().is_some_and(|txn| txn.failed);
        match statement {
            Statement::Begin => self.session(id).txn = Some(Txn::default()),
            Statement::Savepoint => {
                let txn = self.txn(id);
                txn.savepoint = Some(Savepoint {
                    xid: None,
                    items_before: txn.items.len(),
                });
            }
            Statement::RollbackToSavepoint => {
                self.rollback_to_savepoint(id);
                self.txn(id).failed = false;
            }
            Statement::Commit(_) if failed => self.abort(id),
            Statement::Commit(durability) => return self.commit_step(id, running, durability, now, rng),
            Statement::Rollback => self.abort(id),
            Statement::Origin { roident, remote } => self.session(id).origin = Some((roident, remote)),
            Statement::InProgress => {
                let top = self.session(id).top();
                running.answer.in_progress = self.xacts.in_progress(top);
                return Step::Done(Ok(std::mem::take(&mut running.answer)));
            }
            Statement::Message { .. }
            | Statement::Insert { .. }
            | Statement::Update { .. }
            | Statement::Delete { .. }
            | Statement::DeleteEqual { .. }
            | Statement::UpdateEqual { .. }
            | Statement::Truncate { .. }
            | Statement::LockTable { .. }
            | Statement::Find { .. }
            | Statement::Share { .. }
            | Statement::Referring { .. }
            | Statement::DeleteReferring { .. }
            | Statement::Orphaned { .. }
            | Statement::Keep { .. }
            | Statement::Lock { .. } => {
                assert!(!failed, "nothing runs in a failed transaction but its rollback");
                return self.write_step(id, running, &statement, rng);
            }
        }
        Step::Done(Ok(Answer::default()))
    }

    fn write_step(&mut self, id: SessionId, running: &mut Running, statement: &Statement, rng: &mut Rng) -> Step {
        if let Some((table, mode)) = lock_of(statement)
            && !self.locks[table.index()].take(id, mode)
        {
            running.wait = Some(Wait::Table(table));
            return Step::Blocked;
        }
        let snapshot = running.snapshot.take().unwrap_or_else(|| self.xacts.snapshot());
        running.snapshot = Some(snapshot);
        let rows = match statement {
            Statement::Insert { rows, .. } => rows.len(),
            Statement::Update { targets, .. } => targets.len(),
            Statement::Delete { keys, .. } | Statement::Lock { keys, .. } => keys.len(),
            Statement::Message { .. }
            | Statement::DeleteEqual { .. }
            | Statement::UpdateEqual { .. }
            | Statement::Find { .. }
            | Statement::Share { .. }
            | Statement::Referring { .. }
            | Statement::DeleteReferring { .. }
            | Statement::Orphaned { .. }
            | Statement::Truncate { .. } => 1,
            Statement::Keep { .. } => keep::STATEMENTS,
            Statement::LockTable { .. }
            | Statement::Begin
            | Statement::Savepoint
            | Statement::RollbackToSavepoint
            | Statement::Rollback
            | Statement::Commit(_)
            | Statement::InProgress
            | Statement::Origin { .. } => 0,
        };
        while running.at < rows {
            match self.row_step(id, running, statement) {
                RowStep::Wait(xid) => {
                    running.wait = Some(Wait::Xact(xid));
                    return Step::Blocked;
                }
                RowStep::Failed(state) => return Step::Done(Err(state)),
                RowStep::Next => {
                    running.at += 1;
                    running.found = None;
                }
            }
            if running.at < rows && rng.one_in(3) {
                return Step::Again(rng.between(1, 60));
            }
        }
        while let Some(check) = running.checks.front().copied() {
            match self.check(id, running, check) {
                RowStep::Wait(xid) => {
                    running.wait = Some(Wait::Xact(xid));
                    return Step::Blocked;
                }
                RowStep::Failed(state) => return Step::Done(Err(state)),
                RowStep::Next => {
                    running.checks.pop_front();
                }
            }
            if rng.one_in(3) {
                return Step::Again(rng.between(1, 60));
            }
        }
        Step::Done(Ok(std::mem::take(&mut running.answer)))
    }

    fn row_step(&mut self, id: SessionId, running: &mut Running, statement: &Statement) -> RowStep {
        match statement {
            Statement::Insert {
                table,
                rows,
                on_conflict,
            } => self.insert_row(id, running, *table, &rows[running.at], *on_conflict),
            Statement::Update { table, targets, guard } => {
                let target = &targets[running.at];
                let set = |row: &Row| {
                    let mut new = row.clone();
                    for (column, value) in &target.set {
                        new[*column] = *value;
                    }
                    if let Some((column, more)) = target.add {
                        new[column] = new[column].map(|n| n + more);
                    }
                    new
                };
                let untouched = (0..table.columns().len())
                    .filter(|c| table.toasted(*c) && !target.set.iter().any(|(column, _)| column == c))
                    .collect();
                self.change_row(id, running, *table, target.key, guard.as_ref(), Some((&set, untouched)))
            }
            Statement::Delete { table, keys, guard } => {
                self.change_row(id, running, *table, keys[running.at], guard.as_ref(), None)
            }
            Statement::Lock { table, keys } => self.lock_row(id, running, *table, keys[running.at]),
            Statement::DeleteEqual { table, row } => self.change_equal(id, running, *table, row, None),
            Statement::UpdateEqual { table, old, new } => self.change_equal(id, running, *table, old, Some(new)),
            Statement::Truncate { table } => self.truncate(id, *table),
            Statement::Find { table, values } => self.find(id, running, *table, values),
            Statement::Share { table, key } => match self.share(id, *table, *key) {
                Ok(row) => {
                    row.iter().for_each(|row| answer_row(running, *table, row));
                    RowStep::Next
                }
                Err(xid) => RowStep::Wait(xid),
            },
            Statement::Referring { key } => self.referring(id, running, *key),
            Statement::DeleteReferring { key } => match self.delete_referring(id, *key) {
                Ok(gone) => {
                    gone.iter().for_each(|row| answer_row(running, Table::Tree, row));
                    RowStep::Next
                }
                Err(xid) => RowStep::Wait(xid),
            },
            Statement::Orphaned { references, rows } => self.orphaned(id, running, references.as_deref(), rows),
            Statement::Keep { key } => self.keep(id, running, *key),
            Statement::Message { stem } => {
                let text = format!("{stem}{}", self.xacts.xmin());
                self.xid(id);
                self.wal.advance(3);
                self.txn(id).items.push(Item::Message { text });
                RowStep::Next
            }
            Statement::LockTable { .. }
            | Statement::Begin
            | Statement::Savepoint
            | Statement::RollbackToSavepoint
            | Statement::Rollback
            | Statement::Commit(_)
            | Statement::InProgress
            | Statement::Origin { .. } => unreachable!("these have no rows"),
        }
    }

    fn insert_row(
        &mut self,
        id: SessionId,
        running: &mut Running,
        table: Table,
        row: &Row,
        on_conflict: OnConflict,
    ) -> RowStep {
        let top = self.session(id).top();
        match (
            self.heaps[table.index()].place(row, None, &self.xacts, top),
            on_conflict,
        ) {
            (Place::Wait(xid), _) => RowStep::Wait(xid),
            (Place::Taken, OnConflict::Fail) => RowStep::Failed(SqlState::UniqueViolation),
            (Place::Taken, OnConflict::Nothing) => RowStep::Next,
            (Place::Free, _) => {
                let xid = self.xid(id);
                self.heaps[table.index()].insert(row.clone(), xid);
                self.wrote(id, running, table, xid, Effect::Insert { new: row.clone() });
                answer_row(running, table, row);
                RowStep::Next
            }
        }
    }

    /// Updates or deletes the row with `key`, as the statement's snapshot saw it and as it is now.
    fn change_row(
        &mut self,
        id: SessionId,
        running: &mut Running,
        table: Table,
        key: u64,
        guard: Option<&Guard>,
        update: Option<NewRow<'_>>,
    ) -> RowStep {
        let top = self.session(id).top();
        let snapshot = running.snapshot.as_ref().expect("a statement has a snapshot");
        let heap = &self.heaps[table.index()];
        let seen = running.found.or_else(|| heap.seen(key, &self.xacts, snapshot, top));
        let Some(seen) = seen else { return RowStep::Next };
        if !self.passes(heap.version(seen), guard, top) && running.found.is_none() {
            return RowStep::Next;
        }
        running.found = Some(seen);
        let keeps_key = |(set, _): &NewRow<'_>| set(&heap.version(seen).row)[0] == Some(key);
        let strength = match update.as_ref().is_some_and(keeps_key) {
            true => Strength::NoKeyUpdate,
            false => Strength::Update,
        };
        let at = match heap.newest(seen, strength, &self.xacts, top) {
            Found::Wait(xid) => return RowStep::Wait(xid),
            Found::Gone => return RowStep::Next,
            Found::Ready(at) => at,
        };
        let old = heap.version(at).row.clone();
        if old[0] != Some(key) || !self.passes(heap.version(at), guard, top) {
            return RowStep::Next;
        }
        let replaced = guard.map(|guard| self.replaced(table, heap.version(at), guard));
        match update {
            None => {
                let xid = self.xid(id);
                self.heaps[table.index()].mark(at, Mark::Deleted(xid));
                answer_row(running, table, &old);
                self.wrote(id, running, table, xid, Effect::Delete { old });
            }
            Some((set, untouched)) => {
                let new = set(&old);
                match heap.place(&new, Some(at), &self.xacts, top) {
                    Place::Wait(xid) => return RowStep::Wait(xid),
                    Place::Taken => return RowStep::Failed(SqlState::UniqueViolation),
                    Place::Free => {}
                }
                let xid = self.xid(id);
                self.heaps[table.index()].update(at, new.clone(), xid);
                answer_row(running, table, &old);
                self.wrote(id, running, table, xid, Effect::Update { old, new, untouched });
            }
        }
        self.guarded.extend(replaced);
        RowStep::Next
    }

    fn replaced(&self, table: Table, version: &Version, guard: &Guard) -> Replaced {
        Replaced {
            table,
            row: version.row.clone(),
            by_application: self.wal.application(version.xmin),
            decided_at: guard.decided_at,
        }
    }

    pub(super) fn lock_row(&mut self, id: SessionId, running: &mut Running, table: Table, key: u64) -> RowStep {
        let top = self.session(id).top();
        let snapshot = running.snapshot.as_ref().expect("a statement has a snapshot");
        let heap = &self.heaps[table.index()];
        let seen = running.found.or_else(|| heap.seen(key, &self.xacts, snapshot, top));
        let Some(seen) = seen else { return RowStep::Next };
        running.found = Some(seen);
        match heap.newest(seen, Strength::Update, &self.xacts, top) {
            Found::Wait(xid) => return RowStep::Wait(xid),
            Found::Gone => {}
            Found::Ready(at) if heap.version(at).row[0] == Some(key) => {
                let row = heap.version(at).row.clone();
                let xid = self.xid(id);
                self.heaps[table.index()].mark(at, Mark::Locked(xid));
                answer_row(running, table, &row);
            }
            Found::Ready(_) => {}
        }
        RowStep::Next
    }

    fn change_equal(
        &mut self,
        id: SessionId,
        running: &mut Running,
        table: Table,
        row: &Row,
        new: Option<&Row>,
    ) -> RowStep {
        let top = self.session(id).top();
        let snapshot = running.snapshot.as_ref().expect("a statement has a snapshot");
        let heap = &self.heaps[table.index()];
        let found = {
            let seen = heap
                .scan(&self.xacts, snapshot, top)
                .filter(|at| heap.version(*at).row == *row);
            let mut newest = seen.map(|at| heap.newest(at, Strength::Update, &self.xacts, top));
            newest.find(|found| match found {
                Found::Wait(_) => true,
                Found::Ready(at) => heap.version(*at).row == *row,
                Found::Gone => false,
            })
        };
        if let Some(found) = found {
            let at = match found {
                Found::Wait(xid) => return RowStep::Wait(xid),
                Found::Ready(at) => at,
                Found::Gone => return RowStep::Next,
            };
            let old = row.clone();
            let xid = self.xid(id);
            running.answer.count += 1;
            if let Some(new) = new.cloned() {
                self.heaps[table.index()].update(at, new.clone(), xid);
                self.log(
                    id,
                    table,
                    xid,
                    Effect::Update {
                        old,
                        new,
                        untouched: Vec::new(),
                    },
                );
            } else {
                self.heaps[table.index()].mark(at, Mark::Deleted(xid));
                self.log(id, table, xid, Effect::Delete { old });
            }
        }
        RowStep::Next
    }

    fn find(&mut self, id: SessionId, running: &mut Running, table: Table, values: &[(usize, u64)]) -> RowStep {
        let top = self.session(id).top();
        let snapshot = running.snapshot.as_ref().expect("a statement has a snapshot");
        let heap = &self.heaps[table.index()];
        let rows = heap.scan(&self.xacts, snapshot, top).map(|at| &heap.version(at).row);
        let meets = |row: &&Row| values.iter().any(|(column, value)| row[*column] == Some(*value));
        let found: Vec<Row> = rows.filter(meets).cloned().collect();
        for row in found {
            answer_row(running, table, &row);
        }
        RowStep::Next
    }

    fn truncate(&mut self, id: SessionId, table: Table) -> RowStep {
        let top = self.session(id).top();
        let snapshot = self.xacts.snapshot();
        let xid = self.xid(id);
        let heap = &mut self.heaps[table.index()];
        let seen: Vec<usize> = heap.scan(&self.xacts, &snapshot, top).collect();
        for at in seen {
            heap.mark(at, Mark::Deleted(xid));
        }
        self.log(id, table, xid, Effect::Truncate);
        RowStep::Next
    }

    fn passes(&self, version: &Version, guard: Option<&Guard>, top: Option<Xid>) -> bool {
        let Some(guard) = guard else { return true };
        let ours = match self.xacts.status(version.xmin) {
            Status::Committed { roident } => guard.ours.contains(&roident),
            Status::Running { .. } => self.xacts.mine(version.xmin, top),
            Status::Aborted => false,
        };
        ours || guard.horizon.is_some_and(|horizon| version.xmin < horizon)
    }

    /// The xid that writes now: the subtransaction's, if one is open, and never less than the parent's.
    pub(super) fn xid(&mut self, id: SessionId) -> Xid {
        if self.txn(id).top.is_none() {
            let top = self.xacts.start(None);
            self.wal.begin(top);
            self.txn(id).top = Some(top);
        }
        let top = self.txn(id).top.expect("set above");
        let Some(savepoint) = self.txn(id).savepoint.as_ref() else {
            return top;
        };
        savepoint.xid.unwrap_or_else(|| {
            let sub = self.xacts.start(Some(top));
            self.wal.begin(sub);
            let txn = self.txn(id);
            txn.subxids.push(sub);
            if let Some(savepoint) = txn.savepoint.as_mut() {
                savepoint.xid = Some(sub);
            }
            sub
        })
    }

    /// A row was written: what is to be looked at when the statement has written all.
    fn wrote(&mut self, id: SessionId, running: &mut Running, table: Table, xid: Xid, effect: Effect) {
        running.checks.extend(checks(self.session(id).kind, table, &effect));
        self.log(id, table, xid, effect);
    }

    pub(super) fn log(&mut self, id: SessionId, table: Table, xid: Xid, effect: Effect) {
        self.wal.advance(6);
        self.txn(id).items.push(Item::Change { table, xid, effect });
    }
}

pub(super) fn answer_row(running: &mut Running, table: Table, row: &Row) {
    if table.keyed() {
        running.answer.keys.push(row[0].expect("a key is not null"));
    }
    running.answer.rows.push(row.clone());
    running.answer.count += 1;
}

fn lock_of(statement: &Statement) -> Option<(Table, Mode)> {
    match statement {
        Statement::Insert { table, .. }
        | Statement::Update { table, .. }
        | Statement::Delete { table, .. }
        | Statement::DeleteEqual { table, .. }
        | Statement::UpdateEqual { table, .. }
        | Statement::Find { table, .. }
        | Statement::Share { table, .. }
        | Statement::Lock { table, .. } => Some((*table, Mode::RowExclusive)),
        Statement::Referring { .. }
        | Statement::DeleteReferring { .. }
        | Statement::Orphaned { .. }
        | Statement::Keep { .. } => Some((Table::Tree, Mode::RowExclusive)),
        Statement::Truncate { table } | Statement::LockTable { table } => Some((*table, Mode::AccessExclusive)),
        Statement::Begin
        | Statement::Savepoint
        | Statement::RollbackToSavepoint
        | Statement::Rollback
        | Statement::Commit(_)
        | Statement::Message { .. }
        | Statement::InProgress
        | Statement::Origin { .. } => None,
    }
}
