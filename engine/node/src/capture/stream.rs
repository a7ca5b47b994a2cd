//! Transactions in progress, too large for memory or streamed before their commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use synapse_engine_change::ChangeSet;
use synapse_engine_journal::Spool;

use crate::error::Error;
use crate::shared::Shared;

/// Chunks in the spool are about as large as this, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

/// One transaction in progress.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) open: ChangeSet,
    pub(super) spool: Option<Spool>,
    /// Whether it is our applier's, which nothing is kept of.
    ours: bool,
    aborted: HashSet<u32>,
}

/// All of them, by top-level xid.
pub(super) struct Streams {
    shared: Arc<Shared>,
    streams: HashMap<u32, Stream>,
}

impl Streams {
    /// The key of the committed transaction that is being read; no xid is zero.
    pub(super) const COMMITTED: u32 = 0;

    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Streams {
            shared,
            streams: HashMap::new(),
        }
    }

    pub(super) fn open(&mut self, xid: u32) -> &mut ChangeSet {
        &mut self.streams.entry(xid).or_default().open
    }

    pub(super) fn set_ours(&mut self, xid: u32) {
        self.streams.entry(xid).or_default().ours = true;
    }

    pub(super) fn is_ours(&self, xid: u32) -> bool {
        self.streams.get(&xid).is_some_and(|stream| stream.ours)
    }

    /// Moves `changes` to the spool of `xid`.
    pub(super) fn spill(&mut self, xid: u32, changes: &mut ChangeSet) -> Result<(), Error> {
        let stream = self.streams.entry(xid).or_default();
        if stream.spool.is_none() {
            stream.spool = Some(self.shared.journal.spool(xid, next_attempt())?);
        }
        stream.append(&std::mem::take(changes))
    }

    pub(super) fn spill_if_large(&mut self, xid: u32) -> Result<(), Error> {
        let Some(stream) = self.streams.get_mut(&xid) else {
            return Ok(());
        };
        if stream.open.bytes() < CHUNK_BYTES {
            return Ok(());
        }
        let mut open = std::mem::take(&mut stream.open);
        self.spill(xid, &mut open)
    }

    pub(super) fn abort(&mut self, xid: u32, subxid: u32) -> Result<(), Error> {
        if xid == subxid {
            return self.take(xid).remove();
        }
        self.streams.entry(xid).or_default().aborted.insert(subxid);
        Ok(())
    }

    pub(super) fn take(&mut self, xid: u32) -> Stream {
        self.streams.remove(&xid).unwrap_or_default()
    }
}

/// Tells spools of one process apart.
fn next_attempt() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

impl Stream {
    pub(super) fn append(&mut self, changes: &ChangeSet) -> Result<(), Error> {
        let spool = self
            .spool
            .as_mut()
            .expect("only a transaction with a spool is appended to");
        Ok(spool.append(changes)?)
    }

    /// The changes that were not rolled back, chunk by chunk.
    pub(super) fn replay(&self) -> impl Iterator<Item = Result<ChangeSet, Error>> + '_ {
        let spool = self.spool.iter();
        spool
            .flat_map(|spool| spool.replay(&self.aborted))
            .map(|chunk| chunk.map_err(Error::from))
    }

    /// Leaves out what was rolled back, of changes that never went to the spool.
    pub(super) fn drop_aborted(&self, changes: &mut ChangeSet) -> Result<(), Error> {
        if !self.aborted.is_empty() {
            let mut kept = ChangeSet::new();
            kept.extend_from(changes, 0..changes.len(), |xid| !self.aborted.contains(&xid))?;
            *changes = kept;
        }
        Ok(())
    }

    pub(super) fn remove(self) -> Result<(), Error> {
        match self.spool {
            Some(spool) => Ok(spool.remove()?),
            None => Ok(()),
        }
    }
}
