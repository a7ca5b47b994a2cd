//! Conflicts that are found late: by a TRUNCATE that comes after what it had not seen, and by rows that are looked at again.

use std::process::Command;

use super::log::{entries, joined, parted};
use crate::cluster::Cluster;

/// Every conflict that was counted is in the log, once.
async fn all_are_logged(cluster: &Cluster, node: &str) {
    let logged = cluster.number(node, "SELECT count(*) FROM synapse.conflict_log").await;
    let conflicts = &cluster.status(node).await["conflicts"];
    assert_eq!(
        (&conflicts["total"], &conflicts["left_out"]),
        (&logged.into(), &0.into()),
        "{node}: {conflicts}"
    );
}

#[tokio::test]
async fn what_a_truncate_meets_is_logged_where_it_comes_second_too() {
    let cluster = parted().await;
    let earlier =
        "UPDATE t SET a = 'n1' WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (100, 'n1', NULL)";
    cluster.sql("n1", earlier).await;
    cluster
        .sql("n2", "UPDATE t SET a = 'n2' WHERE id = 3; TRUNCATE t")
        .await;
    let later = "INSERT INTO t VALUES (101, 'later', NULL); UPDATE t SET a = 'later' WHERE id = 4";
    cluster.sql("n1", later).await;
    joined(&cluster).await;
    let expected = [
        (
            1,
            "delete_origin_differs remote n1 n1 - n2",
            "update_deleted local - n2 n1 n1",
        ),
        (2, "delete_missing local - n1 - n2", "delete_missing local - n2 - n1"),
        (3, "", ""),
        (
            4,
            "delete_origin_differs local later n1 - n2",
            "update_deleted remote - n2 later n1",
        ),
        (5, "", ""),
        (
            100,
            "delete_origin_differs remote n1 n1 - n2",
            "insert_deleted local - n2 n1 n1",
        ),
        (
            101,
            "delete_origin_differs local later n1 - n2",
            "insert_deleted remote - n2 later n1",
        ),
    ];
    for (id, on_n1, on_n2) in expected {
        assert_eq!(entries(&cluster, "n1", id).await, on_n1, "row {id} on n1");
        assert_eq!(entries(&cluster, "n2", id).await, on_n2, "row {id} on n2");
    }
    for node in ["n1", "n2"] {
        all_are_logged(&cluster, node).await;
    }
}

#[tokio::test]
async fn what_is_written_after_a_truncate_in_its_transaction_has_its_own_entry() {
    let cluster = parted().await;
    cluster.sql("n1", "UPDATE t SET a = 'n1' WHERE id = 1").await;
    cluster
        .sql("n2", "TRUNCATE t; INSERT INTO t VALUES (1, 'again', NULL)")
        .await;
    joined(&cluster).await;
    assert_eq!(
        entries(&cluster, "n1", 1).await,
        "delete_origin_differs remote n1 n1 - n2, insert_exists remote n1 n1 again n2"
    );
    assert_eq!(
        entries(&cluster, "n2", 1).await,
        "update_origin_differs local again n2 n1 n1"
    );
}

/// Sends a signal to the server's process that feeds capture.
async fn signal_to_capture(cluster: &Cluster, node: &str, signal: &str) {
    let active = "SELECT active_pid FROM pg_replication_slots WHERE active";
    let pid = cluster.value(node, active).await.expect("capture reads");
    let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
    assert!(sent.success(), "kill {signal} {pid}");
}

#[tokio::test]
async fn what_is_found_when_rows_are_looked_at_again_is_logged_once() {
    let cluster = parted().await;
    let rechecked = async || cluster.status("n1").await["rows"]["rechecked"].as_u64();
    let before = rechecked().await;
    // Of n2: one row before what n1 does unseen, one after it; and one that is found as it is applied.
    cluster.sql("n2", "INSERT INTO t VALUES (100, 'before', NULL)").await;
    signal_to_capture(&cluster, "n1", "-STOP").await;
    for id in [100, 101] {
        let insert = format!("INSERT INTO t VALUES ({id}, 'n1', NULL)");
        cluster.sql("n1", &insert).await;
        cluster.sql("n1", &format!("DELETE FROM t WHERE id = {id}")).await;
    }
    cluster.sql("n2", "INSERT INTO t VALUES (101, 'after', NULL)").await;
    cluster.resume("n2", "n1").await;
    cluster
        .until_value("n1", "SELECT count(*) FROM t WHERE id IN (100, 101)", "2")
        .await;
    signal_to_capture(&cluster, "n1", "-CONT").await;
    joined(&cluster).await;
    let looked = async || (rechecked().await > before).then_some(());
    cluster.until("rows were looked at again", looked).await;
    cluster.equal(&["t"]).await;
    assert_eq!(
        entries(&cluster, "n1", 100).await,
        "insert_deleted local - n1 before n2"
    );
    assert_eq!(
        entries(&cluster, "n1", 101).await,
        "insert_deleted remote - n1 after n2"
    );
    assert_eq!(
        cluster
            .value("n1", "SELECT array_agg(id) FROM t WHERE id > 20")
            .await
            .as_deref(),
        Some("{101}")
    );
    all_are_logged(&cluster, "n1").await;
}
