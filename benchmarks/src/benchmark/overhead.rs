//! What pgbench loses on a node that is replicated.

use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

use crate::cluster::{self, Cluster};
use crate::measure::{Metric, Outcome, Side};
use crate::native::publish;
use crate::options::with_alone;
use crate::pgbench::{self, Commit, Length, Load, Pace, Summary};
use crate::plain::PlainServer;
use crate::run::{Session, say};
use crate::{fill, recvlogical, sql};

const TPS: Metric = Metric::higher("pgbench", "transactions/s");
const SHARE: Metric = Metric::higher("share of the server alone", "1");
const CASE: &str = "pgbench without a limit";
const SLOT: &str = "benchmark";

/// How long a reader may take to attach to its slot.
const ATTACH_MAX: Duration = Duration::from_secs(30);
/// Between two looks at whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub(super) async fn measure(session: &Session<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let scale = session.options.full_or_quick(20, 5);
    explain(&mut outcome, scale);
    let sides = session.options.sides(0);
    let ours = match sides.contains(&Side::Ours) {
        true => Some(Cluster::up(session, Side::Ours, 2, scale).await?),
        false => None,
    };
    let plain = plain(session, scale).await?;
    if let Some(cluster) = &ours {
        cluster.hold().await?;
    }
    for round in 0..session.options.rounds() {
        let mut rates = Vec::new();
        for side in with_alone(session.options.sides(round), round) {
            let tps = match (side, &ours) {
                (Side::Ours, Some(cluster)) => held(session, cluster, round).await?,
                (Side::Native | Side::Alone, _) | (Side::Ours, None) => run(session, &plain, round, side).await?.tps,
            };
            outcome.add(CASE, TPS, side, tps);
            rates.push((side, tps));
        }
        let alone = rates.iter().find(|(side, _)| *side == Side::Alone).map(|(_, tps)| *tps);
        let alone = alone.context("every round measures the server alone")?;
        for (side, tps) in rates.into_iter().filter(|(side, _)| *side != Side::Alone) {
            outcome.add(CASE, SHARE, side, tps / alone);
        }
    }
    Ok(outcome)
}

/// Loads our source while its link is held. What was held arrives afterwards, so that every round starts with nothing
/// to ship.
async fn held(session: &Session<'_>, cluster: &Cluster, round: u32) -> anyhow::Result<f64> {
    let tps = load(session, cluster.source()?.port, round, Side::Ours).await?.tps;
    cluster.resume().await?;
    cluster.catch_up().await?;
    cluster.tidy().await?;
    cluster.hold().await?;
    Ok(tps)
}

fn explain(outcome: &mut Outcome, scale: u32) {
    outcome.note(format!(
        "pgbench scale {scale} with 4 sessions on one server; nothing is applied anywhere, because a subscriber would take the \
         same cores. Alone: no slot. Ours: the daemon captures, compresses and journals everything durably and ships \
         nothing (`link hold`). Native: `pg_recvlogical` reads a pgoutput slot to /dev/null, which is what a subscription \
         costs the publisher without a subscriber; it stores nothing, so ours does more."
    ));
}

/// A server with a publication and no slot.
async fn plain(session: &Session<'_>, scale: u32) -> anyhow::Result<PlainServer> {
    let server = PlainServer::start(&session.place("overhead"), &session.server.bin).await?;
    let nodes = [cluster::Node {
        port: server.port,
        data_dir: server.data_dir.clone(),
    }];
    fill::tables(session, "overhead-fill", &nodes, scale).await?;
    publish(&server).await?;
    fill::rows(session, "overhead-fill", &nodes, scale).await?;
    Ok(server)
}

/// Loads the plain server, with a reader of a new slot beside it if the side is native.
async fn run(session: &Session<'_>, server: &PlainServer, round: u32, side: Side) -> anyhow::Result<Summary> {
    let client = sql::connect(server.port, sql::DATABASE).await?;
    sql::run(&client, &["VACUUM ANALYZE", "CHECKPOINT"]).await?;
    if side != Side::Native {
        return load(session, server.port, round, side).await;
    }
    sql::run(
        &client,
        &[format!(
            "SELECT pg_create_logical_replication_slot('{SLOT}', 'pgoutput')"
        )],
    )
    .await?;
    let (bin, major) = (&session.server.bin, session.server.major());
    let mut reader = recvlogical::command(bin, server, major, SLOT, None)
        .spawn()
        .context("cannot run pg_recvlogical")?;
    let deadline = Instant::now() + ATTACH_MAX;
    let active = format!("SELECT active::text FROM pg_replication_slots WHERE slot_name = '{SLOT}'");
    while sql::value(&client, &active).await? != "true" {
        anyhow::ensure!(Instant::now() < deadline, "pg_recvlogical did not attach to its slot");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let summary = load(session, server.port, round, side).await?;
    reader.kill().await.context("cannot end pg_recvlogical")?;
    let end =
        format!("SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = '{SLOT}'");
    sql::run(&client, &[end, format!("SELECT pg_drop_replication_slot('{SLOT}')")]).await?;
    Ok(summary)
}

async fn load(session: &Session<'_>, port: u16, round: u32, side: Side) -> anyhow::Result<Summary> {
    say(&format!("  round {}, {}", round + 1, side.name()));
    let length = Length::Time(Duration::from_secs(session.options.full_or_quick(20, 4)));
    let load = Load {
        length,
        pace: Pace::Unlimited,
        commit: Commit::Durable,
    };
    let label = format!("overhead-{}-{}", round + 1, side.name());
    pgbench::run(&session.server.bin, &session.raw, &label, port, load).await
}
