//! Daemons and servers that are killed between a delete and its mending.

use super::{everywhere, parted, settled};
use crate::cluster::What;

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
