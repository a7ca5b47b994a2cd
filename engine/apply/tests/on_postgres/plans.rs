//! Statements use the key's index, however little the server knows of the table.

use std::collections::HashMap;

use synapse_engine_apply::{Logged, LoggedConflict};
use synapse_engine_change::Value;
use synapse_engine_plan::{Batch, Step};

use crate::conflicts::{SCHEMA, conflict};
use crate::fixture::{answer, batch, begin, horizon, keys, rows, session, table, with_table};
use crate::server::Server;

/// Every row of the batch in conflict.
fn conflicts(batch: &Batch<'_>) -> Vec<LoggedConflict> {
    batch.rows.keys().map(|row| conflict(*row, None)).collect()
}

#[tokio::test]
async fn batches_of_one_and_of_thousands_never_read_a_large_table_through() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    let mut session = session(&server, "postgres").await;
    let ids: Vec<String> = (0..5_000).map(|i| (i * 199 + 1).to_string()).collect();
    let all: Vec<_> = ids
        .iter()
        .map(|id| vec![Value::Text(id.as_bytes()), Value::Text(b"new")])
        .collect();
    client.batch_execute(SCHEMA).await.unwrap();
    // Plans are made while the table is empty, and kept.
    let mut transaction = begin(&mut session, &client, 1, None).await;
    for step in [Step::Update(rows(&t, &all[..1])), Step::Delete(keys(&t, &all[..1]))] {
        transaction.execute(&batch(vec![step]), &HashMap::new()).await.unwrap();
    }
    transaction
        .lock(
            &batch(vec![Step::Update(rows(&t, &all[..1]))]),
            &[rows(&t, &all[..1]).rows[0].0],
        )
        .await
        .unwrap();
    let one = batch(vec![Step::Update(rows(&t, &all[..1]))]);
    let logged = transaction.log_conflicts(&one, &conflicts(&one)).await.unwrap();
    assert!(matches!(logged, Logged::As(_)), "{logged:?}");
    transaction.commit().await.unwrap();
    client
        .batch_execute("INSERT INTO t SELECT i, 'old' FROM generate_series(1, 1000000) i")
        .await
        .unwrap();
    let above = horizon(&client).await;
    for part in [&all[..1], &all[..]] {
        let known = batch(vec![Step::Update(rows(&t, part))]);
        let found: Vec<_> = known.rows.keys().copied().collect();
        let mut transaction = begin(&mut session, &client, 2, Some(above)).await;
        assert_eq!(transaction.execute(&known, &HashMap::new()).await.unwrap().dropouts, []);
        assert_eq!(transaction.lock(&known, &found).await.unwrap().len(), part.len());
        let logged = transaction.log_conflicts(&known, &conflicts(&known)).await.unwrap();
        assert!(matches!(logged, Logged::As(ids) if ids.len() == part.len()));
        let again = batch(vec![Step::Insert(rows(&t, part))]);
        assert_eq!(transaction.execute(&again, &HashMap::new()).await.unwrap().dropouts, []);
        let delete = batch(vec![Step::Delete(keys(&t, part))]);
        assert_eq!(
            transaction
                .execute(&delete, &HashMap::new())
                .await
                .unwrap()
                .rows_guarded,
            part.len() as u64
        );
        transaction.rollback().await.unwrap();
    }
    drop(session);
    // A backend reports what it did when it ends.
    let reads =
        "SELECT seq_scan::text || ' ' || (idx_scan >= 20000)::text FROM pg_stat_user_tables WHERE relname = 't'";
    let alive = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'synapse'";
    while answer(&client, alive).await != "0" {
        tokio::task::yield_now().await;
    }
    // The one time is the making of its index.
    assert_eq!(answer(&client, reads).await, "1 true");
}

#[tokio::test]
async fn a_first_batch_of_many_steps_and_rows_prepares_and_does_not_stall() {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    let mut tables = Vec::new();
    for id in 0..4 {
        let name = format!("t{id}");
        let fill =
            format!("CREATE TABLE {name} (id int PRIMARY KEY); INSERT INTO {name} SELECT generate_series(1, 5000)");
        client.batch_execute(&fill).await.unwrap();
        tables.push(table(&client, id, "public", &name).await);
    }
    let above = horizon(&client).await;
    let mut session = session(&server, "postgres").await;
    let ids: Vec<String> = (1..=5_000).map(|i: u32| i.to_string()).collect();
    let all: Vec<_> = ids.iter().map(|id| vec![Value::Text(id.as_bytes())]).collect();
    let steps = tables.iter().map(|t| Step::Delete(keys(t, &all))).collect();
    let mut transaction = begin(&mut session, &client, 1, Some(above)).await;
    let done = transaction.execute(&batch(steps), &HashMap::new()).await.unwrap();
    assert_eq!((done.rows_guarded, done.dropouts.len()), (20_000, 0));
    transaction.commit().await.unwrap();
}
