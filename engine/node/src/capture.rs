//! capture -> stamp -> journal: this node's own stream, in its order.

mod contention;
mod large;
mod local;
mod out;
mod pace;
mod relations;
mod stream;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::FutureExt;
use synapse_engine_change::{ChangeSet, Relation, Transaction};
use synapse_engine_identity::Stamp;
use synapse_engine_journal::BlockBuilder;
use synapse_engine_plan::PolicySet;
use synapse_engine_replication::{Contention, Message, PREFIX, Stamped};
use synapse_wal_client::{Event, StreamReader};
use synapse_wal_pgoutput::{Assembler, Change, Committed, First, Step};
use synapse_wal_types::{Lsn, Xid};

use crate::error::Error;
use crate::policies;
use crate::shared::{ASKED, NodeKernel, Shared, lock};
use contention::Contentions;
use local::note;
use pace::{LastRead, Pace};
use relations::Relations;
use stream::Streams;

/// A transaction whose changes outgrow this, in bytes, goes to the spool while it is read.
const IN_MEMORY_MAX: usize = 4 << 20;

/// The reader of this node's own stream. It has a thread of its own: it rests there without giving it up.
pub(crate) struct Capture {
    shared: Arc<Shared>,
    kernel: Arc<Mutex<NodeKernel>>,
    relations: Relations,
    /// The committed transaction that is being read.
    open: ChangeSet,
    streams: Streams,
    contentions: Contentions,
    builder: BlockBuilder,
    /// Stamps of transactions that the journal holds beyond the last progress: they are read again.
    known: VecDeque<Stamp>,
    /// Transactions whose stamps must be durable before anything is decided by them.
    deferred: Vec<(Stamp, Xid, ChangeSet)>,
    /// Whether a stamp in the open block depends on more than the stream.
    durable_first: bool,
    /// Whether the committed transaction that is being read is our applier's.
    ours: bool,
    pace: Pace,
    last_read: LastRead,
    /// How far was read when all of it went out last.
    flushed: Lsn,
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
            contentions: Contentions::default(),
            open: ChangeSet::new(),
            deferred: Vec::new(),
            durable_first: false,
            ours: false,
            pace: Pace::default(),
            last_read: LastRead::default(),
            flushed: Lsn::ZERO,
            full: false,
            shared,
            kernel,
            known,
        }
    }

    /// Reads until the stream ends or breaks.
    pub(crate) async fn run(mut self, mut reader: StreamReader) -> Result<(), Error> {
        let mut assembler = Assembler::new();
        let mut rested = false;
        loop {
            let event = match reader.next().now_or_never() {
                Some(event) => event,
                None if self.pace != Pace::Wait && !rested => {
                    self.pace.rest();
                    // Here the socket is looked at again.
                    tokio::task::yield_now().await;
                    rested = true;
                    continue;
                }
                None => {
                    // Nothing more is waiting: what was read goes out at once.
                    self.flush().await?;
                    rested = false;
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
        self.contend(&step);
        match step {
            Step::Noted => Ok(()),
            Step::Message(message) => {
                self.shared.requests.hear(&message);
                Ok(())
            }
            Step::ChunkStart { .. } => {
                self.pace = Pace::Rest;
                Ok(())
            }
            Step::Begin(begin) => {
                self.open = ChangeSet::new();
                self.contentions.abort(Streams::COMMITTED, Streams::COMMITTED);
                self.ours = false;
                self.pace = Pace::of(pace::age(begin.commit_ts), &self.last_read, Instant::now());
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
                self.pace = Pace::Rest;
                Ok(())
            }
            Step::ChunkChange { xid, .. } if self.streams.is_ours(xid.0) => Ok(()),
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
            Step::ChunkStop { xid } => {
                self.pace = Pace::Wait;
                self.streams.spill_if_large(xid.0)
            }
            Step::StreamAbort { xid, subxid, .. } => {
                self.contentions.abort(xid.0, subxid.0);
                self.streams.abort(xid.0, subxid.0)
            }
            Step::Commit(committed) => {
                // A marker or a barrier may be waited for.
                if self.ours {
                    self.pace = Pace::Wait;
                }
                self.last_read.one_more(Instant::now());
                self.commit(&committed).await
            }
        }
    }

    async fn commit(&mut self, committed: &Committed) -> Result<(), Error> {
        let key = if committed.streamed {
            committed.xid.0
        } else {
            Streams::COMMITTED
        };
        let mut stream = self.streams.take(key);
        let contentions = self.contentions.take(key);
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
            return self.take_ours(committed.end_lsn, &message, &contentions);
        }
        for contention in &contentions {
            lock(&self.kernel).contention(contention);
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
    fn take_ours(&mut self, end: Lsn, message: &Message, contentions: &[Contention]) -> Result<(), Error> {
        match message {
            Message::Marker(marker) => lock(&self.kernel).marker(end, marker, contentions),
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

    /// Takes note of what a change says of displaced rows.
    fn contend(&mut self, step: &Step<'_>) {
        let (xid, subxid, change) = match step {
            Step::Change(change) => (Streams::COMMITTED, 0, change),
            Step::ChunkChange { xid, subxid, change } => (xid.0, subxid.0, change),
            Step::Noted
            | Step::Message(_)
            | Step::ChunkStart { .. }
            | Step::ChunkStop { .. }
            | Step::StreamAbort { .. }
            | Step::Begin(_)
            | Step::Commit(_) => return,
        };
        if let Some(contention) = contention::of_change(change, &self.shared.numbers) {
            self.contentions.push(xid, subxid, contention);
        }
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
        self.learn(&set);
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

    /// A transaction that sets a policy is under it.
    fn learn(&self, set: &ChangeSet) {
        let of_policies = |relation: &Arc<Relation>| relation.schema == synapse_engine_setup::SCHEMA;
        if !set.parts().0.iter().any(of_policies) {
            return;
        }
        for change in set.iter(0..set.len()) {
            if let Some(PolicySet { epoch, table, rules }) = policies::of_change(&change, &self.shared.numbers) {
                let mut kernel = lock(&self.kernel);
                kernel.learn(epoch, table, rules);
                kernel.raise(epoch);
            }
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

    fn count(&self, changes: usize) {
        self.shared.counters.captured_transactions.add(1);
        self.shared.counters.captured_changes.add(changes as u64);
    }
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
