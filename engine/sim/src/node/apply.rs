//! apply: the statements of one transaction, one after the other, to its commit or its rollback.

use synapse_engine_identity::RowId;
use synapse_engine_plan::Path;
use synapse_engine_replication::{Action, Event as LaneEvent, MarkerKind};

use super::job::{Piece, Stage};
use super::{Owner, Phase};
use crate::catalog::table_of;
use crate::mutation;
use crate::postgres::{Answer, SqlState, Statement, Table};
use crate::world::World;

impl World {
    /// Submits the job's next statement, or lets the job go on when there is none.
    pub(crate) fn next_piece(&mut self, node: usize) {
        let Some(daemon) = self.daemon(node) else { return };
        let session = daemon.apply;
        let Some(job) = daemon.job.as_mut() else { return };
        if let Some(piece) = job.script.pop_front() {
            let horizon = daemon.kernel.stamper().horizon();
            let statement = mutation::sent(piece.statement.clone(), horizon);
            job.running = Some(piece);
            self.submit(node, session, statement);
            return;
        }
        let stage = job.stage;
        if stage == Stage::Writing && self.search(node) {
            return self.next_piece(node);
        }
        let Some(job) = self.daemon(node).and_then(|daemon| daemon.job.as_mut()) else {
            return;
        };
        match stage {
            Stage::LockingTables => {
                let barrier = self.emit_barrier(node);
                self.set_stage(node, Stage::TablesBarrier(barrier));
            }
            Stage::Executing => {
                let dropped = std::mem::take(&mut job.dropped);
                job.dropped_out.extend(&dropped);
                self.report.add("dropped out", dropped.len());
                self.advance(node, LaneEvent::Executed(dropped));
            }
            Stage::LockingRows => self.advance(node, LaneEvent::Locked),
            Stage::Writing => {
                let again = std::mem::take(&mut job.again);
                let absent = std::mem::take(&mut job.absent);
                self.advance(node, LaneEvent::Written { again, absent });
            }
            Stage::TablesBarrier(_)
            | Stage::Barrier(_)
            | Stage::Asking
            | Stage::AwaitingLate
            | Stage::LookingForOrphans
            | Stage::Committing
            | Stage::RollingBack => {}
        }
    }

    fn set_stage(&mut self, node: usize, stage: Stage) {
        if let Some(job) = self.daemon(node).and_then(|daemon| daemon.job.as_mut()) {
            job.stage = stage;
        }
    }

    pub(super) fn advance(&mut self, node: usize, event: LaneEvent) {
        let Some(job) = self.daemon(node).and_then(|daemon| daemon.job.as_mut()) else {
            return;
        };
        match job.lane.advance(event) {
            Action::Lock(rows) => self.lock_rows(node, &rows),
            // Lanes number their barriers from 0; on this session they are numbered through.
            Action::Barrier(_) => {
                let barrier = self.emit_barrier(node);
                self.set_stage(node, Stage::Barrier(barrier));
            }
            Action::Write(rows) => self.write_rows(node, &rows),
            Action::AwaitLate => self.await_late(node),
            Action::Commit => self.look_for_orphans(node),
            Action::GiveUp => {
                self.report.add("given up", 1);
                self.roll_back(node);
            }
        }
    }

    fn lock_rows(&mut self, node: usize, rows: &[RowId]) {
        let Some(job) = self.daemon(node).and_then(|daemon| daemon.job.as_mut()) else {
            return;
        };
        job.stage = Stage::LockingRows;
        job.present.clear();
        job.displaced.clear();
        if job.in_progress.is_none() {
            job.script.push_back(Piece::plain(Statement::InProgress));
        }
        for row in rows {
            let key = job.key(*row);
            let statement = Statement::Lock {
                table: table_of(row.table),
                keys: vec![key],
            };
            job.script.push_back(Piece {
                statement,
                rows: vec![(key, vec![*row])],
            });
            if table_of(row.table) == Table::Unique {
                let statement = Statement::Lock {
                    table: Table::Displaced,
                    keys: vec![key],
                };
                job.script.push_back(Piece {
                    statement,
                    rows: vec![(key, vec![*row])],
                });
            }
        }
        self.next_piece(node);
    }

    /// The apply session's statement has ended.
    pub(crate) fn apply_answered(&mut self, node: usize, result: Result<Answer, SqlState>) {
        let now = self.now();
        let Some(daemon) = self.daemon(node) else { return };
        let Some(job) = daemon.job.as_mut() else { return };
        match (result, job.stage) {
            (_, Stage::RollingBack) => {
                let begun = daemon.job.take().is_some_and(|job| job.decided.is_some());
                if begun {
                    daemon.kernel.given_up();
                }
                return;
            }
            (Err(state), _) => {
                daemon.merge_max = 1;
                if state == SqlState::UniqueViolation {
                    daemon.path = Path::Exact;
                }
                self.report.add("retries", 1);
                if state == SqlState::UniqueViolation {
                    self.report.add("unique violations", 1);
                }
                self.roll_back(node);
                return;
            }
            (Ok(_), Stage::Committing) => {
                self.committed(node, now);
                return;
            }
            (Ok(answer), stage) => {
                let Some(piece) = job.running.take() else { return };
                let equal = matches!(
                    piece.statement,
                    Statement::DeleteEqual { .. } | Statement::UpdateEqual { .. }
                );
                let none = equal && answer.count == 0;
                let missed = piece.rows.iter().filter(|(key, _)| !answer.keys.contains(key));
                let missed: Vec<RowId> = missed.flat_map(|(_, rows)| rows.iter().copied()).collect();
                match stage {
                    Stage::Executing => job.dropped.extend(missed),
                    Stage::Writing => {
                        World::found_neighbours(job, &piece.statement, &answer.rows);
                        job.again.extend(missed);
                    }
                    Stage::LockingRows => {
                        if matches!(piece.statement, Statement::InProgress) {
                            job.in_progress = Some(answer.in_progress);
                        }
                        job.locked(&piece, answer.rows.first());
                    }
                    Stage::LockingTables
                    | Stage::TablesBarrier(_)
                    | Stage::Barrier(_)
                    | Stage::Asking
                    | Stage::Committing
                    | Stage::RollingBack => {}
                    Stage::LookingForOrphans => return self.found_orphans(node, &answer.rows),
                    Stage::AwaitingLate => return self.looked_for_late(node, &answer.in_progress),
                }
                if stage == Stage::Executing {
                    let met = piece.rows.len();
                    self.report.add("guarded", met);
                    self.report.add("no equal row", usize::from(none));
                }
            }
        }
        self.next_piece(node);
    }

    pub(crate) fn roll_back(&mut self, node: usize) {
        let Some(daemon) = self.daemon(node) else { return };
        let session = daemon.apply;
        let Some(job) = daemon.job.as_mut() else { return };
        job.stage = Stage::RollingBack;
        job.script.clear();
        self.submit(node, session, Statement::Rollback);
    }

    fn committed(&mut self, node: usize, _now: u64) {
        let Some(daemon) = self.daemon(node) else { return };
        let Some(job) = daemon.job.take() else { return };
        daemon.merge_max = 4;
        daemon.path = Path::Set;
        daemon.kept.remove(&job.origin);
        match job.kind {
            MarkerKind::Recheck { of } => daemon.rechecked.push(of),
            MarkerKind::Batch => {
                for stamp in &job.stamps {
                    daemon.kernel.committed(stamp);
                }
                self.report.add("applied transactions", job.stamps.len());
            }
        }
    }

    /// Capture has read a barrier: perhaps the job's.
    pub(crate) fn job_barrier_read(&mut self, node: usize, read: Option<u64>) {
        let Some(daemon) = self.nodes[node].daemon.as_mut() else {
            return;
        };
        let Some(job) = daemon.job.as_mut() else { return };
        match job.stage {
            Stage::Barrier(id) if read >= Some(id) => {
                // The stage moves on at once: the same barrier is read once.
                job.stage = Stage::Writing;
                self.advance(node, LaneEvent::BarrierRead);
            }
            Stage::TablesBarrier(id) if read >= Some(id) => {
                let Some(mut job) = daemon.job.take() else { return };
                let decided = self.decide(node, &mut job);
                if let Some(daemon) = self.daemon(node)
                    && decided
                {
                    daemon.job = Some(job);
                }
                self.next_piece(node);
            }
            Stage::Barrier(_)
            | Stage::TablesBarrier(_)
            | Stage::LockingTables
            | Stage::Executing
            | Stage::LockingRows
            | Stage::Asking
            | Stage::Writing
            | Stage::AwaitingLate
            | Stage::LookingForOrphans
            | Stage::Committing
            | Stage::RollingBack => {}
        }
    }

    /// A barrier was not read in time: the job is rolled back, and decided anew once capture has read that barrier.
    pub(crate) fn barrier_times_out(&mut self, node: usize, barrier: u64) {
        let Some(daemon) = self.daemon(node) else { return };
        let Some(job) = daemon.job.as_ref() else { return };
        if matches!(job.stage, Stage::Barrier(id) | Stage::TablesBarrier(id) if id == barrier) {
            daemon.read_first = Some(barrier);
            self.report.add("barriers out of time", 1);
            self.roll_back(node);
        }
    }

    /// Whether an engine has nothing in hand.
    pub(crate) fn idle(&self, node: usize) -> bool {
        let n = &self.nodes[node];
        n.daemon
            .as_ref()
            .is_some_and(|d| d.job.is_none() && d.mending.is_none() && d.stamped.is_none() && d.phase == Phase::Running)
            && !n.owners.values().any(|owner| matches!(owner, Owner::Gone))
    }
}
