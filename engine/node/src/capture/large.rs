//! Transactions too large for memory.

use synapse_engine_journal::Parts;
use synapse_wal_pgoutput::Committed;

use super::{Capture, stream, transaction};
use crate::error::Error;
use crate::shared::{UNPOISONED, lock};

impl Capture {
    /// A transaction too large for memory: from the spool into blocks of its own.
    pub(super) async fn large(&mut self, committed: &Committed, stream: stream::Stream) -> Result<(), Error> {
        self.flush().await?;
        let (stamped, journalled) = self.stamp(committed);
        let stamp = &stamped.stamp;
        let writes = !journalled && !self.full;
        let mut parts = Parts::new(self.shared.me, transaction(committed, stamp));
        let mut any = false;
        self.shared.progress.lock().expect(UNPOISONED).within_parts = true;
        for chunk in stream.replay() {
            let chunk = chunk?;
            any = true;
            self.relations.check(&chunk).await?;
            self.count(chunk.len());
            if !stamped.durable_first {
                self.note(stamp, &chunk);
            }
            let mut blocks = Vec::new();
            if writes {
                parts.push(&chunk, 0..chunk.len(), &mut blocks)?;
            }
            self.append(blocks)?;
        }
        if any && writes {
            self.durable_first |= stamped.durable_first;
            self.append([parts.finish()])?;
        }
        self.shared.progress.lock().expect(UNPOISONED).within_parts = false;
        if any && stamped.durable_first {
            self.until_durable(stamp.txn.lsn).await?;
            for chunk in stream.replay() {
                self.note(stamp, &chunk?);
            }
        }
        if any {
            lock(&self.kernel).local_done(stamp, committed.xid);
        } else {
            lock(&self.kernel).nothing_up_to(committed.end_lsn);
        }
        stream.remove()?;
        self.flush().await
    }
}
