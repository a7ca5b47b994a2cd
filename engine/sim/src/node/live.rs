//! Start, crash and start again, of the engine and of the server.

use std::collections::BTreeMap;
use std::rc::Rc;

use synapse_engine_change::Block;
use synapse_engine_identity::{Context, Hlc, Stamp};
use synapse_engine_plan::{Mapping, Path, PolicySet, Tables, writes_of};
use synapse_engine_replication::{Barrier, Kernel, Limits, MemoryOverflow, Monotonic, Policies, Progress};
use synapse_wal_types::Lsn;

use super::{Daemon, Node, Owner, Phase};
use crate::laws;
use crate::policies;
use crate::postgres::{Durability, Kind, Roident, SessionId, Statement, Table};
use crate::violation::Law;
use crate::world::{Event, World};

/// As configured by default.
const CLOCK_SKEW_MAX_MICROS: u64 = 5_000_000;

impl World {
    /// The number of a peer's origin at every server: 0 means local.
    pub(crate) fn roident(&self, origin: synapse_engine_identity::Origin) -> Roident {
        Roident::try_from(self.index_of(origin) + 1).expect("a handful of nodes")
    }

    /// The engine starts, or finds its server again: the start sequence up to its barrier.
    pub(crate) fn engine_up(&mut self, node: usize) {
        if self.nodes[node].daemon.is_some() || !self.nodes[node].server_up {
            return;
        }
        if !self.nodes[node].orphans.is_empty() {
            // 55006: the old backend still holds the origin.
            let delay = self.rng.between(200, 2_000);
            self.schedule.after(delay, Event::EngineUp { node });
            return;
        }
        let members = self.nodes.len();
        let frontier = self.frontier(node);
        let whole = self.journal_covers(node);
        let registers_max = self.options.registers_max;
        let n = &mut self.nodes[node];
        n.run += 1;
        let run = n.run;
        let progress = n.disk.log(n.origin).last_progress(false).cloned().unwrap_or_default();
        let confirmed = n.server.slot.confirmed();
        let limits = Limits {
            clock_skew_max_micros: CLOCK_SKEW_MAX_MICROS,
            registers_max,
        };
        let overflow = MemoryOverflow::default();
        let mut kernel = Kernel::new(n.origin, members, limits, progress.clone(), frontier, overflow);
        self.remember_journals(node, &progress, &mut kernel);
        for contention in self.all_contentions(node) {
            kernel.contention(&contention);
        }
        let n = &mut self.nodes[node];
        let [apply, barrier, mender] = n.connect();
        n.daemon = Some(Daemon {
            phase: Phase::Reading(0),
            kernel,
            sent: n.server.start_sending(confirmed),
            apply,
            barrier,
            mender,
            mending: None,
            job: None,
            kept: BTreeMap::new(),
            next_barrier: 1 + u64::from(run) * 1_000_000,
            next_ask: 1 + u64::from(run) * 1_000_000,
            syncing: false,
            unfinished: BTreeMap::new(),
            stamped: None,
            rechecked: Vec::new(),
            merge_max: 4,
            path: Path::Set,
            read_first: None,
        });
        self.trace(node, || format!("engine up from {progress:?}"));
        let barrier = self.emit_barrier(node);
        let now = Monotonic(self.now());
        let clock = self.clock(node);
        if let Some(daemon) = self.daemon(node) {
            daemon.phase = if whole { Phase::Reading(barrier) } else { Phase::Lacking };
            daemon.kernel.own_clock(clock, now);
        }
        if !whole {
            self.report.add("journals that lacked", 1);
        }
        self.schedule.after(1, Event::Capture { node, run });
        self.schedule.after(2, Event::Tick { node, run });
        self.schedule.after(3, Event::Work { node, run });
        self.schedule.after(4, Event::Mend { node, run });
        for peer in 0..self.nodes.len() {
            self.schedule.after(1, Event::LinkUp { from: peer, to: node });
            self.schedule.after(1, Event::LinkUp { from: node, to: peer });
        }
    }

    fn remember_journals(&self, node: usize, progress: &Progress, kernel: &mut Kernel<MemoryOverflow>) {
        for PolicySet { epoch, table, rules } in self.known_policies(node) {
            kernel.learn(epoch, table, rules);
        }
        for (stamp, block) in self.journalled(node, progress) {
            for write in self.writes(&block, kernel.policies()) {
                match write {
                    Noted::Write(write) => kernel.remember_write(&stamp, &write),
                    Noted::Truncate(table) => kernel.registers_mut().note_truncate(&stamp, table),
                }
            }
        }
        kernel.drop_again();
    }

    /// The policies that are visible, or in a journal: one that was read may not be visible yet.
    fn known_policies(&self, node: usize) -> Vec<PolicySet> {
        let visible = self.nodes[node].server.rows(Table::Policies);
        let logs = self.nodes[node].disk.logs.values();
        let blocks = logs.flat_map(crate::disk::Log::blocks);
        let read = blocks
            .flat_map(|block| block.changes_of(0))
            .filter_map(|change| policies::of_change(&change));
        visible.iter().map(policies::of_row).chain(read).collect()
    }

    pub(super) fn learn_from_journals(&mut self, node: usize) {
        let known = self.known_policies(node);
        let Some(daemon) = self.daemon(node) else { return };
        for PolicySet { epoch, table, rules } in known {
            daemon.kernel.learn(epoch, table, rules);
        }
    }

    /// Whether the journal holds all that is applied.
    fn journal_covers(&self, node: usize) -> bool {
        let disk = &self.nodes[node].disk;
        self.frontier(node)
            .iter()
            .all(|(origin, applied)| disk.end(origin) >= applied)
    }

    /// A journal that lacks what is applied: the engine begins anew once it is whole.
    pub(crate) fn lack(&mut self, node: usize) {
        if self.journal_covers(node) {
            self.cut_links(node);
            self.drop_daemon(node);
            self.schedule.after(1, Event::EngineUp { node });
        } else {
            let run = self.nodes[node].run;
            let delay = self.rng.latency(3_000);
            self.schedule.after(delay, Event::Tick { node, run });
        }
    }

    /// What the server says is committed of each origin: read in the origins' own sessions.
    fn frontier(&self, node: usize) -> Context {
        let progress = |other: &super::Node| {
            let roident = self.roident(other.origin);
            (
                other.origin,
                self.nodes[node]
                    .server
                    .origins
                    .get(&roident)
                    .copied()
                    .unwrap_or(Lsn::ZERO),
            )
        };
        self.nodes.iter().map(progress).collect()
    }

    /// What the journals say of unstable writes, in the order of time: of peers only what is committed here.
    fn journalled(&self, node: usize, progress: &Progress) -> Vec<(Stamp, Rc<Block>)> {
        let frontier = self.frontier(node);
        let n = &self.nodes[node];
        let mut found = Vec::new();
        for (origin, log) in &n.disk.logs {
            for block in log.blocks() {
                let stamp = block.stamp(0);
                let unstable = stamp.txn.lsn > progress.forgotten.get(*origin);
                if unstable && (*origin == n.origin || frontier.covers(stamp.txn)) {
                    found.push((stamp, Rc::clone(block)));
                }
            }
        }
        found.sort_by_key(|(stamp, _)| (stamp.hlc, stamp.txn));
        found
    }

    pub(crate) fn writes(&self, block: &Block, policies: &Policies) -> Vec<Noted> {
        let mut noted = Vec::new();
        let epoch = block.stamp(0).epoch;
        for change in block.changes_of(0) {
            let Some(table) = self.catalog.find(change.relation()) else {
                continue;
            };
            if let synapse_engine_change::Change::Truncate { .. } = change {
                noted.push(Noted::Truncate(table.id));
                continue;
            }
            let mapping = Mapping::new(change.relation(), &table).expect("all nodes have the same tables");
            let writes = writes_of(&mapping, &change, policies.at(table.id, epoch));
            noted.extend(writes.into_iter().flatten().map(Noted::Write));
        }
        noted
    }

    pub(crate) fn clock(&self, node: usize) -> Hlc {
        let clock = self.nodes[node].server.clock(self.now());
        Hlc(u64::try_from(clock.0).unwrap_or_default())
    }

    /// Commits a barrier on the side session.
    pub(crate) fn emit_barrier(&mut self, node: usize) -> u64 {
        let Some(daemon) = self.daemon(node) else { return 0 };
        let id = daemon.next_barrier;
        daemon.next_barrier += 1;
        let (session, run) = (daemon.barrier, self.nodes[node].run);
        self.report.add("barriers", 1);
        let statements = [
            Statement::Begin,
            Statement::Message {
                stem: Barrier::stem(id),
            },
            Statement::Commit(Durability::Flushed),
        ];
        self.nodes[node].barrier_script.extend(statements);
        self.next_barrier_statement(node, session);
        let patience = self.rng.between(60_000, 200_000);
        self.schedule
            .after(patience, Event::BarrierTimeout { node, run, barrier: id });
        id
    }

    fn next_barrier_statement(&mut self, node: usize, session: SessionId) {
        let n = &mut self.nodes[node];
        if n.server.session(session).running.is_none()
            && let Some(statement) = n.barrier_script.pop_front()
        {
            self.submit(node, session, statement);
        }
    }

    pub(crate) fn barrier_answered(
        &mut self,
        node: usize,
        result: Result<crate::postgres::Answer, crate::postgres::SqlState>,
    ) {
        let Some(session) = self.daemon(node).map(|daemon| daemon.barrier) else {
            return;
        };
        if result.is_err() {
            self.nodes[node].barrier_script.push_front(Statement::Rollback);
        }
        self.next_barrier_statement(node, session);
    }

    /// Submits a statement and lets it begin.
    pub(crate) fn submit(&mut self, node: usize, session: SessionId, statement: Statement) {
        self.trace(node, || format!("{session:?} {statement:?}"));
        let n = &mut self.nodes[node];
        n.statements += 1;
        n.server.submit(session, statement);
        let life = n.life;
        let typical = match n.owners.get(&session) {
            Some(Owner::Apply | Owner::Mender) => n.apply_typical,
            Some(Owner::App(_) | Owner::Barrier | Owner::Gone) | None => 40,
        };
        let delay = self.rng.latency(typical);
        self.schedule.after(delay, Event::Session { node, life, session });
    }

    /// The engine's process is killed.
    pub(crate) fn engine_crash(&mut self, node: usize) {
        if self.nodes[node].daemon.is_none() {
            return;
        }
        self.report.add("engine crashes", 1);
        self.trace(node, || "ENGINE CRASH".to_owned());
        self.cut_links(node);
        self.drop_daemon(node);
        let n = &mut self.nodes[node];
        n.disk.crash(&mut self.rng);
        n.unsafe_to_send.clear();
        let delay = self.rng.latency(5_000);
        self.schedule.after(delay, Event::EngineUp { node });
    }

    /// The engine's state is gone; its sessions live on until the server sees that.
    fn drop_daemon(&mut self, node: usize) {
        let n = &mut self.nodes[node];
        n.run += 1;
        n.barrier_script.clear();
        let Some(daemon) = n.daemon.take() else { return };
        let life = n.life;
        for session in [daemon.apply, daemon.barrier, daemon.mender] {
            if n.server.sessions.contains_key(&session) {
                n.owners.insert(session, Owner::Gone);
                n.orphans.push(session);
                let delay = self.rng.latency(500);
                self.schedule.after(delay, Event::Orphan { node, life, session });
            } else {
                n.owners.remove(&session);
            }
        }
    }

    pub(crate) fn orphan_ends(&mut self, node: usize, session: SessionId) {
        let n = &mut self.nodes[node];
        if n.orphans.contains(&session) {
            n.orphans.retain(|orphan| *orphan != session);
            n.owners.remove(&session);
            n.server.disconnect(session);
            self.after_server(node);
        }
    }

    /// The server dies. The engine loses capture's connection, and with it everything that is not in its journal.
    pub(crate) fn server_crash(&mut self, node: usize) {
        if !self.nodes[node].server_up {
            return;
        }
        let forgotten = self.nodes[node].server.crash();
        let told = laws::what_is_told_stays(&self.nodes[node], &forgotten);
        let forgotten = forgotten.len();
        if let Err(what) = told {
            self.violate(Law::WhatIsToldStays, what);
        }
        self.report.add("server crashes", 1);
        self.trace(node, || format!("SERVER CRASH, {forgotten} commits forgotten"));
        self.report.add("commits forgotten", forgotten);
        let n = &mut self.nodes[node];
        n.server_up = false;
        n.life += 1;
        n.owners.clear();
        n.orphans.clear();
        for app in &mut n.apps {
            app.session = None;
            app.script.clear();
        }
        self.cut_links(node);
        self.drop_daemon(node);
        let delay = self.rng.latency(5_000);
        self.schedule.after(delay, Event::ServerUp { node });
    }

    pub(crate) fn server_up(&mut self, node: usize) {
        self.nodes[node].server_up = true;
        for app in 0..self.nodes[node].apps.len() {
            let delay = self.rng.latency(500);
            self.schedule.after(delay, Event::App { node, app });
        }
        let delay = self.rng.latency(500);
        self.schedule.after(delay, Event::EngineUp { node });
    }
}

impl Node {
    /// The sessions of an engine: to apply, for barriers, and to mend.
    fn connect(&mut self) -> [SessionId; 3] {
        let kinds = [
            (Kind::Apply, Owner::Apply),
            (Kind::Barrier, Owner::Barrier),
            (Kind::Mender, Owner::Mender),
        ];
        kinds.map(|(kind, owner)| {
            let session = self.server.connect(kind);
            self.owners.insert(session, owner);
            session
        })
    }
}

/// What a journalled transaction did to a row or a table.
#[derive(Clone, Debug)]
pub(crate) enum Noted {
    Write(synapse_engine_identity::Write),
    Truncate(synapse_engine_identity::TableId),
}
