//! `sandbox.json`: what the sandbox is and what runs, for commands, scripts and tests.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::files;
use crate::owner::Owner;
use crate::process::ProcessId;

/// The name of the file in the sandbox's directory.
const FILE: &str = "sandbox.json";

/// The whole file. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The cluster's name.
    pub cluster: String,
    /// The first port of the plan.
    pub base_port: u16,
    /// The database that is replicated.
    pub database: String,
    /// The `synapsed` program that the nodes run.
    pub synapsed: PathBuf,
    /// Made by the demo, which may therefore replace it.
    #[serde(default)]
    pub demo: bool,
    /// In the order of their ports.
    pub nodes: Vec<NodeRecord>,
}

/// One node. Process ids are `None` while the process is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// `n1`, `n2`, …, or what `add` was told.
    pub name: String,
    /// libpq keywords for applications (TCP).
    pub dsn: String,
    /// PostgreSQL's port on 127.0.0.1.
    pub postgres_port: u16,
    /// The daemon's link address.
    pub link: String,
    /// The daemon's HTTP API.
    pub api: String,
    /// The daemon's configuration.
    pub config: PathBuf,
    /// The file with the API's bearer token.
    pub token_file: PathBuf,
    /// The daemon's process.
    pub engine_pid: Option<i32>,
    /// The daemon's start time in clock ticks since boot (`/proc/PID/stat`): tells it from a recycled id.
    pub engine_start: Option<u64>,
    /// The postmaster.
    pub postgres_pid: Option<i32>,
    /// The postmaster's start time in clock ticks since boot.
    pub postgres_start: Option<u64>,
    /// For example `15.18`.
    pub pg_version: String,
    /// The directory of the server's binaries.
    pub pg_bin: PathBuf,
    /// PostgreSQL's data directory.
    pub data_dir: PathBuf,
    /// The daemon's log.
    pub log: PathBuf,
    /// PostgreSQL's log.
    pub postgres_log: PathBuf,
}

impl Record {
    /// Whether the directory holds a sandbox, running or not.
    #[must_use]
    pub fn exists(dir: &Path) -> bool {
        dir.join(FILE).is_file()
    }

    /// Reads the record of the sandbox in `dir`. Fails with [`Error::NoSandbox`] when there is none.
    pub fn load(dir: &Path) -> Result<Record> {
        let path = dir.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::NoSandbox { dir: dir.to_owned() });
            }
            Err(error) => return Err(Error::io("read", path)(error)),
        };
        serde_json::from_slice(&bytes).map_err(|error| Error::BadRecord {
            path,
            problem: error.to_string(),
        })
    }

    /// Replaces the file by rename.
    pub(crate) fn save(&self, dir: &Path, owner: &Owner) -> Result<()> {
        let path = dir.join(FILE);
        let mut bytes = serde_json::to_vec_pretty(self).expect("a record has string keys only");
        bytes.push(b'\n');
        files::replace(&path, &bytes, 0o644)?;
        owner.give(&path)
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Result<&NodeRecord> {
        self.nodes
            .iter()
            .find(|node| node.name == name)
            .ok_or_else(|| self.no_node(name))
    }

    pub(crate) fn node_mut(&mut self, name: &str) -> Result<&mut NodeRecord> {
        let missing = self.no_node(name);
        self.nodes.iter_mut().find(|node| node.name == name).ok_or(missing)
    }

    fn no_node(&self, name: &str) -> Error {
        let known = self
            .nodes
            .iter()
            .map(|node| node.name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        Error::NoNode {
            name: name.to_owned(),
            known,
        }
    }

    /// The nodes of which a process runs.
    #[must_use]
    pub fn running(&self) -> Vec<&str> {
        let runs = |node: &&NodeRecord| node.postgres().is_some() || node.engine().is_some();
        self.nodes.iter().filter(runs).map(|node| node.name.as_str()).collect()
    }
}

impl NodeRecord {
    /// The postmaster, if it runs.
    pub(crate) fn postgres(&self) -> Option<ProcessId> {
        running(self.postgres_pid, self.postgres_start)
    }

    /// The daemon, if it runs.
    pub(crate) fn engine(&self) -> Option<ProcessId> {
        running(self.engine_pid, self.engine_start)
    }

    pub(crate) fn set_postgres(&mut self, process: Option<ProcessId>) {
        (self.postgres_pid, self.postgres_start) = parts(process);
    }

    pub(crate) fn set_engine(&mut self, process: Option<ProcessId>) {
        (self.engine_pid, self.engine_start) = parts(process);
    }
}

fn running(pid: Option<i32>, start: Option<u64>) -> Option<ProcessId> {
    let process = ProcessId {
        pid: pid?,
        start: start?,
    };
    process.is_alive().then_some(process)
}

fn parts(process: Option<ProcessId>) -> (Option<i32>, Option<u64>) {
    (process.map(|p| p.pid), process.map(|p| p.start))
}

#[cfg(test)]
pub(crate) mod tests;
