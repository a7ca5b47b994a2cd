//! What the parts of a running daemon share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use synapse_engine_identity::{Context, NodeId, Origin};
use synapse_engine_journal::{DiskOverflow, Journal, Log};
use synapse_engine_replication::{Kernel, Progress};
use synapse_wal_types::{Lsn, SlotName};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::answer::OpenCopy;
use crate::clock::Clock;
use crate::config::Config;
use crate::conflicts::Conflicts;
use crate::error::Error;
use crate::growth::Growth;
use crate::join::{Joining, Known};
use crate::mend::{self, Places};
use crate::orphans::Orphans;
use crate::peer::Peer;
use crate::policies::request::Requests;
use crate::state::State;
use crate::tables::{Directory, Numbers};
use crate::telemetry::Counters;

/// The kernel as the daemon runs it.
pub(crate) type NodeKernel = Kernel<DiskOverflow>;

/// What the parts share. Locks are held for a moment, never across an await.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) me: Origin,
    pub(crate) slot: SlotName,
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    pub(crate) numbers: Arc<Mutex<Numbers>>,
    pub(crate) counters: Counters,
    pub(crate) conflicts: Conflicts,
    pub(crate) orphans: Orphans,
    pub(crate) shutdown: CancellationToken,
    pub(crate) growth: Growth,
    /// Some log, or the progress, is to be made durable.
    pub(crate) dirty: watch::Sender<u64>,
    /// Somebody waits for what is to be made durable.
    pub(crate) hurry: Notify,
    /// What is durable in the journal, per origin.
    pub(crate) durable: watch::Sender<Context>,
    /// How far capture has read.
    pub(crate) captured: watch::Sender<Lsn>,
    /// The last barrier of the applier that capture has read; their numbers grow.
    pub(crate) barrier: watch::Sender<u64>,
    /// The last barrier of somebody else that capture has read: its number has the top bit set.
    pub(crate) asked_barrier: watch::Sender<u64>,
    /// How far the slot may be confirmed.
    pub(crate) confirmed: watch::Sender<Lsn>,
    /// Up to where this node's own log may be shipped.
    pub(crate) shippable: watch::Sender<Lsn>,
    /// Something moved that the applier may wait for: the frontier, a re-check, a retry.
    pub(crate) stirred: watch::Sender<u64>,
    /// A peer has linked to this node: it is there, and may be dialled at once.
    pub(crate) came: watch::Sender<u64>,
    /// The applier has more to take.
    pub(crate) fed: Notify,
    /// What the syncer writes into the own log beside transactions.
    pub(crate) progress: Mutex<OwnProgress>,
    pub(crate) phase: watch::Sender<Phase>,
    /// What of the journals is damaged.
    pub(crate) damaged: watch::Sender<Places>,
    pub(crate) pg_version: Mutex<String>,
    pub(crate) joining: Joining,
    /// Copies that peers take of this node.
    pub(crate) copies: Mutex<BTreeMap<u64, Arc<OpenCopy>>>,
    /// Held while journals are pruned.
    pub(crate) pruning: tokio::sync::Mutex<()>,
    /// Policies that are asked for in SQL.
    pub(crate) requests: Requests,
    /// Held while a policy is given its epoch.
    pub(crate) setting_policy: tokio::sync::Mutex<()>,
    kernel: RwLock<Option<Arc<Mutex<NodeKernel>>>>,
    directory: RwLock<Arc<Directory>>,
    peers: Mutex<BTreeMap<NodeId, Peer>>,
    state: Mutex<State>,
}

/// The stamper's state on its way into the own log.
#[derive(Debug, Default)]
pub(crate) struct OwnProgress {
    /// As of what stands in the log; taken by the syncer.
    pub(crate) latest: Option<Progress>,
    /// What stands in the log last.
    pub(crate) written: Option<Progress>,
    /// Whether the log ends within a large transaction: nothing may stand between its parts.
    pub(crate) within_parts: bool,
}

impl OwnProgress {
    /// What is to be written: the latest, or what was written last if more is forgotten `now`: at the journal's limit
    /// there is no latest, and room comes of what is forgotten. `now` may be ahead of what stands in the log, so nothing
    /// is taken of it that tells of own transactions after what was written.
    pub(crate) fn due(&mut self, now: Option<Progress>, me: Origin) -> Option<Progress> {
        let latest = self.latest.take();
        latest.or_else(|| {
            let (now, written) = (now?, self.written.as_ref()?);
            let more = now.forgotten != written.forgotten && now.dropped.get(me) <= written.captured;
            more.then(|| Progress {
                dropped: now.dropped,
                forgotten: now.forgotten,
                ..written.clone()
            })
        })
    }
}

/// How far the daemon has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It connects, reads back its journal, catches up with its own stream.
    Starting,
    /// It copies tables from a peer.
    Copying,
    /// It captures and applies.
    Streaming,
    /// Something stands still that a person must see.
    Stopped(String),
}

/// What [`Shared::new`] is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) me: Origin,
    pub(crate) slot: SlotName,
    pub(crate) journal: Journal,
    pub(crate) directory: Directory,
    pub(crate) numbers: Arc<Mutex<Numbers>>,
    pub(crate) state: State,
    pub(crate) shutdown: CancellationToken,
}

impl Shared {
    pub(crate) fn new(parts: Parts) -> Result<Self, Error> {
        let own = parts.journal.log(parts.me)?;
        let damaged = mend::found_at_open(&parts.journal)?;
        let durable = Context::from_iter(
            parts
                .journal
                .origins()
                .into_iter()
                .map(|o| Ok((o, parts.journal.log(o)?.durable())))
                .collect::<Result<Vec<_>, Error>>()?,
        );
        Ok(Shared {
            conflicts: Conflicts::new(&parts.config.conflicts),
            config: parts.config,
            me: parts.me,
            slot: parts.slot,
            clock: Clock::start(),
            journal: parts.journal,
            numbers: parts.numbers,
            counters: Counters::default(),
            orphans: Orphans::default(),
            shutdown: parts.shutdown,
            growth: Growth::default(),
            dirty: watch::Sender::new(0),
            hurry: Notify::new(),
            durable: watch::Sender::new(durable),
            captured: watch::Sender::new(Lsn::ZERO),
            barrier: watch::Sender::new(0),
            asked_barrier: watch::Sender::new(0),
            confirmed: watch::Sender::new(Lsn::ZERO),
            shippable: watch::Sender::new(own.durable()),
            stirred: watch::Sender::new(0),
            came: watch::Sender::new(0),
            fed: Notify::new(),
            progress: Mutex::new(OwnProgress::default()),
            phase: watch::Sender::new(Phase::Starting),
            damaged,
            pg_version: Mutex::new(String::new()),
            joining: Joining::new(&parts.state.join),
            copies: Mutex::default(),
            pruning: tokio::sync::Mutex::default(),
            requests: Requests::default(),
            setting_policy: tokio::sync::Mutex::default(),
            kernel: RwLock::new(None),
            directory: RwLock::new(Arc::new(parts.directory)),
            peers: Mutex::new(BTreeMap::new()),
            state: Mutex::new(parts.state),
        })
    }

    /// The log of this node's own transactions.
    pub(crate) fn own_log(&self) -> Result<Arc<Log>, Error> {
        Ok(self.journal.log(self.me)?)
    }

    /// The kernel of the running generation.
    pub(crate) fn kernel(&self) -> Option<Arc<Mutex<NodeKernel>>> {
        self.kernel.read().expect(UNPOISONED).clone()
    }

    pub(crate) fn set_kernel(&self, kernel: Option<Arc<Mutex<NodeKernel>>>) {
        *self.kernel.write().expect(UNPOISONED) = kernel;
    }

    pub(crate) fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.read().expect(UNPOISONED))
    }

    /// The tables as the planner asks for them.
    pub(crate) fn known(&self) -> Known {
        Known {
            directory: self.directory(),
            copied: self.joining.copied(),
            numbers: Arc::clone(&self.numbers),
        }
    }

    pub(crate) fn set_directory(&self, directory: Directory) {
        *self.directory.write().expect(UNPOISONED) = Arc::new(directory);
        self.stir();
    }

    pub(crate) fn peers(&self) -> MutexGuard<'_, BTreeMap<NodeId, Peer>> {
        self.peers.lock().expect(UNPOISONED)
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().expect(UNPOISONED).clone()
    }

    /// Changes what is remembered, durably before it is in force.
    pub(crate) fn change_state(&self, change: impl FnOnce(&mut State)) -> Result<(), Error> {
        let mut state = self.state.lock().expect(UNPOISONED);
        let mut changed = state.clone();
        change(&mut changed);
        let dir = &self.config.node.data_dir;
        changed.save(dir).map_err(|source| Error::File {
            action: "write node.json in",
            path: dir.clone(),
            source,
        })?;
        self.joining.entered(&changed.join);
        *state = changed;
        Ok(())
    }

    /// A log grew: what came is to be read, and made durable.
    pub(crate) fn grew(&self, origin: Origin) {
        self.growth.grew(origin);
        self.dirty.send_modify(|n| *n += 1);
    }

    pub(crate) fn stir(&self) {
        self.stirred.send_modify(|n| *n += 1);
    }
}

/// Barriers that are not the applier's have this bit in their number.
pub(crate) const ASKED: u64 = 1 << 63;

/// A lock whose holder panicked would hold half-changed knowledge: the daemon goes down with it.
pub(crate) const UNPOISONED: &str = "nothing panics while it holds a lock of the daemon";

/// Locks the kernel for a moment.
pub(crate) fn lock(kernel: &Mutex<NodeKernel>) -> MutexGuard<'_, NodeKernel> {
    kernel.lock().expect(UNPOISONED)
}
