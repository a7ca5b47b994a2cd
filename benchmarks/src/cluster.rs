//! A cluster of either side, with what benchmarks do to both.

use std::path::PathBuf;
use std::time::Duration;

use crate::measure::{Outcome, Side};
use crate::native::{Native, Standing};
use crate::ours::Ours;
use crate::run::{Session, say};
use crate::settings::Settings;
use crate::token::{Reader, Writer};
use crate::{cpu, fill, settings, sql};

/// How long a cluster may take to catch up with what a benchmark did to it.
pub(crate) const CATCH_UP_MAX: Duration = Duration::from_secs(1_800);
/// Between two looks at whether it has; a hundredth of a percent of a core.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Where a node's server is.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) port: u16,
    pub(crate) data_dir: PathBuf,
}

/// Two nodes or more; the first is loaded and the others receive.
pub(crate) enum Cluster {
    /// Servers with our daemons, each replicating to all others.
    Ours(Ours),
    /// Servers that subscribe to the first.
    Native(Native),
}

impl Cluster {
    /// Makes a cluster with pgbench's rows on every node.
    pub(crate) async fn up(session: &Session<'_>, side: Side, nodes: usize, scale: u32) -> anyhow::Result<Cluster> {
        say(&format!("  making {} with {nodes} nodes", side.name()));
        let place = session.place(&format!("{}{nodes}", side.name()));
        let cluster = match side {
            Side::Ours => Cluster::Ours(Ours::up(session, &place, nodes).await?),
            Side::Native => Cluster::Native(Native::up(session, &place, nodes).await?),
            Side::Alone => anyhow::bail!("a server that is not replicated is no cluster"),
        };
        let label = format!("{}{nodes}-fill", side.name());
        fill::tables(session, &label, &cluster.nodes(), scale).await?;
        if let Cluster::Native(native) = &cluster {
            native.subscribe(Standing::Leave).await?;
        }
        fill::rows(session, &label, &cluster.nodes(), scale).await?;
        cluster.catch_up().await?;
        cluster.tidy().await?;
        Ok(cluster)
    }

    pub(crate) fn side(&self) -> Side {
        match self {
            Cluster::Ours(_) => Side::Ours,
            Cluster::Native(_) => Side::Native,
        }
    }

    /// In their order.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        match self {
            Cluster::Ours(ours) => ours.nodes(),
            Cluster::Native(native) => native.nodes(),
        }
    }

    pub(crate) fn source(&self) -> anyhow::Result<Node> {
        self.node(0)
    }

    /// The node at which arrival is looked for.
    pub(crate) fn target(&self) -> anyhow::Result<Node> {
        self.node(1)
    }

    fn node(&self, index: usize) -> anyhow::Result<Node> {
        let node = self.nodes().into_iter().nth(index);
        node.ok_or_else(|| anyhow::anyhow!("the cluster has no node {index}"))
    }

    /// From now on nothing of the first node's is applied elsewhere.
    pub(crate) async fn hold(&self) -> anyhow::Result<()> {
        match self {
            Cluster::Ours(ours) => ours.hold().await,
            Cluster::Native(native) => native.disable().await,
        }
    }

    /// The end of [`Cluster::hold`].
    pub(crate) async fn resume(&self) -> anyhow::Result<()> {
        match self {
            Cluster::Ours(ours) => ours.resume().await,
            Cluster::Native(native) => native.enable().await,
        }
    }

    /// Fills the second node, which has tables without rows and takes no part yet; returns when it is full and follows.
    pub(crate) async fn join(&mut self) -> anyhow::Result<()> {
        match self {
            Cluster::Ours(ours) => {
                ours.start_daemon(1).await?;
                ours.wait_joined(1).await
            }
            Cluster::Native(native) => {
                native.subscribe(Standing::Copy).await?;
                native.wait_copied().await
            }
        }
    }

    /// Waits until every node has applied what the first has committed.
    pub(crate) async fn catch_up(&self) -> anyhow::Result<()> {
        let token = Writer::connect(self.source()?.port).await?.write().await?;
        for node in self.nodes().iter().skip(1) {
            let reader = Reader::connect(node.port).await?;
            reader.wait(token, LOOK_EVERY, CATCH_UP_MAX).await?;
        }
        Ok(())
    }

    /// Vacuum and checkpoint, which servers of a benchmark do at no other time.
    pub(crate) async fn tidy(&self) -> anyhow::Result<()> {
        for node in self.nodes() {
            let client = sql::connect(node.port, sql::DATABASE).await?;
            sql::run(&client, &["VACUUM ANALYZE", "CHECKPOINT"]).await?;
        }
        Ok(())
    }

    /// All settings of the first node's server.
    pub(crate) async fn source_settings(&self) -> anyhow::Result<Settings> {
        settings::of(&sql::connect(self.source()?.port, sql::DATABASE).await?).await
    }

    /// Processor time of a node's server so far.
    pub(crate) fn server_cpu(&self, index: usize) -> anyhow::Result<Duration> {
        cpu::of_server(&self.node(index)?.data_dir)
    }

    /// Processor time of all daemons that run, so far; native replication has none.
    pub(crate) fn daemons_cpu(&self) -> anyhow::Result<Duration> {
        match self {
            Cluster::Ours(ours) => ours.daemons_cpu(),
            Cluster::Native(_) => Ok(Duration::ZERO),
        }
    }

    /// Fails unless all nodes have the same rows of pgbench's tables. The cluster must have caught up.
    pub(crate) async fn check_equal(&self) -> anyhow::Result<()> {
        fill::check_equal(&self.nodes()).await
    }
}

/// Makes a cluster of each side that is measured, in the order of the first round, and notes how they differ.
pub(crate) async fn both(
    session: &Session<'_>,
    nodes: usize,
    scale: u32,
    outcome: &mut Outcome,
) -> anyhow::Result<Vec<Cluster>> {
    let mut clusters = Vec::new();
    for side in session.options.sides(0) {
        clusters.push(Cluster::up(session, side, nodes, scale).await?);
    }
    outcome.note(format!(
        "{nodes} nodes, pgbench scale {scale}. Native: `CREATE SUBSCRIPTION` with defaults over plain TCP. Ours: links with \
         mutual TLS. All nodes on one machine, which pgbench shares with them; each side's servers are idle while the other \
         is measured."
    ));
    if let [ours, native] = clusters.as_slice() {
        outcome.note(settings::compare(
            &ours.source_settings().await?,
            &native.source_settings().await?,
        ));
    }
    Ok(clusters)
}

/// The clusters in the order of a round.
pub(crate) fn in_order<'a>(session: &Session<'_>, clusters: &'a mut [Cluster], round: u32) -> Vec<&'a mut Cluster> {
    let order = session.options.sides(round);
    let mut clusters: Vec<&mut Cluster> = clusters.iter_mut().collect();
    clusters.sort_by_key(|cluster| order.iter().position(|side| *side == cluster.side()));
    clusters
}
