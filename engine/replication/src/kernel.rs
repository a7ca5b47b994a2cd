//! The parts together: what one node knows, and what it decides.

mod contend;
mod forget;
mod orphans;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use synapse_engine_identity::{Context, Epoch, Hlc, Origin, RowId, Stamp, TableId, Write};
use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use crate::clock::{Clocks, Monotonic};
use crate::contenders::{Contenders, Contention};
use crate::late::{InProgress, Recent};
use crate::marker::{Barrier, Marker, MarkerKind};
use crate::recheck::Recheck;
use crate::registers::{Overflow, Registers, Verdict};
use crate::rules::{Policies, Rules};
use crate::stability::{Heartbeat, Stability};
use crate::stamper::{Progress, Stamped, Stamper};
use forget::Dropping;

/// Rows of a transaction in flight that are remembered one by one; of a larger one only that there were many.
const ROWS_REMEMBERED_MAX: usize = 200_000;
/// Markers whose place in the stream is remembered: a snapshot is younger than that when it is asked about.
const HISTORY_MAX: usize = 4_096;

/// What is configured.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How far a time may lie ahead of the majority's clock, in microseconds.
    pub clock_skew_max_micros: u64,
    /// Registers kept in memory, in rows.
    pub registers_max: usize,
}

/// Whether a transaction of a peer may be applied now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Yes.
    Now,
    /// It was applied already.
    Duplicate,
    /// Not before this transaction of another origin.
    WaitsFor(Origin, Lsn),
    /// Not before the majority's clock has come near its time.
    Held {
        /// Its time.
        hlc: Hlc,
    },
}

/// A transaction of the applier between its first verdict and the reading of its marker.
#[derive(Debug)]
struct InFlight {
    kind: MarkerKind,
    origin: Origin,
    last: Lsn,
    /// How far capture had read at its first verdict.
    decided_at: Lsn,
    /// `None` when there are too many.
    rows: Option<HashSet<RowId>>,
    /// Whether a local transaction that was read since wrote one of its rows.
    suspect: bool,
    /// Tables of which it displaces rows, or brings some back.
    contended: BTreeSet<TableId>,
}

/// What a transaction of the applier is decided by, frozen with its first verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// How far capture had read.
    pub at: Lsn,
    /// Rows last written by an xid below it are known; `None`: none are.
    pub horizon: Option<Xid>,
    /// The policies in force.
    pub epoch: Epoch,
}

/// One node's knowledge. It does no IO and has no clock: the shell tells it what happened and asks what to do.
#[derive(Debug)]
pub struct Kernel<O> {
    me: Origin,
    limits: Limits,
    clocks: Clocks,
    stamper: Stamper,
    registers: Registers<O>,
    recent: Recent,
    frontier: Context,
    stability: Stability,
    /// What was dropped, and is to be said of it.
    dropping: Option<Dropping>,
    /// What the durable progress says to be forgotten.
    forgotten: Context,
    in_flight: VecDeque<InFlight>,
    /// Markers that were read since the last durable progress: after a crash each would be re-checked.
    unsettled: VecDeque<Recheck>,
    /// Re-checks that the last durable progress names: after a crash they would be run.
    durable_rechecks: Vec<Recheck>,
    /// What was applied from a position of the stream on: the latest positions at which it changed.
    history: VecDeque<(Lsn, Arc<Context>)>,
    contenders: Contenders,
}

impl<O: Overflow> Kernel<O> {
    /// A node of a cluster of `members`, itself included, that goes on from `progress` (durable in its journal) and `frontier` (read from the server).
    pub fn new(me: Origin, members: usize, limits: Limits, progress: Progress, frontier: Context, overflow: O) -> Self {
        #[cfg(feature = "mutants")]
        let (progress, frontier) = mutated(progress, frontier);
        let mut stability = Stability::new(members);
        stability.own(me, progress.captured, &progress.applied);
        let durable_rechecks = progress.rechecks.clone();
        let captured = progress.captured;
        let forgotten = progress.forgotten.clone();
        let mut registers = Registers::new(me, limits.registers_max, overflow);
        registers.make_anew(progress.dropped.clone());
        let stamper = Stamper::new(me, progress);
        Kernel {
            me,
            limits,
            clocks: Clocks::new(me.node, members),
            history: VecDeque::from([(captured, Arc::clone(stamper.applied()))]),
            stamper,
            registers,
            recent: Recent::default(),
            frontier,
            stability,
            dropping: None,
            forgotten,
            in_flight: VecDeque::new(),
            unsettled: VecDeque::new(),
            durable_rechecks,
            contenders: Contenders::default(),
        }
    }

    /// This node.
    pub const fn me(&self) -> Origin {
        self.me
    }

    /// The stamper: positions and times of this node's own stream.
    pub const fn stamper(&self) -> &Stamper {
        &self.stamper
    }

    /// The registers.
    pub const fn registers(&self) -> &Registers<O> {
        &self.registers
    }

    /// The registers, to resolve rows by.
    pub const fn registers_mut(&mut self) -> &mut Registers<O> {
        &mut self.registers
    }

    /// What is committed here, per origin.
    pub const fn frontier(&self) -> &Context {
        &self.frontier
    }

    /// What every member has applied.
    pub const fn stability(&self) -> &Stability {
        &self.stability
    }

    /// The clocks of all members.
    pub const fn clocks(&self) -> &Clocks {
        &self.clocks
    }

    /// What is known of policies.
    pub const fn policies(&self) -> &Policies {
        self.registers.policies()
    }

    /// From `epoch` on `table` has these rules.
    pub fn learn(&mut self, epoch: Epoch, table: TableId, rules: Rules) {
        self.registers.policies_mut().learn(epoch, table, rules);
    }

    // Capture: what this node's own stream says, in its order.

    /// The local transaction that is read next sets the policies of this epoch: its stamp carries it.
    pub fn raise(&mut self, epoch: Epoch) {
        if mutant!(PolicyNotRaised) {
            return;
        }
        let state = self.stamper.state_mut();
        state.epoch = state.epoch.max(epoch);
    }

    /// A local transaction begins to be read: its stamp. Its writes are noted with [`Self::note_local`], and it counts
    /// as read after [`Self::local_done`].
    pub fn stamp_local(&mut self, end: Lsn, commit: PgTimestamp, now: Monotonic) -> Stamped {
        let (clocks, skew) = (&self.clocks, self.limits.clock_skew_max_micros);
        self.stamper.local(end, commit, |time| clocks.believe(time, skew, now))
    }

    /// A local transaction that the journal already holds is read again: it keeps its stamp.
    pub fn known_local(&mut self, stamp: &Stamp) {
        self.stamper.known_local(stamp);
    }

    /// A write of a local transaction.
    pub fn note_local(&mut self, stamp: &Stamp, write: &Write) {
        self.registers.note(stamp, write.row, &write.op);
        for flight in &mut self.in_flight {
            flight.suspect |= flight.rows.as_ref().is_none_or(|rows| rows.contains(&write.row));
        }
        if self.contenders.contains(write.row) {
            self.recheck_local(stamp.txn.lsn);
        }
    }

    /// A TRUNCATE in a local transaction.
    pub fn note_local_truncate(&mut self, stamp: &Stamp, table: TableId) {
        self.registers.note_truncate(stamp, table);
        for flight in &mut self.in_flight {
            flight.suspect |= flight
                .rows
                .as_ref()
                .is_none_or(|rows| rows.iter().any(|row| row.table == table));
        }
        if self.contenders.any_of(table) {
            self.recheck_local(stamp.txn.lsn);
        }
    }

    /// All of a local transaction has been noted. `xid` is its own, not a subtransaction's.
    pub fn local_done(&mut self, stamp: &Stamp, xid: Xid) {
        self.recent.read(xid);
        self.stamper.local_done(stamp.txn.lsn);
    }

    /// Which of the transactions that a new snapshot would not see have committed. A row that was looked for before they
    /// are visible may be there.
    pub fn late(&self, in_progress: &[InProgress]) -> Vec<Xid> {
        self.recent.late(in_progress)
    }

    /// A transaction of our applier, and what it changed in what is displaced.
    pub fn marker(&mut self, end: Lsn, marker: &Marker, contentions: &[Contention]) {
        let at = self
            .in_flight
            .iter()
            .position(|f| f.kind == marker.kind && f.origin == marker.origin && f.last == marker.last);
        // Of a transaction of an earlier run nothing is remembered: its rows are looked at again.
        let suspect = at
            .and_then(|at| self.in_flight.remove(at))
            .is_none_or(|flight| flight.suspect);
        #[cfg(feature = "mutants")]
        let suspect = suspect && !crate::Mutant::RecheckDropped.is_chosen();
        self.stamper.marker(end, marker);
        self.history.push_back((end, Arc::clone(self.stamper.applied())));
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
        let rechecks = self.stamper.rechecks_mut();
        if let MarkerKind::Recheck { of } = marker.kind {
            rechecks.retain(|r| r.marker != of);
        }
        let recheck = Recheck {
            marker: end,
            decided_at: marker.decided_at,
            origin: marker.origin,
            first: marker.first,
            last: marker.last,
        };
        if suspect {
            rechecks.push(recheck);
        }
        self.unsettled.push_back(recheck);
        self.contentions((marker.decided_at, end), contentions);
    }

    /// The journal holds this state durably: from here on a crash goes on from it, and not from before. Only now does
    /// it count for stability, because a crash reads again, and decides again, what came after.
    pub fn progress_durable(&mut self, progress: &Progress) {
        self.stability.own(self.me, progress.captured, &progress.applied);
        self.durable_rechecks.clone_from(&progress.rechecks);
        self.forgotten.join(&progress.forgotten);
        while self.unsettled.front().is_some_and(|r| r.marker <= progress.captured) {
            self.unsettled.pop_front();
        }
    }

    /// A barrier.
    pub fn barrier(&mut self, end: Lsn, barrier: Barrier) {
        self.stamper.barrier_read(end, barrier);
    }

    /// Nothing of interest up to `lsn`.
    pub fn nothing_up_to(&mut self, lsn: Lsn) {
        self.stamper.nothing_up_to(lsn);
    }

    /// What of others was applied at a position of this node's stream that has been read; `None` when that is not
    /// remembered any more.
    pub fn applied_at(&self, lsn: Lsn) -> Option<&Context> {
        if lsn > self.stamper.state().captured {
            return None;
        }
        let at = self.history.partition_point(|(end, _)| *end <= lsn);
        Some(&self.history.get(at.checked_sub(1)?)?.1)
    }

    /// What this node says of itself to its peers. `durable` is what its journal holds so.
    pub fn heartbeat(&self, clock: Hlc, durable: &Context) -> Heartbeat {
        let Progress {
            captured,
            applied,
            hlc,
            last_txn,
            ..
        } = self.stamper.state();
        let (captured, last_txn, hlc) = (*captured, *last_txn, *hlc);
        Heartbeat {
            origin: self.me,
            captured,
            last_txn,
            applied: applied.clone(),
            durable: durable.clone(),
            hlc,
            clock,
        }
    }

    // Delivery: what comes from peers.

    /// A member was met in this life: from now on its earlier ones say nothing of what it has applied.
    pub fn life(&mut self, origin: Origin) {
        self.stability.life(origin);
    }

    /// A peer's heartbeat.
    pub fn heard(&mut self, heartbeat: &Heartbeat, now: Monotonic) {
        self.clocks.hear(heartbeat.origin.node, heartbeat.clock, now);
        self.stability.heard(heartbeat, &self.frontier);
    }

    /// This node's own clock.
    pub fn own_clock(&mut self, clock: Hlc, now: Monotonic) {
        self.clocks.hear(self.me.node, clock, now);
    }

    /// Whether a transaction of a peer may be applied now.
    pub fn delivery(&self, stamp: &Stamp, now: Monotonic) -> Delivery {
        let origin = stamp.txn.origin;
        if self.frontier.covers(stamp.txn) {
            return Delivery::Duplicate;
        }
        #[cfg(feature = "mutants")]
        if crate::Mutant::CausalCheckDropped.is_chosen() {
            return Delivery::Now;
        }
        let missing = |&(k, lsn): &(Origin, Lsn)| k != origin && k != self.me && self.frontier.get(k) < lsn;
        if let Some((k, lsn)) = stamp.context.iter().find(missing) {
            return Delivery::WaitsFor(k, lsn);
        }
        match self.clocks.holds(stamp.hlc, self.limits.clock_skew_max_micros, now) {
            true => Delivery::Held { hlc: stamp.hlc },
            false => Delivery::Now,
        }
    }

    /// Begins to decide a transaction of the applier that carries up to `last` of `origin`.
    ///
    /// # Panics
    /// When the last one was neither committed nor given up.
    pub fn begin(&mut self, kind: MarkerKind, origin: Origin, last: Lsn) -> Decided {
        let rows = Some(HashSet::new());
        self.registers.begin();
        self.in_flight.push_back(InFlight {
            kind,
            origin,
            last,
            decided_at: self.stamper.state().captured,
            rows,
            suspect: false,
            contended: BTreeSet::new(),
        });
        Decided {
            at: self.stamper.state().captured,
            horizon: self.stamper.horizon(),
            epoch: self.stamper.state().epoch,
        }
    }

    /// Decides one write of the transaction that was begun last.
    pub fn decide(&mut self, stamp: &Stamp, write: &Write) -> Verdict {
        self.remember(write.row);
        self.registers.decide(stamp, write.row, &write.op)
    }

    /// Decides one write of the transaction that was begun last, of a table whose copy holds it already. Answers whether
    /// its row has to be resolved through the exact path; else nothing is to be written.
    pub fn decide_copied(&mut self, stamp: &Stamp, write: &Write, copy: &Context) -> bool {
        self.remember(write.row);
        self.registers.decide_copied(stamp, write.row, &write.op, copy)
    }

    /// A TRUNCATE in the transaction that was begun last: the rows that survive it. The table is locked, and capture
    /// has read a barrier that was committed under the lock.
    pub fn decide_truncate(&mut self, stamp: &Stamp, table: TableId) -> Vec<RowId> {
        self.registers.note_truncate(stamp, table);
        self.registers.survivors(table)
    }

    /// A row of the transaction that was begun last.
    pub fn remember(&mut self, row: RowId) {
        let Some(flight) = self.in_flight.back_mut() else {
            return;
        };
        if let Some(rows) = &mut flight.rows {
            rows.insert(row);
            if rows.len() > ROWS_REMEMBERED_MAX {
                flight.rows = None;
            }
        }
    }

    /// The transaction that was begun last has committed: for a batch, this transaction is in the frontier.
    pub fn committed(&mut self, stamp: &Stamp) {
        self.frontier.advance(stamp.txn.origin, stamp.txn.lsn);
        self.stability
            .applied(stamp.txn.origin, stamp.txn.lsn, &stamp.context, &self.frontier);
    }

    /// Everything that was committed before the start has been read. From PostgreSQL 16 on a transaction that was cut off
    /// at its commit may count in the server's progress without its rows: the stream is the truth. Answers with each
    /// origin that was counted too far, how far, and where it stands.
    pub fn settle_frontier(&mut self) -> Vec<(Origin, Lsn, Lsn)> {
        let applied = self.stamper.applied();
        let ahead =
            |&(origin, counted): &(Origin, Lsn)| Lsn::ZERO < applied.get(origin) && applied.get(origin) < counted;
        let ahead: Vec<_> = self
            .frontier
            .iter()
            .filter(ahead)
            .map(|(o, lsn)| (o, lsn, applied.get(o)))
            .collect();
        let corrected = |(origin, lsn)| match ahead.iter().find(|(o, ..)| *o == origin) {
            Some((_, _, applied)) => (origin, *applied),
            None => (origin, lsn),
        };
        self.frontier = self.frontier.iter().map(corrected).collect();
        ahead
    }

    /// The transaction that was begun last was rolled back.
    pub fn given_up(&mut self) {
        self.in_flight.pop_back();
        #[cfg(feature = "mutants")]
        if crate::Mutant::NotGivenUp.is_chosen() {
            return;
        }
        self.registers.give_up();
    }

    /// The next re-check to run, if any.
    pub fn next_recheck(&self) -> Option<Recheck> {
        self.stamper.state().rechecks.first().copied()
    }

    /// Whether the rows of a re-check's batch need to be resolved again.
    pub fn needs_recheck(&mut self, recheck: &Recheck, row: RowId) -> bool {
        self.registers.written_here(row, recheck.decided_at, recheck.marker)
    }

    /// A re-check found no row to look at: nothing is left to commit for it.
    pub fn recheck_done(&mut self, recheck: &Recheck) {
        self.stamper.rechecks_mut().retain(|r| r != recheck);
    }

    /// Takes note of a transaction's write read back from a journal at the start: every origin's, in the order of HLC. After
    /// the last one comes [`Self::drop_again`].
    pub fn remember_write(&mut self, stamp: &Stamp, write: &Write) {
        self.registers.note(stamp, write.row, &write.op);
    }
}

#[cfg(feature = "mutants")]
fn mutated(mut progress: Progress, frontier: Context) -> (Progress, Context) {
    if crate::Mutant::AppliedFromServer.is_chosen() {
        progress.applied.join(&frontier);
    }
    let forgotten = crate::Mutant::FrontierForgotten.is_chosen();
    (progress, if forgotten { Context::new() } else { frontier })
}

#[cfg(test)]
mod tests;
