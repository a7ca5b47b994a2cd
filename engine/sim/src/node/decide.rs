//! resolve: the verdicts of one transaction of the applier, and its statements.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use synapse_engine_change::{Block, ChangeSet};
use synapse_engine_identity::{Origin, RowId};
use synapse_engine_plan::{Batch, Builder, Error, Undecided};
use synapse_engine_replication::{Decided, Lane, MarkerKind, Policy};

use super::deliver::truncated;
use super::job::{Job, Piece, Stage};
use super::steps::{pieces, taken};
use crate::catalog::{datum, table_of};
use crate::mutation;
use crate::policies;
use crate::postgres::{Guard, Roident, Statement, Table};
use crate::violation::Law;
use crate::world::{Event, World};

/// A daemon has a lane for each origin, and here is one for all: so often another lane commits a barrier while this one's
/// statements are on their way, and the horizon moves on under a verdict that was taken.
const OTHER_LANE_ONE_IN: u64 = 2;

impl World {
    pub(crate) fn begin_job(&mut self, node: usize, kind: MarkerKind, origin: Origin, blocks: Vec<Rc<Block>>) {
        let stamps: Vec<_> = blocks.iter().map(|block| block.stamp(0)).collect();
        let (Some(first), Some(last)) = (stamps.first(), stamps.last()) else {
            return;
        };
        let tables: Vec<Table> = if kind == MarkerKind::Batch {
            blocks.iter().flat_map(|block| truncated(block)).collect()
        } else {
            Vec::new()
        };
        let mut job = Job {
            kind,
            origin,
            first: first.txn.lsn,
            last: last.txn.lsn,
            hlc: last.hlc,
            stamps: stamps.clone(),
            blocks,
            decided: None,
            stage: Stage::LockingTables,
            script: VecDeque::from([Piece::plain(Statement::Begin)]),
            running: None,
            lane: Lane::new(Vec::new(), 0),
            dropped: Vec::new(),
            dropped_out: BTreeSet::new(),
            added: BTreeMap::new(),
            rows: BTreeMap::new(),
            gone: BTreeSet::new(),
            came: BTreeSet::new(),
            emptied: tables.contains(&Table::Tree),
            present: BTreeMap::new(),
            displaced: BTreeMap::new(),
            search: None,
            settling: Vec::new(),
            again: Vec::new(),
            absent: Vec::new(),
            in_progress: None,
            late: Vec::new(),
            looks: 0,
            resolved: Vec::new(),
            asked: BTreeMap::new(),
            told: BTreeMap::new(),
        };
        if tables.is_empty() {
            if !self.decide(node, &mut job) {
                return;
            }
        } else {
            let lock = |table| Piece::plain(Statement::LockTable { table });
            job.script.extend(tables.into_iter().map(lock));
        }
        if let Some(daemon) = self.daemon(node) {
            daemon.job = Some(job);
        }
        self.next_piece(node);
    }

    /// Takes the verdicts, frozen from here on, and plans the statements. Answers whether there is anything to do.
    pub(crate) fn decide(&mut self, node: usize, job: &mut Job) -> bool {
        let Some(daemon) = self.nodes[node].daemon.as_mut() else {
            return false;
        };
        let decided = daemon.kernel.begin(job.kind, job.origin, job.last);
        job.decided = Some(decided);
        let mut builder = match job.kind {
            MarkerKind::Batch => Builder::new(daemon.path),
            MarkerKind::Recheck { .. } => Builder::recheck(),
        };
        // Where capture closes a block depends on how fast transactions come: a batch may begin and end anywhere in one.
        let cut = self.rng.index(job.blocks.len() + 1);
        let (head, tail) = job.blocks.split_at(cut);
        let blocks = [together(job.origin, head), together(job.origin, tail)];
        for (block, at) in blocks
            .iter()
            .flat_map(|b| (0..b.transactions.len()).map(move |at| (b, at)))
        {
            if let Err(error) = builder.add(&mut daemon.kernel, &self.catalog, block, at) {
                daemon.kernel.given_up();
                if let Error::Undecided(undecided) = error {
                    self.ask_a_person(node, &undecided);
                } else {
                    self.violate(Law::NoError, format!("plan: {error}"));
                }
                return false;
            }
        }
        let mut batch = builder.finish();
        job.keep_rows(&batch);
        if job.blocks.iter().any(|block| truncated(block).contains(&Table::Unique)) {
            batch.contested.extend(self.displaced_rows(node, job));
        }
        self.keep_returning(node, job, &batch.contested);
        self.trace(node, || {
            let (kind, origin, first, last) = (job.kind, job.origin, job.first, job.last);
            let (contested, conflicts) = (&batch.contested, &batch.conflicts);
            format!("decided {kind:?} {origin} {first}..{last} {decided:?}, contested {contested:?}, {conflicts:?}")
        });
        self.open(job, decided);
        self.keep(node, job);
        let rows = match job.kind {
            MarkerKind::Recheck { .. } => self.rows_to_recheck(node, job, &batch.contested),
            MarkerKind::Batch => {
                self.plan(node, job, &batch, decided);
                Some(batch.contested)
            }
        };
        let Some(rows) = rows else { return false };
        job.lane = Lane::new(rows, 0);
        job.stage = Stage::Executing;
        if self.rng.one_in(OTHER_LANE_ONE_IN) {
            self.emit_barrier(node);
        }
        true
    }

    /// A conflict waits for another policy. It may come behind the transactions that wait: what the journal holds of it is
    /// known at once.
    pub(super) fn ask_a_person(&mut self, node: usize, undecided: &Undecided) {
        self.trace(node, || undecided.to_string());
        self.report.add("undecided", 1);
        self.learn_from_journals(node);
        let table = table_of(undecided.row.table);
        let answered = self.nodes[0].server.rows(Table::Policies);
        let mut of_table = answered
            .iter()
            .map(policies::of_row)
            .filter(|set| set.table == undecided.row.table);
        if of_table
            .next_back()
            .is_some_and(|set| set.rules.policy == Policy::Error)
            && self.asked.is_none()
        {
            self.asked = Some(table);
            let delay = self.rng.latency(5_000);
            self.schedule.after(delay, Event::App { node: 0, app: 0 });
        }
    }

    /// Rows that a TRUNCATE may bring back, as their writers left them.
    fn keep_returning(&mut self, node: usize, job: &mut Job, contested: &[RowId]) {
        for row in contested {
            let Some(daemon) = self.daemon(node).filter(|_| !job.rows.contains_key(row)) else {
                continue;
            };
            let known = daemon.kernel.registers_mut().known(*row);
            let key = known
                .into_iter()
                .find_map(|txn| datum(self.written(node, txn, *row).value(0)?).flatten());
            if let Some(key) = key {
                self.report.add("brought back by a truncate", 1);
                job.keep_key(*row, table_of(row.table).columns().len(), key);
            }
        }
    }

    /// The transaction's beginning: its origin and its marker.
    fn open(&self, job: &mut Job, decided: Decided) {
        let (roident, remote) = (self.roident(job.origin), job.last);
        job.script
            .push_back(Piece::plain(Statement::Origin { roident, remote }));
        let stem = job.marker(decided).stem();
        job.script.push_back(Piece::plain(Statement::Message { stem }));
    }

    /// Rows of a re-check that a local transaction wrote meanwhile; none: it is done.
    fn rows_to_recheck(&mut self, node: usize, job: &Job, displaced: &[RowId]) -> Option<Vec<RowId>> {
        let kernel = &mut self.daemon(node)?.kernel;
        let recheck = kernel.next_recheck()?;
        let rows: Vec<RowId> = job
            .rows
            .keys()
            .copied()
            .filter(|row| kernel.needs_recheck(&recheck, *row) || displaced.contains(row))
            .collect();
        if rows.is_empty() {
            kernel.recheck_done(&recheck);
            kernel.given_up();
            return None;
        }
        self.report.add("re-checked", rows.len());
        Some(rows)
    }

    fn plan(&mut self, node: usize, job: &mut Job, batch: &Batch<'_>, decided: Decided) {
        for conflict in &batch.conflicts {
            self.report.conflict(conflict.kind.name());
            self.conflicts.push((conflict.txn, conflict.row));
        }
        let ours: Vec<Roident> = self.nodes.iter().map(|n| self.roident(n.origin)).collect();
        let guard = mutation::guard(Guard {
            ours,
            horizon: decided.horizon,
            decided_at: decided.at,
        });
        job.gone = taken(&batch.steps);
        let standing = self.keys_by_table(node);
        let planned: Vec<Piece> = batch
            .steps
            .iter()
            .flat_map(|step| pieces(step, &guard, job, &standing))
            .collect();
        job.script.extend(planned);
    }

    /// Keys that stand in each table: read under its lock.
    fn keys_by_table(&self, node: usize) -> Vec<Vec<u64>> {
        let keys = |table: Table| {
            let rows = self.nodes[node].server.rows(table).into_iter();
            if table.keyed() {
                rows.filter_map(|row| row[0]).collect()
            } else {
                Vec::new()
            }
        };
        Table::ALL.into_iter().map(keys).collect()
    }
}

/// Consecutive transactions of an origin in one block.
fn together(origin: Origin, blocks: &[Rc<Block>]) -> Block {
    let (mut transactions, mut changes) = (Vec::new(), ChangeSet::new());
    for block in blocks {
        for transaction in &block.transactions {
            let first = changes.len();
            changes
                .extend_from(&block.changes, transaction.changes.clone(), |_| true)
                .expect("a few simulated transactions are small");
            let mut moved = transaction.clone();
            moved.changes = first..changes.len();
            transactions.push(moved);
        }
    }
    Block {
        origin,
        transactions,
        changes,
    }
}
