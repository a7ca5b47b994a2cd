//! Whose clock is believed.

use std::collections::BTreeMap;

use synapse_engine_identity::{Hlc, NodeId};

/// A moment of this process's monotonic clock, in microseconds since an arbitrary start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Monotonic(pub u64);

/// How far a received clock is carried forward without news of it: after that it stands still.
const CARRIED_MAX_MICROS: u64 = 10_000_000;

/// The clocks of all members as last heard.
#[derive(Debug)]
pub struct Clocks {
    me: NodeId,
    members: usize,
    heard: BTreeMap<NodeId, (Hlc, Monotonic)>,
}

/// What the majority's clock says of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Believed {
    /// It is, and will be whichever majority is heard later: no member's clock lies so far behind it that it would be
    /// refused.
    Lasting,
    /// It is; another majority, heard after a restart, might refuse it. Or no majority is heard.
    Now,
    /// It lies ahead by more than the permitted skew.
    TooFar,
}

impl Clocks {
    /// Clocks of `members` nodes, `me` among them; none heard yet.
    #[must_use]
    pub fn new(me: NodeId, members: usize) -> Self {
        Clocks {
            me,
            members,
            heard: BTreeMap::new(),
        }
    }

    /// `node`'s clock said `clock` when its word arrived at `now`.
    pub fn hear(&mut self, node: NodeId, clock: Hlc, now: Monotonic) {
        self.heard.insert(node, (clock, now));
    }

    /// The latest time that a majority, this node included, has reached; of two nodes the lesser. `None` when no
    /// majority has been heard.
    #[must_use]
    pub fn majority(&self, now: Monotonic) -> Option<Hlc> {
        let mut clocks: Vec<Hlc> = self
            .heard
            .values()
            .map(|(clock, at)| carried(*clock, *at, now))
            .collect();
        clocks.sort_unstable_by(|a, b| b.cmp(a));
        clocks.get(self.members / 2).copied()
    }

    /// What received times are compared with: the majority's clock, or while none has been heard, as after a start, this
    /// node's own. What is applied cannot be taken back, and moves this node's own time ahead.
    #[must_use]
    pub fn reference(&self, now: Monotonic) -> Option<Hlc> {
        let own = || self.heard.get(&self.me).map(|(clock, at)| carried(*clock, *at, now));
        self.majority(now).or_else(own)
    }

    /// Whether a received `time` lies so far ahead that it must not be applied yet.
    #[must_use]
    pub fn holds(&self, time: Hlc, skew_max_micros: u64, now: Monotonic) -> bool {
        let reference = self.reference(now);
        reference.is_some_and(|reference| time.0 > reference.0.saturating_add(skew_max_micros))
    }

    /// Whether `time` may be believed, given the permitted skew in microseconds.
    #[must_use]
    pub fn believe(&self, time: Hlc, skew_max_micros: u64, now: Monotonic) -> Believed {
        match self.majority(now) {
            Some(_) if self.lasting(time, skew_max_micros, now) => Believed::Lasting,
            Some(majority) if time.0 > majority.0.saturating_add(skew_max_micros) => Believed::TooFar,
            Some(_) | None => Believed::Now,
        }
    }

    /// Whether `time` will be believed as it is now whichever members are heard again first, after a restart: none of
    /// them, not one that is not heard at all, lies so far behind it that a majority with it would refuse it.
    fn lasting(&self, time: Hlc, skew_max_micros: u64, now: Monotonic) -> bool {
        let lowest = self.heard.values().map(|(clock, at)| carried(*clock, *at, now)).min();
        self.heard.len() >= self.members
            && lowest.is_some_and(|lowest| time.0 <= lowest.0.saturating_add(skew_max_micros))
    }

    /// How far this node's clock is ahead of each other's, in microseconds; negative when behind.
    pub fn skews(&self, now: Monotonic) -> impl Iterator<Item = (NodeId, i64)> + '_ {
        let mine = self.heard.get(&self.me).map(|(clock, at)| carried(*clock, *at, now));
        self.heard
            .iter()
            .filter(|(node, _)| **node != self.me)
            .filter_map(move |(node, (clock, at))| {
                let theirs = carried(*clock, *at, now);
                Some((*node, mine?.0.cast_signed().saturating_sub(theirs.0.cast_signed())))
            })
    }
}

fn carried(clock: Hlc, at: Monotonic, now: Monotonic) -> Hlc {
    Hlc(clock
        .0
        .saturating_add(now.0.saturating_sub(at.0).min(CARRIED_MAX_MICROS)))
}

#[cfg(test)]
mod tests;
