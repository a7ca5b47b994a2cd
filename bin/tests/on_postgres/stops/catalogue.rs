//! Tables and columns that a node does not have.

use crate::cluster::{Cluster, MIXED, Server};

#[tokio::test]
async fn a_missing_table_stops_its_link_alone_until_it_is_made() {
    let cluster = Cluster::start(&[Server::Own, Server::Eighteen, Server::Own]).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY)").await;
    // Missing on both others: what they write does not depend on it then.
    cluster
        .sql("n1", "CREATE TABLE late (id int PRIMARY KEY, a text)")
        .await;
    cluster.sql("n1", "INSERT INTO t VALUES (1)").await;
    cluster.sql("n1", "INSERT INTO late VALUES (1, 'a')").await;
    cluster.sql("n1", "INSERT INTO t VALUES (2)").await;
    let peer = cluster
        .until_peer("n2", "n1", "stopped", |peer| peer["state"] == "stopped")
        .await;
    let error = &peer["error"];
    assert_eq!(error["class"], "definite", "{error}");
    assert_eq!(error["table"], "public.late", "{error}");
    assert!(error["txn"].as_str().unwrap().starts_with("n1:"), "{error}");
    assert!(error["message"].as_str().unwrap().contains("hint: "), "{error}");
    let status = cluster.status("n2").await;
    assert_eq!(status["state"], "degraded", "{status}");
    assert_eq!(
        cluster.value("n2", "SELECT array_agg(id) FROM t").await.as_deref(),
        Some("{1}")
    );

    // The other links go on.
    cluster.sql("n3", "INSERT INTO t VALUES (31)").await;
    cluster.sql("n2", "INSERT INTO t VALUES (21)").await;
    for (node, id) in [("n2", 31), ("n1", 31), ("n3", 21), ("n1", 21)] {
        let sql = format!("SELECT count(*) FROM t WHERE id = {id}");
        cluster.until_value(node, &sql, "1").await;
    }
    let waited = cluster.get("n1", "/v1/wait?timeout_ms=30000").await.unwrap().json();
    assert_eq!(waited["done"], false, "{waited}");
    assert_eq!(waited["reason"], "stands", "{waited}");

    for node in ["n2", "n3"] {
        cluster
            .until_peer(node, "n1", "stopped", |peer| peer["state"] == "stopped")
            .await;
        cluster
            .sql(node, "CREATE TABLE late (id int PRIMARY KEY, a text)")
            .await;
        // Who else reads the catalogue takes nothing away from the link that waits for it.
        cluster.get(node, "/v1/verify?table=t").await.unwrap();
        cluster
            .until_peer(node, "n1", "connected", |peer| peer["state"] == "connected")
            .await;
    }
    cluster.equal(&["t", "late"]).await;
    assert_eq!(cluster.status("n2").await["state"], "streaming");
}

#[tokio::test]
async fn a_missing_column_stops_the_link_until_it_is_added() {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY)").await;
    cluster.sql("n1", "ALTER TABLE t ADD b text DEFAULT 'old'").await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 'b')").await;
    let peer = cluster
        .until_peer("n2", "n1", "stopped", |peer| peer["state"] == "stopped")
        .await;
    assert!(peer["error"]["message"].as_str().unwrap().contains("column"), "{peer}");
    cluster.sql("n2", "ALTER TABLE t ADD b text DEFAULT 'old'").await;
    cluster
        .until_peer("n2", "n1", "connected", |peer| peer["state"] == "connected")
        .await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.value("n2", "SELECT b FROM t").await.as_deref(), Some("b"));
}

#[tokio::test]
async fn who_depends_on_a_stopped_link_says_on_whom_it_waits() {
    let cluster = Cluster::start(&[Server::Own, Server::Eighteen, Server::Own]).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    for node in ["n1", "n3"] {
        cluster.sql(node, "CREATE TABLE late (id int PRIMARY KEY)").await;
    }
    cluster.sql("n1", "INSERT INTO late VALUES (1)").await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 'n1')").await;
    cluster.until_value("n3", "SELECT count(*) FROM t", "1").await;
    cluster.sql("n3", "UPDATE t SET a = 'n3'").await;
    let waits = |peer: &serde_json::Value| peer["waits_for"].as_str().is_some_and(|text| text.contains("n1"));
    cluster.until_peer("n2", "n3", "waits for n1", waits).await;
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM t").await, 0);
    cluster.sql("n2", "CREATE TABLE late (id int PRIMARY KEY)").await;
    cluster
        .until_value("n2", "SELECT string_agg(a, ',') FROM t", "n3")
        .await;
    cluster.equal(&["t", "late"]).await;
}
