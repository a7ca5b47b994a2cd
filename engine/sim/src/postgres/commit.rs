//! COMMIT in its stages (xact.c, RecordTransactionCommit): the time is taken, then the record inserted, then flushed,
//! and only then is the transaction visible and its locks free. Others may pass it at every stage.

use synapse_wal_types::{Lsn, PgTimestamp};

use super::server::Server;
use super::session::{Kind, Running, SessionId, Stage, Wait};
use super::statement::{Answer, Durability, Statement, Step};
use super::wal::Commit;
use super::xact::Status;
use crate::rng::Rng;
use crate::schedule::Micros;

impl Server {
    pub(super) fn commit_step(
        &mut self,
        id: SessionId,
        running: &mut Running,
        durability: Durability,
        now: Micros,
        rng: &mut Rng,
    ) -> Step {
        match running.stage {
            Stage::Start => {
                if self.session(id).top().is_none() {
                    self.abort(id);
                    return Step::Done(Ok(Answer::default()));
                }
                running.stage = Stage::Stamped(self.clock(now).0);
                let delay = if rng.one_in(20) {
                    rng.between(100, 20_000)
                } else {
                    rng.between(0, 20)
                };
                Step::Again(delay)
            }
            Stage::Stamped(time) => {
                running.stage = Stage::Inserted(self.insert_record(id, time));
                // The record may be flushed and read before the transaction has its timestamp.
                Step::Again(if rng.one_in(20) { rng.between(0, 200) } else { 0 })
            }
            Stage::Inserted(end) => {
                if let Some(top) = self.session(id).top() {
                    self.xacts.set_timestamp(top);
                }
                if durability == Durability::Flushed && self.wal.flushed() < end {
                    self.flush_wanted = true;
                    running.wait = Some(Wait::Flush(end));
                    return Step::Blocked;
                }
                running.stage = Stage::Durable(end);
                let late = self.session(id).kind == Kind::Application && rng.percent(self.temper.late_percent);
                Step::Again(if late { rng.latency(15_000) } else { rng.between(0, 10) })
            }
            Stage::Durable(_) => {
                self.make_visible(id);
                Step::Done(Ok(Answer::default()))
            }
        }
    }

    fn insert_record(&mut self, id: SessionId, time: i64) -> Lsn {
        let origin = self.session(id).origin;
        let txn = self.txn(id);
        let commit = Commit {
            end: Lsn::ZERO,
            xid: txn.top.expect("a transaction that wrote nothing has no record"),
            subxids: txn.subxids.clone(),
            commit_ts: PgTimestamp(time),
            items: std::mem::take(&mut txn.items),
            origin,
        };
        if let Some((roident, remote)) = origin {
            let progress = self.origins.entry(roident).or_default();
            *progress = remote.max(*progress);
        }
        self.wal.commit(commit)
    }

    fn make_visible(&mut self, id: SessionId) {
        let session = self.session(id);
        let roident = session.origin.map_or(0, |(roident, _)| roident);
        let Some(txn) = session.txn.take() else { return };
        for xid in txn.top.into_iter().chain(txn.subxids) {
            self.xacts.end(xid, Status::Committed { roident });
        }
        self.release(id);
    }

    /// A transaction whose record is inserted is committed, whatever becomes of its session.
    pub(super) fn finish_commit(&mut self, id: SessionId) {
        let Some(running) = self.session(id).running.take() else {
            return;
        };
        match (running.statement, running.stage) {
            (Statement::Commit(_), Stage::Inserted(_) | Stage::Durable(_)) => self.make_visible(id),
            (_, Stage::Start | Stage::Stamped(_) | Stage::Inserted(_) | Stage::Durable(_)) => {}
        }
    }

    /// Flushes the log up to `lsn`, and lets those go on who wait for it.
    pub(crate) fn flush(&mut self, lsn: Lsn) {
        self.wal.flush(lsn);
        self.wake();
    }
}
