//! Nodes that are down for a while, or for good.

use crate::bank::{self, Load};
use crate::cluster::{Cluster, Server, What};

/// What a slot may keep of WAL while a peer is down, in bytes: what is under way.
const RETAINED_MAX: i64 = 4 << 20;
/// WAL that is written during the outage, in bytes.
const WRITTEN_MIN: i64 = 24 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_down_does_not_hold_the_slots_of_others() {
    let mut cluster = Cluster::start(&[Server::Own; 3]).await;
    bank::create(&cluster).await;
    let load = Load::start(&cluster, rand::random(), 0);
    cluster.kill("n3", What::Both).await;
    let before = position(&cluster, "n1").await;
    let written = async || (position(&cluster, "n1").await - before > WRITTEN_MIN).then_some(());
    cluster
        .sql("n1", "CREATE TABLE ballast (id int8 PRIMARY KEY, a text)")
        .await;
    cluster
        .sql("n2", "CREATE TABLE ballast (id int8 PRIMARY KEY, a text)")
        .await;
    let ballast = "INSERT INTO ballast SELECT g, repeat('x', 1000) FROM generate_series(1, 24000) g";
    cluster.sql("n1", ballast).await;
    cluster.until("enough WAL during the outage", written).await;
    for node in ["n1", "n2"] {
        let confirmed = format!(
            "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), confirmed_flush_lsn) < {RETAINED_MAX} \
             FROM pg_replication_slots"
        );
        cluster.until_value(node, &confirmed, "t").await;
    }
    let tally = load.stop().await;
    cluster.start_again("n3", What::Both).await;
    cluster
        .sql("n3", "CREATE TABLE ballast (id int8 PRIMARY KEY, a text)")
        .await;
    tally.check(&cluster, "after the outage").await;
    cluster.equal(&["ballast"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_nodes_last_transactions_reach_all_through_the_one_that_has_them() {
    let mut cluster = Cluster::start(&[Server::Own; 3]).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    cluster
        .sql("n1", "INSERT INTO t SELECT g, 'early' FROM generate_series(1, 10) g")
        .await;
    cluster.settle().await;
    cluster.hold("n1", "n3").await;
    for id in 11..=60 {
        cluster.sql("n1", &format!("INSERT INTO t VALUES ({id}, 'late')")).await;
    }
    let all = "SELECT count(*) FROM t";
    cluster.until_value("n2", all, "60").await;
    // What the survivor writes depends on what the other survivor lacks.
    cluster.sql("n2", "UPDATE t SET a = 'seen' WHERE id = 60").await;
    assert_eq!(cluster.number("n3", all).await, 10, "the link is held");
    cluster.kill("n1", What::Both).await;
    cluster.until_value("n3", all, "60").await;
    cluster.until_value("n3", "SELECT a FROM t WHERE id = 60", "seen").await;
    assert_eq!(cluster.digest("n2", "t").await, cluster.digest("n3", "t").await);
    // The survivors go on without it.
    cluster.sql("n3", "DELETE FROM t WHERE id <= 30").await;
    cluster.until_value("n2", all, "30").await;
}

async fn position(cluster: &Cluster, node: &str) -> i64 {
    cluster
        .number(node, "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::int8")
        .await
}
