//! Whose rows a guarded statement overwrites.

use std::collections::HashMap;

use synapse_engine_plan::Step;

use crate::fixture::{
    answer, apply, batch, begin, horizon, keys, row_id, rows, session, session_of, texts, with_table,
};

#[tokio::test]
async fn rows_of_the_application_pass_below_the_horizon_and_drop_out_above_it() {
    let (server, client, t) =
        with_table("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'old'), (2, 'old')").await;
    let mut session = session(&server, "postgres").await;
    let above = horizon(&client).await;
    client
        .batch_execute("UPDATE t SET a = 'local' WHERE id = 2")
        .await
        .unwrap();
    let both = [texts(&["1", "new"]), texts(&["2", "new"])];
    let done = apply(
        &mut session,
        &client,
        100,
        Some(above),
        vec![Step::Update(rows(&t, &both))],
    )
    .await;
    assert_eq!(done.dropouts, [row_id(&t, &both[1])]);
    assert_eq!(answer(&client, "SELECT a FROM t ORDER BY id").await, "new,local");
    // Without a horizon no row of the application passes; those we wrote do.
    let done = apply(&mut session, &client, 200, None, vec![Step::Delete(keys(&t, &both))]).await;
    assert_eq!(done.dropouts, [row_id(&t, &both[1])]);
    assert_eq!(answer(&client, "SELECT a FROM t ORDER BY id").await, "local");
}

#[tokio::test]
async fn rows_of_our_other_origins_and_of_the_same_transaction_pass() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    let mut first = session_of(&server, "postgres", "n1").await;
    let mut second = session_of(&server, "postgres", "n2").await;
    let insert = vec![Step::Insert(rows(&t, &[texts(&["1", "x"])]))];
    apply(&mut first, &client, 100, None, insert).await;
    let steps = vec![
        Step::Insert(rows(&t, &[texts(&["2", "x"])])),
        Step::Update(rows(&t, &[texts(&["1", "y"]), texts(&["2", "y"])])),
        Step::Update(rows(&t, &[texts(&["2", "z"])])),
    ];
    let done = apply(&mut second, &client, 100, None, steps).await;
    assert_eq!((done.dropouts.len(), done.rows_guarded), (0, 3));
    assert_eq!(answer(&client, "SELECT a FROM t ORDER BY id").await, "y,z");
}

#[tokio::test]
async fn a_change_made_while_the_statement_waits_drops_the_row_out() {
    let (server, client, t) =
        with_table("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'old'), (2, 'old')").await;
    let mut session = session(&server, "postgres").await;
    let above = horizon(&client).await;
    client
        .batch_execute("BEGIN; UPDATE t SET a = 'local' WHERE id = 1")
        .await
        .unwrap();
    let watcher = server.application("postgres").await;
    let both = [texts(&["1", "new"]), texts(&["2", "new"])];
    let batch = batch(vec![Step::Update(rows(&t, &both))]);
    let mut transaction = begin(&mut session, &watcher, 100, Some(above)).await;
    let survivors = HashMap::new();
    let (done, ()) = tokio::join!(transaction.execute(&batch, &survivors), async {
        let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        while answer(&watcher, waits).await != "1" {
            tokio::task::yield_now().await;
        }
        client.batch_execute("COMMIT").await.unwrap();
    });
    assert_eq!(done.unwrap().dropouts, [row_id(&t, &both[0])]);
    transaction.commit().await.unwrap();
    assert_eq!(answer(&client, "SELECT a FROM t ORDER BY id").await, "local,new");
}
