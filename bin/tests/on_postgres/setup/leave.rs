//! A node that is taken out.

use crate::cluster::{Cluster, MIXED, What};

#[tokio::test]
async fn detaching_leaves_the_database_as_it_was() {
    let mut cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all("CREATE TABLE t (id serial PRIMARY KEY, a text); CREATE TABLE bag (a int)")
        .await;
    cluster
        .sql("n1", "INSERT INTO t (a) VALUES ('x'); INSERT INTO bag VALUES (1)")
        .await;
    cluster.equal(&["t", "bag"]).await;
    assert_eq!(
        cluster.synapsectl("n2", &["node", "detach", "--confirm"]).status.code(),
        Some(5),
        "it runs"
    );
    cluster.stop("n2", What::Engine).await;
    assert_eq!(
        cluster.synapsectl("n2", &["node", "detach"]).status.code(),
        Some(5),
        "not without --confirm"
    );
    let done = cluster.synapsectl("n2", &["node", "detach", "--confirm"]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    for (what, sql) in [
        ("slots", "SELECT count(*) FROM pg_replication_slots"),
        ("publications", "SELECT count(*) FROM pg_publication"),
        ("origins", "SELECT count(*) FROM pg_replication_origin"),
        ("event triggers", "SELECT count(*) FROM pg_event_trigger"),
        ("schemas", "SELECT count(*) FROM pg_namespace WHERE nspname = 'synapse'"),
        ("strides", "SELECT count(*) FROM pg_sequences WHERE increment_by <> 1"),
        (
            "identities",
            "SELECT count(*) FROM pg_class WHERE relname IN ('t', 'bag') AND relreplident <> 'd'",
        ),
    ] {
        assert_eq!(cluster.number("n2", sql).await, 0, "{what} are left");
    }
    cluster
        .sql("n2", "INSERT INTO t (a) VALUES ('alone'); DELETE FROM bag")
        .await;
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM t").await, 2);
}
