//! What every member has applied, and every member's stream says so.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use synapse_engine_identity::{Context, Hlc, Incarnation, NodeId, Origin};
use synapse_wal_types::Lsn;

/// What a node's stamper says of itself, now and then. Never the applier's frontier: that may run ahead of a local
/// transaction that has not been read yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Whose stamper speaks.
    pub origin: Origin,
    /// How far its capture has read.
    pub captured: Lsn,
    /// Its last transaction up to there.
    pub last_txn: Lsn,
    /// What it had applied of others there.
    pub applied: Context,
    /// What its journal holds durably. It may have applied more: what a crash takes from its journal, others bring back.
    pub durable: Context,
    /// Its time there.
    pub hlc: Hlc,
    /// Its server's clock when it spoke.
    pub clock: Hlc,
}

/// How far each member's stream has been followed, and what it had applied there.
#[derive(Debug)]
pub struct Stability {
    expected: usize,
    members: BTreeMap<NodeId, Member>,
    /// The latest life of each node that is known, also of one that has not been heard in it.
    lives: BTreeMap<NodeId, Incarnation>,
}

#[derive(Debug, Default)]
struct Member {
    origin: Option<Origin>,
    seen: Context,
    durable: Context,
    waiting: Option<Heartbeat>,
}

impl Stability {
    /// A cluster of `expected` nodes, this one among them, of which nothing is known yet: names come with what is heard.
    #[must_use]
    pub const fn new(expected: usize) -> Self {
        Stability {
            expected,
            members: BTreeMap::new(),
            lives: BTreeMap::new(),
        }
    }

    /// A member begins a new life: what its earlier ones had applied is not what this one holds.
    /// Answers whether `origin` is the latest life of its node that is known.
    pub fn life(&mut self, origin: Origin) -> bool {
        let latest = self.lives.entry(origin.node).or_insert(origin.incarnation);
        if *latest < origin.incarnation {
            *latest = origin.incarnation;
            self.members.remove(&origin.node);
        }
        *latest == origin.incarnation
    }

    /// A heartbeat came from a member. It counts once its last transaction is committed here.
    pub fn heard(&mut self, heartbeat: &Heartbeat, frontier: &Context) {
        if !self.life(heartbeat.origin) {
            return;
        }
        let member = self.members.entry(heartbeat.origin.node).or_default();
        member.durable.join(&heartbeat.durable);
        // The oldest one that waits is kept, else a busy link would put off stability for ever.
        let counts = |heartbeat: &Heartbeat| heartbeat.last_txn <= frontier.get(heartbeat.origin);
        if !member.waiting.as_ref().is_none_or(counts) {
            return;
        }
        if counts(heartbeat) {
            member.waiting = None;
            member.count(heartbeat.origin, heartbeat.last_txn, &heartbeat.applied);
        } else {
            member.waiting = Some(heartbeat.clone());
        }
    }

    /// A transaction of `origin` with this context was committed here.
    pub fn applied(&mut self, origin: Origin, lsn: Lsn, context: &Context, frontier: &Context) {
        if !self.life(origin) {
            return;
        }
        let member = self.members.entry(origin.node).or_default();
        member.count(origin, lsn, context);
        member.settle(frontier);
    }

    /// This node's own stamper: counts at once.
    pub fn own(&mut self, me: Origin, captured: Lsn, applied: &Context) {
        self.life(me);
        self.members.entry(me.node).or_default().count(me, captured, applied);
    }

    /// Up to where every member has applied `origin`, and has said so in the part of its stream that was followed.
    #[must_use]
    pub fn stable(&self, origin: Origin) -> Lsn {
        if self.members.len() < self.expected {
            return Lsn::ZERO;
        }
        let applied = |member: &Member| {
            if member.origin == Some(origin) {
                Lsn::MAX
            } else {
                member.seen.get(origin)
            }
        };
        #[cfg(feature = "mutants")]
        if crate::Mutant::StableTooEarly.is_chosen() {
            return self
                .members
                .values()
                .map(|m| m.seen.get(origin))
                .max()
                .unwrap_or(Lsn::ZERO);
        }
        self.members.values().map(applied).min().unwrap_or(Lsn::ZERO)
    }

    /// Up to where every member but `me` holds `origin` durably, or needs no journal of it: it is its own. A member that was
    /// not heard since the start may hold nothing: its journal may lack what it has applied.
    #[must_use]
    pub fn durable_elsewhere(&self, me: NodeId, origin: Origin) -> Lsn {
        if self.members.len() < self.expected {
            return Lsn::ZERO;
        }
        let others = self
            .members
            .iter()
            .filter(|(node, _)| **node != me && **node != origin.node);
        others
            .map(|(_, member)| member.durable.get(origin))
            .min()
            .unwrap_or(Lsn::MAX)
    }

    /// What `node` has applied of `origin`, as far as this node has followed its stream.
    #[must_use]
    pub fn applied_by(&self, node: NodeId, origin: Origin) -> Lsn {
        self.members
            .get(&node)
            .map_or(Lsn::ZERO, |member| member.seen.get(origin))
    }
}

impl Member {
    fn count(&mut self, origin: Origin, lsn: Lsn, context: &Context) {
        self.origin = Some(origin);
        self.seen.join(context);
        self.seen.advance(origin, lsn);
    }

    fn settle(&mut self, frontier: &Context) {
        if let Some(heartbeat) = self.waiting.take_if(|w| w.last_txn <= frontier.get(w.origin)) {
            self.count(heartbeat.origin, heartbeat.last_txn, &heartbeat.applied);
        }
    }
}
