//! ship and receive: own transactions to peers as soon as they are stamped, others' to whoever lacks them.

use std::rc::Rc;

use synapse_engine_change::Part;
use synapse_engine_replication::Monotonic;

use super::{Cursor, Phase, Question, Stand};
use crate::network::Message;
use crate::violation::Law;
use crate::world::{Event, World};

/// Shipping pauses after one in so many blocks.
const WAITS_ONE_IN: u64 = 10;

/// Blocks that one request brings at most.
const FETCH_MAX: usize = 20;

impl World {
    /// Sends something, if the link is up; it arrives in order, if the link stays up.
    pub(super) fn send(&mut self, from: usize, to: usize, message: Message) {
        let now = self.now();
        let link = &mut self.links[from][to];
        if !link.up {
            return;
        }
        let arrival = link.arrival(now, &mut self.rng);
        let epoch = link.epoch;
        self.schedule.after(
            arrival - now,
            Event::Arrive {
                from,
                to,
                epoch,
                message,
            },
        );
    }

    /// Sends every peer the own transactions it has not been sent.
    pub(crate) fn ship(&mut self, node: usize) {
        let origin = self.nodes[node].origin;
        if self.nodes[node].daemon.is_none() {
            return;
        }
        for peer in 0..self.nodes.len() {
            let link = &self.links[node][peer];
            if peer == node || !link.up || link.held {
                continue;
            }
            let Some(mut cursor) = link.cursor else { continue };
            while let Some(block) = self.next_block(node, origin, &mut cursor) {
                self.send(node, peer, block);
                // Between any two blocks the rest may have to wait.
                if self.rng.one_in(WAITS_ONE_IN) {
                    break;
                }
            }
            self.links[node][peer].cursor = Some(cursor);
        }
    }

    pub(crate) fn arrive(&mut self, from: usize, to: usize, epoch: u32, message: Message) {
        let link = &self.links[from][to];
        if !link.up || link.epoch != epoch || self.nodes[to].daemon.is_none() {
            return;
        }
        let now = Monotonic(self.now());
        match message {
            Message::Resume { after } => {
                self.links[to][from].cursor = Some(Cursor { after, parts: 0 });
                self.ship(to);
            }
            Message::Block(blocks) => self.receive(to, from, &blocks, Part::Whole),
            Message::Part { whole, part } => self.receive(to, from, &[whole], part),
            Message::Heartbeat(heartbeat) => {
                if let Some(daemon) = self.daemon(to) {
                    daemon.kernel.heard(&heartbeat, now);
                }
            }
            Message::Have(ends) => {
                for &(origin, end) in ends.iter() {
                    let mine = self.nodes[to].disk.end(origin);
                    if origin != self.nodes[to].origin && mine < end && self.rng.one_in(2) {
                        self.send(to, from, Message::Fetch { origin, after: mine });
                    }
                }
            }
            Message::Ask { id, table, key } => {
                let (peer, state) = (from, Stand::Unread);
                self.tell(
                    to,
                    Question {
                        peer,
                        id,
                        table,
                        key,
                        state,
                    },
                );
            }
            Message::Told { id, row } => self.told(to, id, row),
            Message::Fetch { origin, after } => {
                let mut cursor = Cursor { after, parts: 0 };
                for _ in 0..FETCH_MAX {
                    let Some(block) = self.next_block(to, origin, &mut cursor) else {
                        break;
                    };
                    self.send(to, from, block);
                }
            }
        }
    }

    /// Both ends are there: the receiver says where to go on.
    pub(crate) fn link_up(&mut self, from: usize, to: usize) {
        let both = self.nodes[from].daemon.is_some() && self.nodes[to].daemon.is_some();
        if from == to || !both || self.links[from][to].up {
            return;
        }
        self.links[from][to].up = true;
        self.links[from][to].cursor = None;
        self.links[to][from].up = true;
        self.links[to][from].cursor = None;
        for (sender, receiver) in [(from, to), (to, from)] {
            let after = self.nodes[receiver].disk.durable_end(self.nodes[sender].origin);
            self.send(receiver, sender, Message::Resume { after });
        }
    }

    /// Everything on the way to and from a node is lost.
    pub(crate) fn cut_links(&mut self, node: usize) {
        for peer in 0..self.nodes.len() {
            self.links[node][peer].cut();
            self.links[peer][node].cut();
        }
    }

    /// Heartbeats, gossip, pruning and the next fsync.
    pub(crate) fn tick(&mut self, node: usize) {
        let run = self.nodes[node].run;
        let now = Monotonic(self.now());
        let clock = self.clock(node);
        let disk = &self.nodes[node].disk;
        let ends: Rc<[_]> = disk
            .logs
            .iter()
            .map(|(origin, log)| (*origin, log.durable_end()))
            .collect();
        let Some(daemon) = self.daemon(node) else { return };
        if daemon.phase == Phase::Lacking {
            self.broadcast(node, &Message::Have(ends));
            self.begin_sync(node);
            return self.lack(node);
        }
        daemon.kernel.own_clock(clock, now);
        let heartbeat = daemon.kernel.heartbeat(clock, &ends.iter().copied().collect());
        self.broadcast(node, &Message::Heartbeat(Rc::new(heartbeat)));
        self.broadcast(node, &Message::Have(ends));
        self.begin_sync(node);
        self.prune(node);
        let delay = self.rng.latency(3_000);
        self.schedule.after(delay, Event::Tick { node, run });
    }

    fn broadcast(&mut self, node: usize, message: &Message) {
        for peer in 0..self.nodes.len() {
            if peer != node {
                self.send(node, peer, message.clone());
            }
        }
    }

    fn prune(&mut self, node: usize) {
        let limit = self.options.registers_max;
        let n = &mut self.nodes[node];
        let Some(daemon) = n.daemon.as_mut() else { return };
        let origins: Vec<_> = n.disk.logs.keys().copied().collect();
        daemon.kernel.prune(&origins);
        let kept = daemon.kernel.registers().rows_in_memory();
        let mut pruned = 0;
        for (origin, log) in &mut n.disk.logs {
            pruned += log.prune(daemon.kernel.prunable(*origin).min(log.durable_end()));
        }
        self.report.add("pruned", pruned);
        if kept > limit {
            self.violate(
                Law::MemoryIsBounded,
                format!("{kept} registers in memory, {limit} configured"),
            );
        }
    }
}
