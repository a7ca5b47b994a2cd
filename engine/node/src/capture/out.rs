//! What goes out of capture: blocks to the journal, the stamper's state to the syncer.

use synapse_engine_change::Block;
use synapse_engine_journal::encode_block;
use synapse_wal_types::Lsn;

use super::Capture;
use crate::error::Error;
use crate::shared::{UNPOISONED, lock};

impl Capture {
    /// Closes the open block, notes what waited for it, and hands the state of the stamper to the syncer.
    pub(super) async fn flush(&mut self) -> Result<(), Error> {
        // Within a transaction there is nothing to tell: the server sends its rows one by one.
        if !self.full && self.deferred.is_empty() && lock(&self.kernel).stamper().state().captured == self.flushed {
            return Ok(());
        }
        self.write_out()?;
        if let Some((last, ..)) = self.deferred.last() {
            self.until_durable(last.txn.lsn).await?;
        }
        for (stamp, xid, set) in std::mem::take(&mut self.deferred) {
            self.note(&stamp, &set);
            lock(&self.kernel).local_done(&stamp, xid);
        }
        let state = lock(&self.kernel).stamper().state().clone();
        self.flushed = state.captured;
        self.shared.captured.send_replace(state.captured);
        if self.full {
            return Ok(());
        }
        let end = self.shared.own_log()?.end();
        if !std::mem::take(&mut self.durable_first) {
            self.shared
                .shippable
                .send_if_modified(|shippable| std::mem::replace(shippable, end.max(*shippable)) < end);
        }
        self.shared.progress.lock().expect(UNPOISONED).latest = Some(state);
        self.shared.grew(self.shared.me);
        Ok(())
    }

    /// Appends the open block, if the journal has room.
    fn write_out(&mut self) -> Result<(), Error> {
        let room = self.shared.journal.room();
        if self.full && room {
            return Err(Error::RoomAgain);
        }
        let mut blocks = Vec::new();
        while let Some(block) = self.builder.finish() {
            blocks.push(block);
        }
        if !room && !self.full {
            tracing::warn!(
                limit_bytes = self.shared.journal.limit_bytes(),
                "the journal is at its limit: the slot waits until peers have applied more"
            );
            self.full = true;
        }
        if self.full {
            return Ok(());
        }
        // One transaction may be several blocks, between which the syncer must put nothing.
        let _own = self.shared.progress.lock().expect(UNPOISONED);
        self.append(blocks)
    }

    /// Waits until the own log is durable up to `lsn`. At the journal's limit nothing becomes durable, and nothing is
    /// sent either: what is stamped there is stamped again.
    pub(super) async fn until_durable(&self, lsn: Lsn) -> Result<(), Error> {
        if self.full {
            return Ok(());
        }
        self.shared.grew(self.shared.me);
        self.shared.hurry.notify_one();
        let mut durable = self.shared.durable.subscribe();
        let me = self.shared.me;
        tokio::select! {
            done = durable.wait_for(|durable| durable.get(me) >= lsn) => done.map(|_| ()).map_err(|_| Error::Stopping),
            () = self.shared.shutdown.cancelled() => Err(Error::Stopping),
        }
    }

    pub(super) fn append(&self, blocks: impl IntoIterator<Item = Block>) -> Result<(), Error> {
        let log = self.shared.own_log()?;
        for block in blocks {
            log.append(&encode_block(&block)?)?;
        }
        Ok(())
    }
}
