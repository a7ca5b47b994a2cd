//! Transactions that are streamed before they commit.

use crate::cluster::{Cluster, MIXED};

/// Rows of the large transaction.
const ROWS: i64 = 50_000;

#[tokio::test]
async fn a_streamed_transaction_arrives_without_what_its_savepoints_rolled_back() {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all("CREATE TABLE t (id int PRIMARY KEY, a text, n int)")
        .await;
    // The daemons' own sessions may ask for more: then the server's setting counts for nothing, and nothing is streamed.
    cluster
        .sql_all("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'")
        .await;
    cluster.sql_all("SELECT pg_reload_conf()").await;
    cluster
        .sql(
            "n1",
            &format!(
                "BEGIN; INSERT INTO t SELECT i, md5(i::text), 0 FROM generate_series(1, {ROWS}) i; \
                 SAVEPOINT a; INSERT INTO t SELECT i, 'gone', 0 FROM generate_series({ROWS} + 1, {ROWS} + 30000) i; ROLLBACK TO a; \
                 SAVEPOINT b; UPDATE t SET n = 1 WHERE id % 2 = 0; RELEASE b; \
                 SAVEPOINT c; UPDATE t SET n = 99; ROLLBACK TO c; DELETE FROM t WHERE id % 10 = 0; COMMIT"
            ),
        )
        .await;
    cluster.sql("n2", "INSERT INTO t VALUES (-1, 'meanwhile', 0)").await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM t").await, ROWS / 10 * 9 + 1);
    cluster.sql("n2", "BEGIN; UPDATE t SET n = n + 1; ROLLBACK").await;
    cluster.sql("n2", "UPDATE t SET n = n + 1").await;
    cluster.sql("n1", "INSERT INTO t VALUES (-2, 'after', 0)").await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n1", "SELECT max(n) FROM t").await, 2);
}

#[tokio::test]
async fn two_large_transactions_that_are_open_at_once_arrive_whole() {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    let (one, two) = (cluster.session("n1").await, cluster.session("n1").await);
    one.batch_execute("BEGIN").await.unwrap();
    two.batch_execute("BEGIN").await.unwrap();
    for part in 0..4 {
        for (session, first) in [(&one, 0), (&two, 1_000_000)] {
            let from = first + part * 5_000;
            let sql = format!("INSERT INTO t SELECT i, repeat('x', 200) FROM generate_series({from}, {from} + 4999) i");
            session.batch_execute(&sql).await.unwrap();
        }
    }
    two.batch_execute("COMMIT").await.unwrap();
    one.batch_execute("ROLLBACK").await.unwrap();
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM t").await, 20_000);
}
