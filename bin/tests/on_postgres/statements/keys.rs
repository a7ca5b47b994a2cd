//! Keys and unique values that move.

use crate::cluster::{Cluster, MIXED};

async fn filled(create: &str) -> Cluster {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql_all(create).await;
    cluster
        .sql("n1", "INSERT INTO t (id, v) SELECT i, i FROM generate_series(1, 100) i")
        .await;
    cluster.equal(&["t"]).await;
    cluster
}

#[tokio::test]
async fn keys_move_on_by_one_and_trade_places() {
    // Checked at the end of the statement, as `id = id + 1` needs it.
    let cluster = filled("CREATE TABLE t (id int, v int, PRIMARY KEY (id) DEFERRABLE)").await;
    cluster.sql("n1", "ALTER TABLE t REPLICA IDENTITY FULL").await;
    cluster.sql("n2", "ALTER TABLE t REPLICA IDENTITY FULL").await;
    cluster.sql("n2", "UPDATE t SET id = id + 1").await;
    cluster.equal(&["t"]).await;
    cluster
        .sql(
            "n1",
            "UPDATE t SET id = CASE id WHEN 2 THEN 3 ELSE 2 END WHERE id IN (2, 3)",
        )
        .await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n2", "SELECT v FROM t WHERE id = 2").await, 2);
    assert_eq!(
        cluster.number("n2", "SELECT min(id) * 1000 + max(id) FROM t").await,
        2101
    );
}

#[tokio::test]
async fn keys_that_are_checked_at_once_move_and_trade_places() {
    let cluster = filled("CREATE TABLE t (id int PRIMARY KEY, v int)").await;
    cluster
        .sql("n1", "UPDATE t SET id = -id; UPDATE t SET id = 1 - id, v = v * 10")
        .await;
    cluster.equal(&["t"]).await;
    cluster
        .sql(
            "n2",
            "UPDATE t SET id = 0 WHERE id = 5; UPDATE t SET id = 5 WHERE id = 6; UPDATE t SET id = 6 WHERE id = 0",
        )
        .await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n1", "SELECT v FROM t WHERE id = 6").await, 40);
    cluster
        .sql(
            "n1",
            "DELETE FROM t WHERE id = 6; INSERT INTO t VALUES (6, -1); UPDATE t SET id = 1006 WHERE id = 6",
        )
        .await;
    cluster.sql("n1", "INSERT INTO t VALUES (6, -2)").await;
    cluster.equal(&["t"]).await;
}

#[tokio::test]
async fn unique_values_trade_places_within_a_transaction() {
    let cluster =
        filled("CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE, w int UNIQUE DEFERRABLE INITIALLY DEFERRED)").await;
    cluster
        .sql(
            "n1",
            "UPDATE t SET v = 0 WHERE id = 1; UPDATE t SET v = 1 WHERE id = 2; UPDATE t SET v = 2 WHERE id = 1",
        )
        .await;
    cluster.sql("n1", "UPDATE t SET w = id").await;
    cluster.equal(&["t"]).await;
    cluster.sql("n2", "UPDATE t SET w = 101 - w").await;
    cluster
        .sql(
            "n2",
            "DELETE FROM t WHERE id = 50; UPDATE t SET v = 50 WHERE id = 51; INSERT INTO t VALUES (50, 51, 1000)",
        )
        .await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n1", "SELECT v FROM t WHERE id = 1").await, 2);
}

#[tokio::test]
async fn two_unique_values_that_are_handed_on_in_many_transactions_arrive() {
    let cluster = filled("CREATE TABLE t (id int PRIMARY KEY, v int UNIQUE)").await;
    cluster.hold_all().await;
    for round in 0..20 {
        let (from, to) = (round % 3 + 1, (round + 1) % 3 + 1);
        cluster
            .sql(
                "n1",
                &format!("UPDATE t SET v = -v WHERE id = {from}; UPDATE t SET v = v + 1000 WHERE id = {to}"),
            )
            .await;
        cluster
            .sql("n1", &format!("DELETE FROM t WHERE id = {}", round + 10))
            .await;
        cluster
            .sql("n1", &format!("INSERT INTO t VALUES ({}, {})", round + 200, round + 10))
            .await;
    }
    cluster.resume_all().await;
    cluster.equal(&["t"]).await;
}
