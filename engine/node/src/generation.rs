//! From a connection to the server until it is lost: read back what is known, catch up with the own stream, then apply.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synapse_engine_apply::{Session, SynchronousCommit};
use synapse_engine_identity::{Context, Origin};
use synapse_engine_journal::DiskOverflow;
use synapse_engine_replication::{Kernel, Limits, Progress};
use synapse_wal_client::{
    Connection, DecodingMemory, Feedback, Kind, LogicalStart, OriginFilter, Session as Walsender, Streaming,
};
use synapse_wal_types::Lsn;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::capture::Capture;
use crate::error::Error;
use crate::lane::Applier;
use crate::policies::{self, PolicyRow};
use crate::shared::{NodeKernel, OwnProgress, Phase, Shared, UNPOISONED, lock};
use crate::tables::Directory;
use crate::{confirm, displaced, mend, orphans, rebuild, sql};

/// Bytes that a register takes in memory, at most: a row and its one write, in a map that has just grown. One of a
/// million takes 183, as the example `registers` of the journal measures.
const REGISTER_BYTES: u64 = 208;
/// What the server may hold of transactions in progress before it streams them.
const DECODING_BYTES: u64 = 16 << 20;
/// How long the journal is waited for, before it is said again that peers must bring what is missing.
const JOURNAL_PATIENCE: Duration = Duration::from_secs(10);

/// Runs one generation; it ends with the error that broke it.
pub(crate) async fn run(shared: &Arc<Shared>) -> Result<(), Error> {
    let stop = shared.shutdown.child_token();
    let ended = generation(shared, &stop).await;
    stop.cancel();
    shared.set_kernel(None);
    ended
}

async fn generation(shared: &Arc<Shared>, stop: &CancellationToken) -> Result<(), Error> {
    shared.phase.send_replace(Phase::Starting);
    let mut client = sql::connect(shared, "catalogue").await?;
    refresh(shared, &mut client).await?;
    let progress = rebuild::progress(shared)?
        .ok_or_else(|| Error::Refused("the journal holds no progress; hint: resync this node".to_owned()))?;
    let slot = synapse_engine_setup::slot_state(&client, &shared.slot).await?;
    let confirmed = slot.and_then(|s| s.confirmed_flush).unwrap_or(Lsn::ZERO);
    if confirmed > progress.captured {
        if let Some(lost) = shared.own_log()?.progress_lost() {
            return Err(Error::Refused(format!(
                "{} is damaged at byte {}, and what stood there of this node's progress up to {confirmed} has no copy; hint: resync this node: {}",
                lost.path.display(),
                lost.offset,
                mend::RESYNC
            )));
        }
        return Err(Error::Refused(format!(
            "the journal ends at {}, and the slot was confirmed up to {confirmed}: the data directory was lost or restored; hint: resync this node: synapsectl node join --from PEER --replace-local --confirm",
            progress.captured
        )));
    }
    let sessions = take_origins(shared).await?;
    let frontier: Context = sessions.values().map(|s| (s.origin(), s.progress())).collect();
    let whole = journal_lacks(shared, &frontier)?.is_none();
    let captured_before = progress.captured;
    let written = Some(progress.clone());
    // It may take long, and links are to be heard meanwhile.
    let policies = policies::read(&client).await?;
    let apart = synapse_engine_apply::read_apart(&client).await?;
    let kernel = tokio::task::block_in_place(|| remember(shared, progress, frontier.clone(), &policies))?;
    displaced::learn(shared, &mut lock(&kernel), &apart);
    // A transaction that was being cut into parts when the last generation ended is read, and written, again.
    shared.own_log()?.drop_unfinished()?;
    *shared.progress.lock().expect(UNPOISONED) = OwnProgress {
        written,
        ..OwnProgress::default()
    };
    shared.captured.send_replace(captured_before);
    shared.confirmed.send_replace(captured_before);
    let known = rebuild::known_stamps(shared, captured_before)?;
    let encoding = encoding(&client).await?;
    let capture = Capture::new(Arc::clone(shared), Arc::clone(&kernel), client, known);
    let mut tasks = capturing(shared, stop, capture, confirmed, encoding).await;
    let ended = if whole {
        shared.set_kernel(Some(Arc::clone(&kernel)));
        applying(shared, stop, kernel, sessions, &mut tasks).await
    } else {
        // The registers lack something, so nothing is decided by them, and nobody hears of them. But peers may wait for
        // what this node's own journal lost, as it waits for them.
        tokio::select! {
            Some(ended) = tasks.join_next() => ended.expect("capture and confirming do not panic"),
            ended = journal_covers(shared, &frontier) => ended,
        }
    };
    // Capture has a thread of its own, which nothing else ends.
    stop.cancel();
    tasks.shutdown().await;
    ended
}

/// Starts what reads this node's stream, and what confirms it.
async fn capturing(
    shared: &Arc<Shared>,
    stop: &CancellationToken,
    capture: Capture,
    confirmed: Lsn,
    encoding: String,
) -> JoinSet<Result<(), Error>> {
    let mut tasks = JoinSet::new();
    let (opened, writer) = oneshot::channel();
    let (shared_too, stop_too) = (Arc::clone(shared), stop.clone());
    tasks.spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Error::TryAgain(format!("cannot start the thread of capture: {error}")))?;
        runtime.block_on(async {
            let (reader, writer) = stream(&shared_too, confirmed, encoding).await?.split();
            let _ = opened.send(writer);
            tokio::select! {
                () = stop_too.cancelled() => Ok(()),
                ended = capture.run(reader) => ended,
            }
        })
    });
    if let Ok(writer) = writer.await {
        tasks.spawn(confirm::run(Arc::clone(shared), writer, confirmed));
    }
    tasks
}

/// Applies until something breaks.
async fn applying(
    shared: &Arc<Shared>,
    stop: &CancellationToken,
    kernel: Arc<Mutex<NodeKernel>>,
    sessions: BTreeMap<Origin, Session>,
    tasks: &mut JoinSet<Result<(), Error>>,
) -> Result<(), Error> {
    let applier = Applier::new(Arc::clone(shared), kernel, sessions, stop.clone());
    // In a task, beside those of its sessions: what is awaited on the main thread is woken across threads, and it waits
    // for the server a few times for each batch.
    tasks.spawn(async move { applier.await?.run().await });
    let settling = tokio::spawn(crate::join::settle(Arc::clone(shared), stop.clone()));
    let ended = tokio::select! {
        Some(ended) = tasks.join_next() => ended.expect("capture, confirming and applying do not panic"),
        () = shared.shutdown.cancelled() => Ok(()),
    };
    settling.abort();
    // It was told to end; how it ended changes nothing.
    let _ = settling.await;
    ended
}

/// Reads the catalogue anew.
pub(crate) async fn refresh(shared: &Shared, client: &mut tokio_postgres::Client) -> Result<(), Error> {
    let patterns = shared.config.replication.exclude.iter();
    let exclude: Vec<_> = patterns
        .map(|p| p.parse().expect("the configuration was checked when it was read"))
        .collect();
    let catalog = synapse_engine_setup::catalog(client, &exclude).await?;
    shared.set_directory(Directory::new(catalog, &shared.numbers));
    orphans::refresh(shared, client).await?;
    Ok(())
}

/// A session for every origin that was ever applied here: an old backend that still writes keeps its origin, and is
/// waited for.
async fn take_origins(shared: &Shared) -> Result<BTreeMap<Origin, Session>, Error> {
    let mut sessions = BTreeMap::new();
    for origin in shared
        .journal
        .origins()
        .into_iter()
        .filter(|origin| *origin != shared.me)
    {
        sessions.insert(origin, session(shared, origin).await?);
    }
    Ok(sessions)
}

/// A session that applies `origin`.
pub(crate) async fn session(shared: &Shared, origin: Origin) -> Result<Session, Error> {
    // Noted as ours, so that a detach takes it away.
    synapse_engine_setup::ensure_origin(&mut sql::connect(shared, "setup").await?, &origin).await?;
    let sql::Server { config, tls } = sql::server(&shared.config.postgres.dsn)?;
    let options = sql::options(&format!("apply {}", origin.node), SynchronousCommit::Off);
    Ok(Session::connect(&config, tls, &options, origin).await?)
}

/// The first origin of which more is applied here than the journal holds, where that ends, and how far it is applied.
fn journal_lacks(shared: &Shared, frontier: &Context) -> Result<Option<(Origin, Lsn, Lsn)>, Error> {
    for (origin, applied) in frontier.iter() {
        let end = shared.journal.log(origin)?.end();
        if end < applied {
            return Ok(Some((origin, end, applied)));
        }
    }
    Ok(None)
}

/// Waits until the journal holds all that is applied here: the registers are made from it.
async fn journal_covers(shared: &Shared, frontier: &Context) -> Result<(), Error> {
    for (origin, applied) in frontier.iter() {
        let log = shared.journal.log(origin)?;
        let mut grown = shared.growth.of(origin);
        let mut said = tokio::time::interval(JOURNAL_PATIENCE);
        while log.end() < applied {
            tokio::select! {
                () = shared.shutdown.cancelled() => return Err(Error::Stopping),
                _ = grown.changed() => {}
                _ = said.tick() => {
                    let end = log.end();
                    tracing::warn!(%origin, %end, %applied, "the journal lost its end in a crash; waiting for a peer to bring it back");
                }
            }
        }
    }
    Ok(())
}

fn remember(
    shared: &Shared,
    progress: Progress,
    frontier: Context,
    policies: &[PolicyRow],
) -> Result<Arc<Mutex<NodeKernel>>, Error> {
    let replication = &shared.config.replication;
    let skew = u64::try_from(replication.max_clock_skew.as_micros()).unwrap_or(u64::MAX);
    // A third of the memory: blocks, batches and the spool's chunks need the rest.
    let registers = replication.memory_limit.0 / 3 / REGISTER_BYTES;
    let limits = Limits {
        clock_skew_max_micros: skew,
        registers_max: usize::try_from(registers).unwrap_or(usize::MAX),
    };
    // Made anew with the registers, from the journals.
    let overflow = DiskOverflow::open(&shared.config.node.data_dir.join("registers"))?;
    let mut kernel = Kernel::new(shared.me, shared.config.members(), limits, progress, frontier, overflow);
    // A member's present life is known by its log, or by its link.
    let lives = shared
        .peers()
        .values()
        .filter_map(|peer| peer.origin)
        .collect::<Vec<_>>();
    for origin in shared.journal.origins().into_iter().chain(lives) {
        if origin != shared.me {
            kernel.life(origin);
        }
    }
    policies::learn(shared, &mut kernel, policies);
    let rows = rebuild::registers(shared, &mut kernel)?;
    tracing::info!(rows, "read the registers back from the journal");
    Ok(Arc::new(Mutex::new(kernel)))
}

async fn encoding(client: &tokio_postgres::Client) -> Result<String, Error> {
    let row = client
        .query_one("SELECT current_setting('server_encoding')", &[])
        .await?;
    let encoding: String = row.try_get(0)?;
    Ok(if encoding == "SQL_ASCII" {
        encoding
    } else {
        "UTF8".to_owned()
    })
}

async fn stream(shared: &Shared, confirmed: Lsn, client_encoding: String) -> Result<synapse_wal_client::Stream, Error> {
    let session = Walsender {
        client_encoding,
        decoding_memory: Some(DecodingMemory::from_bytes(DECODING_BYTES)),
        ..Walsender::default()
    };
    let connection = Connection::connect(&shared.config.postgres.dsn, Kind::Logical, &session).await?;
    let start = LogicalStart {
        publications: vec![synapse_engine_setup::PUBLICATION.to_owned()],
        streaming: Streaming::On,
        messages: true,
        binary: false,
        two_phase: false,
        origin: OriginFilter::Any,
        feedback: Feedback {
            write: confirmed,
            flush: confirmed,
            apply: confirmed,
        },
    };
    Ok(connection.start_logical(&shared.slot, confirmed, start).await?)
}
