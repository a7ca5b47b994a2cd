//! The commands and statements that the page shows, as they stand there.

use super::super::set;
use super::{PAGE, block, blocks, run, three_nodes};
use crate::cluster::Cluster;

/// The tables that the page speaks of.
async fn with_tables() -> Cluster {
    let cluster = three_nodes().await;
    cluster
        .sql_all("CREATE TABLE app.stock (id int PRIMARY KEY, pieces int)")
        .await;
    cluster
        .sql_all("CREATE TABLE app.offer (id int PRIMARY KEY, price numeric(9, 2), valid_from date)")
        .await;
    cluster.sql("n1", "INSERT INTO app.stock VALUES (1, 10), (2, 10)").await;
    let offers = "INSERT INTO app.offer SELECT i, i, '2026-01-01'::date + i FROM generate_series(1, 30) i";
    cluster.sql("n1", offers).await;
    cluster.settle().await;
    cluster
}

/// Makes the function, tries it and sets it as a policy: on one node it is refused, on all it is taken.
async fn function_of_the_page(cluster: &Cluster) {
    let function = block("CREATE FUNCTION");
    cluster.sql("n2", &function).await;
    let refused = cluster.synapsectl(
        "n2",
        &[
            "table",
            "set",
            "--table",
            "app.offer",
            "--policy",
            "custom(app.newest_offer)",
        ],
    );
    let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.contains("n1, n3: there is no function app.newest_offer"),
        "{refused}"
    );
    cluster.sql("n1", &function).await;
    cluster.sql("n3", &function).await;
    let checked = run(cluster, "n3", &block("synapsectl conflict check"));
    assert_eq!(
        checked.lines().filter(|line| line.contains("  yes  ")).count(),
        4,
        "{checked}"
    );
    set(cluster, "n1", "app.offer", "custom(app.newest_offer)");
}

#[tokio::test]
async fn displaced_rows_are_seen_and_given_up_and_orphans_mended_as_the_page_says() {
    let cluster = three_nodes().await;
    let tables = "CREATE TABLE app.person (id int PRIMARY KEY, mail text UNIQUE); \
        CREATE TABLE app.order_line (id int PRIMARY KEY, person int REFERENCES app.person)";
    cluster.sql_all(tables).await;
    cluster.settle().await;
    let said = run(&cluster, "n2", &block("synapsectl table set --table app.order_line"));
    assert_eq!(said, "app.order_line: foreign keys restore-parent, on every node\n");
    cluster.hold_all().await;
    cluster
        .sql("n1", "INSERT INTO app.person VALUES (7, 'a@example.org')")
        .await;
    cluster
        .sql("n2", "INSERT INTO app.person VALUES (8, 'a@example.org')")
        .await;
    cluster.resume_all().await;
    cluster.settle().await;
    let displaced = block("SELECT table_name, key, rivals");
    let seen = format!(
        "SELECT string_agg(concat_ws(' ', table_name, key, rivals), ',') FROM ({}) AS d",
        displaced.trim_end_matches(';')
    );
    for node in cluster.names() {
        assert_eq!(
            cluster.value(&node, &seen).await.as_deref(),
            Some("person {\"id\": \"7\"} [{\"id\": \"8\"}]"),
            "{node}"
        );
    }
    let give_up = "DELETE FROM synapse.displaced WHERE key ->> 'id' = '7'";
    assert!(PAGE.contains(give_up), "the page shows how a row is given up");
    cluster.sql("n3", give_up).await;
    cluster.settle().await;
    for node in cluster.names() {
        assert_eq!(cluster.value(&node, &seen).await, None, "{node}");
    }
}

#[tokio::test]
async fn every_command_and_statement_of_the_page_does_what_it_says() {
    assert_eq!(blocks().len(), 7, "a block of the page is not followed: {:?}", blocks());
    let cluster = with_tables().await;
    let said = run(&cluster, "n2", &block("synapsectl table set --table app.stock"));
    assert!(
        said.starts_with("app.stock: counter(pieces), on every node\n"),
        "{said}"
    );
    assert!(
        said.lines()
            .any(|line| line.starts_with("app.stock") && line.contains("counter(pieces)")),
        "{said}"
    );
    let select = block("SELECT synapse.set_conflict_policy");
    let said = cluster.value("n3", select.trim_end_matches(';')).await;
    assert_eq!(said.as_deref(), Some("app.stock: counter(pieces), on every node"));

    function_of_the_page(&cluster).await;
    cluster.hold_all().await;
    cluster
        .sql(
            "n1",
            "UPDATE app.offer SET price = 1, valid_from = '2026-12-31' WHERE id = 1",
        )
        .await;
    cluster
        .sql(
            "n2",
            "UPDATE app.offer SET price = 2, valid_from = '2026-12-30' WHERE id = 1",
        )
        .await;
    cluster
        .sql("n3", "UPDATE app.offer SET price = 3, valid_from = NULL WHERE id = 1")
        .await;
    for node in cluster.names() {
        cluster
            .sql(&node, "UPDATE app.stock SET pieces = pieces - 3 WHERE id = 1")
            .await;
    }
    cluster.resume_all().await;
    cluster.equal(&["app.offer", "app.stock"]).await;
    let offer = "SELECT concat_ws(' ', price, valid_from) FROM app.offer WHERE id = 1";
    assert_eq!(cluster.value("n3", offer).await.as_deref(), Some("1.00 2026-12-31"));
    assert_eq!(
        cluster.number("n3", "SELECT pieces FROM app.stock WHERE id = 1").await,
        1
    );
    for node in cluster.names() {
        let said = run(&cluster, &node, &block("synapsectl conflict list"));
        assert!(
            said.contains("app.stock {\"id\":\"1\"}  update_origin_differs  last-write-wins counter(pieces): both"),
            "{said}"
        );
        assert!(
            said.contains("app.offer") && said.contains("custom(app.newest_offer)"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_conflict_that_asks_a_person_is_decided_by_the_next_policy_on_three_nodes() {
    let cluster = with_tables().await;
    set(&cluster, "n3", "app.stock", "error");
    cluster.hold_all().await;
    for node in ["n1", "n2"] {
        let pieces = node.trim_start_matches('n');
        cluster
            .sql(node, &format!("UPDATE app.stock SET pieces = {pieces} WHERE id = 1"))
            .await;
    }
    cluster.resume_all().await;
    for node in cluster.names() {
        let look = async || {
            let listed = run(&cluster, &node, "synapsectl apply list");
            (listed.contains("transactions n1:") || listed.contains("transactions n2:")).then_some(listed)
        };
        let listed = cluster.until("the conflict stops the link", look).await;
        assert!(
            listed.contains(" and n1:") || listed.contains(" and n2:"),
            "both are named: {listed}"
        );
        let pieces = cluster.number(&node, "SELECT pieces FROM app.stock WHERE id = 1").await;
        assert!(
            if node == "n3" {
                pieces < 3
            } else {
                node == format!("n{pieces}")
            },
            "{node} has {pieces}"
        );
    }
    set_on_its_way(&cluster, "first-write-wins");
    for node in cluster.names() {
        let look = async || {
            // Refused where nothing is stopped any more.
            cluster.synapsectl(&node, &["apply", "retry"]);
            let pieces = cluster.number(&node, "SELECT pieces FROM app.stock WHERE id = 1").await;
            // What n1 wrote stands there from the first; its link goes on once it has read the policy that it wrote.
            let stands = cluster.status(&node).await["problems"] == serde_json::json!([]);
            (pieces == 1 && stands).then_some(())
        };
        cluster.until("the conflict is decided", look).await;
    }
    cluster.equal(&["app.stock"]).await;
}

/// The answer stands behind what waits for it, where links are stopped.
fn set_on_its_way(cluster: &Cluster, policy: &str) {
    let set = cluster.synapsectl("n1", &["table", "set", "--table", "app.stock", "--policy", policy]);
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
}
