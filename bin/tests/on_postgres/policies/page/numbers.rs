//! What the page says of policies, row by row of its table, and of money, stock and counters.

use super::super::set;
use super::{PAGE, block, run, table, three_nodes};
use crate::cluster::Cluster;

/// The words of the page's table, each as something that can be set for a table with `id`, `pieces` and `note`.
fn words() -> Vec<String> {
    let words = table("word").into_iter().flat_map(|row| {
        let quoted: Vec<String> = row[0].split('`').skip(1).step_by(2).map(str::to_owned).collect();
        quoted
    });
    words
        .map(|word| word.replace(",…", "").replace("schema.function", "app.newest_offer"))
        .collect()
}

#[tokio::test]
async fn each_word_of_the_page_is_a_policy_on_every_node() {
    let cluster = three_nodes().await;
    cluster.sql_all(&block("CREATE FUNCTION")).await;
    let words = words();
    assert_eq!(words.len(), 9, "{words:?}");
    for (at, word) in words.iter().enumerate() {
        let table = format!("app.t{at}");
        cluster
            .sql_all(&format!(
                "CREATE TABLE {table} (id int PRIMARY KEY, pieces int, note text)"
            ))
            .await;
        set(&cluster, ["n1", "n2", "n3"][at % 3], &table, word);
        let full =
            "SELECT count(*) FROM pg_class WHERE oid = '{t}'::regclass AND relreplident = 'f'".replace("{t}", &table);
        let whole = ["merge", "counter", "custom"].iter().any(|name| word.starts_with(name));
        for node in cluster.names() {
            let listed = run(&cluster, &node, "synapsectl table list");
            let line = listed.lines().find(|line| line.starts_with(&table)).unwrap();
            assert!(line.contains(word), "{node}: {line}");
            assert_eq!(cluster.number(&node, &full).await, i64::from(whole), "{word} on {node}");
        }
    }
}

/// Tables of pieces by policy: rows 1 to 4 have 10 pieces, 5 has NULL.
async fn stocks(cluster: &Cluster, policies: &[(&str, &str)]) {
    for (table, policy) in policies {
        cluster
            .sql_all(&format!(
                "CREATE TABLE app.{table} (id int PRIMARY KEY, pieces int, note text)"
            ))
            .await;
        set(cluster, "n2", &format!("app.{table}"), policy);
        let insert =
            format!("INSERT INTO app.{table} SELECT i, CASE WHEN i < 5 THEN 10 END FROM generate_series(1, 5) i");
        cluster.sql("n3", &insert).await;
    }
    cluster.settle().await;
    cluster.hold_all().await;
}

async fn pieces(cluster: &Cluster, table: &str, id: i32) -> Option<String> {
    cluster
        .value("n3", &format!("SELECT pieces FROM app.{table} WHERE id = {id}"))
        .await
}

/// SET is what it changed, the sum knows no bounds, NULL counts as 0, and of two INSERTs one gives the number.
async fn counted(cluster: &Cluster) {
    cluster
        .sql("n1", "UPDATE app.counted SET pieces = 7 WHERE id = 2")
        .await;
    cluster
        .sql("n2", "UPDATE app.counted SET pieces = pieces - 3 WHERE id = 2")
        .await;
    for node in ["n1", "n2"] {
        cluster
            .sql(node, "UPDATE app.counted SET pieces = pieces - 6 WHERE id = 3")
            .await;
    }
    cluster
        .sql("n1", "UPDATE app.counted SET pieces = 5 WHERE id = 5")
        .await;
    cluster
        .sql("n2", "UPDATE app.counted SET pieces = 2 WHERE id = 5")
        .await;
    for (node, number, added) in [("n1", 100, 1), ("n2", 200, 2)] {
        cluster
            .sql(node, &format!("INSERT INTO app.counted VALUES (6, {number})"))
            .await;
        cluster
            .sql(
                node,
                &format!("UPDATE app.counted SET pieces = pieces + {added} WHERE id = 6"),
            )
            .await;
    }
}

#[tokio::test]
async fn what_policies_do_to_stock_is_what_the_page_says() {
    let said = "Two nodes that each sell 3 of 10 leave 7, not 4";
    assert!(
        PAGE.contains(said) && PAGE.contains("both sales count, and 4 are left"),
        "the page says something else"
    );
    let cluster = three_nodes().await;
    let policies = [
        ("last", "last-write-wins"),
        ("first", "first-write-wins"),
        ("merged", "merge"),
        ("counted", "counter(pieces)"),
        ("ranked", "priority(n1,n2)"),
    ];
    stocks(&cluster, &policies).await;
    for (node, note) in [("n1", "by n1"), ("n2", "by n2")] {
        for (table, _) in policies {
            cluster
                .sql(
                    node,
                    &format!("UPDATE app.{table} SET pieces = pieces - 3 WHERE id = 1"),
                )
                .await;
        }
        // Two columns of a row, one each.
        let merged = match node {
            "n1" => "UPDATE app.merged SET pieces = 8 WHERE id = 2".to_owned(),
            _ => format!("UPDATE app.merged SET note = '{note}' WHERE id = 2"),
        };
        cluster.sql(node, &merged).await;
        cluster
            .sql(node, &format!("UPDATE app.ranked SET note = '{note}' WHERE id = 2"))
            .await;
    }
    cluster
        .sql("n2", "UPDATE app.ranked SET note = 'by n2' WHERE id = 3")
        .await;
    cluster
        .sql("n3", "UPDATE app.ranked SET note = 'by n3' WHERE id IN (2, 3)")
        .await;
    counted(&cluster).await;
    cluster.resume_all().await;
    cluster
        .equal(&["app.last", "app.first", "app.merged", "app.counted", "app.ranked"])
        .await;
    let expected = [
        ("last", 1, "7"),
        ("first", 1, "7"),
        ("merged", 1, "7"),
        ("counted", 1, "4"),
        ("counted", 2, "4"),
        ("counted", 3, "-2"),
        ("counted", 5, "7"),
        ("counted", 6, "203"),
        ("merged", 2, "8"),
    ];
    for (table, id, wanted) in expected {
        assert_eq!(
            pieces(&cluster, table, id).await.as_deref(),
            Some(wanted),
            "{table} {id}"
        );
    }
    for (table, id, wanted) in [("merged", 2, "by n2"), ("ranked", 2, "by n1"), ("ranked", 3, "by n2")] {
        let note = cluster
            .value("n3", &format!("SELECT note FROM app.{table} WHERE id = {id}"))
            .await;
        assert_eq!(note.as_deref(), Some(wanted), "{table} {id}");
    }
}

#[tokio::test]
async fn a_check_that_a_sum_breaks_stops_the_link_until_it_is_dropped() {
    assert!(
        PAGE.contains(
            "Where a CHECK constraint forbids that, the sum cannot be written, and the link stops; drop it on"
        )
    );
    let cluster = three_nodes().await;
    stocks(&cluster, &[("counted", "counter(pieces)")]).await;
    cluster.sql_all("ALTER TABLE app.counted ADD CHECK (pieces >= 0)").await;
    for node in ["n1", "n2"] {
        cluster
            .sql(node, "UPDATE app.counted SET pieces = pieces - 6 WHERE id = 1")
            .await;
    }
    cluster.resume_all().await;
    for node in cluster.names() {
        let look = async || {
            run(&cluster, &node, "synapsectl apply list")
                .contains("violates check constraint")
                .then_some(())
        };
        cluster.until("the sum is refused", look).await;
        assert_eq!(
            cluster
                .number(&node, "SELECT pieces FROM app.counted WHERE id = 1")
                .await,
            4,
            "{node}"
        );
    }
    cluster
        .sql_all("ALTER TABLE app.counted DROP CONSTRAINT counted_pieces_check")
        .await;
    for node in cluster.names() {
        let retried = run(&cluster, &node, "synapsectl apply retry");
        assert!(retried.starts_with("trying again"), "{retried}");
    }
    cluster.equal(&["app.counted"]).await;
    assert_eq!(pieces(&cluster, "counted", 1).await.as_deref(), Some("-2"));
}
