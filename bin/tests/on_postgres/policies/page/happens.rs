//! The table "What happens", row by row, with either node as the later one.

use std::collections::BTreeSet;

use super::{table, three_nodes};
use crate::cluster::Cluster;

/// A row of the page's table, as statements over a row `{id}` of table `{t}`.
struct Scenario {
    one: &'static str,
    another: &'static str,
    does: [&'static str; 2],
    /// Kinds of the page's other rows that come with it.
    beside: &'static [&'static str],
    /// What row `{id}` is in the end when the one was later, and when the other was.
    ends: [Option<&'static str>; 2],
}

const SCENARIOS: [Scenario; 7] = [
    Scenario {
        one: "INSERT",
        another: "INSERT, same key",
        does: [
            "INSERT INTO {t} VALUES ({id}, 'one')",
            "INSERT INTO {t} VALUES ({id}, 'another')",
        ],
        beside: &[],
        ends: [Some("one"), Some("another")],
    },
    Scenario {
        one: "UPDATE",
        another: "UPDATE",
        does: [
            "UPDATE {t} SET a = 'one' WHERE id = {id}",
            "UPDATE {t} SET a = 'another' WHERE id = {id}",
        ],
        beside: &[],
        ends: [Some("one"), Some("another")],
    },
    Scenario {
        one: "UPDATE",
        another: "DELETE",
        does: [
            "UPDATE {t} SET a = 'one' WHERE id = {id}",
            "DELETE FROM {t} WHERE id = {id}",
        ],
        beside: &[],
        ends: [Some("one"), None],
    },
    Scenario {
        one: "INSERT",
        another: "DELETE, of an earlier row",
        does: [
            "DELETE FROM {t} WHERE id = {id}; INSERT INTO {t} VALUES ({id}, 'one')",
            "DELETE FROM {t} WHERE id = {id}",
        ],
        beside: &["delete_missing"],
        ends: [Some("one"), None],
    },
    Scenario {
        one: "DELETE",
        another: "DELETE",
        does: ["DELETE FROM {t} WHERE id = {id}", "DELETE FROM {t} WHERE id = {id}"],
        beside: &[],
        ends: [None, None],
    },
    Scenario {
        one: "TRUNCATE",
        another: "any",
        does: ["TRUNCATE {t}", "UPDATE {t} SET a = 'another' WHERE id = {id}"],
        beside: &["update_deleted", "delete_origin_differs"],
        ends: [None, Some("another")],
    },
    Scenario {
        one: "key change",
        another: "any",
        does: [
            "UPDATE {t} SET id = id + 100 WHERE id = {id}",
            "UPDATE {t} SET a = 'another' WHERE id = {id}",
        ],
        beside: &["update_deleted", "delete_origin_differs"],
        ends: [None, Some("another")],
    },
];

/// The kinds of a cell like "`a`, `b`"; none where it says something else.
fn kinds(cell: &str) -> BTreeSet<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.map(str::to_owned).collect()
}

/// What all nodes have logged of row 1 of a table.
async fn logged(cluster: &Cluster, table: &str) -> BTreeSet<String> {
    let sql = format!(
        "SELECT DISTINCT kind FROM synapse.conflict_log WHERE table_name = 'app.{table}' AND key ->> 'id' = '1'"
    );
    let mut kinds = BTreeSet::new();
    for node in cluster.names() {
        let rows = cluster.query(&node, &sql).await;
        kinds.extend(rows.into_iter().flatten().flatten());
    }
    kinds
}

/// Each scenario has two tables: in the first the one node writes last, in the second the other.
fn table_of(at: usize, later: usize) -> String {
    format!("t{at}_{later}")
}

async fn write(cluster: &Cluster, side: usize, later: usize) {
    for (at, scenario) in SCENARIOS.iter().enumerate() {
        let sql = scenario.does[side]
            .replace("{t}", &format!("app.{}", table_of(at, later)))
            .replace("{id}", "1");
        // Each statement by itself: a transaction that deletes and inserts has one net write.
        for statement in sql.split("; ") {
            cluster.sql(["n1", "n2"][side], statement).await;
        }
    }
}

#[tokio::test]
async fn each_row_of_what_happens_happens() {
    let rows = table("one node");
    let known = |row: &Vec<String>| {
        let is_it = |scenario: &Scenario| row[0] == scenario.one && row[1] == scenario.another;
        SCENARIOS.iter().any(is_it)
            || row
                .iter()
                .any(|cell| cell.contains("unique") || cell.contains("foreign"))
    };
    assert!(rows.iter().all(known), "a row of the page has no scenario: {rows:?}");
    let cluster = three_nodes().await;
    for (at, scenario) in SCENARIOS.iter().enumerate() {
        for later in 0..2 {
            let table = table_of(at, later);
            cluster
                .sql_all(&format!("CREATE TABLE app.{table} (id int PRIMARY KEY, a text)"))
                .await;
            if scenario.another != "INSERT, same key" {
                cluster
                    .sql(
                        "n3",
                        &format!("INSERT INTO app.{table} VALUES (1, 'first'), (2, 'first')"),
                    )
                    .await;
            }
        }
    }
    cluster.settle().await;
    cluster.hold_all().await;
    // First both as the earlier ones, then both as the later ones.
    write(&cluster, 1, 0).await;
    write(&cluster, 0, 1).await;
    write(&cluster, 0, 0).await;
    write(&cluster, 1, 1).await;
    cluster.resume_all().await;
    for (at, scenario) in SCENARIOS.iter().enumerate() {
        let row = rows
            .iter()
            .find(|row| row[0] == scenario.one && row[1] == scenario.another);
        let row = row.unwrap_or_else(|| panic!("the page has no row {} | {}", scenario.one, scenario.another));
        let mut found = BTreeSet::new();
        for (later, end) in scenario.ends.iter().enumerate() {
            let table = table_of(at, later);
            cluster.equal(&[&format!("app.{table}")]).await;
            let stands = cluster
                .query("n3", &format!("SELECT a FROM app.{table} WHERE id = 1"))
                .await;
            let stands = stands.first().and_then(|row| row[0].as_deref());
            assert_eq!(
                stands, *end,
                "{} | {}, and {later} was later",
                scenario.one, scenario.another
            );
            found.extend(logged(&cluster, &table).await);
        }
        let mut expected = kinds(&row[2]);
        expected.extend(scenario.beside.iter().map(|kind| (*kind).to_owned()));
        assert_eq!(found, expected, "{} | {}", scenario.one, scenario.another);
    }
    // What no statement named went with the TRUNCATE, and the row that changed its key is where it went.
    assert_eq!(cluster.number("n3", "SELECT count(*) FROM app.t5_1").await, 1);
    assert_eq!(
        cluster
            .value("n3", "SELECT a FROM app.t6_0 WHERE id = 101")
            .await
            .as_deref(),
        Some("first")
    );
}

#[tokio::test]
async fn what_an_update_did_not_touch_is_no_part_of_it_and_two_key_changes_leave_two_rows() {
    let cluster = three_nodes().await;
    cluster
        .sql_all("CREATE TABLE app.page (id int PRIMARY KEY, a text, big text)")
        .await;
    cluster
        .sql_all("ALTER TABLE app.page ALTER big SET STORAGE EXTERNAL")
        .await;
    let insert = "INSERT INTO app.page SELECT i, 'first', repeat('x', 9000) FROM generate_series(1, 3) i";
    cluster.sql("n1", insert).await;
    cluster.settle().await;
    cluster.hold_all().await;
    cluster
        .sql("n1", "UPDATE app.page SET big = repeat('n1', 6000) WHERE id = 1")
        .await;
    cluster.sql("n1", "UPDATE app.page SET id = 11 WHERE id = 2").await;
    cluster.sql("n1", "DELETE FROM app.page WHERE id = 3").await;
    cluster
        .sql("n2", "UPDATE app.page SET a = 'n2' WHERE id IN (1, 3)")
        .await;
    cluster.sql("n2", "UPDATE app.page SET id = 12 WHERE id = 2").await;
    cluster.resume_all().await;
    cluster.equal(&["app.page"]).await;
    let rows = "SELECT string_agg(concat_ws(' ', id, a, length(big), left(big, 2)), ', ' ORDER BY id) FROM app.page";
    let expected = "1 n2 12000 n1, 3 n2 9000 xx, 11 first 9000 xx, 12 first 9000 xx";
    assert_eq!(cluster.value("n3", rows).await.as_deref(), Some(expected));
}
