//! The world: nodes, links, and what happens when.

use std::collections::BTreeMap;

use synapse_engine_identity::{Incarnation, Origin, Stamp, TxnId};

use crate::app::{App, Writer};
use crate::catalog::Catalog;
use crate::disk::Disk;
use crate::laws;
use crate::network::{Link, Message};
use crate::node::{Daemon, Node, Owner, Question, Rule};
use crate::options::{Options, Report};
use crate::postgres::{Relations, Server, SessionId, SqlState, Step, Table, Temper};
use crate::rng::Rng;
use crate::schedule::{Micros, Schedule};
use crate::violation::{Law, Violation};

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A session's statement goes on.
    Session {
        node: usize,
        life: u32,
        session: SessionId,
    },
    /// The log is flushed as far as it was inserted when this was asked for.
    Flush {
        node: usize,
        life: u32,
    },
    /// The walwriter's turn.
    WalWriter {
        node: usize,
    },
    /// A session has waited for long: is it in a deadlock, or out of patience?
    Patience {
        node: usize,
        life: u32,
        session: SessionId,
        statement: u64,
        timeout: bool,
    },
    App {
        node: usize,
        app: usize,
    },
    /// The walsender has something, perhaps.
    Capture {
        node: usize,
        run: u32,
    },
    /// Heartbeats, confirmations, pruning.
    Tick {
        node: usize,
        run: u32,
    },
    /// An fsync of the journals has ended that began at these lengths.
    Synced {
        node: usize,
        run: u32,
        lens: Vec<(Origin, usize)>,
    },
    /// The applier looks for work.
    Work {
        node: usize,
        run: u32,
    },
    /// The mender looks for something to mend.
    Mend {
        node: usize,
        run: u32,
    },
    BarrierTimeout {
        node: usize,
        run: u32,
        barrier: u64,
    },
    /// Is what had committed visible by now?
    LookForLate {
        node: usize,
        run: u32,
    },
    /// A peer's question may be answered by now.
    Question {
        node: usize,
        run: u32,
        question: Question,
    },
    /// A peer that was asked for values has not answered.
    Unanswered {
        node: usize,
        run: u32,
        ask: u64,
    },
    /// The server sees that a client is gone.
    Orphan {
        node: usize,
        life: u32,
        session: SessionId,
    },
    Arrive {
        from: usize,
        to: usize,
        epoch: u32,
        message: Message,
    },
    LinkUp {
        from: usize,
        to: usize,
    },
    Fault,
    /// A server that has just given an answer dies, if faults are left.
    Crash {
        node: usize,
        life: u32,
    },
    ServerUp {
        node: usize,
    },
    EngineUp {
        node: usize,
    },
    /// Is everything quiet yet?
    Look,
}

/// Two or three nodes mostly, and seven at most.
fn nodes(rng: &mut Rng) -> usize {
    match rng.below(10) {
        0..=2 => 2,
        3..=8 => 3,
        _ => 4 + rng.index(4),
    }
}

/// A node that has not begun; an unruly one has statements that fail.
fn node(index: usize, unruly: bool, rng: &mut Rng) -> Node {
    let skew = i64::try_from(rng.below(200_000)).expect("small") - 100_000;
    let temper = Temper {
        failures_per_mille: if unruly { rng.below(12) } else { 0 },
        late_percent: if rng.one_in(3) {
            rng.between(20, 80)
        } else {
            rng.below(8)
        },
    };
    let apps = (0..rng.between(2, 3)).map(|_| App {
        session: None,
        script: std::collections::VecDeque::new(),
        remaining: 0,
        idle_typical: rng.between(200, 15_000),
    });
    let apps = apps.collect();
    Node {
        origin: Origin {
            node: format!("n{}", index + 1).parse().expect("a letter and a digit"),
            incarnation: Incarnation(1),
        },
        server: Server::new(temper, skew),
        server_up: true,
        life: 0,
        run: 0,
        daemon: None,
        disk: Disk::default(),
        owners: BTreeMap::new(),
        orphans: Vec::new(),
        statements: 0,
        unsafe_to_send: std::collections::BTreeSet::new(),
        barrier_script: std::collections::VecDeque::new(),
        capture_lag: rng.between(20, 20_000),
        apply_typical: if rng.one_in(3) { rng.between(200, 3_000) } else { 40 },
        apps,
        told: std::collections::BTreeSet::new(),
    }
}

/// Parents are restored mostly.
fn rule(rng: &mut Rng) -> Rule {
    match rng.below(10) {
        0..=4 => Rule::RestoreParent,
        5..=6 => Rule::DeleteChild,
        _ => Rule::Report,
    }
}

/// Everything there is in a run.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) options: Options,
    pub(crate) schedule: Schedule<Event>,
    pub(crate) rng: Rng,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Vec<Vec<Link>>,
    pub(crate) relations: Relations,
    pub(crate) catalog: Catalog,
    pub(crate) report: Report,
    /// The last value an application wrote.
    pub(crate) fresh: u64,
    /// The last epoch that was given to a policy.
    pub(crate) epoch: u64,
    /// The table of a conflict that waits for a person.
    pub(crate) asked: Option<Table>,
    /// Of so many transactions of n1's first application one sets a policy; `None`: none does.
    pub(crate) policy_one_in: Option<u64>,
    /// What becomes of rows that refer to nothing.
    pub(crate) rule: Rule,
    /// Stamps that some node may have relied on.
    pub(crate) stamps: BTreeMap<TxnId, Stamp>,
    /// No faults and no new transactions any more.
    pub(crate) calm: bool,
    pub(crate) broken: Option<Violation>,
    pub(crate) faults_left: u64,
    /// Every conflict that some node found.
    pub(crate) conflicts: Vec<(TxnId, synapse_engine_identity::RowId)>,
    pub(crate) trace: Vec<String>,
}

impl World {
    pub(crate) fn new(seed: u64, options: &Options) -> Self {
        let mut rng = Rng::new(seed);
        let count = options.nodes.unwrap_or_else(|| nodes(&mut rng));
        let unruly = options.faults;
        let nodes: Vec<Node> = (0..count).map(|index| node(index, unruly, &mut rng)).collect();
        let link = |rng: &mut Rng| Link::new(rng.between(50, 8_000));
        let links = (0..count)
            .map(|_| (0..count).map(|_| link(&mut rng)).collect())
            .collect();
        let policy_one_in = rng.percent(70).then(|| rng.between(2, 6));
        let rule = rule(&mut rng);
        let faults_left = if unruly { rng.below(9) } else { 0 };
        World {
            seed,
            options: options.clone(),
            schedule: Schedule::new(),
            rng,
            nodes,
            links,
            relations: Relations::new(),
            catalog: Catalog::new(),
            report: Report::default(),
            fresh: 0,
            epoch: 0,
            asked: None,
            policy_one_in,
            rule,
            stamps: BTreeMap::new(),
            calm: false,
            broken: None,
            faults_left,
            conflicts: Vec::new(),
            trace: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Micros {
        self.schedule.now()
    }

    /// Notes what happened, for a person.
    pub(crate) fn trace(&mut self, node: usize, line: impl FnOnce() -> String) {
        if self.options.trace {
            let now = self.now();
            self.trace.push(format!(
                "{:>3}.{:06} n{} {}",
                now / 1_000_000,
                now % 1_000_000,
                node + 1,
                line()
            ));
        }
    }

    /// A law does not hold; the first one counts.
    pub(crate) fn violate(&mut self, law: Law, what: String) {
        if self.broken.is_none() {
            self.broken = Some(Violation {
                seed: self.seed,
                flags: self.options.flags(),
                law,
                at_micros: self.now(),
                what,
                trace: std::mem::take(&mut self.trace),
            });
        }
    }

    pub(crate) fn index_of(&self, origin: Origin) -> usize {
        let at = self.nodes.iter().position(|node| node.origin == origin);
        at.expect("origins are those of the nodes")
    }

    pub(crate) fn writer(&self, node: usize) -> Writer {
        Writer {
            node: node as u64,
            nodes: self.nodes.len() as u64,
            keys: self.options.keys,
            truncates: self.options.truncates,
        }
    }

    pub(crate) fn daemon(&mut self, node: usize) -> Option<&mut Daemon> {
        self.nodes[node].daemon.as_mut()
    }

    /// Something happens.
    pub(crate) fn handle(&mut self, event: Event) {
        match event {
            Event::Session { node, life, session } if self.nodes[node].life == life => self.run_session(node, session),
            Event::Flush { node, life } if self.nodes[node].life == life => {
                let all = self.nodes[node].server.wal.inserted();
                self.flush(node, all);
            }
            Event::WalWriter { node } => self.walwriter(node),
            Event::Patience {
                node,
                life,
                session,
                statement,
                timeout,
            } if self.nodes[node].life == life => {
                self.lose_patience(node, session, statement, timeout);
            }
            Event::App { node, app } => self.app_goes_on(node, app),
            Event::Capture { node, run } if self.nodes[node].run == run => self.capture(node),
            Event::Tick { node, run } if self.nodes[node].run == run => self.tick(node),
            Event::Synced { node, run, lens } if self.nodes[node].run == run => self.synced(node, &lens),
            Event::Work { node, run } if self.nodes[node].run == run => self.work(node),
            Event::Mend { node, run } if self.nodes[node].run == run => self.mend(node),
            Event::BarrierTimeout { node, run, barrier } if self.nodes[node].run == run => {
                self.barrier_times_out(node, barrier);
            }
            Event::LookForLate { node, run } if self.nodes[node].run == run => self.look_for_late(node),
            Event::Question { node, run, question } if self.nodes[node].run == run => self.tell(node, question),
            Event::Unanswered { node, run, ask } if self.nodes[node].run == run => self.unanswered(node, ask),
            Event::Orphan { node, life, session } if self.nodes[node].life == life => self.orphan_ends(node, session),
            Event::Arrive {
                from,
                to,
                epoch,
                message,
            } => self.arrive(from, to, epoch, message),
            Event::LinkUp { from, to } => self.link_up(from, to),
            Event::Fault => self.fault(),
            Event::Crash { node, life } if self.nodes[node].life == life => self.crash_after_answer(node),
            Event::ServerUp { node } => self.server_up(node),
            Event::EngineUp { node } => self.engine_up(node),
            // What was meant for an earlier life of a server or an engine; and looking is done by the run itself.
            Event::Session { .. }
            | Event::Flush { .. }
            | Event::Patience { .. }
            | Event::Capture { .. }
            | Event::Tick { .. }
            | Event::Synced { .. }
            | Event::Work { .. }
            | Event::Mend { .. }
            | Event::BarrierTimeout { .. }
            | Event::LookForLate { .. }
            | Event::Question { .. }
            | Event::Crash { .. }
            | Event::Unanswered { .. }
            | Event::Orphan { .. }
            | Event::Look => {}
        }
    }

    /// Runs a session's statement to its next pause and tells its owner when it has ended.
    fn run_session(&mut self, node: usize, session: SessionId) {
        let now = self.now();
        let n = &mut self.nodes[node];
        let life = n.life;
        let Some(owner) = n.owners.get(&session).copied() else {
            return;
        };
        if n.server.sessions.get(&session).is_none_or(|s| s.running.is_none()) {
            return;
        }
        let step = n.server.step(session, now, &mut self.rng);
        match step {
            Step::Again(delay) => self.schedule.after(delay, Event::Session { node, life, session }),
            Step::Blocked => {
                let apply = owner == Owner::Apply;
                let statement = n.statements;
                let patience = if apply {
                    self.rng.between(500, 4_000)
                } else {
                    self.rng.between(20_000, 60_000)
                };
                self.schedule.after(
                    patience,
                    Event::Patience {
                        node,
                        life,
                        session,
                        statement,
                        timeout: false,
                    },
                );
                if apply {
                    let patience = self.rng.between(20_000, 80_000);
                    self.schedule.after(
                        patience,
                        Event::Patience {
                            node,
                            life,
                            session,
                            statement,
                            timeout: true,
                        },
                    );
                }
            }
            Step::Done(result) => {
                self.trace(node, || format!("{session:?} {owner:?} {result:?}"));
                self.answered(node, session, owner, result);
            }
        }
        self.after_server(node);
        laws::check_server(self, node);
    }

    fn answered(
        &mut self,
        node: usize,
        session: SessionId,
        owner: Owner,
        result: Result<crate::postgres::Answer, SqlState>,
    ) {
        match owner {
            Owner::App(app) => self.app_answered(node, app, result),
            Owner::Apply => self.apply_answered(node, result),
            Owner::Barrier => self.barrier_answered(node, result),
            Owner::Mender => self.mender_answered(node, result),
            Owner::Gone => self.orphan_ends(node, session),
        }
    }

    /// Lets sessions go on that were woken, and flushes what someone waits for.
    pub(crate) fn after_server(&mut self, node: usize) {
        let n = &mut self.nodes[node];
        let life = n.life;
        for session in std::mem::take(&mut n.server.woken) {
            let delay = self.rng.between(0, 30);
            self.schedule.after(delay, Event::Session { node, life, session });
        }
        if std::mem::take(&mut n.server.flush_wanted) {
            let delay = self.rng.latency(300);
            self.schedule.after(delay, Event::Flush { node, life });
        }
    }

    pub(crate) fn flush(&mut self, node: usize, lsn: synapse_wal_types::Lsn) {
        self.nodes[node].server.flush(lsn);
        self.after_server(node);
    }

    /// Flushes now and then, and not always everything: a partial page stays behind.
    fn walwriter(&mut self, node: usize) {
        let wal = &self.nodes[node].server.wal;
        let (flushed, inserted) = (wal.flushed(), wal.inserted());
        let behind = inserted.0 - flushed.0;
        let target = if self.rng.one_in(3) {
            flushed.0 + self.rng.below(behind + 1)
        } else {
            inserted.0
        };
        self.flush(node, synapse_wal_types::Lsn(target));
        let delay = self.rng.latency(10_000);
        self.schedule.after(delay, Event::WalWriter { node });
    }

    fn lose_patience(&mut self, node: usize, session: SessionId, statement: u64, timeout: bool) {
        let n = &mut self.nodes[node];
        let Some(owner) = n.owners.get(&session).copied() else {
            return;
        };
        // Another statement of any session may have begun since: then the session is asked again later.
        let stale = n.statements > statement + 50;
        let state = if timeout {
            SqlState::LockTimeout
        } else {
            SqlState::Deadlock
        };
        if (timeout && !stale) || n.server.deadlocked(session) {
            let Some(result) = n.server.cancel(session, state) else {
                return;
            };
            self.report.add(if timeout { "lock timeouts" } else { "deadlocks" }, 1);
            self.answered(node, session, owner, result);
            self.after_server(node);
        }
    }
}
