//! Every kind of conflict in the log of the node that decided it.

use super::parted_among;
use crate::cluster::{Cluster, MIXED};

/// Two nodes that hold the same rows, with both links held.
pub(super) async fn parted() -> Cluster {
    parted_among(&MIXED).await
}

/// Resumes the links, and waits until both nodes hold the same.
pub(super) async fn joined(cluster: &Cluster) {
    cluster.resume_all().await;
    cluster.equal(&["t"]).await;
}

/// What a node's log has of a row: kind, verdict, both images, and whose they are.
pub(super) async fn entries(cluster: &Cluster, node: &str, id: u32) -> String {
    let sql = format!(
        "SELECT string_agg(concat_ws(' ', kind, verdict, coalesce(local ->> 'a', '-'), local_stamp ->> 'node', \
         coalesce(remote ->> 'a', '-'), remote_stamp ->> 'node'), ', ' ORDER BY id) \
         FROM synapse.conflict_log WHERE key = '{{\"id\": \"{id}\"}}' AND table_name = 'public.t'"
    );
    cluster.value(node, &sql).await.unwrap_or_default()
}

#[tokio::test]
async fn every_kind_is_logged_by_the_node_that_decided_it() {
    let cluster = parted().await;
    // What n2 writes is later.
    let earlier = "UPDATE t SET a = 'n1' WHERE id = 1; DELETE FROM t WHERE id IN (2, 3, 4); \
        INSERT INTO t VALUES (100, 'n1', NULL)";
    cluster.sql("n1", earlier).await;
    cluster.sql("n2", "UPDATE t SET a = 'n2' WHERE id IN (1, 2)").await;
    cluster.sql("n2", "DELETE FROM t WHERE id IN (3, 4)").await;
    cluster.sql("n2", "INSERT INTO t VALUES (4, 'again', NULL)").await;
    cluster.sql("n2", "INSERT INTO t VALUES (100, 'n2', NULL)").await;
    joined(&cluster).await;
    let expected = [
        (
            1,
            "update_origin_differs remote n1 n1 n2 n2",
            "update_origin_differs local n2 n2 n1 n1",
        ),
        (
            2,
            "update_deleted remote - n1 n2 n2",
            "delete_origin_differs local n2 n2 - n1",
        ),
        (3, "delete_missing local - n1 - n2", "delete_missing local - n2 - n1"),
        (
            4,
            "delete_missing local - n1 - n2, insert_deleted remote - n2 again n2",
            "delete_origin_differs local again n2 - n1",
        ),
        (
            100,
            "insert_exists remote n1 n1 n2 n2",
            "insert_exists local n2 n2 n1 n1",
        ),
    ];
    for (id, on_n1, on_n2) in expected {
        assert_eq!(entries(&cluster, "n1", id).await, on_n1, "row {id} on n1");
        assert_eq!(entries(&cluster, "n2", id).await, on_n2, "row {id} on n2");
    }
    for (node, count) in [("n1", 6), ("n2", 5)] {
        let logged = cluster.number(node, "SELECT count(*) FROM synapse.conflict_log").await;
        let status = cluster.status(node).await;
        assert_eq!(
            (logged, &status["conflicts"]["total"]),
            (count, &count.into()),
            "{status}"
        );
        assert!(status["conflicts"]["per_second"].as_f64() > Some(0.0), "{status}");
        let of_policy = cluster
            .metric(node, "synapse_conflicts_total", "policy=\"last-write-wins\"")
            .await;
        assert!((of_policy - f64::from(i32::try_from(count).unwrap())).abs() < 0.5);
    }
}

#[tokio::test]
async fn an_entry_has_whole_images_and_stamps_that_name_their_transactions() {
    let cluster = parted().await;
    let large = "repeat(md5('a'), 1000)";
    cluster
        .sql("n2", &format!("UPDATE t SET b = {large}, a = 'large' WHERE id = 1"))
        .await;
    cluster.sql("n1", "UPDATE t SET b = NULL WHERE id IN (1, 2)").await;
    cluster
        .sql("n2", "UPDATE t SET a = E'q\\'\"\\\\\\n' WHERE id = 2")
        .await;
    joined(&cluster).await;
    let images = "SELECT string_agg(coalesce(remote::text, '-') || coalesce(local::text, '-'), ' ' ORDER BY id) FROM synapse.conflict_log";
    let on_n1 = cluster.value("n1", images).await.unwrap();
    assert_eq!(
        on_n1,
        "\"left out: 32006 bytes\"{\"a\": \"first\", \"b\": null, \"id\": \"1\"} \
         {\"a\": \"q'\\\"\\\\\\n\", \"b\": \"first\", \"id\": \"2\"}{\"a\": \"first\", \"b\": null, \"id\": \"2\"}"
    );
    let on_n2 = cluster.value("n2", images).await.unwrap();
    assert!(on_n2.contains("\"left out: 32"), "{on_n2}");
    assert!(
        on_n2.contains("{\"a\": \"first\", \"b\": null, \"id\": \"1\"}"),
        "{on_n2}"
    );
    // A stamp names a transaction of its node's journal, and a time that has just been.
    let strange = "SELECT count(*) FROM synapse.conflict_log, LATERAL (VALUES (local_stamp), (remote_stamp)) AS s(stamp) \
        WHERE stamp ->> 'transaction' NOT LIKE (stamp ->> 'node') || ':%@' || (stamp ->> 'lsn') \
        OR (stamp ->> 'time')::timestamptz NOT BETWEEN now() - interval '10 min' AND now() + interval '5 s' \
        OR (local_stamp ->> 'node') = (remote_stamp ->> 'node') OR (verdict = 'remote') \
        <> ((local_stamp ->> 'time')::timestamptz < (remote_stamp ->> 'time')::timestamptz)";
    for node in ["n1", "n2"] {
        assert_eq!(cluster.number(node, strange).await, 0, "{node}");
    }
}

#[tokio::test]
async fn a_log_that_is_gone_holds_nothing_up_and_what_it_lacks_is_counted() {
    let cluster = parted().await;
    cluster
        .sql("n1", "ALTER TABLE synapse.conflict_log RENAME TO away")
        .await;
    for node in ["n1", "n2"] {
        let sql = format!("UPDATE t SET a = '{node}' WHERE id <= 5");
        cluster.sql(node, &sql).await;
    }
    joined(&cluster).await;
    let conflicts = &cluster.status("n1").await["conflicts"];
    assert_eq!(
        (&conflicts["total"], &conflicts["left_out"]),
        (&5.into(), &5.into()),
        "{conflicts}"
    );
    let asked = cluster.synapsectl("n1", &["conflict", "list"]);
    assert_eq!(asked.status.code(), Some(5), "{asked:?}");
    cluster
        .sql("n1", "ALTER TABLE synapse.away RENAME TO conflict_log")
        .await;
    cluster.hold_all().await;
    for node in ["n1", "n2"] {
        let sql = format!("UPDATE t SET a = '{node} again' WHERE id = 6");
        cluster.sql(node, &sql).await;
    }
    joined(&cluster).await;
    assert_eq!(
        entries(&cluster, "n1", 6).await,
        "update_origin_differs remote n1 again n1 n2 again n2"
    );
}
