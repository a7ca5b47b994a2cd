//! Values of rows that come back whole and that no journal here holds: asked of the update's own node.

use synapse_engine_identity::RowId;

use super::job::Stage;
use crate::catalog::table_of;
use crate::network::Message;
use crate::postgres::Row;
use crate::world::{Event, World};

impl World {
    /// Asks for rows; the job waits for all the answers.
    pub(super) fn ask(&mut self, node: usize, rows: &[RowId]) {
        let run = self.nodes[node].run;
        let Some(daemon) = self.daemon(node) else { return };
        let Some(job) = daemon.job.as_mut() else { return };
        job.stage = Stage::Asking;
        let origin = job.origin;
        let mut questions = Vec::new();
        for row in rows {
            let id = daemon.next_ask;
            daemon.next_ask += 1;
            job.asked.insert(id, *row);
            questions.push((id, table_of(row.table), job.key(*row)));
        }
        self.report.add("values asked for", questions.len());
        let peer = self.index_of(origin);
        self.trace(node, || format!("asks n{} for {questions:?}", peer + 1));
        for (id, table, key) in questions {
            self.send(node, peer, Message::Ask { id, table, key });
            let patience = self.rng.between(1_000_000, 5_000_000);
            self.schedule.after(patience, Event::Unanswered { node, run, ask: id });
        }
    }

    /// A peer has answered.
    pub(super) fn told(&mut self, node: usize, id: u64, row: Option<Row>) {
        let Some(job) = self.daemon(node).and_then(|daemon| daemon.job.as_mut()) else {
            return;
        };
        let Some(asked) = job.asked.remove(&id).filter(|_| job.stage == Stage::Asking) else {
            return;
        };
        let gone = row.is_none();
        job.told.insert(asked, row);
        let all = job.asked.is_empty();
        self.report.add("rows gone meanwhile", usize::from(gone));
        if all {
            self.write_resolved(node);
        }
    }

    /// A peer has not answered in time: the job is rolled back and tried again.
    pub(crate) fn unanswered(&mut self, node: usize, ask: u64) {
        let Some(daemon) = self.daemon(node) else { return };
        let waits = |job: &super::Job| job.stage == Stage::Asking && job.asked.contains_key(&ask);
        if daemon.job.as_ref().is_some_and(waits) {
            daemon.merge_max = 1;
            self.report.add("questions unanswered", 1);
            self.roll_back(node);
        }
    }
}
