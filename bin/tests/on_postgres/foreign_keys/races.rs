//! Applications that write while what they refer to goes.

use super::{everywhere, mended, parted, rule, settled};
use crate::cluster::Cluster;

const TABLES: [&str; 2] = ["p", "c"];

async fn filled() -> Cluster {
    let tables =
        "CREATE TABLE p (id int PRIMARY KEY, a text); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p, n int)";
    parted(
        tables,
        "INSERT INTO p SELECT i, 'was ' || i FROM generate_series(1, 200) i",
    )
    .await
}

#[tokio::test]
async fn a_parent_that_goes_while_a_childs_transaction_is_open_waits_for_it() {
    let cluster = filled().await;
    let mut session = cluster.session("n1").await;
    let open = session.transaction().await.unwrap();
    open.execute("INSERT INTO c VALUES (1, 1)", &[]).await.unwrap();
    cluster.sql("n2", "DELETE FROM p WHERE id IN (1, 2)").await;
    let waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'synapsed apply%'";
    cluster.until_value("n1", waits, "t").await;
    open.commit().await.unwrap();
    settled(&cluster).await;
    cluster.equal(&TABLES).await;
    let there = "SELECT string_agg(p.a, ' ') FROM c JOIN p ON p.id = c.p";
    assert_eq!(everywhere(&cluster, there).await, "was 1");
    let refused = cluster.try_sql("n1", "INSERT INTO c VALUES (2, 2)").await;
    assert!(refused.is_err(), "whoever comes later is refused by the server");
}

#[tokio::test]
async fn a_foreign_key_counts_from_the_moment_on_in_which_it_is_made() {
    let cluster = filled().await;
    cluster
        .sql_all("CREATE TABLE late (id int PRIMARY KEY, p int, code text); CREATE UNIQUE INDEX ON p (a)")
        .await;
    // The daemons have read what there is.
    cluster.sql("n2", "DELETE FROM p WHERE id = 200").await;
    cluster.settle().await;
    cluster
        .sql_all("ALTER TABLE late ADD FOREIGN KEY (p) REFERENCES p, ADD FOREIGN KEY (code) REFERENCES p (a)")
        .await;
    cluster.hold_all().await;
    cluster
        .sql(
            "n1",
            "INSERT INTO late VALUES (1, 10, NULL), (2, NULL, 'was 11'), (3, NULL, 'was 12')",
        )
        .await;
    cluster
        .sql(
            "n2",
            "DELETE FROM p WHERE id = 10; DELETE FROM p WHERE id = 11; UPDATE p SET a = 'other' WHERE id = 12",
        )
        .await;
    cluster.resume_all().await;
    let there = "SELECT string_agg(concat_ws(' ', l.id, p.id), ', ' ORDER BY l.id) FROM late l \
         LEFT JOIN p ON p.id = l.p OR p.a = l.code";
    cluster.until_value("n1", there, "1 10, 2 11, 3").await;
    // Its key is taken: that needs a person.
    let told = async || {
        let problems = cluster.status("n1").await["problems"].to_string();
        problems.contains("public.late").then_some(())
    };
    cluster.until("what cannot be restored is told", told).await;
    settled(&cluster).await;
    cluster.equal(&["p", "late"]).await;
    assert_eq!(everywhere(&cluster, there).await, "1 10, 2 11, 3");
}

#[tokio::test]
async fn the_node_that_wrote_the_row_mends_and_the_others_leave_it() {
    let cluster = filled().await;
    for (from, to) in [("n1", "n2"), ("n3", "n2"), ("n2", "n1"), ("n2", "n3")] {
        cluster.hold(from, to).await;
    }
    cluster.sql("n1", "INSERT INTO c VALUES (1, 1)").await;
    cluster.until_value("n3", "SELECT count(*) FROM c", "1").await;
    cluster.sql("n2", "DELETE FROM p WHERE id = 1").await;
    mended(&cluster, &TABLES).await;
    assert_eq!(everywhere(&cluster, "SELECT a FROM p WHERE id = 1").await, "was 1");
    for (node, restored, left) in [("n1", 1, 0), ("n2", 0, 0), ("n3", 0, 1)] {
        let status = cluster.status(node).await;
        let orphans = &status["orphans"];
        assert_eq!(
            (&orphans["restored"], &orphans["left_to_others"]),
            (&restored.into(), &left.into()),
            "{node}: {status}"
        );
    }
}

#[tokio::test]
async fn a_child_that_a_later_update_brings_back_has_its_parent_again() {
    let cluster = filled().await;
    let tables = "CREATE TABLE d (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, n int)";
    cluster.sql_all(tables).await;
    cluster.sql("n1", "INSERT INTO d VALUES (1, 1, 0), (2, 2, 0)").await;
    cluster.settle().await;
    cluster.hold_all().await;
    // An update that loses against the cascade, the cascade, and an update that wins over it.
    cluster.sql("n1", "UPDATE d SET n = 1").await;
    cluster.sql("n2", "DELETE FROM p WHERE id <= 2").await;
    cluster.sql("n3", "UPDATE d SET n = 3 WHERE id = 2").await;
    for (from, to) in [("n2", "n1"), ("n2", "n3")] {
        cluster.resume(from, to).await;
    }
    cluster.until_value("n1", "SELECT count(*) FROM d", "0").await;
    mended(&cluster, &["p", "d"]).await;
    let left = "SELECT string_agg(concat_ws(' ', d.id, n, a), ', ') FROM d LEFT JOIN p ON p.id = d.p";
    assert_eq!(everywhere(&cluster, left).await, "2 3 was 2");
    for node in cluster.names() {
        let problems = cluster.status(&node).await["problems"].to_string();
        assert_eq!(problems, "[]", "{node}");
    }
}

#[tokio::test]
async fn a_row_that_two_nodes_wrote_is_mended_by_one_of_them() {
    let cluster = filled().await;
    cluster
        .sql_all("CREATE TABLE counted (id int PRIMARY KEY, p int REFERENCES p, n int)")
        .await;
    let done = cluster.synapsectl(
        "n1",
        &["table", "set", "--table", "counted", "--policy", "merge counter(n)"],
    );
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    cluster
        .sql(
            "n1",
            "INSERT INTO c VALUES (1, NULL, 0); INSERT INTO counted VALUES (1, NULL, 0)",
        )
        .await;
    cluster.settle().await;
    cluster.hold_all().await;
    // n1 refers; n3 writes the row, too, and neither's version of it is the last one on the other.
    cluster
        .sql("n1", "UPDATE c SET p = 3, n = 1; UPDATE counted SET p = 4, n = n + 1")
        .await;
    cluster
        .sql("n3", "UPDATE c SET n = 2; UPDATE counted SET n = n + 2")
        .await;
    for (from, to) in [("n1", "n3"), ("n3", "n1")] {
        cluster.resume(from, to).await;
    }
    cluster.until_value("n1", "SELECT n FROM counted", "3").await;
    cluster.until_value("n3", "SELECT n FROM counted", "3").await;
    cluster.sql("n2", "DELETE FROM p WHERE id IN (3, 4)").await;
    mended(&cluster, &["p", "c", "counted"]).await;
    assert_eq!(
        everywhere(
            &cluster,
            "SELECT coalesce(string_agg(p.a, ' '), 'none') FROM counted c JOIN p ON p.id = c.p"
        )
        .await,
        "was 4"
    );
    let orphans = "SELECT count(*) FROM c WHERE p IS NOT NULL AND p NOT IN (SELECT id FROM p)";
    assert_eq!(everywhere(&cluster, orphans).await, "0");
}

#[tokio::test]
async fn children_come_and_parents_go_on_all_nodes_and_no_row_is_left_alone() {
    let cluster = filled().await;
    for (round, mending) in ["restore-parent", "delete-child"].into_iter().enumerate() {
        rule(&cluster, "n1", "c", mending);
        let writes = async |at: usize, node: &str| {
            for step in 0..60 {
                let id = (step * 7 + at * 31 + round * 13) % 200 + 1;
                let child = round * 100_000 + at * 1_000 + step;
                // Either may be refused: the server guards its own rows.
                let _ = cluster
                    .try_sql(node, &format!("INSERT INTO c VALUES ({child}, {id})"))
                    .await;
                let gone = (step * 11 + at * 17) % 200 + 1;
                let _ = cluster.try_sql(node, &format!("DELETE FROM p WHERE id = {gone}")).await;
            }
        };
        tokio::join!(writes(0, "n1"), writes(1, "n2"), writes(2, "n3"));
        settled(&cluster).await;
        let orphans = "SELECT count(*) FROM c WHERE p NOT IN (SELECT id FROM p)";
        for node in cluster.names() {
            cluster.until_value(&node, orphans, "0").await;
        }
        settled(&cluster).await;
        cluster.equal(&TABLES).await;
        assert_eq!(everywhere(&cluster, orphans).await, "0", "{mending}");
        assert!(cluster.number("n1", "SELECT count(*) FROM c").await > 20);
    }
    let logged = "SELECT count(*) FROM synapse.conflict_log WHERE kind = 'foreign_key_orphan'";
    let mut found = 0;
    for node in cluster.names() {
        found += cluster.number(&node, logged).await;
    }
    assert!(found > 0, "some rows did lose what they refer to");
}

/// One transaction gives a row a parent and takes both away, and another node's update brings the row back. That parent has
/// never been anywhere else.
#[tokio::test]
async fn a_row_that_comes_back_without_what_it_was_given_is_not_left_alone() {
    let cluster = filled().await;
    for table in ["d", "r"] {
        cluster
            .sql_all(&format!(
                "CREATE TABLE {table} (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, n int)"
            ))
            .await;
        let set = [
            "table",
            "set",
            "--table",
            table,
            "--policy",
            "last-write-wins update-wins",
        ];
        let done = cluster.synapsectl("n1", &set);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    rule(&cluster, "n1", "d", "delete-child");
    rule(&cluster, "n1", "r", "report");
    cluster
        .sql(
            "n1",
            "INSERT INTO d VALUES (1, NULL, 0); INSERT INTO r VALUES (1, NULL, 0)",
        )
        .await;
    cluster.settle().await;
    cluster.hold_all().await;
    cluster.sql("n2", "UPDATE d SET n = 2; UPDATE r SET n = 2").await;
    let all = "BEGIN; INSERT INTO p VALUES (900, 'new'); UPDATE d SET p = 900; UPDATE r SET p = 900; DELETE FROM p WHERE id = 900; COMMIT";
    cluster.sql("n1", all).await;
    mended(&cluster, &["p", "d", "r"]).await;
    let left = "SELECT concat_ws(' ', (SELECT count(*) FROM d), (SELECT string_agg(p || ' ' || n, ', ') FROM r), \
                (SELECT count(*) FROM p WHERE id = 900))";
    assert_eq!(everywhere(&cluster, left).await, "0 900 0 0");
    let mut reported = 0;
    for node in cluster.names() {
        reported += cluster.status(&node).await["orphans"]["reported"].as_u64().unwrap();
    }
    assert!(reported > 0, "a node tells of it");
}
