//! Statements that write rows.

use tokio_postgres::Client;

use crate::cluster::{Cluster, MIXED};

#[tokio::test]
async fn every_statement_that_writes_rows_is_replicated() {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all(
            "CREATE TABLE t (id int PRIMARY KEY, a text, n int DEFAULT 0); CREATE TABLE made (id int PRIMARY KEY, a text); \
             CREATE VIEW v AS SELECT id, a FROM t",
        )
        .await;
    cluster
        .sql("n1", "INSERT INTO t SELECT i, 'x' || i FROM generate_series(1, 500) i")
        .await;
    cluster.settle().await;
    for statement in [
        "INSERT INTO t VALUES (1, 'conflict'), (501, 'new') ON CONFLICT (id) DO UPDATE SET a = EXCLUDED.a, n = t.n + 1",
        "INSERT INTO t VALUES (2, 'nothing') ON CONFLICT DO NOTHING",
        "MERGE INTO t USING (SELECT generate_series(495, 510) AS id) s ON t.id = s.id \
         WHEN MATCHED AND t.id % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET a = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'merged in')",
        "UPDATE t SET n = s.n FROM (SELECT id, id * 2 AS n FROM t) s WHERE s.id = t.id AND t.id < 50",
        "WITH gone AS (DELETE FROM t WHERE id BETWEEN 60 AND 69 RETURNING *) INSERT INTO t SELECT id + 1000, a FROM gone",
        "DELETE FROM t USING generate_series(100, 120) g WHERE g = t.id",
        "UPDATE v SET a = 'through a view' WHERE id = 3",
        "INSERT INTO made SELECT id, a FROM t WHERE id < 20",
        "DO $$ BEGIN FOR i IN 1..30 LOOP UPDATE t SET n = n + 1 WHERE id = i; END LOOP; END $$",
        "UPDATE t SET a = NULL WHERE id = 4; UPDATE t SET a = '' WHERE id = 5; UPDATE t SET a = a WHERE id = 6",
        "INSERT INTO t VALUES (7000, 'x'); UPDATE t SET a = 'y' WHERE id = 7000; DELETE FROM t WHERE id = 7000; INSERT INTO t VALUES (7000, 'z')",
    ] {
        cluster.sql("n2", statement).await;
        cluster
            .sql(
                "n1",
                &format!("UPDATE t SET n = n + 1 WHERE id = 200 /* {} */", statement.len()),
            )
            .await;
    }
    cluster.equal(&["t", "made"]).await;
    assert_eq!(
        cluster.query("n1", "SELECT a, n FROM t WHERE id = 1").await[0][0].as_deref(),
        Some("conflict")
    );
    assert_eq!(cluster.number("n2", "SELECT n FROM t WHERE id = 200").await, 11);
}

#[tokio::test]
async fn copied_rows_arrive_and_a_large_delete_takes_them_away() {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    let session = cluster.session("n2").await;
    let rows: String = (0..20_000).map(|id| format!("{id}\trow {id}\n")).collect();
    copy(&session, "COPY t FROM STDIN", rows).await;
    cluster.equal(&["t"]).await;
    cluster.sql("n1", "DELETE FROM t WHERE id >= 100").await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM t").await, 100);
}

async fn copy(session: &Client, statement: &str, rows: String) {
    use futures_util::SinkExt as _;

    let sink = session.copy_in(statement).await.unwrap();
    let mut sink = std::pin::pin!(sink);
    sink.send(std::io::Cursor::new(rows.into_bytes())).await.unwrap();
    sink.close().await.unwrap();
}

#[tokio::test]
async fn a_table_that_is_made_of_a_query_is_filled_where_it_is_missing() {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql(
            "n1",
            "CREATE TABLE made AS SELECT i AS id, 'x' || i AS a FROM generate_series(1, 100) i",
        )
        .await;
    // Schema changes do not travel: the rows wait until the table is there.
    cluster
        .until_peer("n2", "n1", "stopped", |peer| peer["state"] == "stopped")
        .await;
    cluster.sql("n2", "CREATE TABLE made (id int, a text)").await;
    cluster
        .until_peer("n2", "n1", "connected", |peer| peer["state"] == "connected")
        .await;
    cluster.equal(&["made"]).await;
    cluster
        .sql(
            "n1",
            "UPDATE made SET a = 'y' WHERE id = 5; DELETE FROM made WHERE id > 50",
        )
        .await;
    cluster.equal(&["made"]).await;
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM made").await, 50);
}
