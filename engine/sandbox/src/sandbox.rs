//! One sandbox under one command at a time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use futures_util::future::join_all;
use rustix::fs::FlockOperation;

use crate::Narrator;
use crate::error::{Error, Result};
use crate::files;
use crate::node::Node;
use crate::owner::Owner;
use crate::record::{NodeRecord, Record};

/// A sandbox, locked against other commands for as long as this value lives.
#[derive(Debug)]
pub struct Sandbox {
    pub(crate) dir: PathBuf,
    pub(crate) owner: Owner,
    pub(crate) record: Record,
    pub(crate) lock: Lock,
}

impl Sandbox {
    /// Opens the sandbox in `dir`. Fails with [`Error::NoSandbox`] when there is none, with [`Error::Refused`] while
    /// another command works on it.
    pub fn open(dir: &Path) -> Result<Sandbox> {
        let dir = files::absolute(dir)?;
        if !Record::exists(&dir) {
            return Err(Error::NoSandbox { dir });
        }
        let lock = Lock::take(&dir)?;
        let record = Record::load(&dir)?;
        Ok(Sandbox {
            owner: Owner::detect()?,
            dir,
            record,
            lock,
        })
    }

    /// What the sandbox is and what runs.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Stops everything; then, unless `keep_data`, removes the directory with all that is in it. A server that does
    /// not stop in time is killed.
    pub async fn down(mut self, keep_data: bool, narrate: Narrator<'_>) -> Result<()> {
        narrate("stopping");
        self.stop_all().await?;
        if !keep_data {
            let sockets = self.socket_dir();
            if sockets.is_dir() && !sockets.starts_with(&self.dir) {
                fs::remove_dir_all(&sockets).map_err(Error::io("remove", &sockets))?;
            }
            fs::remove_dir_all(&self.dir).map_err(Error::io("remove", &self.dir))?;
        }
        drop(self.lock);
        Ok(())
    }

    /// Stops every process of every node, killing what does not stop in time.
    pub(crate) async fn stop_all(&mut self) -> Result<()> {
        let stops = self.record.nodes.iter().map(|record| {
            let node = self.node(record);
            async move { node.stop_or_kill().await }
        });
        for outcome in join_all(stops).await {
            outcome?;
        }
        for node in &mut self.record.nodes {
            node.set_engine(None);
            node.set_postgres(None);
        }
        self.save()
    }

    pub(crate) fn save(&self) -> Result<()> {
        self.record.save(&self.dir, &self.owner)
    }

    pub(crate) fn node<'a>(&'a self, record: &'a NodeRecord) -> Node<'a> {
        Node { sandbox: self, record }
    }

    pub(crate) fn socket_dir(&self) -> PathBuf {
        crate::postgres::socket_dir(&self.dir)
    }

    pub(crate) fn ca_dir(&self) -> PathBuf {
        self.dir.join("ca")
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.dir.join("token")
    }
}

/// An exclusive lock on a sandbox's directory; the system gives it up when its holder ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Fails with [`Error::Refused`] while another command holds it.
    pub(crate) fn take(dir: &Path) -> Result<Lock> {
        let file = File::open(dir).map_err(Error::io("open", dir))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Refused {
                what: format!("another command works on the sandbox in {}", dir.display()),
            }),
            Err(errno) => Err(Error::io("lock", dir)(errno.into())),
        }
    }
}
