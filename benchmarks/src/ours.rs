//! Our side: a sandbox.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use synapse_engine_sandbox::{NodeRecord, Options, PgBin, Record, Sandbox, What, first_free_base};
use synapse_wal_types::Lsn;
use tokio::time::Instant;

use crate::cluster::{CATCH_UP_MAX, Node};
use crate::daemon::{Daemon, State};
use crate::program::Raw;
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
            // One more may join.
            base_port: first_free_base(nodes + 1)?,
            database: sql::DATABASE.to_owned(),
            synapsed: Some(session.options.daemon()),
            pg_bin: PgBin::All(session.server.bin.clone()),
            ..Options::new(place.to_owned())
        };
        let sandbox = Sandbox::up(&options, &narrate).await?;
        let mut ours = Ours { sandbox };
        for node in ours.record().nodes.clone() {
            ours.tune(&node, What::Both).await?;
        }
        Ok(ours)
    }

    /// Gives a node the settings of benchmarks, and starts this of it again.
    async fn tune(&mut self, node: &NodeRecord, start: What) -> anyhow::Result<()> {
        let client = sql::connect(node.postgres_port, sql::DATABASE).await?;
        sql::run(&client, &settings::alter_system()).await?;
        drop(client);
        self.sandbox.stop(&node.name, What::Both, &narrate).await?;
        Ok(self.sandbox.start(&node.name, start, &narrate).await?)
    }

    /// A second node without tables, whom the first knows; its daemon is down. It must lack tables of the first's, else
    /// it is full before it is stopped.
    pub(crate) async fn add_empty(&mut self) -> anyhow::Result<()> {
        let bin = PgBin::All(self.record_of(0)?.pg_bin.clone());
        self.sandbox.add("n2", &bin, &narrate).await?;
        let node = self.record_of(1)?.clone();
        self.tune(&node, What::Postgres).await
    }

    /// Makes the first node, which has no peers, anew over its rows: as if they had stood before its daemon came.
    pub(crate) async fn begin_anew(&mut self, session: &Session<'_>, label: &str) -> anyhow::Result<()> {
        self.stop_daemon(0).await?;
        let node = self.record_of(0)?;
        let mut detach = tokio::process::Command::new(session.options.daemon().with_file_name("synapsectl"));
        detach
            .arg("--config")
            .arg(&node.config)
            .args(["node", "detach", "--confirm"]);
        session.raw.run(&format!("{label}-detach"), &mut detach).await?;
        // Where a sandbox has it; the daemon makes it again.
        let data = node.config.with_file_name("data");
        std::fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
        self.start_daemon(0).await?;
        self.wait_joined(0).await
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

    /// Waits until a node is a member, with all rows that it joined for.
    pub(crate) async fn wait_joined(&self, index: usize) -> anyhow::Result<()> {
        let daemon = Daemon::of(self.record_of(index)?);
        let deadline = Instant::now() + CATCH_UP_MAX;
        loop {
            let status = daemon.status().await?;
            if status.joined() {
                return Ok(());
            }
            let name = &self.record_of(index)?.name;
            anyhow::ensure!(status.state != State::Stopped, "{name} cannot join: its log says why");
            anyhow::ensure!(Instant::now() < deadline, "{name} has not joined: {status:?}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Keeps the daemons' logs, stops everything and removes it.
    pub(crate) async fn down(self, raw: &Raw, label: &str) -> anyhow::Result<()> {
        down(self.sandbox, raw, label).await
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

/// Keeps the daemons' logs, stops the sandbox and removes it.
pub(crate) async fn down(sandbox: Sandbox, raw: &Raw, label: &str) -> anyhow::Result<()> {
    for node in &sandbox.record().nodes {
        let log = std::fs::read_to_string(&node.log).unwrap_or_default();
        raw.keep(&format!("{label}-{}-synapsed", node.name), &log)?;
    }
    Ok(sandbox.down(false, &|_| ()).await?)
}

fn narrate(line: &str) {
    say(&format!("    {line}"));
}
