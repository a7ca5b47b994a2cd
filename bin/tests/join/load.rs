//! Writers that go on while nodes join.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;

/// Rows that writers meet at.
const HOT: i64 = 50;
/// Between two transactions of a writer: load, and not a race with a machine that does other things too.
const EVERY: Duration = Duration::from_millis(2);
/// Between two attempts to reach a server that is down.
const RETRY_EVERY: Duration = Duration::from_millis(50);

/// Writers at work.
pub(crate) struct Load {
    stop: CancellationToken,
    writers: JoinSet<()>,
    committed: Arc<AtomicU64>,
}

impl Load {
    /// Two writers on each of these nodes.
    pub(crate) fn start(cluster: &Cluster, nodes: &[&str]) -> Load {
        let (stop, mut writers) = (CancellationToken::new(), JoinSet::new());
        let committed = Arc::new(AtomicU64::new(0));
        for (seed, node) in (0_u64..).zip(nodes.iter().flat_map(|node| [node, node])) {
            let dsn = cluster.node(node).dsn.clone();
            writers.spawn(write(
                dsn,
                SmallRng::seed_from_u64(seed),
                stop.clone(),
                Arc::clone(&committed),
            ));
        }
        Load {
            stop,
            writers,
            committed,
        }
    }

    /// How many transactions were committed so far.
    pub(crate) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// Ends it; answers how many transactions were committed.
    pub(crate) async fn stop(mut self) -> u64 {
        self.stop.cancel();
        while let Some(writer) = self.writers.join_next().await {
            writer.expect("a writer does not panic");
        }
        self.committed()
    }
}

async fn write(dsn: String, mut rng: SmallRng, stop: CancellationToken, committed: Arc<AtomicU64>) {
    while !stop.is_cancelled() {
        let Ok((client, connection)) = tokio_postgres::connect(&dsn, NoTls).await else {
            tokio::time::sleep(RETRY_EVERY).await;
            continue;
        };
        tokio::spawn(connection);
        while !stop.is_cancelled() && client.batch_execute(&transaction(&mut rng)).await.is_ok() {
            committed.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(EVERY).await;
        }
    }
}

/// What replication has to carry: new rows, hot rows, rows that go and come back, rows with a new key.
fn transaction(rng: &mut SmallRng) -> String {
    let (id, n) = (rng.random_range(1..=HOT), rng.random_range(0..1_000));
    match rng.random_range(0..6) {
        0 => format!("INSERT INTO t (v, n) VALUES ('new', {n})"),
        1 => format!("INSERT INTO k VALUES ('{n}'); UPDATE t SET n = {n} WHERE id = {id}"),
        2 => format!("DELETE FROM t WHERE id = {}", id + 2_000),
        3 => format!(
            "INSERT INTO t (id, v, n) VALUES ({}, 'again', {n}) ON CONFLICT (id) DO UPDATE SET n = {n}",
            id + 2_000
        ),
        4 => format!("UPDATE t SET n = n + 1, v = 'u{n}' WHERE id IN ({id}, {})", id + 1_000),
        _ => format!(
            "INSERT INTO i (t, v) SELECT min(id), '{{\"n\": {n}}}' FROM t; UPDATE i SET v = '{n}' WHERE id = {id}"
        ),
    }
}
