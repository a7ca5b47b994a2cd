//! A daemon that is killed while it resolves conflicts.

use super::log::{joined, parted};
use crate::cluster::What;

/// Rows that both nodes write, each in a transaction of its own.
const ROWS: u32 = 10;

/// The applier's writes wait for the test, after their conflicts were logged.
const GATE: &str = "CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     PERFORM pg_catalog.pg_advisory_xact_lock(7); RETURN new; END $$; \
     CREATE TRIGGER gate BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION gate(); \
     ALTER TABLE t ENABLE ALWAYS TRIGGER gate";

#[tokio::test]
async fn attempts_that_give_way_and_a_daemon_that_is_killed_log_nothing_twice() {
    let mut cluster = parted().await;
    for node in ["n1", "n2"] {
        for id in 1..=ROWS {
            cluster
                .sql(node, &format!("UPDATE t SET a = '{node}' WHERE id = {id}"))
                .await;
        }
    }
    cluster.sql("n1", GATE).await;
    let gate = cluster.session("n1").await;
    gate.execute("SELECT pg_advisory_lock(7)", &[]).await.unwrap();
    cluster.resume("n2", "n1").await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND application_name LIKE 'synapsed apply%'";
    cluster.until_value("n1", waits, "1").await;
    let retried = async || (cluster.metric("n1", "synapse_apply_retries_total", "").await > 0.0).then_some(());
    cluster.until("an attempt has given way", retried).await;
    cluster.until_value("n1", waits, "1").await;
    let conflicts = cluster.status("n1").await["conflicts"].clone();
    assert_eq!(
        conflicts["total"], 0,
        "nothing is counted that is not committed: {conflicts}"
    );
    cluster.kill("n1", What::Engine).await;
    gate.execute("SELECT pg_advisory_unlock(7)", &[]).await.unwrap();
    cluster.start_again("n1", What::Engine).await;
    cluster.until_ready().await;
    joined(&cluster).await;
    for node in ["n1", "n2"] {
        let sql = "SELECT string_agg(key ->> 'id', ' ' ORDER BY (key ->> 'id')::int) FROM synapse.conflict_log";
        let logged = cluster.value(node, sql).await;
        assert_eq!(logged.as_deref(), Some("1 2 3 4 5 6 7 8 9 10"), "{node}");
    }
}
