//! What goes into the log, and what leaves it.

use super::log::{joined, parted};
use crate::cluster::Cluster;

/// Rows that both nodes write.
const ROWS: u32 = 12;

async fn configured(settings: [(&str, &str); 2]) -> Cluster {
    let mut cluster = parted().await;
    for (node, settings) in settings {
        cluster
            .reconfigure(node, |text| format!("{text}\n[conflicts]\n{settings}\n"))
            .await;
    }
    cluster.until_ready().await;
    cluster
}

async fn collide(cluster: &Cluster) {
    for node in ["n1", "n2"] {
        cluster
            .sql(node, &format!("UPDATE t SET a = '{node}' WHERE id <= {ROWS}"))
            .await;
    }
    joined(cluster).await;
}

#[tokio::test]
async fn beyond_the_rate_conflicts_are_left_out_and_said_so() {
    let cluster = configured([("n1", "log-rate = 0\nlog-burst = 5"), ("n2", "log-burst = 0")]).await;
    collide(&cluster).await;
    for (node, logged) in [("n1", 5), ("n2", 0)] {
        let left_out = ROWS - logged;
        let in_log = cluster.number(node, "SELECT count(*) FROM synapse.conflict_log").await;
        assert_eq!(in_log, i64::from(logged), "{node}");
        let labels = "table=\"public.t\",kind=\"update_origin_differs\",policy=\"last-write-wins\"";
        let all = cluster.metric(node, "synapse_conflicts_total", labels).await;
        let metric = cluster.metric(node, "synapse_conflicts_left_out_total", labels).await;
        assert_eq!((all, metric), (f64::from(ROWS), f64::from(left_out)), "{node}");
        assert_eq!(cluster.status(node).await["conflicts"]["left_out"], left_out);
        for path in ["/v1/conflicts", "/v1/conflicts/stats?table=t"] {
            let said = cluster.get(node, path).await.unwrap().json()["left_out"].clone();
            assert_eq!(said["total"], left_out, "{said}");
            assert_eq!(
                said["by"],
                serde_json::json!([{
                    "table": "public.t", "kind": "update_origin_differs", "policy": "last-write-wins", "count": left_out
                }])
            );
        }
        for command in ["list", "stats"] {
            let shown = cluster.synapsectl(node, &["conflict", command]).stdout;
            let shown = String::from_utf8(shown).unwrap();
            assert!(shown.contains(&format!("{left_out} are not in the log")), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_transaction_that_comes_in_parts_has_one_burst() {
    let cluster = configured([("n1", "log-rate = 0\nlog-burst = 15"), ("n2", "log-burst = 0")]).await;
    cluster.sql("n1", "UPDATE t SET a = 'n1' WHERE id <= 20").await;
    // More than a block between the two halves.
    let large = "UPDATE t SET a = 'n2' WHERE id <= 10; \
        INSERT INTO t SELECT i, repeat('x', 250) FROM generate_series(1001, 41000) i; \
        UPDATE t SET a = 'n2' WHERE id BETWEEN 11 AND 20";
    cluster.sql("n2", large).await;
    joined(&cluster).await;
    let logged = "SELECT count(*) || ' ' || count(*) FILTER (WHERE (key ->> 'id')::int <= 10) \
        || ' ' || count(*) FILTER (WHERE local ->> 'a' = 'n1' AND remote ->> 'a' = 'n2') FROM synapse.conflict_log";
    assert_eq!(cluster.value("n1", logged).await.as_deref(), Some("15 10 15"));
    let conflicts = &cluster.status("n1").await["conflicts"];
    assert_eq!(
        (&conflicts["total"], &conflicts["left_out"]),
        (&20.into(), &5.into()),
        "{conflicts}"
    );
}

#[tokio::test]
async fn what_is_old_or_too_much_leaves_the_log() {
    let cluster = configured([("n1", "keep-for = \"1s\""), ("n2", "keep-rows = 3")]).await;
    collide(&cluster).await;
    // All were logged: numbers are given once.
    for node in ["n1", "n2"] {
        let given = "SELECT last_value FROM synapse.conflict_log_id_seq";
        assert_eq!(cluster.number(node, given).await, i64::from(ROWS), "{node}");
    }
    let count = "SELECT count(*) FROM synapse.conflict_log";
    cluster.until_value("n1", count, "0").await;
    cluster.until_value("n2", count, "3").await;
    let left = "SELECT min(id) FROM synapse.conflict_log";
    assert_eq!(cluster.number("n2", left).await, i64::from(ROWS - 2), "the latest stay");
    // Deletes in the log are no transactions of the node, which has one since its start: its update.
    assert_eq!(
        cluster.metric("n1", "synapse_captured_transactions_total", "").await,
        1.0
    );
}
