//! TRUNCATE.

use crate::cluster::{Cluster, MIXED};

const TABLES: &[&str] = &["parent", "child", "numbered", "keyless"];

async fn filled() -> Cluster {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all(
            "CREATE TABLE parent (id int PRIMARY KEY); \
             CREATE TABLE child (id int PRIMARY KEY, parent int NOT NULL REFERENCES parent); \
             CREATE TABLE numbered (id serial PRIMARY KEY, a text); CREATE TABLE keyless (a int)",
        )
        .await;
    cluster
        .sql(
            "n1",
            "INSERT INTO parent SELECT generate_series(1, 100); INSERT INTO child SELECT i, i FROM generate_series(1, 100) i; \
             INSERT INTO numbered (a) SELECT 'n1' FROM generate_series(1, 10); INSERT INTO keyless SELECT generate_series(1, 10)",
        )
        .await;
    cluster.equal(TABLES).await;
    cluster
}

#[tokio::test]
async fn truncate_empties_tables_with_what_refers_to_them_on_every_node() {
    let cluster = filled().await;
    cluster.sql("n2", "TRUNCATE parent CASCADE").await;
    cluster.equal(TABLES).await;
    assert_eq!(cluster.number("n1", "SELECT count(*) FROM child").await, 0);
    cluster.sql("n2", "INSERT INTO parent VALUES (7)").await;
    cluster.settle().await;
    cluster
        .sql("n1", "INSERT INTO child VALUES (1, 7); TRUNCATE numbered, keyless")
        .await;
    cluster.equal(TABLES).await;
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM numbered").await, 0);
}

#[tokio::test]
async fn truncate_and_new_rows_in_one_transaction_leave_the_new_rows() {
    let cluster = filled().await;
    cluster
        .sql(
            "n2",
            "INSERT INTO numbered (a) VALUES ('before'); TRUNCATE numbered, child; \
             INSERT INTO numbered (a) VALUES ('after'); INSERT INTO child VALUES (1000, 1); \
             UPDATE numbered SET a = 'changed'",
        )
        .await;
    cluster.equal(TABLES).await;
    assert_eq!(
        cluster
            .value("n1", "SELECT array_agg(a) FROM numbered")
            .await
            .as_deref(),
        Some("{changed}")
    );
    assert_eq!(cluster.number("n1", "SELECT sum(id) FROM child").await, 1000);
}

#[tokio::test]
async fn sequences_that_are_restarted_stay_disjoint() {
    let cluster = filled().await;
    cluster.sql("n1", "TRUNCATE numbered RESTART IDENTITY").await;
    cluster.settle().await;
    for node in ["n1", "n2", "n1", "n2"] {
        cluster
            .sql(
                node,
                &format!("INSERT INTO numbered (a) SELECT '{node}' FROM generate_series(1, 20)"),
            )
            .await;
    }
    cluster.equal(TABLES).await;
    assert_eq!(
        cluster.number("n1", "SELECT count(*) FROM numbered").await,
        80,
        "no id was given twice"
    );
}

#[tokio::test]
async fn a_row_that_a_truncate_did_not_see_survives_it() {
    let cluster = filled().await;
    cluster.hold_all().await;
    cluster.sql("n1", "TRUNCATE numbered").await;
    cluster.sql("n2", "INSERT INTO numbered VALUES (5001, 'unseen')").await;
    cluster.resume_all().await;
    cluster.equal(TABLES).await;
    assert_eq!(
        cluster
            .value("n1", "SELECT array_agg(a) FROM numbered")
            .await
            .as_deref(),
        Some("{unseen}")
    );
}
