//! Stamps: a pure function of the stream.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use synapse_engine_identity::{Context, Epoch, Hlc, Origin, Stamp, TxnId};
use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use crate::clock::Believed;
use crate::marker::{Barrier, Marker, MarkerKind};
use crate::recheck::Recheck;

/// What must be durable before a confirmation passes a marker: the stamper's whole state at a position.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Everything in the stream up to here is in this state.
    pub captured: Lsn,
    /// What this node has applied of others, by its own stream's word.
    pub applied: Context,
    /// Time of the last item.
    pub hlc: Hlc,
    /// Policies in force.
    pub epoch: Epoch,
    /// End of the last local transaction that was stamped.
    pub last_txn: Lsn,
    /// Re-checks whose transaction has not been captured.
    pub rechecks: Vec<Recheck>,
    /// Writes up to here were stable, and dropped from the registers unless a later one needs them.
    pub dropped: Context,
    /// Nothing here needs what is up to here, and no start reads it: registers are made anew from what comes after it, and
    /// then what was dropped is dropped again.
    pub forgotten: Context,
}

/// Gives each local transaction its stamp.
#[derive(Debug)]
pub struct Stamper {
    me: Origin,
    state: Progress,
    applied: Arc<Context>,
    horizon: Option<Xid>,
    barrier: Option<u64>,
}

/// A local transaction's stamp, and when it may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The stamp.
    pub stamp: Stamp,
    /// Whether it depends on more than the stream, so that it must be durable in the journal before it is sent, and
    /// before its writes are noted: after a crash it might be another one, and no verdict may have relied on this one.
    pub durable_first: bool,
}

impl Stamper {
    /// Goes on from a durable state.
    #[must_use]
    pub fn new(me: Origin, state: Progress) -> Self {
        let applied = Arc::new(state.applied.clone());
        Stamper {
            me,
            state,
            applied,
            horizon: None,
            barrier: None,
        }
    }

    /// Its whole state.
    #[must_use]
    pub const fn state(&self) -> &Progress {
        &self.state
    }

    pub(crate) const fn rechecks_mut(&mut self) -> &mut Vec<Recheck> {
        &mut self.state.rechecks
    }

    pub(crate) const fn state_mut(&mut self) -> &mut Progress {
        &mut self.state
    }

    /// What this node has applied of others.
    #[must_use]
    pub const fn applied(&self) -> &Arc<Context> {
        &self.applied
    }

    /// Whether the item that ends at `lsn` is already in this state and changes nothing when it is read again.
    #[must_use]
    pub fn knows(&self, lsn: Lsn) -> bool {
        lsn <= self.state.captured
    }

    /// Every xid below it had ended, and its transaction has been read: rows it wrote are known. `None` until the
    /// first marker or barrier has been read.
    #[must_use]
    pub const fn horizon(&self) -> Option<Xid> {
        self.horizon
    }

    /// The last barrier that was read.
    #[must_use]
    pub const fn barrier(&self) -> Option<u64> {
        self.barrier
    }

    /// Stamps a local transaction that ends at `end` and committed at `commit`, by its server's clock.
    ///
    /// # Panics
    /// When the stream goes back: a stamp given twice could change.
    pub fn local(&mut self, end: Lsn, commit: PgTimestamp, believe: impl FnOnce(Hlc) -> Believed) -> Stamped {
        assert!(
            end > self.state.captured,
            "the stream goes back from {} to {end}",
            self.state.captured
        );
        let clock = Hlc(commit.0.max(0).cast_unsigned());
        let next = Hlc(self.state.hlc.0 + 1);
        let believed = believe(clock);
        let hlc = match believed {
            Believed::Lasting | Believed::Now => next.max(clock),
            Believed::TooFar => next,
        };
        self.state.hlc = hlc;
        let txn = TxnId {
            origin: self.me,
            lsn: end,
        };
        let stamp = Stamp {
            txn,
            context: Arc::clone(&self.applied),
            hlc,
            epoch: self.state.epoch,
        };
        Stamped {
            stamp,
            durable_first: believed != Believed::Lasting,
        }
    }

    /// All of the local transaction that ends at `end` has been noted: it counts as read.
    pub fn local_done(&mut self, end: Lsn) {
        self.state.captured = end;
        self.state.last_txn = end;
    }

    /// Takes a stamp that the journal already holds for a transaction that is read again.
    pub fn known_local(&mut self, stamp: &Stamp) {
        self.state.hlc = self.state.hlc.max(stamp.hlc);
        self.state.epoch = self.state.epoch.max(stamp.epoch);
    }

    /// A transaction of our applier that ends at `end`.
    pub fn marker(&mut self, end: Lsn, marker: &Marker) {
        self.state.captured = self.state.captured.max(end);
        self.state.hlc = self.state.hlc.max(marker.hlc);
        if !mutant!(MarkerEpochForgotten) {
            self.state.epoch = self.state.epoch.max(marker.epoch);
        }
        self.horizon = Some(marker.xmin);
        match marker.kind {
            MarkerKind::Batch => {
                if self.state.applied.advance(marker.origin, marker.last) {
                    self.applied = Arc::new(self.state.applied.clone());
                }
            }
            MarkerKind::Recheck { .. } => {}
        }
    }

    /// A barrier that ends at `end`.
    pub fn barrier_read(&mut self, end: Lsn, barrier: Barrier) {
        self.state.captured = self.state.captured.max(end);
        self.horizon = Some(barrier.xmin);
        self.barrier = Some(barrier.id);
    }

    /// Nothing of interest up to `lsn`: a keepalive, or a transaction that is no item.
    pub fn nothing_up_to(&mut self, lsn: Lsn) {
        self.state.captured = self.state.captured.max(lsn);
    }
}
