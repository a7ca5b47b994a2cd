//! capture -> stamp -> journal: this node's own stream, in its order.

mod local;
mod relations;
mod stream;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use synapse_engine_change::{ChangeSet, Transaction};
use synapse_engine_identity::Stamp;
use synapse_engine_journal::{BlockBuilder, Parts, encode_block};
use synapse_engine_replication::{Message, PREFIX, Stamped};
use synapse_wal_client::{Event, StreamReader};
use synapse_wal_pgoutput::{Assembler, Change, Committed, First, Step};
use synapse_wal_types::{Lsn, Xid};

use crate::error::Error;
use crate::shared::{ASKED, NodeKernel, Shared, UNPOISONED, lock};
use local::note;
use relations::Relations;
use stream::Streams;

/// A transaction whose changes outgrow this, in bytes, goes to the spool while it is read.
const IN_MEMORY_MAX: usize = 4 << 20;

/// How long a transaction of our applier is left alone between two reads. The server sends every row of it by itself; nobody
/// here waits for any of them, and to wake for each would cost both sides more than the row.
const OURS_REST: Duration = Duration::from_micros(500);

/// The reader of this node's own stream. It has a thread of its own: it rests there without giving it up.
pub(crate) struct Capture {
    shared: Arc<Shared>,
    kernel: Arc<Mutex<NodeKernel>>,
    relations: Relations,
    /// The committed transaction that is being read.
    open: ChangeSet,
    streams: Streams,
    builder: BlockBuilder,
    /// Stamps of transactions that the journal holds beyond the last progress: they are read again.
    known: VecDeque<Stamp>,
    /// Transactions whose stamps must be durable before anything is decided by them.
    deferred: Vec<(Stamp, Xid, ChangeSet)>,
    /// Whether a stamp in the open block depends on more than the stream.
    durable_first: bool,
    /// Whether the committed transaction that is being read is our applier's.
    ours: bool,
    /// Whether what was read last is a row of our applier.
    rests: bool,
    /// Whether the journal is at its limit: what is read is stamped and indexed, and read again later.
    full: bool,
}

impl Capture {
    pub(crate) fn new(
        shared: Arc<Shared>,
        kernel: Arc<Mutex<NodeKernel>>,
        sql: tokio_postgres::Client,
        known: VecDeque<Stamp>,
    ) -> Self {
        Capture {
            relations: Relations::new(Arc::clone(&shared), sql),
            builder: BlockBuilder::new(shared.me),
            streams: Streams::new(Arc::clone(&shared)),
            open: ChangeSet::new(),
            deferred: Vec::new(),
            durable_first: false,
            ours: false,
            rests: false,
            full: false,
            shared,
            kernel,
            known,
        }
    }

    /// Reads until the stream ends or breaks.
    pub(crate) async fn run(mut self, mut reader: StreamReader) -> Result<(), Error> {
        let mut assembler = Assembler::new();
        loop {
            let event = match reader.next().now_or_never() {
                Some(event) => event,
                None => {
                    // Nothing more is waiting: what was read goes out at once.
                    self.flush().await?;
                    if self.rests {
                        rest();
                    }
                    reader.next().await
                }
            };
            match event? {
                None => return Err(Error::Refused("the server ended the stream".to_owned())),
                Some(Event::Keepalive { wal_end, .. }) => {
                    if assembler.open_streams() == 0 {
                        self.settle().await?;
                        lock(&self.kernel).nothing_up_to(wal_end);
                    }
                }
                Some(Event::XLogData { data, .. }) => {
                    let step = assembler.feed(&data)?;
                    self.step(step, &assembler).await?;
                }
            }
        }
    }

    async fn step(&mut self, step: Step<'_>, assembler: &Assembler) -> Result<(), Error> {
        self.rests = false;
        match step {
            Step::Noted | Step::Message(_) | Step::ChunkStart { .. } => Ok(()),
            Step::Begin(_) => {
                self.open = ChangeSet::new();
                self.ours = false;
                Ok(())
            }
            Step::Change(Change::Message { .. }) => {
                self.ours = self.ours || assembler.first().and_then(our_message).is_some();
                Ok(())
            }
            Step::ChunkChange {
                xid,
                change: Change::Message { .. },
                ..
            } => {
                if assembler.first().and_then(our_message).is_some() {
                    self.streams.set_ours(xid.0);
                }
                Ok(())
            }
            // Their origin's log has them.
            Step::Change(_) if self.ours => {
                self.rests = true;
                Ok(())
            }
            Step::ChunkChange { xid, .. } if self.streams.is_ours(xid.0) => {
                self.rests = true;
                Ok(())
            }
            Step::Change(change) => {
                self.relations.push(&mut self.open, &change, 0).await?;
                if self.open.bytes() > IN_MEMORY_MAX {
                    self.streams.spill(Streams::COMMITTED, &mut self.open)?;
                }
                Ok(())
            }
            Step::ChunkChange { xid, subxid, change } => {
                let set = self.streams.open(xid.0);
                self.relations.push(set, &change, subxid.0).await?;
                self.streams.spill_if_large(xid.0)
            }
            Step::ChunkStop { xid } => self.streams.spill_if_large(xid.0),
            Step::StreamAbort { xid, subxid, .. } => self.streams.abort(xid.0, subxid.0),
            Step::Commit(committed) => self.commit(&committed).await,
        }
    }

    async fn commit(&mut self, committed: &Committed) -> Result<(), Error> {
        let key = if committed.streamed {
            committed.xid.0
        } else {
            Streams::COMMITTED
        };
        let mut stream = self.streams.take(key);
        let mut rest = if committed.streamed {
            std::mem::take(&mut stream.open)
        } else {
            std::mem::take(&mut self.open)
        };
        if lock(&self.kernel).stamper().knows(committed.end_lsn) {
            return stream.remove();
        }
        if let Some(message) = our_message(&committed.first) {
            stream.remove()?;
            self.settle().await?;
            return self.take_ours(committed.end_lsn, &message);
        }
        if stream.spool.is_none() {
            stream.drop_aborted(&mut rest)?;
            if rest.is_empty() {
                self.settle().await?;
                lock(&self.kernel).nothing_up_to(committed.end_lsn);
                return Ok(());
            }
            return self.small(committed, rest).await;
        }
        if !rest.is_empty() {
            stream.append(&rest)?;
        }
        self.large(committed, stream).await
    }

    /// A transaction of our applier, or a barrier.
    fn take_ours(&mut self, end: Lsn, message: &Message) -> Result<(), Error> {
        match message {
            Message::Marker(marker) => lock(&self.kernel).marker(end, marker),
            Message::Barrier(barrier) => {
                lock(&self.kernel).barrier(end, *barrier);
                // The applier may hold locks while it waits for this one.
                let whose = if barrier.id & ASKED == 0 {
                    &self.shared.barrier
                } else {
                    &self.shared.asked_barrier
                };
                whose.send_replace(barrier.id);
            }
        }
        self.shared.stir();
        Ok(())
    }

    fn stamp(&mut self, committed: &Committed) -> (Stamped, bool) {
        let mut kernel = lock(&self.kernel);
        while self
            .known
            .front()
            .is_some_and(|known| known.txn.lsn < committed.end_lsn)
        {
            self.known.pop_front();
        }
        if let Some(stamp) = self.known.pop_front_if(|known| known.txn.lsn == committed.end_lsn) {
            kernel.known_local(&stamp);
            return (
                Stamped {
                    stamp,
                    durable_first: false,
                },
                true,
            );
        }
        (
            kernel.stamp_local(committed.end_lsn, committed.commit_ts, self.shared.clock.monotonic()),
            false,
        )
    }

    async fn small(&mut self, committed: &Committed, set: ChangeSet) -> Result<(), Error> {
        self.relations.check(&set).await?;
        let (stamped, journalled) = self.stamp(committed);
        self.count(set.len());
        if !journalled {
            self.durable_first |= stamped.durable_first;
            self.builder
                .push(&transaction(committed, &stamped.stamp), &set, 0..set.len())?;
        }
        if stamped.durable_first || !self.deferred.is_empty() {
            self.deferred.push((stamped.stamp, committed.xid, set));
        } else {
            self.note(&stamped.stamp, &set);
            lock(&self.kernel).local_done(&stamped.stamp, committed.xid);
        }
        if self.builder.is_full() {
            self.flush().await
        } else {
            Ok(())
        }
    }

    fn note(&self, stamp: &Stamp, set: &ChangeSet) {
        note(&mut lock(&self.kernel), stamp, &self.relations, set);
    }

    /// Notes what waits for its stamp to be durable. Nothing later is looked at before.
    async fn settle(&mut self) -> Result<(), Error> {
        if self.deferred.is_empty() {
            Ok(())
        } else {
            self.flush().await
        }
    }

    /// A transaction too large for memory: from the spool into blocks of its own.
    async fn large(&mut self, committed: &Committed, stream: stream::Stream) -> Result<(), Error> {
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

    /// Waits until the own log is durable up to `lsn`. At the journal's limit nothing becomes durable, and nothing is
    /// sent either: what is stamped there is stamped again.
    async fn until_durable(&self, lsn: Lsn) -> Result<(), Error> {
        if self.full {
            return Ok(());
        }
        self.shared.grew();
        self.shared.hurry.notify_one();
        let mut durable = self.shared.durable.subscribe();
        let me = self.shared.me;
        tokio::select! {
            done = durable.wait_for(|durable| durable.get(me) >= lsn) => done.map(|_| ()).map_err(|_| Error::Stopping),
            () = self.shared.shutdown.cancelled() => Err(Error::Stopping),
        }
    }

    fn count(&self, changes: usize) {
        self.shared.counters.captured_transactions.add(1);
        self.shared.counters.captured_changes.add(changes as u64);
    }

    fn append(&self, blocks: impl IntoIterator<Item = synapse_engine_change::Block>) -> Result<(), Error> {
        let log = self.shared.own_log()?;
        for block in blocks {
            log.append(&encode_block(&block)?)?;
        }
        Ok(())
    }

    /// Closes the open block, notes what waited for it, and hands the state of the stamper to the syncer.
    async fn flush(&mut self) -> Result<(), Error> {
        self.write_out()?;
        if let Some((last, ..)) = self.deferred.last() {
            self.until_durable(last.txn.lsn).await?;
        }
        for (stamp, xid, set) in std::mem::take(&mut self.deferred) {
            self.note(&stamp, &set);
            lock(&self.kernel).local_done(&stamp, xid);
        }
        let state = lock(&self.kernel).stamper().state().clone();
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
        self.shared.grew();
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
}

/// Lets rows of our applier gather. The whole thread rests: a runtime that waits for the socket would be woken by each.
#[expect(
    clippy::disallowed_methods,
    reason = "it waits for nothing, and nothing else runs on this thread"
)]
fn rest() {
    std::thread::sleep(OURS_REST);
}

/// The marker or barrier that a transaction of ours begins with.
fn our_message(first: &First) -> Option<Message> {
    let First::Message { prefix, content } = first else {
        return None;
    };
    if prefix.as_ref() != PREFIX {
        return None;
    }
    let parsed = String::from_utf8_lossy(content).parse();
    parsed
        .inspect_err(|error| {
            tracing::warn!(%error, "a transaction begins with a message of ours that cannot be read; it counts as the application's");
        })
        .ok()
}

fn transaction(committed: &Committed, stamp: &Stamp) -> Transaction {
    Transaction {
        lsn: stamp.txn.lsn,
        hlc: stamp.hlc,
        context: Arc::clone(&stamp.context),
        epoch: stamp.epoch,
        commit_ts: committed.commit_ts,
        xid: committed.xid,
        changes: 0..0,
        part: synapse_engine_change::Part::Whole,
    }
}
