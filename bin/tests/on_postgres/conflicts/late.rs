//! A row that is committed, and visible only later.

use super::log::{joined, parted};

/// The applier asks again and again whether commits have become visible.
const ASKS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'synapsed apply%' \
     AND query LIKE '%pg_snapshot_xip%' AND state <> 'idle'";
/// How often in a row it is seen to: once might be before it locks rows.
const SEEN: usize = 3;

#[tokio::test]
async fn a_row_that_becomes_visible_while_it_is_resolved_is_logged_as_it_stood() {
    let cluster = parted().await;
    cluster
        .session("n1")
        .await
        .batch_execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        .await
        .unwrap();
    cluster.sql("n1", "SELECT pg_reload_conf()").await;
    cluster
        .until_value("n1", "SHOW synchronous_standby_names", "nobody")
        .await;
    let late = cluster.session("n1").await;
    let insert = "SET synchronous_commit = on; INSERT INTO t VALUES (100, 'late', NULL)";
    let commit = tokio::spawn(async move { late.batch_execute(insert).await });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    cluster.until_value("n1", waits, "1").await;
    // In one transaction: a row that is to go and is not there may be such a one. An insert would wait for it.
    cluster
        .sql(
            "n2",
            "INSERT INTO t VALUES (100, 'n2', NULL); DELETE FROM t WHERE id = 100",
        )
        .await;
    cluster.resume("n2", "n1").await;
    let mut seen = 0;
    let asks = async || {
        seen = if cluster.value("n1", ASKS).await.as_deref() == Some("1") {
            seen + 1
        } else {
            0
        };
        (seen == SEEN).then_some(())
    };
    cluster
        .until("the applier waits for a commit to be visible", asks)
        .await;
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    cluster.sql("n1", cancel).await;
    commit.await.unwrap().unwrap();
    joined(&cluster).await;
    let images =
        "SELECT string_agg(kind || ' ' || coalesce(local ->> 'a', '-'), ', ' ORDER BY id) FROM synapse.conflict_log";
    let logged = cluster.value("n1", images).await;
    assert_eq!(
        logged.as_deref(),
        Some("insert_exists late, delete_origin_differs late")
    );
    let given = cluster
        .number("n1", "SELECT last_value FROM synapse.conflict_log_id_seq")
        .await;
    assert!(given > 2, "they were logged before the row was visible, and once more");
}
