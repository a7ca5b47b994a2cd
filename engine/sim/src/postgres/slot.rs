//! The logical slot: what the walsender sends, and from where after a loss of the connection (slot.c, logical.c).

use synapse_wal_types::Lsn;

use super::server::Server;
use super::wal::Commit;
use crate::rng::Rng;

/// The slot's positions.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    confirmed: Lsn,
    /// What a crash leaves of it: PostgreSQL writes the slot to disk at its leisure.
    on_disk: Lsn,
}

impl Slot {
    pub(crate) const fn new(start: Lsn) -> Self {
        Slot {
            confirmed: start,
            on_disk: start,
        }
    }

    pub(crate) const fn confirmed(&self) -> Lsn {
        self.confirmed
    }

    /// Feedback of the reader. A position never goes back.
    pub(crate) fn confirm(&mut self, lsn: Lsn, rng: &mut Rng) {
        self.confirmed = self.confirmed.max(lsn);
        if rng.one_in(5) {
            self.on_disk = self.confirmed;
        }
    }

    pub(crate) const fn crash(&mut self) {
        self.confirmed = self.on_disk;
    }
}

impl Server {
    /// Where a walsender starts that a reader asks to start at `from`.
    pub(crate) fn start_sending(&self, from: Lsn) -> Lsn {
        from.max(self.slot.confirmed())
    }

    /// The next transaction after `sent`, if it is flushed.
    pub(crate) fn next_to_send(&self, sent: Lsn) -> Option<&Commit> {
        self.wal.after(sent).next()
    }
}
