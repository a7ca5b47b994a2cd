//! The daemon's life: what is started, in which order, and how it ends.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use synapse_engine_identity::{Context, Incarnation, Origin};
use synapse_engine_journal::{Error as JournalError, Journal, Options};
use synapse_engine_setup::{Catalog, Recorded};
use synapse_engine_transport::{Acceptor, Endpoint, Hello, Keys, PeerName, TlsFiles};
use synapse_wal_client::{Connection, Kind, LogicalSlot, Session, SlotLife, SlotSnapshot};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::check::{slot_name, wanted};
use crate::config::Config;
use crate::error::{Class, Error};
use crate::frames;
use crate::join::clear;
use crate::shared::{Parts, Phase, Shared};
use crate::state::{Join, State};
use crate::tables::Directory;
use crate::{generation, http, mend, prune, receive, ship, sql, sync};

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
    let state = load_state(&config)?;
    let me = Origin {
        node: state.node,
        incarnation: state.incarnation,
    };
    let limit = config.replication.journal_limit.0;
    let journal = open_journal(&data_dir.join("journal"), Options::with_limit(limit)).await?;
    for (origin, cut) in journal.cuts() {
        tracing::warn!(%origin, ?cut, "the end of a log was cut off: it was not durable");
    }
    let numbers = Mutex::new(crate::tables::Numbers::default());
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

/// Looks whether the server is the one it was, installs what capture needs, and makes the slot.
async fn prepare(shared: &Arc<Shared>) -> Result<u16, Error> {
    let mut client = sql::connect(shared, "setup").await?;
    if let Join::Replacing { from } = shared.state().join {
        clear(shared, &mut client, from).await?;
    }
    let recorded = synapse_engine_setup::recorded_node(&client).await?;
    let state = shared.state();
    match recorded {
        Some((origin, _)) if origin != shared.me && state.slot_created => {
            return Err(Error::Refused(format!(
                "the database belongs to {origin}, the data directory to {}; hint: one of them was restored or replaced: resync this node",
                shared.me
            )));
        }
        Some((origin, _)) if origin.node == shared.me.node && (origin != shared.me || !state.set_up) => {
            return Err(Error::Refused(format!(
                "the database was set up as {origin}, and the data directory is new; hint: bring the data directory back, or resync this node: synapsectl node join --from PEER --replace-local --confirm"
            )));
        }
        Some((_, recorded)) => {
            let slot = state.slot_created.then(|| shared.slot.clone());
            synapse_engine_setup::identity_check(&client, &Recorded { slot, ..recorded }).await?;
        }
        None if state.slot_created => {
            return Err(Error::Refused("the database was detached or replaced, and the data directory is of before; hint: give this node a new data directory".to_owned()));
        }
        // Said before it is done: two lives that begin within a second bear the same number.
        None if !state.set_up => shared.change_state(|state| state.set_up = true)?,
        None => {}
    }
    let installed = synapse_engine_setup::install(
        &mut client,
        &wanted(&shared.config, shared.me.incarnation, state.ordinal)?,
    )
    .await?;
    for change in &installed.changes {
        tracing::info!(?change, "set-up changed");
    }
    let row = client
        .query_one(
            "SELECT current_setting('server_version'), current_setting('server_version_num')::int4",
            &[],
        )
        .await?;
    let (version, number): (String, i32) = (row.try_get(0)?, row.try_get(1)?);
    let version = version.split_whitespace().next().unwrap_or_default().to_owned();
    *shared.pg_version.lock().expect(crate::shared::UNPOISONED) = version;
    // A node that is filled from another one has no stream before it is full.
    if !state.slot_created && !matches!(state.join, Join::Copying { .. }) {
        make_slot(shared, &client, Context::new(), |_| {}).await?;
    }
    Ok(u16::try_from(number / 10_000).unwrap_or(0))
}

/// Makes the slot, and the progress from which capture begins: either both stand, or both are made again. `applied` is
/// what this node holds of others when its stream begins, `then` what follows for its joining.
pub(crate) async fn make_slot(
    shared: &Arc<Shared>,
    client: &tokio_postgres::Client,
    applied: Context,
    then: impl FnOnce(&mut Join),
) -> Result<(), Error> {
    synapse_engine_setup::drop_slot(client, &shared.slot).await?;
    shared.journal.remove(shared.me)?;
    let mut connection = Connection::connect(&shared.config.postgres.dsn, Kind::Logical, &Session::default()).await?;
    let slot = LogicalSlot {
        life: SlotLife::Permanent,
        snapshot: SlotSnapshot::None,
    };
    let created = connection.create_logical_slot(&shared.slot, slot).await?;
    connection.close().await?;
    let log = shared.own_log()?;
    let start = created.consistent_point;
    log.begin_after(start)?;
    let progress = synapse_engine_replication::Progress {
        captured: start,
        applied,
        ..Default::default()
    };
    log.append_progress(start, &frames::encode(&progress))?;
    log.sync()?;
    shared.shippable.send_replace(start);
    shared.change_state(|state| {
        (state.slot_created, state.start) = (true, start);
        then(&mut state.join);
    })
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

fn load_state(config: &Config) -> Result<State, Error> {
    let dir = &config.node.data_dir;
    let file = |action| {
        move |source| Error::File {
            action,
            path: dir.clone(),
            source,
        }
    };
    if let Some(state) = State::load(dir).map_err(file("read node.json in"))? {
        if state.node != config.node.name || state.cluster != config.cluster.name.to_string() {
            return Err(Error::Refused(format!(
                "{} belongs to node {} of cluster {}; hint: [node] data-dir names another node's directory",
                dir.display(),
                state.node,
                state.cluster
            )));
        }
        return Ok(state);
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let state = State {
        cluster: config.cluster.name.to_string(),
        node: config.node.name,
        incarnation: Incarnation(u32::try_from(now).unwrap_or(u32::MAX)),
        ordinal: ordinal(config),
        set_up: false,
        slot_created: false,
        start: synapse_wal_types::Lsn::ZERO,
        held: Default::default(),
        join: Join::new(),
    };
    state.save(dir).map_err(file("write node.json in"))?;
    Ok(state)
}

/// The place of this node's address among all: every node counts the same, because every node lists the same addresses.
fn ordinal(config: &Config) -> u16 {
    let own = config
        .cluster
        .advertise
        .clone()
        .unwrap_or_else(|| config.cluster.listen.to_string());
    let before = config.cluster.join.iter().filter(|peer| **peer < own).count();
    u16::try_from(before).unwrap_or(u16::MAX)
}
