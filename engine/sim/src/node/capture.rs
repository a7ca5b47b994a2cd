//! capture and stamp: the node's own stream, item by item; and the journal's fsync with the confirmations behind it.

use std::rc::Rc;
use std::sync::Arc;

use synapse_engine_change::{Block, Part, Transaction};
use synapse_engine_identity::{Origin, TxnId};
use synapse_engine_plan::PolicySet;
use synapse_engine_replication::{Message, Monotonic};

use super::Phase;
use super::live::Noted;
use crate::disk::Entry;
use crate::mutation;
use crate::policies;
use crate::postgres::{Commit, decode};
use crate::violation::Law;
use crate::world::{Event, World};

impl World {
    /// Reads the next transaction that the walsender may send.
    pub(crate) fn capture(&mut self, node: usize) {
        let (run, lag) = (self.nodes[node].run, self.nodes[node].capture_lag);
        let n = &self.nodes[node];
        let Some(daemon) = n.daemon.as_ref() else { return };
        if daemon.stamped.is_some() {
            return;
        }
        let sent = daemon.sent;
        match n.server.next_to_send(sent).cloned() {
            Some(commit) => {
                self.read(node, &commit);
                if let Some(daemon) = self.daemon(node) {
                    daemon.sent = commit.end;
                    if daemon.stamped.is_none() {
                        let delay = self.rng.between(1, 200);
                        self.schedule.after(delay, Event::Capture { node, run });
                    }
                }
            }
            None => {
                let delay = self.rng.latency(if self.calm { 1_000 } else { lag });
                self.schedule.after(delay, Event::Capture { node, run });
            }
        }
        self.barrier_read(node);
        self.ship(node);
    }

    fn read(&mut self, node: usize, commit: &Commit) {
        let now = Monotonic(self.now());
        let clock = self.clock(node);
        let Some(daemon) = self.daemon(node) else { return };
        daemon.kernel.own_clock(clock, now);
        if daemon.kernel.stamper().knows(commit.end) {
            return;
        }
        let message = commit.first_message().map(str::parse::<Message>);
        self.trace(node, || format!("reads {commit:?}"));
        let Some(daemon) = self.daemon(node) else { return };
        match message {
            Some(Ok(Message::Marker(marker))) => {
                let before = daemon.kernel.next_recheck();
                daemon.kernel.marker(commit.end, &marker, &World::contentions(commit));
                if let synapse_engine_replication::MarkerKind::Recheck { of } = marker.kind {
                    daemon.rechecked.retain(|waiting| *waiting != of);
                }
                if before.is_none() && daemon.kernel.next_recheck().is_some() {
                    self.report.add("re-checks asked for", 1);
                }
            }
            Some(Ok(Message::Barrier(barrier))) => daemon.kernel.barrier(commit.end, barrier),
            Some(Err(error)) => self.violate(Law::NoError, error.to_string()),
            None => self.read_local(node, commit),
        }
    }

    fn read_local(&mut self, node: usize, commit: &Commit) {
        if !commit.publishes() {
            if let Some(daemon) = self.daemon(node) {
                daemon.kernel.nothing_up_to(commit.end);
            }
            return;
        }
        let origin = self.nodes[node].origin;
        let txn = TxnId {
            origin,
            lsn: commit.end,
        };
        let known = self.nodes[node].disk.block(txn).cloned();
        let now = Monotonic(self.now());
        let changes = decode(commit, &self.relations);
        let Some(daemon) = self.nodes[node].daemon.as_mut() else {
            return;
        };
        for contention in World::contentions(commit) {
            daemon.kernel.contention(&contention);
        }
        let sets = changes
            .iter(0..changes.len())
            .filter_map(|change| policies::of_change(&change));
        for PolicySet { epoch, table, rules } in sets {
            daemon.kernel.learn(epoch, table, rules);
            daemon.kernel.raise(epoch);
        }
        if let Some(block) = known {
            daemon.kernel.known_local(&block.stamp(0));
            return self.note(node, &block);
        }
        let stamped = daemon.kernel.stamp_local(commit.end, commit.commit_ts, now);
        let transaction = Transaction {
            lsn: commit.end,
            hlc: stamped.stamp.hlc,
            context: Arc::clone(&stamped.stamp.context),
            epoch: stamped.stamp.epoch,
            commit_ts: commit.commit_ts,
            xid: commit.xid,
            changes: 0..changes.len(),
            part: Part::Whole,
        };
        let block = Rc::new(Block {
            origin,
            transactions: vec![transaction],
            changes,
        });
        self.nodes[node]
            .disk
            .log(origin)
            .append(Entry::Block(Rc::clone(&block)));
        if stamped.durable_first {
            // Read again after a crash it would be stamped anew: nothing may rely on this stamp before.
            self.report.add("stamps durable first", 1);
            self.nodes[node].unsafe_to_send.insert(commit.end);
            if let Some(daemon) = self.daemon(node) {
                daemon.stamped = Some(block);
            }
            self.begin_sync(node);
        } else {
            self.note(node, &block);
        }
    }

    /// The transaction's writes are known from here on.
    fn note(&mut self, node: usize, block: &Block) {
        let stamp = block.stamp(0);
        self.trace(node, || format!("stamped {stamp:?}"));
        let Some(daemon) = self.nodes[node].daemon.as_ref() else {
            return;
        };
        let writes = self.writes(block, daemon.kernel.policies());
        let Some(daemon) = self.daemon(node) else { return };
        for write in writes {
            match write {
                Noted::Write(write) => daemon.kernel.note_local(&stamp, &write),
                Noted::Truncate(table) => daemon.kernel.note_local_truncate(&stamp, table),
            }
        }
        daemon.kernel.local_done(&stamp, block.transactions[0].xid);
    }

    /// Capture goes on if what it waited for is durable.
    fn stamp_is_durable(&mut self, node: usize) {
        let run = self.nodes[node].run;
        let durable = self.nodes[node].disk.durable_end(self.nodes[node].origin);
        let waited = self
            .daemon(node)
            .and_then(|daemon| daemon.stamped.take_if(|block| block.transactions[0].lsn <= durable));
        match waited {
            Some(block) => {
                self.note(node, &block);
                self.schedule.after(1, Event::Capture { node, run });
            }
            None if self.daemon(node).is_some_and(|daemon| daemon.stamped.is_some()) => self.begin_sync(node),
            None => {}
        }
    }

    /// Lets go on who waits for a barrier that has been read.
    fn barrier_read(&mut self, node: usize) {
        let Some(daemon) = self.daemon(node) else { return };
        let read = daemon.kernel.stamper().barrier();
        if daemon.read_first.is_some_and(|id| read >= Some(id)) {
            daemon.read_first = None;
        }
        match daemon.phase {
            Phase::Reading(id) if read >= Some(id) => daemon.phase = Phase::Running,
            Phase::Lacking | Phase::Reading(_) => {}
            Phase::Running => self.job_barrier_read(node, read),
        }
    }

    /// Begins an fsync of all journals; a progress item goes with it.
    pub(crate) fn begin_sync(&mut self, node: usize) {
        let n = &mut self.nodes[node];
        let (run, origin) = (n.run, n.origin);
        let Some(daemon) = n.daemon.as_mut() else { return };
        if daemon.syncing {
            return;
        }
        daemon.syncing = true;
        let (progress, log) = (daemon.kernel.stamper().state(), n.disk.log(origin));
        if log.last_progress(false) != Some(progress) && !mutation::skips_progress() {
            log.append(Entry::Progress(Box::new(progress.clone())));
        }
        let lens = n.disk.lens();
        let delay = self.rng.latency(800);
        self.schedule.after(delay, Event::Synced { node, run, lens });
    }

    /// The fsync has ended: what it covered may be confirmed, acknowledged and sent.
    pub(crate) fn synced(&mut self, node: usize, lens: &[(Origin, usize)]) {
        let n = &mut self.nodes[node];
        for (origin, len) in lens {
            n.disk.log(*origin).synced(*len);
        }
        let Some(daemon) = n.daemon.as_mut() else { return };
        daemon.syncing = false;
        let captured = daemon.kernel.stamper().state().captured;
        let durable = n.disk.durable_end(n.origin);
        n.unsafe_to_send.retain(|lsn| *lsn > durable);
        for block in n.disk.logs.values_mut().flat_map(crate::disk::Log::newly_durable) {
            let stamp = block.stamp(0);
            self.stamps.entry(stamp.txn).or_insert(stamp);
        }
        if mutation::skips_progress() {
            n.server.slot.confirm(captured, &mut self.rng);
        } else if let Some(progress) = n.disk.log(n.origin).last_progress(true) {
            daemon.kernel.progress_durable(progress);
            let confirmed = progress.captured;
            n.server.slot.confirm(confirmed, &mut self.rng);
            if confirmed > captured {
                self.violate(
                    Law::ConfirmedDurableCaptured,
                    format!("confirmed {confirmed}, captured {captured}"),
                );
            }
        }
        self.stamp_is_durable(node);
        self.ship(node);
    }
}
