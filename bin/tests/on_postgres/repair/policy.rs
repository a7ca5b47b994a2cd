//! `--repair --by-policy`: each row as the conflict policy would have it.

use super::{apart, logged, verify, verify_json};
use crate::cluster::{Cluster, Server};

#[tokio::test]
async fn the_last_write_wins_whoever_applied_it_and_a_missing_row_comes_back() {
    let cluster = Cluster::start(&[Server::Own, Server::Eighteen, Server::Own]).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    cluster
        .sql("n1", "INSERT INTO t SELECT i, 'first' FROM generate_series(1, 5) i")
        .await;
    cluster.settle().await;
    // Written last by n3, and applied by n1; n2 has an older row of its own.
    apart(&cluster, "n2", "UPDATE t SET a = 'older, of n2' WHERE id = 2").await;
    cluster.hold("n3", "n2").await;
    cluster.hold("n1", "n2").await;
    cluster.sql("n3", "UPDATE t SET a = 'newer, of n3' WHERE id = 2").await;
    cluster
        .until_value("n1", "SELECT a FROM t WHERE id = 2", "newer, of n3")
        .await;
    cluster.resume("n3", "n2").await;
    cluster.resume("n1", "n2").await;
    cluster.settle().await;
    apart(&cluster, "n2", "UPDATE t SET a = 'newest, of n2' WHERE id = 3").await;
    apart(&cluster, "n1", "DELETE FROM t WHERE id = 4").await;
    apart(
        &cluster,
        "n3",
        "DELETE FROM t WHERE id IN (1, 4); INSERT INTO t VALUES (6, 'only of n3')",
    )
    .await;
    let report = verify_json(&cluster, &["--repair", "--by-policy"], 5);
    assert_eq!(
        report["tables"][0]["deletes"],
        serde_json::json!({}),
        "a policy deletes nothing: {report}"
    );
    verify(&cluster, &["--repair", "--by-policy", "--confirm"], 0);
    cluster.equal(&["t"]).await;
    assert_eq!(
        cluster
            .value("n1", "SELECT string_agg(id || ' ' || a, '; ' ORDER BY id) FROM t")
            .await
            .as_deref(),
        Some("1 first; 2 newer, of n3; 3 newest, of n2; 4 first; 5 first; 6 only of n3")
    );
    assert!(
        logged(&cluster, "n2")
            .await
            .contains(&"public.t {\"id\": 3} n2 t".to_owned())
    );
}
