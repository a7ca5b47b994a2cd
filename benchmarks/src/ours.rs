//! Our side: a sandbox.

use std::path::Path;
use std::time::Duration;

use synapse_engine_sandbox::{NodeRecord, Options, Record, Sandbox, What, first_free_base};
use synapse_wal_types::Lsn;
use tokio::time::Instant;

use crate::cluster::Node;
use crate::daemon::Daemon;
use crate::run::{Session, say};
use crate::{cpu, settings, sql};

/// How long a journal may take to hold what its server has committed.
const JOURNAL_MAX: Duration = Duration::from_secs(600);
/// Between two looks at whether it does.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Servers and daemons that run until the session clears its scratch directory.
#[derive(Debug)]
pub(crate) struct Ours {
    sandbox: Sandbox,
}

impl Ours {
    pub(crate) async fn up(session: &Session<'_>, place: &Path, nodes: usize) -> anyhow::Result<Ours> {
        let options = Options {
            nodes,
            base_port: first_free_base(nodes)?,
            database: sql::DATABASE.to_owned(),
            synapsed: Some(session.options.daemon()),
            pg_bin: synapse_engine_sandbox::PgBin::All(session.server.bin.clone()),
            ..Options::new(place.to_owned())
        };
        let mut sandbox = Sandbox::up(&options, &narrate).await?;
        for node in sandbox.record().nodes.clone() {
            let client = sql::connect(node.postgres_port, sql::DATABASE).await?;
            sql::run(&client, &settings::alter_system()).await?;
            drop(client);
            sandbox.stop(&node.name, What::Both, &narrate).await?;
            sandbox.start(&node.name, What::Both, &narrate).await?;
        }
        Ok(Ours { sandbox })
    }

    pub(crate) fn nodes(&self) -> Vec<Node> {
        let node = |node: &NodeRecord| Node {
            port: node.postgres_port,
            data_dir: node.data_dir.clone(),
        };
        self.record().nodes.iter().map(node).collect()
    }

    /// The first node ships nothing.
    pub(crate) async fn hold(&self) -> anyhow::Result<()> {
        self.links("hold").await
    }

    pub(crate) async fn resume(&self) -> anyhow::Result<()> {
        self.links("resume").await
    }

    async fn links(&self, change: &'static str) -> anyhow::Result<()> {
        let source = Daemon::of(self.record_of(0)?);
        for peer in self.record().nodes.iter().skip(1) {
            source.link(change, &peer.name).await?;
        }
        Ok(())
    }

    pub(crate) async fn stop_daemon(&mut self, index: usize) -> anyhow::Result<()> {
        let name = self.record_of(index)?.name.clone();
        Ok(self.sandbox.stop(&name, What::Engine, &narrate).await?)
    }

    /// Returns when it answers, which is long before it has caught up.
    pub(crate) async fn start_daemon(&mut self, index: usize) -> anyhow::Result<()> {
        let name = self.record_of(index)?.name.clone();
        Ok(self.sandbox.start(&name, What::Engine, &narrate).await?)
    }

    /// Waits until the first node's journal holds everything up to here durably.
    pub(crate) async fn wait_journalled(&self, until: Lsn) -> anyhow::Result<()> {
        let daemon = Daemon::of(self.record_of(0)?);
        let deadline = Instant::now() + JOURNAL_MAX;
        loop {
            let confirmed = daemon.status().await?.slot.confirmed_lsn;
            if confirmed >= until {
                return Ok(());
            }
            anyhow::ensure!(
                Instant::now() < deadline,
                "the journal stands at {confirmed} and does not reach {until}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Processor time so far of the daemons that run.
    pub(crate) fn daemons_cpu(&self) -> anyhow::Result<Duration> {
        self.record()
            .nodes
            .iter()
            .filter_map(|node| node.engine_pid)
            .map(cpu::of_process)
            .sum()
    }

    fn record(&self) -> &Record {
        self.sandbox.record()
    }

    fn record_of(&self, index: usize) -> anyhow::Result<&NodeRecord> {
        self.record()
            .nodes
            .get(index)
            .ok_or_else(|| anyhow::anyhow!("the sandbox has no node {index}"))
    }
}

fn narrate(line: &str) {
    say(&format!("    {line}"));
}
