//! Table locks in the order in which they were asked for, and the graph of who waits for whom (lock.c, deadlock.c).

use std::collections::{BTreeMap, BTreeSet};

use super::schema::Table;
use super::server::Server;
use super::session::{SessionId, Wait};
use super::xact::Status;

/// How strongly a table is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    RowExclusive,
    AccessExclusive,
}

impl Mode {
    fn conflicts(self, other: Mode) -> bool {
        self == Mode::AccessExclusive || other == Mode::AccessExclusive
    }
}

/// One table's lock.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableLock {
    holders: BTreeMap<SessionId, Mode>,
    queue: Vec<(SessionId, Mode)>,
}

impl TableLock {
    /// Takes the lock, or stands in the queue. Answers whether it is held.
    pub(crate) fn take(&mut self, session: SessionId, mode: Mode) -> bool {
        if self.holders.get(&session).is_some_and(|held| *held >= mode) {
            return true;
        }
        if self.ahead(session, mode).is_empty() {
            self.queue.retain(|(waiter, _)| *waiter != session);
            self.holders.insert(session, mode);
            return true;
        }
        if !self.queue.iter().any(|(waiter, _)| *waiter == session) {
            self.queue.push((session, mode));
        }
        false
    }

    /// Whom `session` has to wait for.
    pub(crate) fn ahead(&self, session: SessionId, mode: Mode) -> BTreeSet<SessionId> {
        let others =
            |(other, held): (&SessionId, &Mode)| (*other != session && mode.conflicts(*held)).then_some(*other);
        let mut ahead: BTreeSet<SessionId> = self.holders.iter().filter_map(others).collect();
        // Who holds a weaker lock already goes before the queue, else it would wait for those that wait for it.
        if !self.holders.contains_key(&session) {
            let before = self.queue.iter().take_while(|(waiter, _)| *waiter != session);
            ahead.extend(
                before
                    .filter(|(_, theirs)| mode.conflicts(*theirs))
                    .map(|(waiter, _)| *waiter),
            );
        }
        ahead
    }

    pub(crate) fn wanted(&self, session: SessionId) -> Option<Mode> {
        self.queue
            .iter()
            .find(|(waiter, _)| *waiter == session)
            .map(|(_, mode)| *mode)
    }

    pub(crate) fn release(&mut self, session: SessionId) {
        self.holders.remove(&session);
        self.queue.retain(|(waiter, _)| *waiter != session);
    }

    pub(crate) fn leave_queue(&mut self, session: SessionId) {
        self.queue.retain(|(waiter, _)| *waiter != session);
    }
}

impl Server {
    /// Whether `session` waits in a circle.
    pub(crate) fn deadlocked(&self, session: SessionId) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = self.blockers(session);
        while let Some(other) = next.pop() {
            if other == session {
                return true;
            }
            if seen.insert(other) {
                next.extend(self.blockers(other));
            }
        }
        false
    }

    /// Sessions for which `session` waits.
    pub(crate) fn blockers(&self, session: SessionId) -> Vec<SessionId> {
        let running = self.sessions.get(&session).and_then(|s| s.running.as_ref());
        match running.and_then(|running| running.wait) {
            None | Some(Wait::Flush(_)) => Vec::new(),
            Some(Wait::Table(table)) => self.table_blockers(session, table),
            Some(Wait::Xact(xid)) => match self.xacts.status(xid) {
                Status::Running { top } => self
                    .sessions
                    .iter()
                    .filter(|(_, s)| s.top() == Some(top))
                    .map(|(id, _)| *id)
                    .collect(),
                Status::Committed { .. } | Status::Aborted => Vec::new(),
            },
        }
    }

    fn table_blockers(&self, session: SessionId, table: Table) -> Vec<SessionId> {
        let lock = &self.locks[table.index()];
        lock.wanted(session)
            .map(|mode| lock.ahead(session, mode).into_iter().collect())
            .unwrap_or_default()
    }
}
