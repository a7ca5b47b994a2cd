//! What the log says of our transactions.

use std::collections::HashMap;

use synapse_engine_apply::{BarrierSession, Begin, our_roidents};
use synapse_engine_plan::Step;
use synapse_engine_replication::{MarkerKind, Message};
use synapse_wal_types::{Lsn, PgTimestamp};
use tokio_postgres::{Client, NoTls};

use crate::fixture::{answer, batch, begin, marker, row_id, rows, session, session_of, table, texts, with_table};
use crate::server::Server;

const SLOT: &str = "SELECT pg_create_logical_replication_slot('s', 'test_decoding')";
const PEEK: &str = "SELECT data FROM pg_logical_slot_get_changes('s', NULL, NULL, 'include-xids', 'off')";

async fn peek(client: &Client) -> Vec<String> {
    let rows = client.query(PEEK, &[]).await.unwrap();
    let items: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    // Making an origin is a transaction with nothing to decode.
    let empty = items.chunks(2).take_while(|pair| *pair == ["BEGIN", "COMMIT"]).count();
    items[2 * empty..].to_vec()
}

async fn progress(client: &Client) -> String {
    answer(client, "SELECT pg_replication_origin_progress('synapse_n1_7', false)").await
}

#[tokio::test]
async fn the_marker_is_the_first_item_and_progress_moves_exactly() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY)").await;
    answer(&client, SLOT).await;
    let mut session = session(&server, "postgres").await;
    assert_eq!(
        (session.progress(), progress(&client).await.as_str()),
        (Lsn::ZERO, "NULL")
    );
    let insert = batch(vec![Step::Insert(rows(&t, &[texts(&["1"])]))]);
    let mut transaction = begin(&mut session, &client, 0x1_0000_0100, None).await;
    transaction.execute(&insert, &HashMap::new()).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(progress(&client).await, "1/100");
    // A commit that waits for the flush takes ours, which did not, along.
    answer(&client, "SELECT pg_logical_emit_message(true, 'other', '')").await;
    let items = peek(&client).await;
    assert_eq!(
        (items[0].as_str(), items[2].as_str()),
        ("BEGIN", "table public.t: INSERT: id[integer]:1")
    );
    let text = items[1].rsplit(' ').next().unwrap().strip_prefix("content:").unwrap();
    let Ok(Message::Marker(read)) = text.parse::<Message>() else {
        panic!("{text}")
    };
    assert!(items[1].contains("transactional: 1 prefix: synapse"), "{}", items[1]);
    assert_eq!((read.kind, read.last), (MarkerKind::Batch, Lsn(0x1_0000_0100)));
    let time =
        "SELECT extract(epoch FROM (pg_xact_commit_timestamp(xmin) - '2000-01-01 00:00:00+00')) * 1000000 FROM t";
    assert_eq!(answer(&client, time).await.split('.').next(), Some("234567890123456"));
}

#[tokio::test]
async fn a_rolled_back_or_dropped_transaction_moves_nothing_and_the_session_goes_on() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY)").await;
    let mut session = session(&server, "postgres").await;
    let insert = batch(vec![Step::Insert(rows(&t, &[texts(&["1"])]))]);
    let mut dropped = begin(&mut session, &client, 0x100, None).await;
    dropped.execute(&insert, &HashMap::new()).await.unwrap();
    drop(dropped);
    let mut rolled_back = begin(&mut session, &client, 0x200, None).await;
    assert_eq!(
        rolled_back
            .execute(&insert, &HashMap::new())
            .await
            .unwrap()
            .rows_inserted,
        1
    );
    rolled_back.rollback().await.unwrap();
    assert_eq!(
        (progress(&client).await.as_str(), session.progress()),
        ("NULL", Lsn::ZERO)
    );
    let empty = begin(&mut session, &client, 0x300, None).await;
    empty.commit().await.unwrap();
    assert_eq!(
        (progress(&client).await.as_str(), session.progress()),
        ("0/300", Lsn(0x300))
    );
    assert_eq!(answer(&client, "SELECT count(*) FROM t").await, "0");
}

#[tokio::test]
async fn a_commit_that_is_refused_leaves_progress_where_it_was() {
    let (server, client, t) = with_table(
        "CREATE TABLE t (id int PRIMARY KEY);
             CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
             CREATE CONSTRAINT TRIGGER no AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW WHEN (NEW.id > 1) EXECUTE FUNCTION no();
             ALTER TABLE t ENABLE ALWAYS TRIGGER no",
    )
    .await;
    let mut session = session(&server, "postgres").await;
    for (id, last, end) in [("1", 0x300, "0/300"), ("2", 0x400, "0/300"), ("0", 0x500, "0/500")] {
        let insert = batch(vec![Step::Insert(rows(&t, &[texts(&[id])]))]);
        let mut transaction = begin(&mut session, &client, last, None).await;
        transaction.execute(&insert, &HashMap::new()).await.unwrap();
        let committed = transaction.commit().await;
        assert_eq!(committed.is_ok(), id != "2");
        assert_eq!(
            (progress(&client).await, session.progress().to_string()),
            (end.to_owned(), end.to_owned())
        );
    }
    assert_eq!(answer(&client, "SELECT id FROM t ORDER BY id").await, "0,1");
}

#[tokio::test]
async fn a_re_check_is_ours_and_leaves_progress_where_it_is() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY)").await;
    let mut session = session(&server, "postgres").await;
    begin(&mut session, &client, 0x500, None).await.commit().await.unwrap();
    let recheck = Begin {
        marker: marker(MarkerKind::Recheck { of: Lsn(9) }, "n1", 0x900),
        commit_ts: PgTimestamp(1),
        horizon: None,
        our_roidents: our_roidents(&client).await.unwrap(),
    };
    let mut transaction = session.begin(recheck).await.unwrap();
    let insert = batch(vec![Step::Insert(rows(&t, &[texts(&["1"])]))]);
    transaction.execute(&insert, &HashMap::new()).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        (progress(&client).await.as_str(), session.progress()),
        ("0/500", Lsn(0x500))
    );
    let roident = answer(&client, "SELECT (pg_xact_commit_timestamp_origin(xmin)).roident FROM t").await;
    assert_eq!(roident, session.roident().to_string());
}

#[tokio::test]
async fn progress_is_read_again_by_the_next_session_which_waits_for_the_old_backend() {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    let mut old = session(&server, "postgres").await;
    begin(&mut old, &client, 0x500, None).await.commit().await.unwrap();
    client
        .batch_execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
        .await
        .unwrap();
    let t = table(&client, 1, "public", "t").await;
    let watcher = server.application("postgres").await;
    client.batch_execute("BEGIN; SELECT FROM t FOR UPDATE").await.unwrap();
    // The old backend waits for a lock and does not notice that its client is gone.
    let (reader, known) = (server.application("postgres").await, t.clone());
    let holder = tokio::spawn(async move {
        let row = texts(&["1"]);
        let batch = batch(vec![Step::Update(rows(&known, std::slice::from_ref(&row)))]);
        let mut transaction = begin(&mut old, &reader, 0x600, None).await;
        transaction.lock(&batch, &[row_id(&known, &row)]).await
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'synapse' AND wait_event_type = 'Lock'";
    while answer(&watcher, waits).await != "1" {
        tokio::task::yield_now().await;
    }
    holder.abort();
    let (new, ()) = tokio::join!(session(&server, "postgres"), async {
        let tries =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'synapse' AND query LIKE '%session_setup%'";
        while answer(&watcher, tries).await != "1" {
            tokio::task::yield_now().await;
        }
        client.batch_execute("COMMIT").await.unwrap();
    });
    assert_eq!(new.progress(), Lsn(0x500));
}

#[tokio::test]
async fn a_barrier_is_a_transaction_of_its_own_that_is_flushed() {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    answer(&client, SLOT).await;
    let barriers = BarrierSession::connect(&server.config("postgres"), NoTls, "synapse")
        .await
        .unwrap();
    barriers.commit(42).await.unwrap();
    let items = peek(&client).await;
    assert_eq!(
        (items[0].as_str(), items[2].as_str(), items.len()),
        ("BEGIN", "COMMIT", 3)
    );
    let text = items[1].rsplit("content:").next().unwrap();
    assert!(
        matches!(text.parse::<Message>(), Ok(Message::Barrier(barrier)) if barrier.id == 42),
        "{text}"
    );
    let flushed = answer(
        &client,
        "SELECT pg_current_wal_flush_lsn() = pg_current_wal_insert_lsn()",
    )
    .await;
    assert_eq!(flushed, "t");
}

#[tokio::test]
async fn our_origins_are_listed_and_others_are_not() {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    answer(&client, "SELECT pg_replication_origin_create('somebody')").await;
    let (first, second) = (
        session_of(&server, "postgres", "n1").await,
        session_of(&server, "postgres", "n2").await,
    );
    assert_eq!(
        our_roidents(&client).await.unwrap(),
        [first.roident(), second.roident()]
    );
    assert!(first.is_deadlock_timeout_set());
}
