//! The daemon's life: what is started, in which order, and how it ends.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use synapse_engine_identity::Origin;
use synapse_engine_journal::{Error as JournalError, Journal, Options};
use synapse_engine_setup::Catalog;
use synapse_engine_transport::{Acceptor, Endpoint, Hello, Keys, PeerName, TlsFiles};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::check::slot_name;
use crate::config::Config;
use crate::error::{Class, Error};
use crate::prepare::prepare;
use crate::shared::{Parts, Phase, Shared};
use crate::state::{Join, State};
use crate::tables::Directory;
use crate::{conflicts, generation, http, mend, orphans, policies, prune, receive, ship, sync};

/// First and longest pause before what failed is tried again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How long a journal that is held is waited for: as long as the tasks of an ended life take to let go.
const JOURNAL_PATIENCE: Duration = Duration::from_secs(5);

/// Runs a node until `shutdown`. Each notice of `reload` takes certificate, key and authority anew from their files; links
/// that stand go on. The token of the API is read at each use and needs no notice.
///
/// # Errors
/// What no retry can mend: an address that is taken, files that cannot be read, a journal that is damaged or locked.
/// Troubles with the server and with peers end nothing: they are shown, and tried again.
pub async fn run(config: Config, shutdown: CancellationToken, reload: Arc<Notify>) -> Result<(), Error> {
    loop {
        let again = life(config.clone(), shutdown.child_token(), Arc::clone(&reload)).await?;
        if !again || shutdown.is_cancelled() {
            return Ok(());
        }
        tracing::warn!("beginning anew");
    }
}

/// One life of a node: until `shutdown`, or until a person has it begin anew, which is the answer.
async fn life(config: Config, shutdown: CancellationToken, reload: Arc<Notify>) -> Result<bool, Error> {
    let keys = Arc::new(Keys::load(TlsFiles {
        ca: config.tls.ca.clone(),
        certificate: config.tls.certificate.clone(),
        key: config.tls.key.clone(),
    })?);
    // Before anything is made under a name that may be wrong.
    keys.speak_for(&PeerName {
        cluster: config.cluster.name.clone(),
        node: config.node.name,
    })?;
    let data_dir = config.node.data_dir.clone();
    let file = |action, path| move |source| Error::File { action, path, source };
    std::fs::create_dir_all(&data_dir).map_err(file("create", data_dir.clone()))?;
    let state = State::load_or_begin(&config)?;
    let me = Origin {
        node: state.node,
        incarnation: state.incarnation,
    };
    let limit = config.replication.journal_limit.0;
    let journal = open_journal(&data_dir.join("journal"), Options::with_limit(limit)).await?;
    for (origin, cut) in journal.cuts() {
        tracing::warn!(%origin, ?cut, "the end of a log was cut off: it was not durable");
    }
    let numbers = Arc::new(Mutex::new(crate::tables::Numbers::default()));
    let empty = Catalog {
        tables: Vec::new(),
        why_not_replicated: Vec::new(),
    };
    let api = bind(config.api.listen).await?;
    let parts = Parts {
        me,
        slot: slot_name(&config)?,
        journal,
        directory: Directory::new(empty, &numbers),
        numbers,
        state,
        shutdown: shutdown.clone(),
        config,
    };
    let shared = Arc::new(Shared::new(parts)?);
    tracing::info!(node = %me, cluster = %shared.config.cluster.name, "started");
    let tasks = TaskTracker::new();
    tasks.spawn(http::run(Arc::clone(&shared), api));
    tasks.spawn(reload_keys(Arc::clone(&keys), reload, shutdown.clone()));
    let (failed, mut failure) = tokio::sync::mpsc::channel::<Error>(4);
    let ended = tokio::select! {
        ended = live(&shared, &keys, &tasks, &failed) => ended,
        Some(error) = failure.recv() => Err(error),
    };
    shutdown.cancel();
    tasks.close();
    tasks.wait().await;
    tracing::info!("stopped");
    ended.map(|()| matches!(shared.state().join, Join::Replacing { .. }))
}

/// Opens the journal; what a life before has left to end may hold it for a moment.
async fn open_journal(dir: &Path, options: Options) -> Result<Journal, Error> {
    let since = tokio::time::Instant::now();
    loop {
        match Journal::open(dir, options) {
            Err(JournalError::Locked { .. }) if since.elapsed() < JOURNAL_PATIENCE => {
                tokio::time::sleep(PAUSE.0).await;
            }
            Err(error @ JournalError::Damaged { .. }) => {
                return Err(Error::Refused(format!(
                    "the journal is damaged where no block mends it: {error}; give this node a new data directory, start it, and copy it anew: {}",
                    mend::RESYNC
                )));
            }
            opened => return Ok(opened?),
        }
    }
}

async fn reload_keys(keys: Arc<Keys>, reload: Arc<Notify>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = reload.notified() => match keys.reload() {
                Ok(()) => tracing::info!("took certificate, key and authority anew"),
                Err(error) => tracing::error!(%error, "kept the certificate of before"),
            },
        }
    }
}

/// Everything that needs the server.
async fn live(
    shared: &Arc<Shared>,
    keys: &Arc<Keys>,
    tasks: &TaskTracker,
    failed: &tokio::sync::mpsc::Sender<Error>,
) -> Result<(), Error> {
    let Some(major) = prepared(shared).await else {
        return Ok(());
    };
    links(shared, keys, tasks, major).await?;
    for task in [
        tokio::spawn(sync::run(Arc::clone(shared))),
        tokio::spawn(prune::run(Arc::clone(shared))),
        tokio::spawn(mend::run(Arc::clone(shared))),
        tokio::spawn(conflicts::run(Arc::clone(shared))),
        tokio::spawn(policies::request::run(Arc::clone(shared))),
        tokio::spawn(orphans::run(Arc::clone(shared))),
    ] {
        let failed = failed.clone();
        tasks.spawn(async move {
            if let Err(error) = task.await.expect("a task of the daemon does not panic") {
                let _ = failed.send(error).await;
            }
        });
    }
    match crate::join::join(shared).await {
        Err(Error::Stopping) => return Ok(()),
        joined => joined?,
    }
    let mut pause = PAUSE.0;
    while !shared.shutdown.is_cancelled() {
        let since = tokio::time::Instant::now();
        match generation::run(shared).await {
            Ok(()) | Err(Error::Stopping | Error::RoomAgain) => continue,
            // The registers cannot be read back without it, and nothing can be applied without them.
            Err(Error::Journal(error @ JournalError::Damaged { .. })) => match mend::mended(shared, error).await {
                Ok(()) | Err(Error::Stopping) => continue,
                Err(error) => trouble(shared, &error),
            },
            Err(error) => trouble(shared, &error),
        }
        if since.elapsed() > PAUSE.1 {
            pause = PAUSE.0;
        }
        rest(shared, &mut pause).await;
    }
    Ok(())
}

fn trouble(shared: &Shared, error: &Error) {
    if error.class() == Class::Transient {
        tracing::warn!(%error, "lost the server; connecting again");
        shared.phase.send_replace(Phase::Starting);
        return;
    }
    let before = shared.phase.send_replace(Phase::Stopped(error.to_string()));
    // It is looked at again every few seconds, and said once.
    if !matches!(before, Phase::Stopped(said) if said == error.to_string()) {
        tracing::error!(%error, "this node stands still until a person mends it");
    }
}

async fn rest(shared: &Shared, pause: &mut Duration) {
    tokio::select! {
        () = shared.shutdown.cancelled() => {}
        () = tokio::time::sleep(*pause) => {}
    }
    *pause = (*pause * 2).min(PAUSE.1);
}

/// Prepares the database, again and again until it succeeds; answers with the server's major version. `None` when the
/// daemon is stopped before.
async fn prepared(shared: &Arc<Shared>) -> Option<u16> {
    let mut pause = PAUSE.0;
    loop {
        let attempt = tokio::select! {
            () = shared.shutdown.cancelled() => return None,
            attempt = prepare(shared) => attempt,
        };
        match attempt {
            Ok(major) => return Some(major),
            Err(error) => trouble(shared, &error),
        }
        rest(shared, &mut pause).await;
    }
}

async fn links(shared: &Arc<Shared>, keys: &Arc<Keys>, tasks: &TaskTracker, pg_major: u16) -> Result<(), Error> {
    let hello = Hello {
        software: env!("CARGO_PKG_VERSION").to_owned(),
        cluster: shared.config.cluster.name.clone(),
        node: shared.me.node,
        incarnation: shared.me.incarnation,
        pg_major,
    };
    let options = synapse_engine_transport::Options::default();
    let endpoint = Endpoint::new(hello, Arc::clone(keys), options, shared.shutdown.clone())?;
    let acceptor = Acceptor::bind(shared.config.cluster.listen, endpoint.clone()).await?;
    tasks.spawn(ship::run(Arc::clone(shared), acceptor));
    for address in &shared.config.cluster.join {
        tasks.spawn(receive::run(Arc::clone(shared), endpoint.clone(), address.clone()));
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Error::Refused(format!("[api] listen {address}: {error}; hint: choose a free port")))
}
