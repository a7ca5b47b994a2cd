//! What is stable is dropped from the registers, and then forgotten: by the progress, and by journals.

use synapse_engine_identity::{Context, Origin};
use synapse_wal_types::Lsn;

use super::Kernel;
use crate::registers::Overflow;

/// What registers lost at a moment, and what was applied then.
#[derive(Debug)]
pub(super) struct Dropping {
    frontier: Context,
    dropped: Context,
    forgotten: Context,
}

impl<O: Overflow> Kernel<O> {
    /// Up to where `origin` is stable and nothing pending needs its transactions. A re-check, also one that a transaction in
    /// flight may ask for, needs its batch and what this node wrote since the batch was decided; a register may need the
    /// values of a stable write.
    pub fn stable(&self, origin: Origin) -> Lsn {
        self.unneeded(origin).min(self.before_needed(origin))
    }

    /// What comes before the first of `origin`'s transactions that a register may ask values of.
    fn before_needed(&self, origin: Origin) -> Lsn {
        let before = |lsn: Lsn| Lsn(lsn.0.saturating_sub(1));
        self.registers.needed(origin).map_or(Lsn::MAX, before)
    }

    /// Drops the registers of stable writes of these origins. What is [`Self::stable`] then is forgotten, and the progress
    /// says it, once all that is applied now is read in the own stream: until then a crash may take some of it back, and
    /// writes that did not see the stable ones come again.
    pub fn prune(&mut self, origins: &[Origin]) {
        let known = |origin: Origin| match origin == self.me {
            true => self.stamper.state().captured,
            false => self.frontier.get(origin),
        };
        let limit = |origin: &Origin| (*origin, self.unneeded(*origin).min(known(*origin)));
        let limits: Context = origins.iter().map(limit).collect();
        self.registers.prune(|origin, lsn| lsn <= limits.get(origin));
        if let Some(was) = self
            .dropping
            .take_if(|was| self.stamper.applied().covers_all(&was.frontier))
        {
            let state = self.stamper.state_mut();
            state.dropped.join(&was.dropped);
            state.forgotten.join(&was.forgotten);
        }
        if self.dropping.is_none() {
            let unneeded = |(origin, limit)| (origin, self.before_needed(origin).min(limit));
            self.dropping = Some(Dropping {
                frontier: self.frontier.clone(),
                forgotten: limits.iter().map(unneeded).collect(),
                dropped: limits,
            });
        }
    }

    /// The registers were made anew from what journals hold beyond what is forgotten: what was dropped before is dropped
    /// again. Without the writes that replaced them, some of it would count otherwise.
    pub fn drop_again(&mut self) {
        self.registers.drop_again();
    }

    /// What journals hold of `origin` up to here may be dropped: no start reads it, and no member whose journal may lose in
    /// a crash what it has applied asks for it.
    pub fn prunable(&self, origin: Origin) -> Lsn {
        self.forgotten
            .get(origin)
            .min(self.stability.durable_elsewhere(self.me.node, origin))
    }

    /// As [`Self::stable`], but for values that a register may ask for.
    pub(super) fn unneeded(&self, origin: Origin) -> Lsn {
        let mut limit = self.stability.stable(origin);
        let now = self.stamper.state().rechecks.iter();
        for recheck in now.chain(&self.durable_rechecks).chain(&self.unsettled) {
            if recheck.origin == origin {
                limit = limit.min(Lsn(recheck.first.0.saturating_sub(1)));
            }
            if origin == self.me {
                limit = limit.min(recheck.decided_at);
            }
        }
        if origin == self.me {
            let in_flight = self.in_flight.iter().map(|flight| flight.decided_at);
            limit = in_flight.fold(limit, Lsn::min);
        }
        limit
    }
}
