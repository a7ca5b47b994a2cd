//! deliver: which transactions are next, each by itself deliverable.

use std::rc::Rc;

use synapse_engine_change::{Block, Change};
use synapse_engine_identity::Origin;
use synapse_engine_replication::{Delivery, MarkerKind, Monotonic, Recheck};
use synapse_wal_types::Lsn;

use super::Phase;
use crate::postgres::Table;
use crate::violation::Law;
use crate::world::{Event, World};

impl World {
    /// Looks for something to apply, and comes back.
    pub(crate) fn work(&mut self, node: usize) {
        let run = self.nodes[node].run;
        let Some(daemon) = self.daemon(node) else { return };
        let idle = daemon.job.is_none() && daemon.phase == Phase::Running && daemon.read_first.is_none();
        if idle {
            let recheck = daemon.kernel.next_recheck();
            match recheck {
                Some(recheck) if !daemon.rechecked.contains(&recheck.marker) => self.begin_recheck(node, &recheck),
                Some(_) | None => self.begin_batch(node),
            }
        }
        let delay = self.rng.latency(300);
        self.schedule.after(delay, Event::Work { node, run });
    }

    fn begin_batch(&mut self, node: usize) {
        let peers = self.nodes.len() - 1;
        let start = self.rng.index(peers);
        for turn in 0..peers {
            let peer = (start + turn) % peers;
            let origin = self.nodes[peer + usize::from(peer >= node)].origin;
            let blocks = self.deliverable(node, origin);
            if !blocks.is_empty() {
                self.begin_job(node, MarkerKind::Batch, origin, blocks);
                return;
            }
        }
    }

    /// Transactions of `origin` that are next, durable here or not, and deliverable each by itself.
    fn deliverable(&mut self, node: usize, origin: Origin) -> Vec<Rc<Block>> {
        let now = Monotonic(self.now());
        let n = &self.nodes[node];
        let (Some(daemon), Some(log)) = (n.daemon.as_ref(), n.disk.logs.get(&origin)) else {
            return Vec::new();
        };
        let mut after = daemon.kernel.frontier().get(origin);
        let mut blocks: Vec<Rc<Block>> = Vec::new();
        let mut held = false;
        while blocks.len() < daemon.merge_max {
            let Some(block) = log.next(after) else { break };
            after = block.transactions[0].lsn;
            match daemon.kernel.delivery(&block.stamp(0), now) {
                Delivery::Duplicate => continue,
                Delivery::WaitsFor(_, _) => break,
                Delivery::Held { .. } => {
                    held = true;
                    break;
                }
                Delivery::Now => {}
            }
            let alone = truncates(block);
            if alone && !blocks.is_empty() {
                break;
            }
            blocks.push(Rc::clone(block));
            if alone {
                break;
            }
        }
        if held {
            self.report.add("held", 1);
        }
        blocks
    }

    fn begin_recheck(&mut self, node: usize, recheck: &Recheck) {
        let n = &self.nodes[node];
        let mut blocks = Vec::new();
        let mut after = Lsn(recheck.first.0.saturating_sub(1));
        while let Some(block) = n.disk.logs.get(&recheck.origin).and_then(|log| log.next(after)) {
            after = block.transactions[0].lsn;
            if after > recheck.last {
                break;
            }
            blocks.push(Rc::clone(block));
        }
        if blocks.is_empty() {
            self.violate(Law::NoError, format!("the journal lacks what {recheck:?} needs"));
            return;
        }
        self.begin_job(node, MarkerKind::Recheck { of: recheck.marker }, recheck.origin, blocks);
    }
}

fn truncates(block: &Block) -> bool {
    !truncated(block).is_empty()
}

pub(super) fn truncated(block: &Block) -> Vec<Table> {
    let table = |change: Change<'_>| match change {
        Change::Truncate { relation, .. } => Table::named(&relation.name),
        Change::Insert { .. } | Change::Update { .. } | Change::Delete { .. } => None,
    };
    block.changes_of(0).filter_map(table).collect()
}
