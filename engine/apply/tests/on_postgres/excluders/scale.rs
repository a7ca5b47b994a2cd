//! Many rows.

use synapse_engine_change::Value;
use synapse_engine_plan::Row;

use super::keep;
use crate::conflicts::SCHEMA;
use crate::fixture::{answer, begin, session, table};
use crate::server::Server;

/// Waits until these sessions have ended: a backend reports what it read when it ends.
async fn ended(client: &tokio_postgres::Client, application: &str) {
    let alive = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{application}'");
    while answer(client, &alive).await != "0" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_large_table_is_never_read_through() {
    for server in Server::each().await {
        let client = server.application("postgres").await;
        client.batch_execute(SCHEMA).await.unwrap();
        client
            .batch_execute(
                "CREATE TABLE t (id int PRIMARY KEY, a int, b int, email text, r int4range, f bool, gone int, UNIQUE (a, b), \
                 CONSTRAINT gist EXCLUDE USING gist (r WITH &&)); \
                 CREATE UNIQUE INDEX mail ON t (lower(email)); CREATE UNIQUE INDEX part ON t (b) WHERE f; \
                 CREATE UNIQUE INDEX nulls ON t (gone, a) NULLS NOT DISTINCT",
            )
            .await
            .unwrap();
        let t = table(&client, 1, "public", "t").await;
        let ids: Vec<String> = (0..1_000).map(|i| (i * 99 + 200_000).to_string()).collect();
        let other: Vec<[String; 3]> = (0..1_000)
            .map(|i| i * 99 + 1)
            .map(|i| [i.to_string(), format!("USER{i}"), format!("[{i},{i}]")])
            .collect();
        let images: Vec<Row<'_>> = ids
            .iter()
            .zip(&other)
            .map(|(id, [n, email, r])| {
                let texts = [id, n, n, email, r].map(|text| Value::Text(text.as_bytes()));
                texts.into_iter().chain([Value::Text(b"t"), Value::Null]).collect()
            })
            .collect();
        let mut session = session(&server, "postgres").await;
        // Plans are made while the table is empty, and kept.
        let mut transaction = begin(&mut session, &client, 1, None).await;
        let none = transaction.excluders(&t, &images[..1]).await.unwrap();
        assert_eq!(none.standing, []);
        transaction.commit().await.unwrap();
        let loader = server.application("postgres").await;
        loader
            .batch_execute(
                "SET application_name = 'loader'; \
                 INSERT INTO t SELECT i, i, i, 'User' || i, int4range(i, i + 1), true FROM generate_series(1, 100000) i",
            )
            .await
            .unwrap();
        drop(loader);
        ended(&client, "loader").await;
        client.batch_execute("SELECT pg_stat_reset()").await.unwrap();
        let mut transaction = begin(&mut session, &client, 2, None).await;
        let found = transaction.excluders(&t, &images).await.unwrap();
        assert_eq!((found.standing.len(), found.images.len()), (5_000, 0));
        transaction.rollback().await.unwrap();
        drop(session);
        ended(&client, "synapse").await;
        let through = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 't'";
        assert_eq!(answer(&client, through).await, "0");
        let scans = "SELECT indexrelname || ' ' || (idx_scan >= 1000 AND idx_tup_read < 10000) FROM pg_stat_user_indexes WHERE relname = 't' \
             AND indexrelname <> 't_pkey' ORDER BY 1";
        assert_eq!(
            answer(&client, scans).await,
            "gist true,mail true,nulls true,part true,t_a_b_key true"
        );
    }
}

#[tokio::test]
async fn thousands_of_images_and_displaced_rows_are_compared_in_one_statement() {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    client.batch_execute(SCHEMA).await.unwrap();
    let sql = "CREATE TABLE t (id int PRIMARY KEY, a int UNIQUE DEFERRABLE, b text); \
               CREATE UNIQUE INDEX low ON t (lower(b)); INSERT INTO t VALUES (30000, 4999, '4999')";
    client.batch_execute(sql).await.unwrap();
    let t = table(&client, 1, "public", "t").await;
    let texts: Vec<String> = (0..30_000).map(|i: u32| i.to_string()).collect();
    let row = |id: usize, a: usize| -> Row<'_> { [id, a, a].map(|at| Value::Text(texts[at].as_bytes())).to_vec() };
    // 0 to 9,999, where two follow each other with one value; 5,000 displaced ones have every other value.
    let images: Vec<Row<'_>> = (0..10_000).map(|i| row(i, i / 2)).collect();
    let kept: Vec<_> = (0..5_000).map(|i| keep(&t, &row(20_000 + i, i * 2))).collect();
    let mut session = session(&server, "postgres").await;
    let mut transaction = begin(&mut session, &client, 1, None).await;
    transaction.put_displaced(&t, &kept).await.unwrap();
    let found = transaction.excluders(&t, &images).await.unwrap();
    assert_eq!((found.images.len(), found.displaced.len()), (10_000, 10_000));
    let standing: Vec<usize> = found.standing.iter().map(|e| e.image).collect();
    assert_eq!(standing, [9_998, 9_998, 9_999, 9_999]);
    assert!(found.images.iter().all(|e| e.image % 2 == 0 && e.other == e.image + 1));
    transaction.rollback().await.unwrap();
}
