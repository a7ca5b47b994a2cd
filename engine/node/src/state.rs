//! The little a node remembers outside of its journal and its database.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use synapse_engine_identity::{Context, Incarnation, NodeId, Origin};
use synapse_wal_types::Lsn;

use crate::config::Config;
use crate::error::Error;

/// `node.json` in the data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    pub(crate) cluster: String,
    pub(crate) node: NodeId,
    pub(crate) incarnation: Incarnation,
    /// Which part of every sequence is this node's, from 0.
    pub(crate) ordinal: u16,
    /// Whether this life has begun to set up its database, which held no node's set-up then.
    pub(crate) set_up: bool,
    /// Whether the slot was created: it may not be missing from then on.
    pub(crate) slot_created: bool,
    /// Where the slot, and with it this node's log, began.
    pub(crate) start: synapse_wal_types::Lsn,
    /// Peers that are shipped nothing until a person says so.
    pub(crate) held: BTreeSet<NodeId>,
    /// How far it has come in becoming a member.
    pub(crate) join: Join,
}

/// How a node becomes a member: each step is durable, and a crash goes on from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub(crate) enum Join {
    /// What it begins with has not been decided.
    New {
        /// A person has said whom to copy.
        from: Option<NodeId>,
        /// No replicated table held a row when its stream had begun: all that came since is in the stream.
        born_empty: bool,
    },
    /// A person has said that what stands here goes, and that this node is copied from another.
    Replacing { from: NodeId },
    /// It is filled from another node's tables. Its own stream begins when it is full.
    Copying {
        from: NodeId,
        /// From where on every origin's journal is followed; set with the first snapshot.
        begins: Option<Vec<(Origin, Lsn)>>,
        #[serde(flatten)]
        copies: Copies,
    },
    /// Full: it follows the journals up to where its copies were taken, without writing what they hold.
    Passing(Copies),
    /// A member. With a number: it began empty, as all of so many members did, so that the journals hold everything.
    Joined { whole_for: Option<usize> },
}

/// Tables that were copied.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Copies {
    pub(crate) tables: Vec<Copied>,
    /// The last transactions that any of the copies holds.
    pub(crate) target: Context,
}

/// A table that was copied, and what its copy holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Copied {
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) context: Context,
}

impl Join {
    /// A node that is set up now.
    pub(crate) const fn new() -> Self {
        Join::New {
            from: None,
            born_empty: false,
        }
    }

    /// Whether its own stream is, or is going to be, what peers may follow.
    pub(crate) const fn streams(&self) -> bool {
        match self {
            Join::Passing(_) | Join::Joined { .. } => true,
            Join::New { .. } | Join::Replacing { .. } | Join::Copying { .. } => false,
        }
    }
}

const NAME: &str = "node.json";

impl State {
    /// What the data directory remembers of this node, or what a new life begins with.
    ///
    /// # Errors
    /// When the directory is another node's, or cannot be read or written.
    pub(crate) fn load_or_begin(config: &Config) -> Result<State, Error> {
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

    /// Reads it; `None` when this node has never been set up.
    pub(crate) fn load(data_dir: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(path(data_dir)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces it, crash-safely.
    pub(crate) fn save(&self, data_dir: &Path) -> io::Result<()> {
        let target = path(data_dir);
        let temporary = target.with_extension("tmp");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&temporary, &target)?;
        File::open(data_dir)?.sync_all()
    }
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
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
