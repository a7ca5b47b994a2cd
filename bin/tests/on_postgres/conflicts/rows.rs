//! What remains of concurrent writes to one row, on three nodes, with every link held.

use super::parted_among;
use crate::cluster::{Cluster, Server};

const NODES: [&str; 3] = ["n1", "n2", "n3"];

async fn filled() -> Cluster {
    parted_among(&[Server::Own, Server::Eighteen, Server::Own]).await
}

/// Runs the statements on their nodes, one after the other, so that the last one has the latest commit; answers with
/// what all nodes hold then.
async fn after(cluster: &Cluster, statements: &[(&str, &str)]) -> String {
    for (node, sql) in statements {
        cluster.sql(node, sql).await;
    }
    cluster.resume_all().await;
    cluster.equal(&["t"]).await;
    let sql = "SELECT coalesce(string_agg(id || ':' || a || ':' || b, ' ' ORDER BY id), 'none') FROM t WHERE id IN (1, 2, 3, 100)";
    cluster.value("n3", sql).await.unwrap()
}

async fn conflicts(cluster: &Cluster) -> u64 {
    let mut total = 0;
    for node in NODES {
        total += cluster.status(node).await["conflicts"]["total"].as_u64().unwrap();
    }
    total
}

#[tokio::test]
async fn of_concurrent_updates_the_latest_stays_on_every_node() {
    let cluster = filled().await;
    let statements = [
        ("n2", "UPDATE t SET a = 'n2' WHERE id IN (1, 2)"),
        ("n3", "UPDATE t SET a = 'n3', b = 'n3' WHERE id = 1"),
        ("n1", "UPDATE t SET b = 'n1' WHERE id IN (1, 3)"),
    ];
    let left = after(&cluster, &statements).await;
    assert_eq!(
        left, "1:first:n1 2:n2:first 3:first:n1",
        "an update writes its whole row"
    );
    assert!(conflicts(&cluster).await > 0);
}

#[tokio::test]
async fn of_concurrent_inserts_the_latest_stays_on_every_node() {
    let cluster = filled().await;
    let statements = [
        ("n3", "INSERT INTO t VALUES (100, 'n3', 'x')"),
        ("n1", "INSERT INTO t VALUES (100, 'n1', 'x')"),
        (
            "n2",
            "INSERT INTO t VALUES (100, 'n2', 'x'); DELETE FROM t WHERE id < 10",
        ),
    ];
    assert_eq!(after(&cluster, &statements).await, "100:n2:x");
    let by_kind = cluster.status("n1").await["conflicts"]["by_kind"].clone();
    assert!(by_kind["insert_exists"].as_u64().unwrap() > 0, "{by_kind}");
}

#[tokio::test]
async fn the_later_of_an_update_and_a_delete_stays_on_every_node() {
    let cluster = filled().await;
    let statements = [
        ("n1", "DELETE FROM t WHERE id = 1"),
        ("n2", "UPDATE t SET a = 'n2' WHERE id IN (1, 2)"),
        ("n3", "DELETE FROM t WHERE id IN (2, 3)"),
        (
            "n1",
            "DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (3, 'again', 'n1')",
        ),
    ];
    let left = after(&cluster, &statements).await;
    // The latest write decides whether the row lives: the default policy knows no other rule.
    assert_eq!(left, "1:n2:first 3:again:n1");
    assert!(conflicts(&cluster).await > 0);
}

#[tokio::test]
async fn rows_that_all_nodes_delete_are_gone_and_can_come_again() {
    let cluster = filled().await;
    let statements = [
        ("n1", "DELETE FROM t WHERE id IN (1, 2, 3)"),
        ("n2", "DELETE FROM t WHERE id IN (1, 2)"),
        ("n3", "DELETE FROM t WHERE id IN (1, 3)"),
    ];
    assert_eq!(after(&cluster, &statements).await, "none");
    cluster.hold_all().await;
    let statements = [
        ("n2", "INSERT INTO t VALUES (1, 'again', 'n2')"),
        (
            "n3",
            "INSERT INTO t VALUES (1, 'again', 'n3'); UPDATE t SET id = 100 WHERE id = 1",
        ),
    ];
    assert_eq!(after(&cluster, &statements).await, "100:again:n3");
}

#[tokio::test]
async fn an_update_that_saw_the_other_one_is_no_conflict() {
    let cluster = filled().await;
    cluster.resume_all().await;
    for (round, node) in NODES.iter().cycle().take(9).enumerate() {
        cluster.settle().await;
        cluster
            .sql(node, &format!("UPDATE t SET a = '{node}', b = '{round}' WHERE id = 1"))
            .await;
    }
    cluster.equal(&["t"]).await;
    assert_eq!(conflicts(&cluster).await, 0);
    assert_eq!(
        cluster.value("n2", "SELECT b FROM t WHERE id = 1").await.as_deref(),
        Some("8")
    );
}
