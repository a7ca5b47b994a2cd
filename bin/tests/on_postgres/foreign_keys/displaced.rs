//! Rows that refer to a row which another one displaces.

use super::{everywhere, logged, parted, rule, settled};
use crate::cluster::Cluster;

const TABLES: [&str; 6] = ["parent", "child", "third", "by_code", "goes", "told"];

const CREATE: &str = "CREATE TABLE parent (id int PRIMARY KEY, u text UNIQUE, code text UNIQUE); \
     CREATE TABLE child (id int PRIMARY KEY, p int REFERENCES parent); \
     CREATE TABLE third (id int PRIMARY KEY, p int REFERENCES parent); \
     CREATE TABLE by_code (id int PRIMARY KEY, code text REFERENCES parent (code)); \
     CREATE TABLE goes (id int PRIMARY KEY, p int REFERENCES parent ON DELETE CASCADE); \
     CREATE TABLE told (id int PRIMARY KEY, p int REFERENCES parent)";

/// What waits here: tables that refer, what they refer to, and how that is.
const ENTRIES: &str = "SELECT coalesce(string_agg(concat_ws(' ', child_table, refs ->> 0, state), ', ' \
     ORDER BY child_table, refs ->> 0), 'none') FROM synapse.orphans WHERE foreign_key IS NOT NULL";

const DISPLACED: &str = "SELECT string_agg(key ->> 'id', ' ' ORDER BY key ->> 'id') FROM synapse.displaced";

const STANDING: &str = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM parent";

/// n1 wrote parents 1 and 3 and rows that refer to them, n3 a row that refers to 1; n2 wrote rows that displace both, and
/// rows that refer to those. Nobody has heard of all.
async fn displaced() -> Cluster {
    let cluster = parted(CREATE, "SELECT 1").await;
    rule(&cluster, "n1", "goes", "delete-child");
    rule(&cluster, "n1", "told", "report");
    cluster.settle().await;
    cluster.hold_all().await;
    let first = "INSERT INTO parent VALUES (1, 'same', 'c1'), (3, 'too', 'c3'); INSERT INTO child VALUES (10, 1); \
         INSERT INTO by_code VALUES (10, 'c1'); INSERT INTO goes VALUES (10, 3); INSERT INTO told VALUES (10, 3)";
    cluster.sql("n1", first).await;
    cluster.resume("n1", "n3").await;
    cluster.until_value("n3", STANDING, "1 3").await;
    cluster.until_value("n3", "SELECT count(*) FROM told", "1").await;
    cluster.sql("n3", "INSERT INTO third VALUES (30, 1)").await;
    let later = "INSERT INTO parent VALUES (2, 'same', 'c2'), (4, 'too', 'c4'); INSERT INTO child VALUES (20, 2); \
         INSERT INTO goes VALUES (20, 4)";
    cluster.sql("n2", later).await;
    cluster.resume_all().await;
    settled(&cluster).await;
    cluster
}

/// Whether a node's entries come to be these.
async fn come_to_be(cluster: &Cluster, entries: [&str; 3]) {
    for (node, entries) in cluster.names().iter().zip(entries) {
        cluster.until_value(node, ENTRIES, entries).await;
    }
    cluster.equal(&TABLES).await;
}

#[tokio::test]
async fn rows_that_refer_to_a_displaced_row_are_shown_and_left_until_it_comes_back() {
    let cluster = displaced().await;
    let noted = "by_code c1 displaced, child 1 displaced, goes 3 displaced, told 3 displaced";
    come_to_be(&cluster, [noted, "none", "third 1 displaced"]).await;
    assert_eq!(everywhere(&cluster, STANDING).await, "2 4");
    assert_eq!(everywhere(&cluster, DISPLACED).await, "1 3");
    let left = "SELECT concat_ws(' ', (SELECT array_agg(id ORDER BY id) FROM child), (SELECT array_agg(id) FROM third), \
         (SELECT count(*) FROM by_code), (SELECT count(*) FROM goes), (SELECT count(*) FROM told))";
    assert_eq!(everywhere(&cluster, left).await, "{10,20} {30} 1 2 1");
    // Each is logged once, where it was written, whatever the rule.
    let logs = [
        ("n1", "child", "10 restore-parent both n1 n2"),
        ("n1", "by_code", "10 restore-parent both n1 n2"),
        ("n1", "goes", "10 delete-child both n1 n2"),
        ("n1", "told", "10 report both n1 n2"),
        ("n3", "third", "30 restore-parent both n3 n2"),
    ];
    for node in cluster.names() {
        for table in &TABLES[1..] {
            let expected = logs.iter().find(|(n, t, _)| (*n, t) == (node.as_str(), table));
            let expected = expected.map_or("nothing", |(_, _, entries)| entries);
            assert_eq!(logged(&cluster, &node, table).await, expected, "{table} on {node}");
        }
    }
    let status = cluster.status("n1").await;
    assert_eq!(status["orphans"]["displaced"], 4, "{status}");
    assert_eq!(status["state"], "streaming", "{status}");
    let warned = status["warnings"].to_string();
    assert!(
        warned.contains("rows that are displaced are referred to in 4 places"),
        "{status}"
    );
    // What displaced them goes, of one by an application, of the other by another value.
    cluster
        .sql("n3", "DELETE FROM child WHERE id = 20; DELETE FROM parent WHERE id = 2")
        .await;
    cluster.sql("n1", "UPDATE parent SET u = 'other' WHERE id = 4").await;
    come_to_be(&cluster, ["none"; 3]).await;
    assert_eq!(everywhere(&cluster, STANDING).await, "1 3 4");
    assert_eq!(everywhere(&cluster, left).await, "{10} {30} 1 2 1");
    let status = cluster.status("n1").await;
    assert_eq!(status["warnings"].as_array().map(Vec::len), Some(0), "{status}");
    // It is displaced once more.
    cluster.hold_all().await;
    cluster
        .sql(
            "n1",
            "UPDATE parent SET u = 'x' WHERE id = 1; INSERT INTO child VALUES (11, 1)",
        )
        .await;
    cluster.sql("n2", "INSERT INTO parent VALUES (5, 'x', 'c5')").await;
    cluster.resume_all().await;
    settled(&cluster).await;
    let noted = "by_code c1 displaced, child 1 displaced";
    come_to_be(&cluster, [noted, "none", "third 1 displaced"]).await;
    assert_eq!(everywhere(&cluster, STANDING).await, "3 4 5");
}

#[tokio::test]
async fn a_displaced_row_that_is_given_up_is_not_restored_and_not_forgotten() {
    let cluster = displaced().await;
    // One by a peer, one by the node whose rows refer to it.
    cluster
        .sql("n3", "DELETE FROM synapse.displaced WHERE key ->> 'id' = '1'")
        .await;
    cluster
        .sql("n1", "DELETE FROM synapse.displaced WHERE key ->> 'id' = '3'")
        .await;
    settled(&cluster).await;
    let left = "by_code c1 stuck, child 1 stuck, told 3 reported";
    come_to_be(&cluster, [left, "none", "third 1 stuck"]).await;
    assert_eq!(everywhere(&cluster, STANDING).await, "2 4");
    assert_eq!(everywhere(&cluster, DISPLACED).await, "none");
    assert_eq!(everywhere(&cluster, "SELECT array_agg(id) FROM goes").await, "{20}");
    assert_eq!(
        logged(&cluster, "n1", "goes").await,
        "10 delete-child both n1 n2, 10 delete-child remote n1 n2"
    );
    assert_eq!(logged(&cluster, "n1", "child").await, "10 restore-parent both n1 n2");
    for node in ["n1", "n3"] {
        let status = cluster.status(node).await;
        assert_eq!(status["state"], "degraded", "{status}");
        let problems = status["problems"].to_string();
        let table = if node == "n1" { "child" } else { "third" };
        let says = format!("public.{table} refer to a row of public.parent");
        assert!(problems.contains(&says) && problems.contains("given up"), "{status}");
    }
    assert_eq!(cluster.status("n2").await["state"], "streaming");
    // Not when nothing is in its way any more either. A person decides: by the rule, by another parent, or without them.
    cluster
        .sql("n2", "DELETE FROM child WHERE id = 20; DELETE FROM parent WHERE id = 2")
        .await;
    cluster.settle().await;
    cluster.sql("n2", "UPDATE by_code SET code = 'c4'").await;
    cluster.sql("n1", "DELETE FROM told").await;
    rule(&cluster, "n1", "child", "delete-child");
    rule(&cluster, "n3", "third", "delete-child");
    come_to_be(&cluster, ["none"; 3]).await;
    assert_eq!(everywhere(&cluster, STANDING).await, "4");
    let left = "SELECT (SELECT count(*) FROM child) + (SELECT count(*) FROM third)";
    assert_eq!(everywhere(&cluster, left).await, "0");
    for node in cluster.names() {
        assert_eq!(cluster.status(&node).await["state"], "streaming");
    }
}

#[tokio::test]
async fn a_restored_row_waits_for_what_it_refers_to_while_that_is_displaced() {
    let tables = "CREATE TABLE great (id int PRIMARY KEY, u text UNIQUE); \
         CREATE TABLE mid (id int PRIMARY KEY, g int REFERENCES great); \
         CREATE TABLE leaf (id int PRIMARY KEY, m int REFERENCES mid)";
    let cluster = parted(
        tables,
        "INSERT INTO great VALUES (1, 'a'); INSERT INTO mid VALUES (1, 1)",
    )
    .await;
    cluster.hold_all().await;
    cluster.sql("n1", "INSERT INTO leaf VALUES (1, 1)").await;
    cluster.sql("n1", "UPDATE great SET u = 'same'").await;
    cluster
        .sql("n2", "DELETE FROM mid; INSERT INTO great VALUES (2, 'same')")
        .await;
    cluster.resume_all().await;
    settled(&cluster).await;
    cluster.until_value("n1", ENTRIES, "leaf 1 stuck").await;
    let problems = cluster.status("n1").await["problems"].to_string();
    assert!(problems.contains("that is displaced"), "{problems}");
    assert_eq!(everywhere(&cluster, "SELECT count(*) FROM mid").await, "0");
    cluster.sql("n3", "DELETE FROM great WHERE id = 2").await;
    cluster.until_value("n1", ENTRIES, "none").await;
    cluster.equal(&["great", "mid", "leaf"]).await;
    assert_eq!(
        everywhere(
            &cluster,
            "SELECT concat_ws(' ', g.u, l.id) FROM leaf l JOIN mid m ON m.id = l.m JOIN great g ON g.id = m.g"
        )
        .await,
        "same 1"
    );
}
