//! `--repair --from`: all nodes get what one has.

use super::{apart, logged, stderr, stdout, verify, verify_json};
use crate::cluster::{Cluster, MIXED, Server};

/// 100 kB that does not compress, the same for the same seed.
fn large(seed: u32) -> String {
    format!("(SELECT string_agg(md5(({seed} * 100000 + i)::text), '') FROM generate_series(1, 3200) i)")
}

/// Two nodes whose rows 1 to 6 differ in every way that there is; row 7 is equal.
async fn different() -> Cluster {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all(
            "CREATE TABLE t (id int PRIMARY KEY, a text, big text, n int, twice int GENERATED ALWAYS AS (n * 2) STORED); \
             ALTER TABLE t ALTER big SET STORAGE EXTERNAL",
        )
        .await;
    let rows = format!(
        "INSERT INTO t SELECT i, 'as it was', {}, i FROM generate_series(1, 7) i",
        large(1)
    );
    cluster.sql("n1", &rows).await;
    cluster.equal(&["t"]).await;
    let n1 = format!(
        "DELETE FROM t WHERE id IN (1, 2); UPDATE t SET big = {} WHERE id = 3",
        large(3)
    );
    apart(&cluster, "n1", &n1).await;
    let n2 = format!(
        "UPDATE t SET a = 'of n2' WHERE id IN (2, 4); DELETE FROM t WHERE id = 5; UPDATE t SET big = {}, n = NULL WHERE id = 6",
        large(6)
    );
    apart(&cluster, "n2", &n2).await;
    cluster
}

#[tokio::test]
async fn rows_become_what_the_named_node_has_and_each_is_logged() {
    for (source, other) in [("n1", "n2"), ("n2", "n1")] {
        let cluster = different().await;
        let before = cluster.digest(source, "t").await;
        let text = stdout(&verify(&cluster, &[], 1));
        assert!(text.contains("6 rows differ"), "{text}");
        verify(&cluster, &["--repair", "--from", source, "--confirm"], 0);
        cluster.equal(&["t"]).await;
        assert_eq!(cluster.digest(source, "t").await, before, "the source stays as it was");
        let (sent, deleted): (&[u32], &[u32]) = match source {
            "n1" => (&[3, 4, 5, 6], &[1, 2]),
            _ => (&[1, 2, 3, 4, 6], &[5]),
        };
        let lines = |ids: &[u32], stands: char| -> Vec<String> {
            let line = |id: &u32| format!("public.t {{\"id\": {id}}} {source} {stands}");
            ids.iter().map(line).collect()
        };
        assert_eq!(logged(&cluster, source).await, lines(sent, 't'));
        assert_eq!(logged(&cluster, other).await, lines(deleted, 'f'));
        verify(&cluster, &["--repair", "--from", source, "--confirm"], 0);
        assert_eq!(
            logged(&cluster, source).await.len(),
            sent.len(),
            "there was nothing more to do"
        );
    }
}

#[tokio::test]
async fn without_confirm_it_says_what_would_be_done_and_does_nothing() {
    let cluster = different().await;
    let digests = [cluster.digest("n1", "t").await, cluster.digest("n2", "t").await];
    let output = verify(&cluster, &["--repair", "--from", "n1"], 5);
    let text = stdout(&output);
    assert!(text.contains("n1 would write 4 again, n2 would delete 2"), "{text}");
    assert!(text.contains("{\"id\":\"1\"}  n2 would delete it"), "{text}");
    assert!(stderr(&output).contains("say --confirm"), "{}", stderr(&output));
    cluster.settle().await;
    assert_eq!(
        [cluster.digest("n1", "t").await, cluster.digest("n2", "t").await],
        digests
    );
    assert!(logged(&cluster, "n1").await.is_empty() && logged(&cluster, "n2").await.is_empty());
}

#[tokio::test]
async fn the_log_holds_every_nodes_row_as_it_was_and_as_it_became() {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a numeric)").await;
    cluster
        .sql("n1", "INSERT INTO t VALUES (1, 1.000000000000000000000001)")
        .await;
    cluster.equal(&["t"]).await;
    apart(&cluster, "n2", "UPDATE t SET a = 2").await;
    verify(&cluster, &["--repair", "--from", "n1", "--confirm"], 0);
    let sql = "SELECT table_name, key::text, source, before::text, after::text, repaired_by FROM synapse.repair_log";
    let row: Vec<String> = cluster.query("n1", sql).await.remove(0).into_iter().flatten().collect();
    let expected = [
        "public.t",
        "{\"id\": 1}",
        "n1",
        "{\"n1\": {\"a\": 1.000000000000000000000001, \"id\": 1}, \"n2\": {\"a\": 2, \"id\": 1}}",
        "{\"a\": 1.000000000000000000000001, \"id\": 1}",
        "n1",
    ];
    assert_eq!(row, expected);
}

#[tokio::test]
async fn three_nodes_that_all_differ_become_one() {
    let cluster = Cluster::start(&[Server::Own, Server::Eighteen, Server::Own]).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    cluster
        .sql("n1", "INSERT INTO t SELECT i, 'all' FROM generate_series(1, 1200) i")
        .await;
    cluster.equal(&["t"]).await;
    apart(
        &cluster,
        "n2",
        "UPDATE t SET a = 'n2' WHERE id <= 700; INSERT INTO t VALUES (2001, 'n2')",
    )
    .await;
    apart(
        &cluster,
        "n3",
        "DELETE FROM t WHERE id > 600; INSERT INTO t VALUES (2001, 'n3'), (2002, 'n3')",
    )
    .await;
    let before = cluster.digest("n1", "t").await;
    let report = verify_json(&cluster, &["--repair", "--from", "n1", "--confirm"], 0);
    let table = &report["tables"][0];
    assert_eq!(table["different"], 1202, "{table}");
    assert_eq!(table["repaired"], 1202, "more than one transaction: {table}");
    assert_eq!((&table["left"], &table["remaining"]), (&0.into(), &0.into()), "{table}");
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.digest("n1", "t").await, before);
}
