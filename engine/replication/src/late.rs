//! Local transactions that have committed and that the server does not show yet.
//!
//! A commit stands in the log, and is read there, before it is visible: for microseconds, or for as long as a synchronous
//! standby takes. A row that such a transaction inserted is known to its register and found by no statement. Nothing looks
//! again at a row that was left alone as absent, for the insert was read before the verdict: so it is waited for.

use std::collections::VecDeque;

use synapse_wal_types::Xid;

/// Local transactions that were read last and are known by their xid. The server knows those that have committed, but for
/// the moment between their record and their commit timestamp, in which fewer than this are read.
const RECENT_MAX: usize = 4_096;

/// A transaction that a new snapshot would not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InProgress {
    /// Its xid.
    pub xid: Xid,
    /// Whether it has a commit timestamp: its commit record stands in the log.
    pub committed: bool,
}

/// The local transactions that were read last.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<Xid>);

impl Recent {
    pub(crate) fn read(&mut self, xid: Xid) {
        if self.0.len() == RECENT_MAX {
            self.0.pop_front();
        }
        self.0.push_back(xid);
    }

    /// Those that have committed.
    pub(crate) fn late(&self, in_progress: &[InProgress]) -> Vec<Xid> {
        let committed = in_progress.iter().filter(|t| t.committed || self.0.contains(&t.xid));
        committed.map(|t| t.xid).collect()
    }
}
