//! deliver: one origin's transactions, in order, as the journal holds them.

use std::sync::Arc;

use synapse_engine_change::{Block, Part};
use synapse_engine_identity::{Origin, Stamp};
use synapse_wal_types::Lsn;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::mend;
use crate::shared::Shared;

/// Blocks read ahead of the applier, per origin. They may be as small as a transaction, and many are merged.
const AHEAD_BLOCKS: usize = 512;
/// Bytes of rows read ahead of the applier, per origin; a block that is larger by itself is read alone.
const AHEAD_BYTES: usize = 2 << 20;

/// The transactions of one origin that are not applied here.
#[derive(Debug)]
pub(crate) struct Feed {
    blocks: mpsc::Receiver<Result<Ahead, Error>>,
    current: Option<(Arc<Block>, usize)>,
}

/// A block read ahead, and its share of what may be.
#[derive(Debug)]
struct Ahead {
    block: Arc<Block>,
    _share: OwnedSemaphorePermit,
}

/// One transaction of a feed.
#[derive(Clone, Debug)]
pub(crate) struct Next {
    pub(crate) block: Arc<Block>,
    pub(crate) at: usize,
}

impl Next {
    pub(crate) fn stamp(&self) -> Stamp {
        self.block.stamp(self.at)
    }

    pub(crate) fn part(&self) -> Part {
        self.block.transactions[self.at].part
    }

    pub(crate) fn changes(&self) -> usize {
        self.block.transactions[self.at].changes.len()
    }
}

impl Feed {
    /// Reads what comes after `after`, until `stop`.
    pub(crate) fn start(shared: &Arc<Shared>, origin: Origin, after: Lsn, stop: CancellationToken) -> Self {
        let (sender, blocks) = mpsc::channel(AHEAD_BLOCKS);
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                done = read(&shared, origin, after, &sender) => {
                    if let Err(error) = done {
                        // An applier that is gone begins anew by itself.
                        let _ = sender.send(Err(error)).await;
                        shared.fed.notify_one();
                    }
                }
            }
        });
        Feed { blocks, current: None }
    }

    /// The next transaction, if it is there.
    pub(crate) fn peek(&mut self) -> Result<Option<Next>, Error> {
        loop {
            if let Some((block, at)) = &self.current {
                if *at < block.transactions.len() {
                    return Ok(Some(Next {
                        block: Arc::clone(block),
                        at: *at,
                    }));
                }
                self.current = None;
            }
            match self.blocks.try_recv() {
                Ok(ahead) => self.current = Some((ahead?.block, 0)),
                Err(_) => return Ok(None),
            }
        }
    }

    /// Waits for the next part of a large transaction whose first part was taken: the journal holds it whole.
    pub(crate) async fn next_part(&mut self) -> Result<Option<Next>, Error> {
        loop {
            if let Some(next) = self.peek()? {
                return Ok(Some(next));
            }
            match self.blocks.recv().await {
                Some(ahead) => self.current = Some((ahead?.block, 0)),
                None => return Ok(None),
            }
        }
    }

    /// Goes past the transaction that was peeked at.
    pub(crate) fn pass(&mut self) {
        if let Some((_, at)) = &mut self.current {
            *at += 1;
        }
    }
}

async fn read(
    shared: &Arc<Shared>,
    origin: Origin,
    after: Lsn,
    blocks: &mpsc::Sender<Result<Ahead, Error>>,
) -> Result<(), Error> {
    let mut reader = shared.journal.log(origin)?.read_after(after)?;
    let mut grown = shared.growth.of(origin);
    let room = Arc::new(Semaphore::new(AHEAD_BYTES));
    loop {
        grown.borrow_and_update();
        let Some(block) = mend::next_block(shared, &mut reader).await? else {
            if grown.changed().await.is_err() {
                return Ok(());
            }
            continue;
        };
        // It need not be durable here: peers keep it until we say that it is, and bring it back after a crash.
        let block = Arc::new(block.decode()?);
        let bytes = block.changes.bytes().clamp(1, AHEAD_BYTES);
        let permits = u32::try_from(bytes).expect("it is at most a few megabytes");
        let share = Arc::clone(&room).acquire_many_owned(permits).await;
        let _share = share.expect("nobody closes it");
        if blocks.send(Ok(Ahead { block, _share })).await.is_err() {
            return Ok(());
        }
        shared.fed.notify_one();
    }
}
