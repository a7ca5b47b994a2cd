//! From commit on one node to visible on another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::cluster::{self, Cluster};
use crate::measure::{Metric, Outcome, Side, millis};
use crate::pgbench::{self, Commit, Length, Load, Pace};
use crate::run::{Session, say};
use crate::statistics::percentile;
use crate::token::{Reader, Writer};

const P50: Metric = Metric::lower("commit to visible, p50", "ms").at_most(1.5);
const P99: Metric = Metric::lower("commit to visible, p99", "ms");
const IDLE: &str = "idle";
const HALF: &str = "half load";

/// The longest that one commit may take to be seen.
const SEEN_MAX: Duration = Duration::from_secs(60);

pub(super) async fn measure(session: &Session<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let scale = session.options.full_or_quick(20, 5);
    let mut clusters = cluster::both(session, 2, scale, &mut outcome).await?;
    let rate = half_load(session, &clusters).await?;
    let count = session.options.full_or_quick(2_000_usize, 200);
    let length = Duration::from_secs(session.options.full_or_quick(20, 4));
    outcome.note(format!(
        "From the return of a durable commit of one row on the first node to the first query on the second that shows it; a \
         session of its own asks there without a pause, which keeps a core busy on both sides. Idle: {count} commits one after \
         the other. Half load: as many as fit into {} s of pgbench at {rate:.0} transactions/s on the first node, half of \
         what it does at most while nothing is applied.",
        length.as_secs()
    ));
    for round in 0..session.options.rounds() {
        for cluster in cluster::in_order(session, &mut clusters, round) {
            let side = cluster.side();
            say(&format!("  round {}, {}", round + 1, side.name()));
            let (writer, reader) = sessions(cluster).await?;
            let mut seen = Vec::with_capacity(count);
            for _ in 0..count {
                seen.push(once(&writer, &reader).await?);
            }
            record(&mut outcome, IDLE, side, &seen);
            let load = Load {
                length: Length::Time(length),
                pace: Pace::PerSecond(rate),
                commit: Commit::Durable,
            };
            let label = format!("latency-{}-{}", round + 1, side.name());
            let seen = under(session, cluster, &label, load).await?;
            record(&mut outcome, HALF, side, &seen);
            cluster.catch_up().await?;
            cluster.check_equal().await?;
            cluster.tidy().await?;
        }
    }
    Ok(outcome)
}

fn record(outcome: &mut Outcome, case: &'static str, side: Side, seen: &[Duration]) {
    for (metric, percent) in [(P50, 50), (P99, 99)] {
        if let Some(time) = percentile(seen, percent) {
            outcome.add(case, metric, side, millis(time));
        }
    }
}

/// Half of the rate that the source reaches while nothing is applied; the same for both sides.
async fn half_load(session: &Session<'_>, clusters: &[Cluster]) -> anyhow::Result<f64> {
    let Some(cluster) = clusters.last() else {
        anyhow::bail!("no side is measured")
    };
    cluster.hold().await?;
    let length = Length::Time(Duration::from_secs(session.options.full_or_quick(10, 3)));
    let load = Load {
        length,
        pace: Pace::Unlimited,
        commit: Commit::Durable,
    };
    let port = cluster.source()?.port;
    let summary = pgbench::run(&session.server.bin, &session.raw, "latency-most", port, load).await?;
    cluster.resume().await?;
    cluster.catch_up().await?;
    Ok(summary.tps / 2.0)
}

async fn sessions(cluster: &Cluster) -> anyhow::Result<(Writer, Reader)> {
    Ok((
        Writer::connect(cluster.source()?.port).await?,
        Reader::connect(cluster.target()?.port).await?,
    ))
}

async fn once(writer: &Writer, reader: &Reader) -> anyhow::Result<Duration> {
    let token = writer.write().await?;
    let committed = Instant::now();
    reader.spin(token, SEEN_MAX).await?;
    Ok(committed.elapsed())
}

/// Commits one after the other until the load has ended.
async fn under(session: &Session<'_>, cluster: &Cluster, label: &str, load: Load) -> anyhow::Result<Vec<Duration>> {
    let (writer, reader) = sessions(cluster).await?;
    let over = AtomicBool::new(false);
    let port = cluster.source()?.port;
    let load = async {
        let summary = pgbench::run(&session.server.bin, &session.raw, label, port, load).await;
        over.store(true, Ordering::Relaxed);
        summary
    };
    let sample = async {
        let mut seen = Vec::new();
        while !over.load(Ordering::Relaxed) {
            seen.push(once(&writer, &reader).await?);
        }
        Ok(seen)
    };
    let (_, seen) = tokio::try_join!(load, sample)?;
    Ok(seen)
}
