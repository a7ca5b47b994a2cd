//! What goes wrong, and what is said of it.

use std::collections::HashMap;
use std::time::Duration;

use synapse_engine_apply::{Class, Error, Options, Remedy, Session};
use synapse_engine_change::Value;
use synapse_engine_identity::{Incarnation, Origin, TxnId};
use synapse_engine_plan::Step;
use synapse_wal_types::Lsn;
use tokio_postgres::NoTls;

use crate::fixture::{answer, batch, begin, horizon, keys, options, origin, row_id, rows, session, texts, with_table};
use crate::server::Server;

#[tokio::test]
async fn a_unique_violation_surfaces_as_the_first_error_and_shows_no_values() {
    let (server, client, t) =
        with_table("CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE); INSERT INTO t VALUES (1, 'secret'), (2, 'x')")
            .await;
    let mut session = session(&server, "postgres").await;
    let above = horizon(&client).await;
    let steps = vec![
        Step::Update(rows(&t, &[texts(&["2", "secret"])])),
        Step::Insert(rows(&t, &[texts(&["3", "y"])])),
        Step::Insert(rows(&t, &[texts(&["4", "z"])])),
    ];
    let mut transaction = begin(&mut session, &client, 100, Some(above)).await;
    let error = transaction.execute(&batch(steps), &HashMap::new()).await.unwrap_err();
    let refusal = error.refusal().unwrap();
    assert_eq!(
        (refusal.code(), refusal.constraint.as_deref()),
        ("23505", Some("t_u_key"))
    );
    assert_eq!((error.remedy(), error.class()), (Remedy::Exact, Class::Transient));
    assert!(refusal.detail().unwrap().contains("secret"));
    assert!(!format!("{error} {error:?}").contains("secret"), "{error} {error:?}");
    assert!(transaction.has_failed());
    assert!(matches!(transaction.commit().await, Err(Error::Failed)));
    begin(&mut session, &client, 200, None).await.commit().await.unwrap();
}

#[tokio::test]
async fn a_value_that_its_type_refuses_is_not_shown() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, c varchar(3))").await;
    let mut session = session(&server, "postgres").await;
    for (bad, code) in [(["secret", "x"], "22P02"), (["1", "secret"], "22001")] {
        let mut transaction = begin(&mut session, &client, 100, None).await;
        let insert = batch(vec![Step::Insert(rows(&t, &[texts(&bad)]))]);
        let error = transaction.execute(&insert, &HashMap::new()).await.unwrap_err();
        assert_eq!(
            (error.refusal().unwrap().code(), error.class()),
            (code, Class::Definite)
        );
        assert!(!format!("{error} {error:?}").contains("secret"), "{error} {error:?}");
    }
}

#[tokio::test]
async fn a_binary_value_or_none_at_all_is_a_bug_before_anything_is_sent() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    let mut session = session(&server, "postgres").await;
    let whole = rows(&t, &[texts(&["1", "x"])]);
    for (bad, binary) in [(Value::Binary(b"x"), true), (Value::Unchanged, false)] {
        let mut insert = whole.clone();
        insert.rows[0].1[1] = bad;
        let mut transaction = begin(&mut session, &client, 100, None).await;
        let error = transaction
            .execute(&batch(vec![Step::Insert(insert)]), &HashMap::new())
            .await
            .unwrap_err();
        assert_eq!(matches!(error, Error::BinaryValue { .. }), binary, "{error}");
        assert_eq!(error.class(), Class::Bug);
    }
}

#[tokio::test]
async fn a_missing_table_or_key_waits_for_the_catalogue() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    let mut session = session(&server, "postgres").await;
    let insert = batch(vec![Step::Insert(rows(&t, &[texts(&["1", "x"])]))]);
    client.batch_execute("ALTER TABLE t RENAME TO gone").await.unwrap();
    let mut transaction = begin(&mut session, &client, 100, None).await;
    let error = transaction.execute(&insert, &HashMap::new()).await.unwrap_err();
    assert!(matches!(error, Error::NoKeyIndex { .. }), "{error}");
    assert_eq!(error.remedy(), Remedy::Catalogue);
    drop(transaction);
    client.batch_execute("ALTER TABLE gone RENAME TO t").await.unwrap();
    let mut transaction = begin(&mut session, &client, 100, None).await;
    transaction.execute(&insert, &HashMap::new()).await.unwrap();
    transaction.commit().await.unwrap();
    client.batch_execute("ALTER TABLE t DROP COLUMN a").await.unwrap();
    let mut transaction = begin(&mut session, &client, 200, None).await;
    let error = transaction.execute(&insert, &HashMap::new()).await.unwrap_err();
    assert_eq!(
        (error.refusal().unwrap().code(), error.remedy()),
        ("42703", Remedy::Catalogue)
    );
}

#[tokio::test]
async fn of_a_deadlock_our_session_is_the_victim() {
    let (server, client, t) =
        with_table("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'old'), (2, 'old')").await;
    let mut session = session(&server, "postgres").await;
    let watcher = server.application("postgres").await;
    let above = horizon(&client).await;
    let (one, two) = (texts(&["1", "new"]), texts(&["2", "new"]));
    client
        .batch_execute("BEGIN; UPDATE t SET a = 'app' WHERE id = 2")
        .await
        .unwrap();
    let mut transaction = begin(&mut session, &watcher, 100, Some(above)).await;
    let (first, second) = (
        batch(vec![Step::Update(rows(&t, &[one]))]),
        batch(vec![Step::Delete(keys(&t, &[two]))]),
    );
    transaction.execute(&first, &HashMap::new()).await.unwrap();
    let nothing = HashMap::new();
    let (ours, theirs) = tokio::join!(transaction.execute(&second, &nothing), async {
        let waits =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'synapse' AND wait_event_type = 'Lock'";
        while answer(&watcher, waits).await != "1" {
            tokio::task::yield_now().await;
        }
        client
            .batch_execute("UPDATE t SET a = 'app' WHERE id = 1; COMMIT")
            .await
    });
    // Whoever waits last closes the circle; ours looks after 100 ms, and the application's after a second.
    let error = ours.unwrap_err();
    assert_eq!(
        (error.refusal().unwrap().code(), error.remedy()),
        ("40P01", Remedy::Smaller)
    );
    theirs.unwrap();
    assert_eq!(answer(&watcher, "SELECT a FROM t").await, "app,app");
}

#[tokio::test]
async fn a_lock_that_is_not_got_in_time_asks_for_a_smaller_batch() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").await;
    let impatient = Options {
        lock_timeout: Duration::from_millis(50),
        ..options()
    };
    let mut session = Session::connect(&server.config("postgres"), NoTls, &impatient, origin("n1"))
        .await
        .unwrap();
    client.batch_execute("BEGIN; SELECT FROM t FOR UPDATE").await.unwrap();
    let one = texts(&["1"]);
    let known = batch(vec![Step::Update(rows(&t, std::slice::from_ref(&one)))]);
    let other = server.application("postgres").await;
    let mut transaction = begin(&mut session, &other, 100, None).await;
    let error = transaction.lock(&known, &[row_id(&t, &one)]).await.unwrap_err();
    assert_eq!(
        (error.refusal().unwrap().code(), error.remedy()),
        ("55P03", Remedy::Smaller)
    );
}

#[tokio::test]
async fn a_backend_that_ends_is_a_lost_connection_and_in_commit_an_unknown_outcome() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY)").await;
    let kill = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'synapse'";
    let mut first = session(&server, "postgres").await;
    let mut transaction = begin(&mut first, &client, 100, None).await;
    answer(&client, kill).await;
    let insert = batch(vec![Step::Insert(rows(&t, &[texts(&["1"])]))]);
    let error = transaction.execute(&insert, &HashMap::new()).await.unwrap_err();
    assert_eq!((error.remedy(), error.class()), (Remedy::Reconnect, Class::Transient));
    drop(transaction);
    let mut second = session(&server, "postgres").await;
    let mut transaction = begin(&mut second, &client, 100, None).await;
    transaction.execute(&insert, &HashMap::new()).await.unwrap();
    answer(&client, kill).await;
    let error = transaction.commit().await.unwrap_err();
    assert!(matches!(error, Error::CommitUnknown { .. }), "{error:?}");
    assert_eq!(session(&server, "postgres").await.progress(), Lsn::ZERO);
}

#[tokio::test]
async fn a_skipped_transaction_is_kept_and_progress_moves_past_it() {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    client
        .batch_execute("CREATE SCHEMA synapse; CREATE TABLE synapse.skipped (origin text, lsn pg_lsn, reason text, changes jsonb, skipped_at timestamptz DEFAULT now(), PRIMARY KEY (origin, lsn))")
        .await
        .unwrap();
    let mut session = session(&server, "postgres").await;
    let lsn = Lsn(0x700);
    let from = Origin {
        incarnation: Incarnation(7),
        ..origin("n1")
    };
    let txn = TxnId { origin: from, lsn };
    for _ in 0..2 {
        let mut transaction = begin(&mut session, &client, lsn.0, None).await;
        transaction.skip(txn, "no such table", "[{\"a\": 1}]").await.unwrap();
        transaction.commit().await.unwrap();
    }
    let kept = answer(
        &client,
        "SELECT (origin, lsn, reason, changes)::text FROM synapse.skipped",
    )
    .await;
    assert_eq!(kept, "(n1:7,0/700,\"no such table\",\"[{\"\"a\"\": 1}]\")");
    assert_eq!(session.progress(), lsn);
}
