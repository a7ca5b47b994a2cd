//! Applying a backlog of pgbench transactions: time, and processor time of every server on the way.

use std::time::{Duration, Instant};

use anyhow::Context;
use synapse_wal_types::Lsn;

use crate::cluster::{self, CATCH_UP_MAX, Cluster, LOOK_EVERY};
use crate::measure::{Metric, Outcome, Side, micros_each};
use crate::meter::{Cost, Meter};
use crate::pgbench::{self, Commit, Length, Load, Pace};
use crate::run::{Session, say};
use crate::sql;
use crate::token::{Reader, Token, Writer};

const WALL: Metric = Metric::lower("wall", "s").at_most(1.0);
const RATE: Metric = Metric::higher("applied", "transactions/s");
const SUBSCRIBER: Metric = Metric::lower("subscriber server CPU per transaction", "us").at_most(0.6);
const PUBLISHER: Metric = Metric::lower("publisher server CPU per transaction", "us");
const DAEMONS: Metric = Metric::lower("daemons CPU per transaction", "us");
const ALL: Metric = Metric::lower("all CPU per transaction", "us");

const JOURNALLED: &str = "backlog in the journal";
const FROM_SLOT: &str = "backlog behind the slot";

/// Where our backlog waits. Native's waits behind the slot always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    /// The publisher's journal has it: the subscriber's daemon was down.
    Journal,
    /// The publisher's server has it: the publisher's daemon was down.
    Slot,
}

pub(super) async fn measure(session: &Session<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let transactions = session.options.full_or_quick(200_000, 20_000);
    let scale = session.options.full_or_quick(20, 5);
    let mut clusters = cluster::both(session, 2, scale, &mut outcome).await?;
    explain(&mut outcome, transactions);
    for round in 0..session.options.rounds() {
        for cluster in cluster::in_order(session, &mut clusters, round) {
            let side = cluster.side();
            say(&format!("  round {}, {}", round + 1, side.name()));
            let label = format!("catchup-{}-{}", round + 1, side.name());
            match cluster {
                Cluster::Native(_) => {
                    let cost = native(session, cluster, &label, transactions).await?;
                    record(&mut outcome, JOURNALLED, side, cost, transactions);
                    record(&mut outcome, FROM_SLOT, side, cost, transactions);
                }
                Cluster::Ours(_) => {
                    for (case, waits) in [(JOURNALLED, Waits::Journal), (FROM_SLOT, Waits::Slot)] {
                        let cost = ours(session, cluster, &label, transactions, waits).await?;
                        record(&mut outcome, case, side, cost, transactions);
                    }
                }
            }
        }
    }
    Ok(outcome)
}

fn explain(outcome: &mut Outcome, transactions: u32) {
    outcome.note(format!(
        "{transactions} TPC-B transactions are committed on the first node while the second receives nothing. Measured from \
         the order to go on until a row committed after all of them is visible on the second; then both nodes must have \
         equal sums. Native: the subscription is disabled and enabled; it stands beside both of our cases."
    ));
    outcome.note(
        "Ours, in the journal: the second daemon is down during the load and is started. What the publisher's daemon and \
         server did to journal the backlog came before and is not counted: compare the whole cost in the other case. Ours, \
         behind the slot: the first daemon is down during the load and is started. In both, wall and processor times hold \
         the daemon's start, which weighs more the smaller the backlog is.",
    );
    outcome.note(
        "Processor time of a server is that of all its processes (/proc, user and system); that of our daemons stands by \
         itself and in `all`, where native has its workers' in the servers. A look each 20 ms for the last row is included \
         on both sides.",
    );
}

fn record(outcome: &mut Outcome, case: &'static str, side: Side, cost: Cost, transactions: u32) {
    let each = |time: Duration| micros_each(time, u64::from(transactions));
    outcome.add(case, WALL, side, cost.wall.as_secs_f64());
    outcome.add(case, RATE, side, f64::from(transactions) / cost.wall.as_secs_f64());
    outcome.add(case, SUBSCRIBER, side, each(cost.subscriber));
    outcome.add(case, PUBLISHER, side, each(cost.publisher));
    if side == Side::Ours {
        outcome.add(case, DAEMONS, side, each(cost.daemons));
    }
    outcome.add(case, ALL, side, each(cost.subscriber + cost.publisher + cost.daemons));
}

async fn native(session: &Session<'_>, cluster: &mut Cluster, label: &str, transactions: u32) -> anyhow::Result<Cost> {
    cluster.tidy().await?;
    cluster.hold().await?;
    let (last, _) = load(session, cluster, label, transactions).await?;
    let reader = Reader::connect(cluster.target()?.port).await?;
    let meter = Meter::start(cluster)?;
    cluster.resume().await?;
    reader.wait(last, LOOK_EVERY, CATCH_UP_MAX).await?;
    let cost = meter.stop(cluster)?;
    cluster.check_equal().await?;
    Ok(cost)
}

async fn ours(
    session: &Session<'_>,
    cluster: &mut Cluster,
    label: &str,
    transactions: u32,
    waits: Waits,
) -> anyhow::Result<Cost> {
    cluster.tidy().await?;
    let (down, label) = match waits {
        Waits::Journal => (1, format!("{label}-journal")),
        Waits::Slot => (0, format!("{label}-slot")),
    };
    engine(cluster)?.stop_daemon(down).await?;
    let (last, position) = load(session, cluster, &label, transactions).await?;
    if waits == Waits::Journal {
        engine(cluster)?.wait_journalled(position).await?;
    }
    let reader = Reader::connect(cluster.target()?.port).await?;
    let meter = Meter::start(cluster)?;
    let start = engine(cluster)?.start_daemon(down);
    // It answers before it has caught up, or after: the row decides.
    let applied = async {
        reader
            .wait(last, LOOK_EVERY, CATCH_UP_MAX)
            .await
            .map(|()| Instant::now())
    };
    let started = async { start.await.context("cannot start the daemon") };
    let (applied, ()) = tokio::try_join!(applied, started)?;
    let cost = Cost {
        wall: applied - meter.started(),
        ..meter.stop(cluster)?
    };
    cluster.check_equal().await?;
    Ok(cost)
}

fn engine(cluster: &mut Cluster) -> anyhow::Result<&mut crate::ours::Ours> {
    match cluster {
        Cluster::Ours(ours) => Ok(ours),
        Cluster::Native(_) => anyhow::bail!("native replication has no daemons"),
    }
}

/// Commits the backlog, then a token. The position is one that lies after the backlog and not after the token.
async fn load(session: &Session<'_>, cluster: &Cluster, label: &str, count: u32) -> anyhow::Result<(Token, Lsn)> {
    let source = cluster.source()?;
    let load = Load {
        length: Length::Transactions(count),
        pace: Pace::Unlimited,
        commit: Commit::Asynchronous,
    };
    let summary = pgbench::run(&session.server.bin, &session.raw, label, source.port, load).await?;
    anyhow::ensure!(
        summary.transactions == u64::from(count),
        "pgbench committed {} of {count}",
        summary.transactions
    );
    let client = sql::connect(source.port, sql::DATABASE).await?;
    let position = sql::log_end(&client).await?;
    Ok((Writer::connect(source.port).await?.write().await?, position))
}
