//! What each policy makes of the same conflicts.

use synapse_engine_sandbox::What;

use super::{THREE, set};
use crate::cluster::Cluster;

/// A table and the values of its row 1 on every node, once all have heard of all.
async fn row(cluster: &Cluster, table: &str) -> String {
    let sql = format!("SELECT coalesce(max(concat_ws(' ', a, b, c, stock, length(big))), 'gone') FROM {table}");
    let mut rows = Vec::new();
    for node in cluster.names() {
        rows.extend(cluster.value(&node, &sql).await);
    }
    assert!(rows.iter().all(|row| *row == rows[0]), "{table}: {rows:?}");
    rows.swap_remove(0)
}

const POLICIES: [(&str, &str); 8] = [
    ("last", "last-write-wins"),
    ("first", "first-write-wins"),
    ("prio", "priority(n2,n1)"),
    ("merged", "merge"),
    ("counted", "counter(stock)"),
    ("deleted", "delete-wins"),
    ("revived", "update-wins"),
    ("made", "custom(public.greatest_of)"),
];

/// Every table with one row, whose `big` is stored out of line, and its policy set from a node that is not the first.
async fn tables(cluster: &Cluster) {
    let greatest = "CREATE FUNCTION public.greatest_of(a jsonb, b jsonb, jsonb, jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS \
        $$ SELECT a || jsonb_build_object('a', greatest(a ->> 'a', b ->> 'a'), 'stock', \
           greatest((a ->> 'stock')::int, (b ->> 'stock')::int)) $$";
    cluster.sql_all(greatest).await;
    for (table, policy) in POLICIES {
        let columns = "id int PRIMARY KEY, a text, b text, c text, stock int, big text";
        cluster.sql_all(&format!("CREATE TABLE {table} ({columns})")).await;
        let storage = format!("ALTER TABLE {table} ALTER big SET STORAGE EXTERNAL");
        cluster.sql_all(&storage).await;
        let insert = format!("INSERT INTO {table} VALUES (1, 'a', 'b', 'c', 100, repeat('x', 9000))");
        cluster.sql("n1", &insert).await;
        set(cluster, "n2", table, policy);
    }
}

#[tokio::test]
async fn each_policy_decides_as_it_says_on_three_nodes() {
    let mut cluster = Cluster::start(&THREE).await;
    tables(&cluster).await;
    cluster.settle().await;
    cluster.hold_all().await;
    // n1 is first, n3 last.
    for (at, node) in cluster.names().iter().enumerate() {
        for table in ["last", "first", "prio", "made"] {
            let update = format!("UPDATE {table} SET a = 'by {node}', stock = {} WHERE id = 1", 10 - at);
            cluster.sql(node, &update).await;
        }
        let column = ["a", "b", "c"][at];
        cluster
            .sql(node, &format!("UPDATE merged SET {column} = 'by {node}' WHERE id = 1"))
            .await;
        let sold = at + 1;
        cluster
            .sql(node, &format!("UPDATE counted SET stock = stock - {sold} WHERE id = 1"))
            .await;
        cluster
            .sql(node, "UPDATE counted SET stock = stock - 10 WHERE id = 1")
            .await;
    }
    cluster
        .sql(
            "n1",
            "DELETE FROM deleted WHERE id = 1; UPDATE revived SET a = 'by n1' WHERE id = 1",
        )
        .await;
    cluster
        .sql(
            "n2",
            "UPDATE deleted SET a = 'by n2' WHERE id = 1; DELETE FROM revived WHERE id = 1",
        )
        .await;
    // What is in force is remembered.
    cluster.kill("n3", What::Engine).await;
    cluster.start_again("n3", What::Engine).await;
    cluster.resume_all().await;
    let all: Vec<&str> = POLICIES.iter().map(|(table, _)| *table).collect();
    cluster.equal(&all).await;
    let expected = [
        ("last", "by n3 b c 8 9000"),
        ("first", "by n1 b c 10 9000"),
        ("prio", "by n2 b c 9 9000"),
        ("merged", "by n1 by n2 by n3 100 9000"),
        ("counted", "a b c 64 9000"),
        ("deleted", "gone"),
        ("revived", "by n1 b c 100 9000"),
        ("made", "by n3 b c 10 9000"),
    ];
    for (table, values) in expected {
        assert_eq!(row(&cluster, table).await, values, "{table}");
    }
    let listed = cluster.synapsectl("n3", &["table", "list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("last-write-wins counter(stock)"), "{listed}");
    let logged =
        "SELECT count(*) FROM synapse.conflict_log WHERE policy = 'custom(public.greatest_of)' AND verdict = 'both'";
    assert!(cluster.number("n1", logged).await > 0);
}

#[tokio::test]
async fn counters_lose_nothing_to_inserts_deletes_and_restarts() {
    let mut cluster = Cluster::start(&THREE).await;
    cluster
        .sql_all("CREATE TABLE counted (id int PRIMARY KEY, stock numeric(12, 2))")
        .await;
    set(&cluster, "n1", "public.counted", "counter(stock) update-wins");
    cluster
        .sql("n1", "INSERT INTO counted SELECT i, 100 FROM generate_series(1, 40) i")
        .await;
    cluster.equal(&["counted"]).await;
    cluster.hold_all().await;
    cluster
        .sql(
            "n1",
            "UPDATE counted SET stock = stock - 0.25; DELETE FROM counted WHERE id <= 10",
        )
        .await;
    cluster.sql("n2", "UPDATE counted SET stock = stock + 7.5").await;
    cluster
        .sql("n3", "UPDATE counted SET stock = stock * 2 WHERE id % 2 = 0")
        .await;
    cluster.kill("n2", What::Engine).await;
    cluster.start_again("n2", What::Engine).await;
    cluster.resume_all().await;
    cluster.equal(&["counted"]).await;
    // An update brings the row back with what was added on all nodes, that of the node which deleted it included.
    let sums = "SELECT string_agg(stock::text, ' ' ORDER BY id) FROM counted WHERE id IN (1, 2, 11, 12)";
    for node in cluster.names() {
        assert_eq!(
            cluster.value(&node, sums).await.as_deref(),
            Some("107.25 207.25 107.25 207.25"),
            "{node}"
        );
    }
}
