//! Daemons and servers that are killed between a delete and its mending.

use super::{everywhere, parted, settled};
use crate::cluster::{Cluster, What};

/// What brings a row back waits for the test; what deletes one does not.
const GATE: &str = "CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     PERFORM pg_catalog.pg_advisory_xact_lock(7); RETURN new; END $$; \
     CREATE TRIGGER gate BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION gate(); \
     ALTER TABLE p ENABLE ALWAYS TRIGGER gate";

#[tokio::test]
async fn what_was_to_be_mended_is_mended_after_the_next_start() {
    let tables = "CREATE TABLE p (id int PRIMARY KEY, a text); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p)";
    let mut cluster = parted(
        tables,
        "INSERT INTO p SELECT i, 'was ' || i FROM generate_series(1, 40) i",
    )
    .await;
    cluster.hold_all().await;
    cluster
        .sql("n1", "INSERT INTO c SELECT i, i FROM generate_series(1, 20) i")
        .await;
    cluster.sql("n2", "DELETE FROM p WHERE id <= 30").await;
    cluster.sql("n1", GATE).await;
    let gate = cluster.session("n1").await;
    gate.execute("SELECT pg_advisory_lock(7)", &[]).await.unwrap();
    cluster.resume("n2", "n1").await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND application_name LIKE 'synapsed foreign keys%'";
    cluster.until_value("n1", waits, "1").await;
    assert_eq!(
        cluster.number("n1", "SELECT count(*) FROM p").await,
        10,
        "the delete is committed"
    );
    assert_eq!(cluster.number("n1", "SELECT count(*) FROM synapse.orphans").await, 20);
    let waiting = cluster.status("n1").await["orphans"]["waiting"].clone();
    assert!(waiting.as_u64() <= Some(20), "{waiting}");
    cluster.kill("n1", What::Engine).await;
    cluster.kill("n1", What::Postgres).await;
    cluster.start_again("n1", What::Postgres).await;
    drop(gate);
    cluster.start_again("n1", What::Engine).await;
    cluster.until_ready().await;
    cluster.resume_all().await;
    settled(&cluster).await;
    cluster.equal(&["p", "c"]).await;
    assert_eq!(
        everywhere(&cluster, "SELECT count(*) FROM p WHERE a = 'was ' || id").await,
        "30"
    );
    assert_eq!(everywhere(&cluster, "SELECT count(*) FROM c").await, "20");
    let logged = "SELECT count(*) FROM synapse.conflict_log WHERE kind = 'foreign_key_orphan'";
    assert_eq!(cluster.number("n1", logged).await, 20, "each once");
}

/// Children come and parents go on a node. Some are refused: the server guards its own rows, or is down.
async fn burst(cluster: &Cluster, at: usize, round: usize) {
    let node = format!("n{}", at + 1);
    for step in 0..30 {
        let child = round * 10_000 + at * 1_000 + step;
        let (parent, gone) = (
            (step * 7 + at * 31 + round * 13) % 60 + 1,
            (step * 11 + at * 17) % 60 + 1,
        );
        let insert = format!("INSERT INTO c VALUES ({child}, {parent})");
        // What is refused is refused.
        let _ = cluster.try_sql(&node, &insert).await;
        let _ = cluster
            .try_sql(&node, &format!("DELETE FROM p WHERE id = {gone}"))
            .await;
    }
}

#[tokio::test]
async fn whatever_is_killed_under_load_no_row_is_left_alone() {
    let tables = "CREATE TABLE p (id int PRIMARY KEY, a text); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p)";
    let mut cluster = parted(
        tables,
        "INSERT INTO p SELECT i, 'was ' || i FROM generate_series(1, 60) i",
    )
    .await;
    let victims = [
        ("n1", What::Engine),
        ("n2", What::Postgres),
        ("n3", What::Engine),
        ("n1", What::Postgres),
    ];
    for (round, (node, what)) in victims.into_iter().enumerate() {
        tokio::join!(
            burst(&cluster, 0, round),
            burst(&cluster, 1, round),
            burst(&cluster, 2, round)
        );
        cluster.kill(node, what).await;
        tokio::join!(burst(&cluster, 0, round + 10), burst(&cluster, 2, round + 10));
        cluster.start_again(node, what).await;
        cluster.until_ready().await;
    }
    let orphans = "SELECT count(*) FROM c WHERE p NOT IN (SELECT id FROM p)";
    settled(&cluster).await;
    for node in cluster.names() {
        cluster.until_value(&node, orphans, "0").await;
    }
    settled(&cluster).await;
    cluster.equal(&["p", "c"]).await;
    assert_eq!(everywhere(&cluster, orphans).await, "0");
    assert!(cluster.number("n1", "SELECT count(*) FROM c").await > 100);
    let mut found = 0;
    for node in cluster.names() {
        let logged = "SELECT count(*) FROM synapse.conflict_log WHERE kind = 'foreign_key_orphan'";
        found += cluster.number(&node, logged).await;
    }
    assert!(found > 0, "some rows did lose what they refer to");
}
