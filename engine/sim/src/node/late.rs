//! What has committed, and is read, and is not visible yet: waited for, before an absent row counts as absent.

use synapse_engine_replication::{Event as LaneEvent, InProgress};

use super::job::{Piece, Stage};
use crate::postgres::Statement;
use crate::world::{Event, World};

/// So often it is looked whether all is visible, before the transaction is rolled back and tried again.
const LOOKS_MAX: u32 = 40;

impl World {
    pub(super) fn await_late(&mut self, node: usize) {
        let Some(daemon) = self.daemon(node) else { return };
        let Some(job) = daemon.job.as_mut() else { return };
        // Seen once, all of it stays visible.
        let in_progress = job.in_progress.replace(Vec::new()).unwrap_or_default();
        job.late = daemon.kernel.late(&in_progress);
        if job.late.is_empty() {
            self.advance(node, LaneEvent::NoneLate);
            return;
        }
        job.stage = Stage::AwaitingLate;
        self.report.add("late commits awaited", 1);
        self.look_for_late(node);
    }

    pub(crate) fn look_for_late(&mut self, node: usize) {
        let Some(job) = self.daemon(node).and_then(|daemon| daemon.job.as_mut()) else {
            return;
        };
        if job.stage == Stage::AwaitingLate && job.running.is_none() {
            job.script.push_back(Piece::plain(Statement::InProgress));
            self.next_piece(node);
        }
    }

    pub(super) fn looked_for_late(&mut self, node: usize, in_progress: &[InProgress]) {
        let run = self.nodes[node].run;
        let Some(job) = self.daemon(node).and_then(|daemon| daemon.job.as_mut()) else {
            return;
        };
        if in_progress.iter().any(|t| job.late.contains(&t.xid)) {
            job.looks += 1;
            if job.looks > LOOKS_MAX {
                self.report.add("late commits not waited out", 1);
                self.roll_back(node);
                return;
            }
            let delay = self.rng.latency(500);
            self.schedule.after(delay, Event::LookForLate { node, run });
        } else {
            self.advance(node, LaneEvent::LateVisible);
        }
    }
}
