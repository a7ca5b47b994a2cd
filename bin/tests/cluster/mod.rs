//! Clusters for tests: real servers, real daemons, torn down with the value that holds them.
//!
//! [`Cluster::start`] makes one, [`Cluster::sql`] and its kin talk to the servers, [`Cluster::settle`] waits until every
//! node has applied what every other had committed, and [`Cluster::equal`] compares the contents in two ways that have
//! nothing in common. Whatever is waited for has a deadline, and the panic at its end shows every node's status and log.

mod api;
mod contents;
mod processes;
mod servers;
mod sql;
mod wait;

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use synapse_engine_sandbox::{Error, NodeRecord, Options, PgBin, Sandbox};

pub(crate) use servers::{MIXED, Server};
pub(crate) use synapse_engine_sandbox::What;

/// First ports of clusters: below what the system gives to outgoing connections.
const BASES: (u16, u16) = (10_000, 30_000);
/// Distance between the first ports of two clusters.
const BASE_STRIDE: u16 = 100;
/// Ports that one node takes of the plan.
const NODE_STRIDE: u16 = 10;

/// A running cluster. Nodes are `n1`, `n2`, …
pub(crate) struct Cluster {
    /// `None` only while it is torn down.
    sandbox: Option<Sandbox>,
    dir: tempfile::TempDir,
}

/// What a cluster's nodes run.
pub(crate) struct Programs {
    /// The directory of each node's server.
    pub(crate) servers: BTreeMap<String, PathBuf>,
    pub(crate) synapsed: PathBuf,
}

impl Cluster {
    /// A cluster of nodes with these servers, all ready.
    pub(crate) async fn start(servers: &[Server]) -> Cluster {
        let bins = servers
            .iter()
            .enumerate()
            .map(|(i, server)| (format!("n{}", i + 1), server.bin()));
        let programs = Programs {
            servers: bins.collect(),
            synapsed: PathBuf::from(env!("CARGO_BIN_EXE_synapsed")),
        };
        Cluster::start_with(servers, |_| programs).await
    }

    /// A cluster whose programs may be made in its directory.
    pub(crate) async fn start_with(servers: &[Server], programs: impl FnOnce(&Path) -> Programs) -> Cluster {
        let dir = tempfile::Builder::new().prefix("syn").tempdir_in("/tmp").unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let programs = programs(dir.path());
        let mut options = Options {
            nodes: servers.len(),
            pg_bin: PgBin::PerNode(programs.servers),
            synapsed: Some(programs.synapsed),
            ..Options::new(dir.path().join("c"))
        };
        let mut bases = free_bases(servers.len());
        loop {
            options.base_port = bases.next().expect("some ports of this machine are free");
            match Sandbox::up(&options, &silent).await {
                Ok(sandbox) => {
                    return Cluster {
                        sandbox: Some(sandbox),
                        dir,
                    };
                }
                Err(Error::PortBusy { .. }) => {}
                Err(error) => panic!("the cluster does not come up: {error}"),
            }
        }
    }

    /// The names of the nodes.
    pub(crate) fn names(&self) -> Vec<String> {
        self.sandbox()
            .record()
            .nodes
            .iter()
            .map(|node| node.name.clone())
            .collect()
    }

    /// What the sandbox has on record of a node.
    pub(crate) fn node(&self, name: &str) -> &NodeRecord {
        self.sandbox().record().node(name).unwrap()
    }

    /// The cluster's directory.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn sandbox(&self) -> &Sandbox {
        self.sandbox.as_ref().expect("it is taken only by drop")
    }

    /// The sandbox, to do with it what has no name here.
    pub(crate) fn sandbox_mut(&mut self) -> &mut Sandbox {
        self.sandbox.as_mut().expect("it is taken only by drop")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(sandbox) = self.sandbox.take() else { return };
        // A runtime of its own: this may run within another one, which may be unwinding.
        let ended = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(sandbox.down(false, &silent))
        });
        match ended.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => eprintln!("the cluster in {} was not removed: {error}", self.dir.path().display()),
            Err(_) => eprintln!("the cluster in {} was not removed", self.dir.path().display()),
        }
    }
}

fn silent(_: &str) {}

/// First ports at which these nodes find theirs free. Processes begin to look at different places.
fn free_bases(nodes: usize) -> impl Iterator<Item = u16> {
    let count = (BASES.1 - BASES.0) / BASE_STRIDE;
    let own = u16::try_from(std::process::id() % u32::from(count)).expect("it is less than a number of ports");
    let nodes = u16::try_from(nodes).expect("clusters are small");
    (0..count)
        .map(move |i| BASES.0 + (own + i) % count * BASE_STRIDE)
        .filter(move |base| (0..nodes * NODE_STRIDE).all(|offset| is_free(base + offset)))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
