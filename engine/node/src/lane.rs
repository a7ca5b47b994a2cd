//! deliver -> resolve -> apply: which transactions come next.

mod failed;
mod line;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synapse_engine_apply::{BarrierSession, Session, our_roidents};
use synapse_engine_change::{Change, Part};
use synapse_engine_identity::{Origin, RowId};
use synapse_engine_plan::Path;
use synapse_engine_replication::Delivery;
use synapse_wal_types::{Lsn, Oid};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::batch::{Displacement, Failure, Kept, Reported, Work};
use crate::clock;
use crate::error::Error;
use crate::feed::{Feed, Next};
use crate::generation::session;
use crate::shared::{NodeKernel, Phase, Shared, lock};
use crate::sql;
use line::{Line, TRANSACTIONS_MAX};

/// Changes in one of ours: bounds memory, and how long rows stay locked.
const CHANGES_MAX: usize = 8_000;
/// How often what can only time, or the catalogue, mend is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Applies what peers sent, one transaction at a time.
pub(crate) struct Applier {
    pub(crate) shared: Arc<Shared>,
    pub(crate) kernel: Arc<Mutex<NodeKernel>>,
    pub(crate) sessions: BTreeMap<Origin, Session>,
    pub(crate) barriers: BarrierSession,
    pub(crate) next_barrier: u64,
    pub(crate) roidents: Vec<Oid>,
    /// Rows that the exact path of the batch in hand takes away.
    pub(crate) deleted: Vec<RowId>,
    /// Rows that it makes of what several wrote, or that come back.
    pub(crate) came: Vec<RowId>,
    /// Rows that it displaces.
    pub(crate) displaced: Vec<Displacement>,
    /// Over which rows conflicts were found.
    pub(crate) reported: Reported,
    /// What the next attempt keeps as it is, because rows of this node refer to it.
    pub(crate) kept: BTreeMap<Origin, Vec<Kept>>,
    pub(crate) catalog: tokio_postgres::Client,
    lines: BTreeMap<Origin, Line>,
    stop: CancellationToken,
}

impl Applier {
    pub(crate) async fn new(
        shared: Arc<Shared>,
        kernel: Arc<Mutex<NodeKernel>>,
        sessions: BTreeMap<Origin, Session>,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let sql::Server { config, tls } = sql::server(&shared.config.postgres.dsn)?;
        let barriers = BarrierSession::connect(&config, tls, "synapsed barrier").await?;
        let catalog = sql::connect(&shared, "catalogue").await?;
        let roidents = our_roidents(&catalog).await?;
        // Numbers of an earlier run may be read again: those of this one are greater.
        let next_barrier = clock::now_hlc().0;
        let lines = BTreeMap::new();
        Ok(Applier {
            shared,
            kernel,
            sessions,
            barriers,
            next_barrier,
            roidents,
            deleted: Vec::new(),
            came: Vec::new(),
            displaced: Vec::new(),
            reported: Reported::since(Lsn::ZERO),
            kept: BTreeMap::new(),
            catalog,
            lines,
            stop,
        })
    }

    /// Catches up with the own stream, then applies until something breaks.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        let id = self.next_barrier;
        self.next_barrier += 1;
        self.barriers.commit(id).await?;
        let mut read = self.shared.barrier.subscribe();
        if read.wait_for(|last| *last >= id).await.is_err() {
            return Ok(());
        }
        for (origin, ahead, applied) in lock(&self.kernel).settle_frontier() {
            tracing::warn!(%origin, %ahead, %applied, "the server counted a transaction that it never committed; it is applied now");
        }
        // What an earlier run decided was decided before it had read more than that.
        self.reported = Reported::since(lock(&self.kernel).stamper().state().captured);
        let behind_copies = self.shared.joining.copied().is_some();
        self.shared.phase.send_replace(if behind_copies {
            Phase::Copying
        } else {
            Phase::Streaming
        });
        self.shared.stir();
        // What an earlier generation committed, without having heard so.
        self.shared.orphans.noted();
        tracing::info!("streaming");
        let mut stirred = self.shared.stirred.subscribe();
        let mut looked = Instant::now();
        loop {
            stirred.borrow_and_update();
            // Not only when nothing happens: other links are busy while one waits for its table.
            if looked.elapsed() >= LOOK_AGAIN {
                self.look_again().await?;
                looked = Instant::now();
            }
            if self.turn().await? {
                continue;
            }
            tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                _ = stirred.changed() => {}
                () = self.shared.fed.notified() => {}
                () = tokio::time::sleep_until(self.waits_until().unwrap_or(looked + LOOK_AGAIN)) => {}
            }
        }
    }

    /// Does one piece of work, if there is any.
    async fn turn(&mut self) -> Result<bool, Error> {
        let recheck = lock(&self.kernel).next_recheck();
        if let Some(recheck) = recheck {
            match self.recheck(recheck).await {
                Ok(()) => return Ok(true),
                Err(Failure::Broken(error)) => return Err(error),
                Err(failure) => {
                    tracing::debug!(error = %failure, marker = %recheck.marker, "a re-check gave way; it is tried again");
                    self.shared.counters.retries.add(1);
                    return Ok(false);
                }
            }
        }
        self.open_lines().await?;
        let origins: Vec<Origin> = self.lines.keys().copied().collect();
        let mut worked = false;
        for origin in origins {
            worked |= self.skip_if_asked(origin).await?;
            if self.gather(origin)? {
                worked |= self.apply(origin).await?;
            }
        }
        Ok(worked)
    }

    /// A line for every origin that has a log.
    async fn open_lines(&mut self) -> Result<(), Error> {
        for origin in self.shared.journal.origins() {
            if origin == self.shared.me || self.lines.contains_key(&origin) {
                continue;
            }
            if !self.sessions.contains_key(&origin) {
                let session = session(&self.shared, origin).await?;
                self.roidents = our_roidents(&self.catalog).await?;
                self.sessions.insert(origin, session);
            }
            let after = lock(&self.kernel).frontier().get(origin);
            let feed = Feed::start(&self.shared, origin, after, self.stop.child_token());
            let line = Line {
                feed,
                waiting: VecDeque::new(),
                at_most: TRANSACTIONS_MAX,
                path: Path::Set,
                gave_way: 0,
                refreshed: false,
                merges_until: None,
                rests_until: Instant::now(),
                tried: self.shared.directory().fingerprint,
            };
            self.lines.insert(origin, line);
        }
        Ok(())
    }

    /// Takes what may be applied now into the line; answers whether anything waits there.
    fn gather(&mut self, origin: Origin) -> Result<bool, Error> {
        let line = self
            .lines
            .get_mut(&origin)
            .expect("a line is opened before it is gathered");
        let mut peers = self.shared.peers();
        let peer = peers.entry(origin.node).or_default();
        if peer.stop.is_some() {
            return Ok(false);
        }
        let mut kernel = lock(&self.kernel);
        let now = self.shared.clock.monotonic();
        // Peers may not have been heard yet.
        kernel.own_clock(clock::now_hlc(), now);
        (peer.waits_for, peer.clock_ahead) = (None, None);
        if line.waiting.front().is_some_and(alone) {
            return Ok(true);
        }
        let mut changes: usize = line.waiting.iter().map(Next::changes).sum();
        let mut ran_dry = false;
        while line.waiting.len() < line.at_most && changes < CHANGES_MAX {
            let Some(next) = line.feed.peek()? else {
                ran_dry = true;
                break;
            };
            match kernel.delivery(&next.stamp(), now) {
                Delivery::Duplicate => {
                    line.feed.pass();
                    continue;
                }
                Delivery::WaitsFor(other, lsn) => {
                    peer.waits_for = Some((other, lsn));
                    break;
                }
                Delivery::Held { hlc } => {
                    peer.clock_ahead = Some(hlc);
                    break;
                }
                Delivery::Now => {}
            }
            let alone = alone(&next);
            if alone && !line.waiting.is_empty() {
                break;
            }
            changes += next.changes();
            line.feed.pass();
            line.waiting.push_back(next);
            if alone {
                break;
            }
        }
        let merges = ran_dry && line.merges();
        Ok(!line.waiting.is_empty() && !merges)
    }

    /// When the first of the lines that wait for more to merge goes on.
    fn waits_until(&self) -> Option<Instant> {
        self.lines.values().filter_map(Line::waits_until).min()
    }

    async fn apply(&mut self, origin: Origin) -> Result<bool, Error> {
        let line = self
            .lines
            .get_mut(&origin)
            .expect("a line is opened before it is applied");
        let count = line.waiting.len().min(line.at_most);
        let path = line.path;
        line.tried = self.shared.directory().fingerprint;
        let txns: Vec<Next> = line.waiting.iter().take(count).cloned().collect();
        let large = txns.len() == 1 && txns[0].part() != Part::Whole;
        let work = if large {
            Work::Large(txns[0].clone())
        } else {
            Work::Batch(txns.clone())
        };
        let began = Instant::now();
        let done = self.attempt(origin, &work, path).await;
        let line = self.lines.get_mut(&origin).expect("lines are never closed");
        match done {
            Ok(()) => {
                line.waiting.drain(..count);
                line.at_most = (line.at_most * 2).min(TRANSACTIONS_MAX);
                line.path = Path::Set;
                line.applied(began.elapsed());
                (line.gave_way, line.refreshed) = (0, false);
                let name = origin.node.to_string();
                self.shared.counters.applied(&name, count as u64);
                self.shared.stir();
                Ok(true)
            }
            Err(Failure::Broken(error)) => Err(error),
            Err(failure) => self.failed(origin, &txns, path, failure).await,
        }
    }

    /// Gives the feed of a large transaction's parts to whoever applies it.
    pub(crate) fn feed(&mut self, origin: Origin) -> &mut Feed {
        &mut self
            .lines
            .get_mut(&origin)
            .expect("a line is opened before it is applied")
            .feed
    }
}

/// Whether a transaction is a batch of its own: one too large for a block, or one that empties tables.
fn alone(next: &Next) -> bool {
    next.part() != Part::Whole
        || next
            .block
            .changes_of(next.at)
            .any(|change| matches!(change, Change::Truncate { .. }))
}
