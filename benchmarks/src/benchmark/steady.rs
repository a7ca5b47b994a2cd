//! The highest pgbench rate at which lag stays bounded.

use std::time::Duration;

use crate::cluster::{self, Cluster};
use crate::measure::{Metric, Outcome, millis};
use crate::pgbench::{self, Commit, Length, Load, Pace};
use crate::probe::{self, Lag};
use crate::run::{Session, say};
use crate::statistics::percentile;
use crate::token::{Reader, Writer};

const TPS: Metric = Metric::higher("highest rate with bounded lag", "transactions/s");
const P50: Metric = Metric::lower("lag at that rate, p50", "ms");
const P99: Metric = Metric::lower("lag at that rate, p99", "ms");

/// Lag is bounded when its 99th percentile in the second half of a run stays below this: what grows passes it.
const LAG_MAX: Duration = Duration::from_secs(1);
/// A rate counts as reached when this part of it was.
const REACHED: f64 = 0.95;
/// Halvings of the interval in which the highest rate lies: to a sixteenth of what the server can do.
const HALVINGS: u32 = 4;

/// One run at one rate.
#[derive(Clone, Debug)]
struct Step {
    tps: f64,
    lags: Vec<Lag>,
    length: Duration,
}

pub(super) async fn measure(session: &Session<'_>) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    outcome.note(format!(
        "pgbench runs on the first node at different rates. Lag: from the return of a durable commit on the first node to \
         its visibility on the second, sampled each 50 ms beside the load. Bounded: its 99th percentile in the second half \
         of a run is below {} ms, and pgbench reached {:.0} % of the rate. The first run has no limit; if its lag is \
         bounded, its rate is what the server does, else the interval below it is halved {HALVINGS} times.",
        LAG_MAX.as_millis(),
        REACHED * 100.0
    ));
    outcome.note(
        "With 3 nodes, native is one publisher with two subscribers, ours a mesh in which each node could be written to.",
    );
    for (case, nodes) in [("2 nodes", 2), ("3 nodes", 3)] {
        let scale = session.options.full_or_quick(20, 5);
        let mut clusters = cluster::both(session, nodes, scale, &mut outcome).await?;
        for round in 0..session.options.rounds() {
            for cluster in cluster::in_order(session, &mut clusters, round) {
                let side = cluster.side();
                say(&format!("  {case}, round {}, {}", round + 1, side.name()));
                let label = format!("steady-{nodes}-{}-{}", round + 1, side.name());
                let best = highest(session, cluster, &label).await?;
                outcome.add(case, TPS, side, best.tps);
                outcome.add(case, P50, side, millis(best.percentile(50)));
                outcome.add(case, P99, side, millis(best.percentile(99)));
                cluster.catch_up().await?;
                cluster.check_equal().await?;
                cluster.tidy().await?;
            }
        }
    }
    Ok(outcome)
}

/// The run with the highest rate that was bounded. No bounded one: the rate is zero.
async fn highest(session: &Session<'_>, cluster: &Cluster, label: &str) -> anyhow::Result<Step> {
    let first = run(session, cluster, &format!("{label}-unlimited"), Pace::Unlimited).await?;
    if first.is_bounded(None) {
        return Ok(first);
    }
    let mut best = Step {
        tps: 0.0,
        lags: Vec::new(),
        length: first.length,
    };
    let (mut low, mut high) = (0.0, first.tps);
    for halving in 1..=HALVINGS {
        let rate = f64::midpoint(low, high);
        let step = run(session, cluster, &format!("{label}-{halving}"), Pace::PerSecond(rate)).await?;
        if step.is_bounded(Some(rate)) {
            (low, best) = (rate, step);
        } else {
            high = rate;
        }
    }
    Ok(best)
}

async fn run(session: &Session<'_>, cluster: &Cluster, label: &str, pace: Pace) -> anyhow::Result<Step> {
    let length = Duration::from_secs(session.options.full_or_quick(15, 4));
    let (from, to) = (cluster.source()?.port, cluster.target()?.port);
    let (writer, reader) = (Writer::connect(from).await?, Reader::connect(to).await?);
    let load = Load {
        length: Length::Time(length),
        pace,
        commit: Commit::Durable,
    };
    let load = pgbench::run(&session.server.bin, &session.raw, label, from, load);
    let (summary, lags) = probe::during(&writer, &reader, load).await?;
    cluster.catch_up().await?;
    Ok(Step {
        tps: summary.tps,
        lags,
        length,
    })
}

impl Step {
    fn is_bounded(&self, rate: Option<f64>) -> bool {
        let later = self.lags.iter().filter(|lag| lag.at > self.length / 2);
        let later: Vec<Duration> = later.map(|lag| lag.lag).collect();
        let reached = rate.is_none_or(|rate| self.tps >= REACHED * rate);
        reached && percentile(&later, 99).is_some_and(|lag| lag < LAG_MAX)
    }

    /// Of all lags; zero if there are none.
    fn percentile(&self, percent: usize) -> Duration {
        let lags: Vec<Duration> = self.lags.iter().map(|lag| lag.lag).collect();
        percentile(&lags, percent).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
