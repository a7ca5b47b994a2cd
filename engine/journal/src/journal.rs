use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::fs::FlockOperation;
use synapse_engine_identity::{Incarnation, Origin};

use crate::disk::{make_dir, sync_dir};
use crate::error::{Error, Result};
use crate::log::{Log, SEGMENT_BYTES};
use crate::recover::Cut;
use crate::spool::Spool;

const LOCK_NAME: &str = "journal.lock";
const SPOOL_NAME: &str = "spool";

/// How much a journal may take, and in which pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Over this, in bytes of all logs, there is no [`Journal::room`].
    pub limit_bytes: u64,
    /// Size of a segment, in bytes.
    pub segment_bytes: u64,
}

impl Options {
    /// With a limit and segments of the usual size, or of a 32nd of the limit: the segments that logs are being
    /// written in cannot be pruned, and must not fill the journal by themselves.
    #[must_use]
    pub const fn with_limit(limit_bytes: u64) -> Self {
        let share = limit_bytes / 32;
        Options {
            limit_bytes,
            segment_bytes: if share < SEGMENT_BYTES { share } else { SEGMENT_BYTES },
        }
    }
}

/// A node's journal: a directory with one log for each origin.
///
/// ```text
/// journal.lock   spool/<xid>-<attempt>.spool   <node>-<incarnation>/<number>.log
/// ```
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    options: Options,
    logs: Mutex<BTreeMap<Origin, Arc<Log>>>,
    /// Held as long as the journal is open.
    _lock: File,
}

impl Journal {
    /// Opens the journal in `dir`, which is made when it does not exist. The spool is emptied: PostgreSQL sends
    /// transactions in progress again.
    ///
    /// # Errors
    /// [`Error::Locked`] when another process has it open; [`Error::Damaged`] as [`Log::open`].
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        make_dir(dir)?;
        let lock = lock(&dir.join(LOCK_NAME))?;
        let spool = dir.join(SPOOL_NAME);
        if spool.exists() {
            std::fs::remove_dir_all(&spool).map_err(Error::io("empty", &spool))?;
        }
        make_dir(&spool)?;
        let mut logs = BTreeMap::new();
        for entry in std::fs::read_dir(dir).map_err(Error::io("list", dir))? {
            let path = entry.map_err(Error::io("list", dir))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name == LOCK_NAME || name == SPOOL_NAME {
                continue;
            }
            let origin = parse_name(name).ok_or_else(|| Error::Foreign {
                path: path.clone(),
                what: "expected logs, named by node and incarnation",
            })?;
            logs.insert(origin, Arc::new(Log::open(&path, origin, options.segment_bytes)?));
        }
        Ok(Journal {
            dir: dir.to_owned(),
            options,
            logs: Mutex::new(logs),
            _lock: lock,
        })
    }

    /// The log of `origin`, made when there is none.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn log(&self, origin: Origin) -> Result<Arc<Log>> {
        let mut logs = self.logs();
        if let Some(log) = logs.get(&origin) {
            return Ok(Arc::clone(log));
        }
        let log = Arc::new(Log::open(
            &self.dir.join(name(origin)),
            origin,
            self.options.segment_bytes,
        )?);
        logs.insert(origin, Arc::clone(&log));
        Ok(log)
    }

    /// The origins that have a log, in order.
    #[must_use]
    pub fn origins(&self) -> Vec<Origin> {
        self.logs().keys().copied().collect()
    }

    /// Removes the log of an origin whose every transaction is stable and that will make no more. Those who still
    /// hold the log must not write to it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(&self, origin: Origin) -> Result<()> {
        if self.logs().remove(&origin).is_none() {
            return Ok(());
        }
        let path = self.dir.join(name(origin));
        std::fs::remove_dir_all(&path).map_err(Error::io("remove", &path))?;
        sync_dir(&self.dir)
    }

    /// What all logs take on disk, in bytes. The spool is not counted: it goes when its transactions end.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.logs().values().map(|log| log.bytes()).sum()
    }

    /// The limit, in bytes.
    #[must_use]
    pub const fn limit_bytes(&self) -> u64 {
        self.options.limit_bytes
    }

    /// Whether more may be journalled.
    #[must_use]
    pub fn room(&self) -> bool {
        self.bytes() < self.options.limit_bytes
    }

    /// What was cut off the ends of logs when they were opened.
    #[must_use]
    pub fn cuts(&self) -> Vec<(Origin, Cut)> {
        let logs = self.logs();
        let cuts = logs
            .iter()
            .flat_map(|(origin, log)| log.cuts().iter().map(|cut| (*origin, cut.clone())));
        cuts.collect()
    }

    /// A side file for the transaction `xid` that is still in progress; `attempt` tells its sendings apart.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn spool(&self, xid: u32, attempt: u32) -> Result<Spool> {
        Spool::create(&self.dir.join(SPOOL_NAME), xid, attempt)
    }

    fn logs(&self) -> MutexGuard<'_, BTreeMap<Origin, Arc<Log>>> {
        self.logs
            .lock()
            .expect("nothing panics while it holds the list of logs")
    }
}

fn lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked { path: path.to_owned() }),
        Err(errno) => Err(Error::io("lock", path)(errno.into())),
    }
}

fn name(origin: Origin) -> String {
    format!("{}-{}", origin.node, origin.incarnation.0)
}

fn parse_name(text: &str) -> Option<Origin> {
    let (node, incarnation) = text.rsplit_once('-')?;
    let origin = Origin {
        node: node.parse().ok()?,
        incarnation: Incarnation(incarnation.parse().ok()?),
    };
    (name(origin) == text).then_some(origin)
}

#[cfg(test)]
mod tests;
