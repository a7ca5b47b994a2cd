//! The server: sessions, rows, the log, and a clock of its own.

use std::collections::BTreeMap;

use synapse_wal_types::{Lsn, PgTimestamp};

use super::Roident;
use super::heap::Heap;
use super::locks::TableLock;
use super::schema::{Row, Table};
use super::session::{Kind, Running, Session, SessionId, Txn, Wait};
use super::slot::Slot;
use super::statement::{Answer, SqlState, Statement, Step};
use super::wal::Wal;
use super::xact::{Status, Xacts};
use crate::rng::Rng;
use crate::schedule::Micros;

/// What the server's clock shows when a run begins: microseconds since 2000-01-01.
const CLOCK_START_MICROS: i64 = 830_000_000_000_000;

/// How unkind a server is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Temper {
    /// Of 1,000 statements of apply sessions, this many fail for no reason of theirs.
    pub(crate) failures_per_mille: u64,
    /// Of 100 application commits, this many wait for long between record and visibility, as with synchronous
    /// replication.
    pub(crate) late_percent: u64,
}

/// A row version that a guarded statement has replaced.
#[derive(Clone, Debug)]
pub(crate) struct Replaced {
    pub(crate) table: Table,
    pub(crate) row: Row,
    /// The end of its last writer's commit, if that is an application's transaction.
    pub(crate) by_application: Option<Lsn>,
    /// As in [`super::Guard`].
    pub(crate) decided_at: Lsn,
}

/// One PostgreSQL server.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) xacts: Xacts,
    pub(crate) heaps: Vec<Heap>,
    pub(crate) locks: Vec<TableLock>,
    pub(crate) wal: Wal,
    pub(crate) origins: BTreeMap<Roident, Lsn>,
    pub(crate) slot: Slot,
    pub(crate) temper: Temper,
    pub(crate) skew_micros: i64,
    pub(crate) woken: Vec<SessionId>,
    pub(crate) flush_wanted: bool,
    /// What guarded statements have replaced since a law last looked.
    pub(crate) guarded: Vec<Replaced>,
    /// The last entry of [`Table::Orphans`]: a sequence, which no crash takes back.
    pub(crate) last_orphan: u64,
    next_session: u32,
}

impl Server {
    pub(crate) fn new(temper: Temper, skew_micros: i64) -> Self {
        let wal = Wal::new();
        let slot = Slot::new(wal.inserted());
        Server {
            sessions: BTreeMap::new(),
            xacts: Xacts::default(),
            heaps: Table::ALL.into_iter().map(Heap::new).collect(),
            locks: vec![TableLock::default(); Table::ALL.len()],
            wal,
            origins: BTreeMap::new(),
            slot,
            temper,
            skew_micros,
            woken: Vec::new(),
            flush_wanted: false,
            guarded: Vec::new(),
            last_orphan: 0,
            next_session: 1,
        }
    }

    /// What its clock shows.
    pub(crate) fn clock(&self, now: Micros) -> PgTimestamp {
        PgTimestamp(CLOCK_START_MICROS + i64::try_from(now).expect("runs last for minutes") + self.skew_micros)
    }

    pub(crate) fn connect(&mut self, kind: Kind) -> SessionId {
        let id = SessionId(self.next_session);
        self.next_session += 1;
        self.sessions.insert(id, Session::new(kind));
        id
    }

    /// The client went away: its transaction is rolled back. A commit whose record is inserted stays committed.
    pub(crate) fn disconnect(&mut self, id: SessionId) {
        self.finish_commit(id);
        self.abort(id);
        self.sessions.remove(&id);
        self.woken.retain(|woken| *woken != id);
    }

    /// Starts a statement; [`Server::step`] runs it.
    ///
    /// # Panics
    /// When the session has one already.
    pub(crate) fn submit(&mut self, id: SessionId, statement: Statement) {
        let session = self.session(id);
        assert!(session.running.is_none(), "a session runs one statement at a time");
        session.running = Some(Running::new(statement));
    }

    /// Runs the session's statement up to the next point at which others may come between.
    pub(crate) fn step(&mut self, id: SessionId, now: Micros, rng: &mut Rng) -> Step {
        let kind = self.session(id).kind;
        let fails = kind == Kind::Apply && rng.below(1000) < self.temper.failures_per_mille;
        let mut running = self
            .session(id)
            .running
            .take()
            .expect("a session that is stepped has a statement");
        running.wait = None;
        let step = if fails && !matches!(running.statement, Statement::Commit(_) | Statement::Rollback) {
            let states = [SqlState::Serialization, SqlState::LockTimeout, SqlState::Cancelled];
            Step::Done(Err(states[rng.index(states.len())]))
        } else {
            self.execute(id, &mut running, now, rng)
        };
        match step {
            Step::Again(_) | Step::Blocked => self.session(id).running = Some(running),
            Step::Done(Err(_)) => self.fail(id),
            Step::Done(Ok(_)) => {}
        }
        step
    }

    /// Ends the session's waiting with an error, if it still waits.
    pub(crate) fn cancel(&mut self, id: SessionId, state: SqlState) -> Option<Result<Answer, SqlState>> {
        let session = self.sessions.get_mut(&id)?;
        match session.running.as_ref()?.wait {
            Some(Wait::Xact(_) | Wait::Table(_)) => {}
            Some(Wait::Flush(_)) | None => return None,
        }
        session.running = None;
        self.fail(id);
        Some(Err(state))
    }

    /// Whether a statement of an application is on its way.
    pub(crate) fn serves_applications(&self) -> bool {
        let busy = |session: &Session| session.kind == Kind::Application && session.running.is_some();
        self.sessions.values().any(busy)
    }

    /// The rows that a new snapshot sees, in order.
    pub(crate) fn rows(&self, table: Table) -> Vec<Row> {
        let snapshot = self.xacts.snapshot();
        let heap = &self.heaps[table.index()];
        let mut rows: Vec<Row> = heap
            .scan(&self.xacts, &snapshot, None)
            .map(|at| heap.version(at).row.clone())
            .collect();
        rows.sort_unstable();
        rows
    }

    /// The row with this key that a new snapshot sees.
    pub(crate) fn row(&self, table: Table, key: u64) -> Option<Row> {
        let heap = &self.heaps[table.index()];
        let at = heap.seen(key, &self.xacts, &self.xacts.snapshot(), None)?;
        Some(heap.version(at).row.clone())
    }

    pub(crate) fn session(&mut self, id: SessionId) -> &mut Session {
        self.sessions
            .get_mut(&id)
            .expect("a session is used until it is disconnected")
    }

    pub(crate) fn txn(&mut self, id: SessionId) -> &mut Txn {
        self.session(id).txn.as_mut().expect("statements stand in transactions")
    }

    fn fail(&mut self, id: SessionId) {
        for lock in &mut self.locks {
            lock.leave_queue(id);
        }
        let Some(txn) = self.session(id).txn.as_mut() else {
            return;
        };
        if txn.savepoint.is_some() {
            txn.failed = true;
            self.rollback_to_savepoint(id);
        } else {
            self.abort(id);
            self.session(id).txn = Some(Txn {
                failed: true,
                ..Txn::default()
            });
        }
    }

    /// Rolls back what the session has open.
    pub(crate) fn abort(&mut self, id: SessionId) {
        let Some(txn) = self.session(id).txn.take() else { return };
        for xid in txn.top.into_iter().chain(txn.subxids) {
            self.xacts.end(xid, Status::Aborted);
        }
        self.release(id);
    }

    pub(crate) fn rollback_to_savepoint(&mut self, id: SessionId) {
        let Some(txn) = self.session(id).txn.as_mut() else {
            return;
        };
        let Some(savepoint) = txn.savepoint.as_mut() else {
            return;
        };
        let aborted = savepoint.xid.take();
        let before = savepoint.items_before;
        txn.items.truncate(before);
        if let Some(xid) = aborted {
            txn.subxids.retain(|sub| *sub != xid);
            self.xacts.end(xid, Status::Aborted);
        }
        self.wake();
    }

    pub(crate) fn release(&mut self, id: SessionId) {
        for lock in &mut self.locks {
            lock.release(id);
        }
        self.wake();
    }

    /// Lets every session look again whose wait may be over.
    pub(crate) fn wake(&mut self) {
        for (id, session) in &mut self.sessions {
            let Some(running) = session.running.as_mut() else {
                continue;
            };
            let over = match running.wait {
                None => false,
                Some(Wait::Table(_)) => true,
                Some(Wait::Flush(lsn)) => self.wal.flushed() >= lsn,
                Some(Wait::Xact(xid)) => !matches!(self.xacts.status(xid), Status::Running { .. }),
            };
            if over {
                running.wait = None;
                self.woken.push(*id);
            }
        }
    }
}
