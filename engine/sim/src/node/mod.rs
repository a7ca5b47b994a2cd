//! One node: a server, a disk, and the thin shell that runs the kernel between them.

mod apply;
mod ask;
mod capture;
mod decide;
mod deliver;
mod exact;
pub(crate) mod exclusion;
mod job;
mod late;
mod live;
mod made;
pub(crate) mod mender;
mod orphans;
mod parts;
mod ship;
mod steps;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use synapse_engine_change::Block;
use synapse_engine_identity::Origin;
use synapse_engine_plan::Path;
use synapse_engine_replication::{Kernel, MemoryOverflow};
use synapse_wal_types::Lsn;

use crate::app::App;
use crate::disk::Disk;
use crate::postgres::{Server, SessionId};
pub(crate) use job::Job;
pub(crate) use mender::{Mending, Rule};
pub(crate) use parts::Cursor;
pub(crate) use tell::{Question, Stand};

/// Whose a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    App(usize),
    Apply,
    Barrier,
    Mender,
    /// Its client died; the server has not seen it yet.
    Gone,
}

/// One node.
pub(crate) struct Node {
    pub(crate) origin: Origin,
    pub(crate) server: Server,
    pub(crate) server_up: bool,
    /// Counts the server's lives.
    pub(crate) life: u32,
    /// Counts the engine's runs and its losses of the server.
    pub(crate) run: u32,
    pub(crate) daemon: Option<Daemon>,
    pub(crate) disk: Disk,
    pub(crate) owners: BTreeMap<SessionId, Owner>,
    /// Apply sessions of an earlier run that the server has not ended yet.
    pub(crate) orphans: Vec<SessionId>,
    pub(crate) statements: u64,
    /// Own transactions whose stamps must be durable before they leave.
    pub(crate) unsafe_to_send: BTreeSet<Lsn>,
    /// What the side session has still to run.
    pub(crate) barrier_script: std::collections::VecDeque<crate::postgres::Statement>,
    pub(crate) capture_lag: u64,
    /// How long an apply session's statement typically takes to reach the server.
    pub(crate) apply_typical: u64,
    pub(crate) apps: Vec<App>,
    /// Values that peers were told when they asked for rows.
    pub(crate) told: BTreeSet<u64>,
}

/// What is lost with the engine's process.
pub(crate) struct Daemon {
    pub(crate) phase: Phase,
    pub(crate) kernel: Kernel<MemoryOverflow>,
    /// How far the walsender has sent.
    pub(crate) sent: Lsn,
    pub(crate) apply: SessionId,
    pub(crate) barrier: SessionId,
    pub(crate) mender: SessionId,
    pub(crate) mending: Option<Mending>,
    pub(crate) job: Option<Job>,
    /// Rows that are referred to and that the next batch of an origin keeps before it takes them away.
    pub(crate) kept: BTreeMap<Origin, BTreeSet<u64>>,
    pub(crate) next_barrier: u64,
    pub(crate) next_ask: u64,
    pub(crate) syncing: bool,
    /// Transactions that came in part; a start cuts them off.
    pub(crate) unfinished: BTreeMap<Origin, parts::Unfinished>,
    /// A local transaction whose stamp depends on more than the stream: capture waits until it is durable.
    pub(crate) stamped: Option<Rc<Block>>,
    /// Re-checks that are committed and whose marker has not been read.
    pub(crate) rechecked: Vec<Lsn>,
    /// Transactions of one origin that are merged at most; one after a failure.
    pub(crate) merge_max: usize,
    /// How the next batch applies rows that may exclude each other.
    pub(crate) path: Path,
    /// A barrier that ran out of time has to be read before the next verdict.
    pub(crate) read_first: Option<u64>,
}

/// Where the start sequence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A crash took from the journal what is applied here: it is read on and shipped, until peers have brought it back.
    Lacking,
    /// A barrier was emitted; nothing is applied before it is read.
    Reading(u64),
    Running,
}
