//! What an idle cluster costs.

use std::time::Duration;

use crate::cluster::{Cluster, MIXED};

/// How long an idle cluster is watched.
const WINDOW: Duration = Duration::from_secs(12);
/// WAL that it may write in a second.
const BYTES_PER_SECOND_MAX: i64 = 1_000;

#[tokio::test]
async fn an_idle_cluster_writes_almost_no_wal() {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY)").await;
    cluster.sql("n1", "INSERT INTO t SELECT generate_series(1, 1000)").await;
    cluster.sql("n2", "DELETE FROM t WHERE id > 500").await;
    cluster.equal(&["t"]).await;
    // What was dirty is written now, and not while it is watched.
    cluster.sql_all("CHECKPOINT").await;
    let position = "SELECT pg_current_wal_insert_lsn() - '0/0'";
    let mut before = Vec::new();
    for node in cluster.names() {
        before.push(cluster.number(&node, position).await);
    }
    tokio::time::sleep(WINDOW).await;
    for (node, before) in cluster.names().iter().zip(before) {
        let written = cluster.number(node, position).await - before;
        let seconds = i64::try_from(WINDOW.as_secs()).unwrap();
        assert!(
            written < BYTES_PER_SECOND_MAX * seconds,
            "{node} wrote {written} bytes in {seconds} s"
        );
    }
}
