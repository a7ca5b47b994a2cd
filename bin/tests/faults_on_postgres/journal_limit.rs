//! A journal that reaches its limit.

use crate::cluster::{Cluster, MIXED, What};

/// Rows of about 1.7 kB that compress by a quarter: together more than the limit.
const ROWS: usize = 60_000;
/// Rows of a transaction.
const ROWS_AT_ONCE: usize = 2_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_says_so_and_loses_nothing() {
    let mut cluster = Cluster::start(&MIXED).await;
    let limited = |text: &str| format!("{text}\n[replication]\njournal-limit = \"64MB\"\n");
    cluster.reconfigure("n1", limited).await;
    cluster.until_ready().await;
    cluster
        .sql_all("CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE other (id int PRIMARY KEY)")
        .await;
    cluster.hold("n1", "n2").await;
    for from in (1..=ROWS).step_by(ROWS_AT_ONCE) {
        let to = from + ROWS_AT_ONCE - 1;
        let noise = "SELECT string_agg(encode(sha512(format('%s %s', g, i)::bytea), 'base64'), '') FROM generate_series(1, 19) i";
        cluster
            .sql(
                "n1",
                &format!("INSERT INTO t SELECT g, ({noise}) FROM generate_series({from}, {to}) g"),
            )
            .await;
    }
    degraded(&cluster).await;
    // What makes room is known after a restart too.
    cluster.stop("n1", What::Engine).await;
    cluster.start_again("n1", What::Engine).await;
    let status = degraded(&cluster).await;
    let problems = status["problems"].to_string();
    assert!(problems.contains("limit"), "{status}");
    let bytes = status["journal_bytes"]
        .as_u64()
        .expect("a status has the journal's size");
    assert!(bytes < 72 << 20, "the journal took {bytes} bytes");
    // Capture reads on: what comes from the peer is applied, and what is applied is known to be.
    cluster
        .sql("n2", "INSERT INTO other SELECT generate_series(1, 500)")
        .await;
    cluster.until_value("n1", "SELECT count(*) FROM other", "500").await;
    cluster
        .until_peer("n1", "n2", "all of it is applied", |peer| peer["lag_bytes"] == 0)
        .await;
    assert_eq!(
        cluster.number("n2", "SELECT count(*) FROM t").await,
        0,
        "the link is held"
    );
    cluster.resume("n1", "n2").await;
    cluster
        .until_value("n2", "SELECT count(*) FROM t", &ROWS.to_string())
        .await;
    cluster.equal(&["t", "other"]).await;
    let streaming = async || (cluster.status("n1").await["state"] == "streaming").then_some(());
    cluster.until("n1 has room again", streaming).await;
}

async fn degraded(cluster: &Cluster) -> serde_json::Value {
    let status = async || Some(cluster.status("n1").await).filter(|status| status["state"] == "degraded");
    cluster.until("n1 is degraded", status).await
}
