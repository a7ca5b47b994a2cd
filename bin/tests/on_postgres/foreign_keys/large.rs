//! Large transactions, which are applied part by part.

use super::{everywhere, mended, parted};

#[tokio::test]
async fn a_large_cascade_takes_what_it_should_and_leaves_what_is_needed() {
    let tables = "CREATE TABLE p (id int PRIMARY KEY, a text); \
         CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, a text); CREATE INDEX ON c (p)";
    let fill = "INSERT INTO p SELECT i, 'was ' || i FROM generate_series(1, 30000) i; \
         INSERT INTO c SELECT i, i, repeat('x', 50) FROM generate_series(1, 30000) i";
    let cluster = parted(tables, fill).await;
    cluster.hold_all().await;
    cluster
        .sql("n1", "INSERT INTO c VALUES (100001, 1), (100002, 29000)")
        .await;
    cluster.sql("n3", "INSERT INTO c VALUES (100003, 15000)").await;
    cluster.sql("n2", "DELETE FROM p").await;
    mended(&cluster, &["p", "c"]).await;
    let left = "SELECT string_agg(concat_ws(' ', c.id, p.id, p.a), ', ' ORDER BY c.id) FROM c JOIN p ON p.id = c.p";
    assert_eq!(
        everywhere(&cluster, left).await,
        "100001 1 was 1, 100002 29000 was 29000, 100003 15000 was 15000"
    );
    assert_eq!(everywhere(&cluster, "SELECT count(*) FROM p").await, "3");
}
