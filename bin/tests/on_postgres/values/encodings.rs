//! Databases whose encoding is not UTF-8.

use crate::cluster::{Cluster, MIXED, What};

/// A cluster whose databases have this encoding.
async fn encoded(encoding: &str) -> Cluster {
    let mut cluster = Cluster::start(&MIXED).await;
    for node in cluster.names() {
        cluster.stop(&node, What::Engine).await;
    }
    for node in cluster.names() {
        let detached = cluster.synapsectl(&node, &["node", "detach", "--confirm"]);
        assert!(
            detached.status.success(),
            "{}",
            String::from_utf8_lossy(&detached.stderr)
        );
        let postgres = cluster.node(&node).dsn.replace("dbname=app", "dbname=postgres");
        let (client, connection) = tokio_postgres::connect(&postgres, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute("DROP DATABASE app").await.unwrap();
        let create = format!(
            "CREATE DATABASE app TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc"
        );
        client.batch_execute(&create).await.unwrap();
        // What the daemon remembers is of the database that is gone.
        let data = cluster.node(&node).config.with_file_name("data");
        for entry in std::fs::read_dir(data).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            } else {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
    for node in cluster.names() {
        cluster.start_again(&node, What::Engine).await;
    }
    cluster.until_ready().await;
    cluster
}

/// Writes text with these bytes on both nodes, as values, keys and parts of documents.
async fn check(cluster: &Cluster, bytes: &str) {
    cluster
        .sql_all(
            "CREATE TABLE t (id int PRIMARY KEY, a text, many text[], j jsonb); CREATE TABLE k (k text PRIMARY KEY, n int); \
             CREATE TABLE bag (a text)",
        )
        .await;
    let text = format!("E'a{bytes}b'");
    for (node, id) in [("n1", 1), ("n2", 2)] {
        cluster
            .sql(
                node,
                &format!(
                    "INSERT INTO t VALUES ({id}, {text}, ARRAY[{text}, NULL], '{{}}'); INSERT INTO k VALUES ({text} || '{id}', {id}); \
                     INSERT INTO bag VALUES ({text}), ({text})"
                ),
            )
            .await;
    }
    cluster.equal(&["t", "k", "bag"]).await;
    cluster
        .sql(
            "n2",
            &format!("UPDATE t SET a = a || {text}; UPDATE k SET n = 7 WHERE k = {text} || '1'"),
        )
        .await;
    cluster
        .sql("n1", "DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag LIMIT 1)")
        .await;
    cluster.equal(&["t", "k", "bag"]).await;
    for node in ["n1", "n2"] {
        let whole = format!("SELECT count(*) FROM t WHERE a = {text} || {text} AND many[1] = {text}");
        assert_eq!(cluster.number(node, &whole).await, 2, "{node}");
        let key = format!("SELECT n FROM k WHERE k = {text} || '1'");
        assert_eq!(cluster.number(node, &key).await, 7, "{node}");
        assert_eq!(cluster.number(node, "SELECT count(*) FROM bag").await, 3, "{node}");
    }
}

#[tokio::test]
async fn latin1_databases_are_replicated() {
    let cluster = encoded("LATIN1").await;
    assert_eq!(
        cluster.value("n1", "SHOW server_encoding").await.as_deref(),
        Some("LATIN1")
    );
    // Escapes are bytes of the server's encoding: é and ÿ.
    check(&cluster, "\\351\\377").await;
    assert_eq!(
        cluster.value("n2", "SELECT a FROM t WHERE id = 1").await.as_deref(),
        Some("aéÿbaéÿb")
    );
}

#[tokio::test]
async fn databases_without_an_encoding_are_replicated() {
    let cluster = encoded("SQL_ASCII").await;
    assert_eq!(
        cluster.value("n1", "SHOW server_encoding").await.as_deref(),
        Some("SQL_ASCII")
    );
    // é in UTF-8: text that clients can read.
    check(&cluster, "\\303\\251").await;
}

#[tokio::test]
async fn bytes_that_are_text_in_no_encoding_are_replicated() {
    let cluster = encoded("SQL_ASCII").await;
    check(&cluster, "\\351\\377\\200").await;
}
