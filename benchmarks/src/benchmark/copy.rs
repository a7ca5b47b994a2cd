//! The initial copy: an empty node gets the rows of one that is full.

use std::time::Duration;

use anyhow::Context;
use synapse_wal_types::Lsn;
use tokio::process::Command;

use crate::cluster::{Cluster, Node};
use crate::measure::{Metric, Outcome, Side, micros_each};
use crate::meter::{Cost, Meter};
use crate::native::Native;
use crate::options::with_alone;
use crate::ours::Ours;
use crate::pgbench::{self, Commit, Length, Load, Pace};
use crate::run::{Session, say};
use crate::settings::{self, Settings};
use crate::token::Writer;
use crate::{fill, sql};

const WALL: Metric = Metric::lower("wall", "s").at_most(1.0);
const RATE: Metric = Metric::higher("copied", "rows/s");
const TARGET: Metric = Metric::lower("target server CPU per row", "us");
const SOURCE: Metric = Metric::lower("source server CPU per row", "us");
const OUTSIDE: Metric = Metric::lower("daemons or tools CPU per row", "us");
const ALL: Metric = Metric::lower("all CPU per row", "us");

const OLDER: &str = "rows older than the journal";
const JOURNALLED: &str = "rows in the journal too";

/// Transactions on the source after its rows are made: sums of a whole copy differ from those of a part, and the table
/// of the history is not empty.
const LOADED: u32 = 4_000;

/// Since when our source's daemon runs. Native replication knows of no rows that were there before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Daemon {
    /// Since after the rows came.
    AfterRows,
    /// Since before: its journal has them, unless it has forgotten them already.
    BeforeRows,
}

/// A source and a target of one round.
struct Run<'a> {
    session: &'a Session<'a>,
    label: String,
    scale: u32,
}

pub(super) async fn measure(session: &Session<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let scale = session.options.full_or_quick(50, 5);
    explain(&mut outcome, scale);
    let (mut of_ours, mut of_native) = (None, None);
    for round in 0..session.options.rounds() {
        for side in order(session, round) {
            say(&format!("  round {}, {}", round + 1, side.name()));
            let run = |case: &str| Run {
                session,
                label: format!("copy-{}-{}{case}", round + 1, side.name()),
                scale,
            };
            match side {
                Side::Ours => {
                    for (case, label, daemon) in [
                        (OLDER, "-older", Daemon::AfterRows),
                        (JOURNALLED, "-journal", Daemon::BeforeRows),
                    ] {
                        let (cost, settings) = run(label).ours(daemon).await?;
                        record(&mut outcome, case, side, cost, scale);
                        of_ours = Some(settings);
                    }
                }
                Side::Native | Side::Alone => {
                    let (cost, settings) = run("").plain(side).await?;
                    record(&mut outcome, OLDER, side, cost, scale);
                    record(&mut outcome, JOURNALLED, side, cost, scale);
                    of_native = Some(settings);
                }
            }
        }
    }
    if let (Some(ours), Some(native)) = (of_ours, of_native) {
        outcome.note(settings::compare(&ours, &native));
    }
    Ok(outcome)
}

/// The tools stand beside both sides, and not beside one that is measured alone.
fn order(session: &Session<'_>, round: u32) -> Vec<Side> {
    let sides = session.options.sides(round);
    match session.options.only {
        Some(_) => sides,
        None => with_alone(sides, round),
    }
}

fn explain(outcome: &mut Outcome, scale: u32) {
    outcome.note(format!(
        "pgbench scale {scale} ({} rows) on the first node, which nobody writes to while it is copied. Every measurement has \
         new servers; sources are vacuumed and checkpointed before, and sums of both nodes must be equal afterwards.",
        rows(scale)
    ));
    outcome.note(
        "Ours and native: the second node has the tables with their keys, without rows. Native: from `CREATE PUBLICATION` and \
         `CREATE SUBSCRIPTION … WITH (copy_data = true)`, over plain TCP, until every table is ready (`srsubstate = 'r'`). \
         Ours: from the start of the second daemon, which the first knows, over mutual TLS, until it says that it is a \
         member. Both copy two tables at a time. A look each 20 ms for the end is included on both sides.",
    );
    outcome.note(
        "Rows older than the journal: our first daemon came when the rows stood already. Rows in the journal too: it ran while \
         they were made just before, so that the second daemon also passes what the journal still has of them. Native and \
         alone stand beside both cases.",
    );
    outcome.note(
        "Alone: `pg_dump --format=custom --compress=0 | pg_restore` into an empty database, without replication. It makes the \
         tables too, builds the keys after the rows, and what is written meanwhile is not in it. Compression would only slow \
         it down on one machine.",
    );
}

fn rows(scale: u32) -> u64 {
    // An account each of 100,000, ten tellers, one branch; and a row of history each transaction.
    u64::from(scale) * 100_011 + u64::from(LOADED)
}

fn record(outcome: &mut Outcome, case: &'static str, side: Side, cost: Cost, scale: u32) {
    let each = |time| micros_each(time, rows(scale));
    let wall = cost.wall.as_secs_f64();
    outcome.add(case, WALL, side, wall);
    outcome.add(case, RATE, side, rows(scale) as f64 / wall);
    outcome.add(case, TARGET, side, each(cost.subscriber));
    outcome.add(case, SOURCE, side, each(cost.publisher));
    match side {
        Side::Ours | Side::Alone => outcome.add(case, OUTSIDE, side, each(cost.daemons)),
        Side::Native => {}
    }
    outcome.add(case, ALL, side, each(cost.subscriber + cost.publisher + cost.daemons));
}

impl Run<'_> {
    async fn ours(&self, daemon: Daemon) -> anyhow::Result<(Cost, Settings)> {
        let mut ours = Ours::up(self.session, &self.session.place(&self.label), 1).await?;
        let first = ours.nodes();
        self.tables("source", &first).await?;
        let position = self.rows(&first).await?;
        match daemon {
            Daemon::AfterRows => ours.begin_anew(self.session, &self.label).await?,
            Daemon::BeforeRows => ours.wait_journalled(position).await?,
        }
        ours.add_empty().await?;
        self.tables("target", ours.nodes().get(1..).unwrap_or_default()).await?;
        let mut cluster = Cluster::Ours(ours);
        cluster.tidy().await?;
        let meter = Meter::start(&cluster)?;
        cluster.join().await?;
        let cost = meter.stop(&cluster)?;
        cluster.check_equal().await?;
        let settings = cluster.source_settings().await?;
        if let Cluster::Ours(ours) = cluster {
            ours.down(&self.session.raw, &self.label).await?;
        }
        Ok((cost, settings))
    }

    /// Two plain servers, and native replication from one to the other, or the tools.
    async fn plain(&self, side: Side) -> anyhow::Result<(Cost, Settings)> {
        let place = self.session.place(&self.label);
        let mut cluster = Cluster::Native(Native::up(self.session, &place, 2).await?);
        let nodes = cluster.nodes();
        let with_tables = match side {
            Side::Alone => 1,
            Side::Ours | Side::Native => 2,
        };
        self.tables("tables", nodes.get(..with_tables).unwrap_or_default())
            .await?;
        self.rows(&nodes).await?;
        cluster.tidy().await?;
        let meter = Meter::start(&cluster)?;
        let cost = match side {
            Side::Alone => {
                let daemons = self.dump(&cluster).await?;
                Cost {
                    daemons,
                    ..meter.stop(&cluster)?
                }
            }
            Side::Ours | Side::Native => {
                cluster.join().await?;
                meter.stop(&cluster)?
            }
        };
        cluster.check_equal().await?;
        let settings = cluster.source_settings().await?;
        drop(cluster);
        std::fs::remove_dir_all(&place).with_context(|| format!("cannot remove {}", place.display()))?;
        Ok((cost, settings))
    }

    /// Returns the processor time of the tools.
    async fn dump(&self, cluster: &Cluster) -> anyhow::Result<Duration> {
        let tool = |name: &str, node: Node| {
            let mut command = Command::new(self.session.server.bin.join(name));
            command.args([
                "-h",
                "127.0.0.1",
                "-U",
                "postgres",
                "-p",
                &node.port.to_string(),
                "-d",
                sql::DATABASE,
            ]);
            command
        };
        let mut dump = tool("pg_dump", cluster.source()?);
        dump.args(["--format=custom", "--compress=0"]);
        let mut restore = tool("pg_restore", cluster.target()?);
        restore.arg("--exit-on-error");
        let ran = self.session.raw.pipe(&self.label, &mut dump, &mut restore).await?;
        Ok(ran.cpu)
    }

    async fn tables(&self, of: &str, nodes: &[Node]) -> anyhow::Result<()> {
        let label = format!("{}-{of}", self.label);
        fill::tables(self.session, &label, nodes, self.scale).await
    }

    /// Rows on the first node. Returns a position after all of them, before a commit that follows.
    async fn rows(&self, nodes: &[Node]) -> anyhow::Result<Lsn> {
        fill::rows(self.session, &self.label, nodes, self.scale).await?;
        let source = nodes.first().context("a cluster has nodes")?;
        let load = Load {
            length: Length::Transactions(LOADED),
            pace: Pace::Unlimited,
            commit: Commit::Asynchronous,
        };
        let (bin, raw) = (&self.session.server.bin, &self.session.raw);
        pgbench::run(bin, raw, &format!("{}-load", self.label), source.port, load).await?;
        let position = sql::log_end(&sql::connect(source.port, sql::DATABASE).await?).await?;
        Writer::connect(source.port).await?.write().await?;
        Ok(position)
    }
}
