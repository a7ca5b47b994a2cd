//! Rows that a node's own constraints refuse.

use serde_json::{Value, json};

use crate::cluster::{Cluster, MIXED, What};

/// A cluster whose second node refuses what the first has written; the transaction that it is stopped at.
async fn stopped() -> (Cluster, String) {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all("CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE u (id int PRIMARY KEY)")
        .await;
    cluster
        .sql("n2", "ALTER TABLE t ADD CONSTRAINT small CHECK (v < 100)")
        .await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 1)").await;
    cluster.sql("n1", "INSERT INTO t VALUES (2, 500)").await;
    cluster
        .sql("n1", "INSERT INTO t VALUES (3, 3); INSERT INTO u VALUES (3)")
        .await;
    let peer = until_stopped(&cluster).await;
    (cluster, peer["error"]["txn"].as_str().unwrap().to_owned())
}

async fn until_stopped(cluster: &Cluster) -> Value {
    cluster
        .until_peer("n2", "n1", "stopped", |peer| peer["state"] == "stopped")
        .await
}

#[tokio::test]
async fn a_refused_row_stops_the_link_and_a_skip_keeps_what_it_held() {
    let (cluster, txn) = stopped().await;
    let list = cluster.get("n2", "/v1/apply").await.unwrap().json();
    assert_eq!(list[0]["from"], "n1", "{list}");
    assert_eq!(list[0]["txn"], txn.as_str(), "{list}");
    assert_eq!(list[0]["table"], "public.t", "{list}");
    assert_eq!(list[0]["key"], json!({"id": "2"}), "{list}");
    assert!(list[0]["message"].as_str().unwrap().contains("small"), "{list}");
    assert_eq!(
        cluster
            .value("n2", "SELECT array_agg(id ORDER BY id) FROM t")
            .await
            .as_deref(),
        Some("{1}")
    );

    let skip = |more: &[&'static str]| {
        let base = ["apply", "skip", "--from", "n1", "--txn", &txn];
        cluster.synapsectl("n2", &[&base, more].concat())
    };
    assert_eq!(skip(&[]).status.code(), Some(5), "not without --confirm");
    let wrong = cluster.synapsectl(
        "n2",
        &["apply", "skip", "--from", "n1", "--txn", "n1:1@0/1", "--confirm"],
    );
    assert_eq!(
        wrong.status.code(),
        Some(5),
        "another transaction than the one that is stopped"
    );
    let done = skip(&["--confirm"]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    cluster.settle().await;
    assert_eq!(
        cluster
            .value("n2", "SELECT array_agg(id ORDER BY id) FROM t")
            .await
            .as_deref(),
        Some("{1,3}")
    );
    let kept = cluster
        .query("n2", "SELECT origin, lsn::text, reason, changes FROM synapse.skipped")
        .await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    let row: Vec<&str> = kept[0].iter().flatten().map(String::as_str).collect();
    assert_eq!(format!("{}@{}", row[0], row[1]), txn);
    assert!(row[2].contains("small") && row[3].contains("500"), "{row:?}");
    let difference = cluster.verify(&["t"]).await;
    assert_eq!(difference["equal"], false, "{difference}");
    assert_eq!(
        difference["tables"][0]["differences"][0]["key"],
        json!({"id": 2}),
        "{difference}"
    );
}

#[tokio::test]
async fn a_retry_goes_on_once_the_cause_is_mended() {
    let (cluster, txn) = stopped().await;
    let retry = cluster.post("n2", "/v1/apply/retry", json!({"from": "n1"})).await;
    assert_eq!(retry.status, 200, "{}", retry.text);
    let again = until_stopped(&cluster).await;
    assert_eq!(again["error"]["txn"], txn.as_str(), "nothing was mended");
    cluster.sql("n2", "ALTER TABLE t DROP CONSTRAINT small").await;
    let retry = cluster.synapsectl("n2", &["apply", "retry", "--from", "n1"]);
    assert_eq!(
        retry.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&retry.stderr)
    );
    cluster.equal(&["t", "u"]).await;
}

#[tokio::test]
async fn a_stopped_link_stops_again_at_the_same_transaction_after_a_restart() {
    let (mut cluster, txn) = stopped().await;
    cluster.kill("n2", What::Engine).await;
    cluster.start_again("n2", What::Engine).await;
    assert_eq!(until_stopped(&cluster).await["error"]["txn"], txn.as_str());
    cluster.stop("n2", What::Both).await;
    cluster.start_again("n2", What::Both).await;
    assert_eq!(until_stopped(&cluster).await["error"]["txn"], txn.as_str());
    cluster.sql("n2", "ALTER TABLE t DROP CONSTRAINT small").await;
    cluster.post("n2", "/v1/apply/retry", json!({})).await;
    cluster.equal(&["t", "u"]).await;
}
