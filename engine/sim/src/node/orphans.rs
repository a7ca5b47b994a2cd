//! What a batch takes away while rows of this node refer to it: looked for before the commit, and kept by another attempt.

use synapse_engine_replication::MarkerKind;

use super::Node;
use super::job::{Job, Piece, Stage};
use crate::catalog::row_id;
use crate::mutation;
use crate::postgres::{Durability, Row, Statement, Table, orphan};
use crate::world::World;

impl World {
    /// Keeps what an earlier attempt found to be referred to: before anything is written.
    pub(super) fn keep(&self, node: usize, job: &mut Job) {
        let kept = self.nodes[node]
            .daemon
            .as_ref()
            .and_then(|daemon| daemon.kept.get(&job.origin));
        let keep = |key: &u64| Piece::plain(Statement::Keep { key: *key });
        job.script.extend(kept.into_iter().flatten().map(keep));
    }

    /// Everything is written: commits, unless rows may have lost what they refer to.
    pub(super) fn look_for_orphans(&mut self, node: usize) {
        let Some(job) = self.daemon(node).and_then(|daemon| daemon.job.as_mut()) else {
            return;
        };
        let blind = matches!(job.kind, MarkerKind::Recheck { .. }) && mutation::blind_rechecks();
        if (job.gone.is_empty() && job.came.is_empty() && !job.emptied) || blind {
            return self.commit(node);
        }
        job.stage = Stage::LookingForOrphans;
        let references = (!job.emptied).then(|| job.gone.iter().copied().collect());
        let rows = job.came.iter().copied().collect();
        job.script
            .push_back(Piece::plain(Statement::Orphaned { references, rows }));
        self.next_piece(node);
    }

    /// References to nothing, with rows that have them.
    pub(super) fn found_orphans(&mut self, node: usize, found: &[Row]) {
        let Some(daemon) = self.daemon(node) else { return };
        let Some(job) = daemon.job.as_ref() else { return };
        let origin = job.origin;
        let number = |row: &Row, at: usize| row[at].expect("an answer has no NULL");
        // Whoever brings a row back, or makes it of several writes, may be the only one who sees what it refers to.
        let mine = found.iter().filter(|row| {
            let child = number(row, 1);
            job.came.contains(&child) || number(row, 2) == 1 || daemon.kernel.wrote(row_id(Table::Tree, child))
        });
        let mine: Vec<u64> = mine.map(|row| number(row, 0)).collect();
        let kept = daemon.kept.entry(origin).or_default();
        let before = kept.len();
        kept.extend(&mine);
        let more = kept.len() - before;
        if kept.is_empty() {
            daemon.kept.remove(&origin);
        }
        self.report.add("orphans found", more);
        self.report.add("orphans left to others", found.len() - mine.len());
        if more > 0 {
            self.roll_back(node);
        } else {
            self.commit(node);
        }
    }

    fn commit(&mut self, node: usize) {
        let durability = if self.rng.percent(70) {
            Durability::Asynchronous
        } else {
            Durability::Flushed
        };
        let Some(daemon) = self.daemon(node) else { return };
        let session = daemon.apply;
        if let Some(job) = daemon.job.as_mut() {
            job.stage = Stage::Committing;
            self.submit(node, session, Statement::Commit(durability));
        }
    }
}

impl Node {
    /// Whether it has noted what it has not mended, or told of, yet.
    pub(crate) fn has_orphans_to_mend(&self) -> bool {
        let waits = |row: &Row| row[orphan::REF].is_some() && row[orphan::STATE] == Some(orphan::WAITING);
        self.server.rows(Table::Orphans).iter().any(waits)
    }
}
