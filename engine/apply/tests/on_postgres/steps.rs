//! What each kind of step writes.

use std::collections::HashMap;
use std::sync::Arc;

use synapse_engine_plan::{Batch, KeylessStep, Step, TruncateTable};

use crate::fixture::{
    answer, apply, batch, begin, horizon, keys, row, row_id, rows, session, table, texts, with_table,
};
use crate::server::Server;

#[tokio::test]
async fn inserts_updates_and_deletes_are_written() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, a text, b int)").await;
    let mut session = session(&server, "postgres").await;
    let new = [
        texts(&["1", "x", "10"]),
        row(&[Some("2"), None, Some("20")]),
        texts(&["3", "", "30"]),
    ];
    let done = apply(&mut session, &client, 100, None, vec![Step::Insert(rows(&t, &new))]).await;
    assert_eq!((done.rows_inserted, done.dropouts.len()), (3, 0));
    let steps = vec![
        Step::Delete(keys(&t, &[texts(&["3", "", "30"])])),
        Step::Update(rows(&t, &[row(&[Some("1"), Some("<unchanged>"), None])])),
        Step::Insert(rows(&t, &[texts(&["4", "y", "40"])])),
    ];
    let done = apply(&mut session, &client, 200, None, steps).await;
    assert_eq!((done.rows_guarded, done.rows_inserted, done.dropouts.len()), (2, 1, 0));
    let all = answer(&client, "SELECT t::text FROM t ORDER BY id").await;
    assert_eq!(all, "(1,x,),(2,,20),(4,y,40)");
    assert_eq!(session.progress().0, 200);
}

#[tokio::test]
async fn what_is_absent_or_in_the_way_drops_out() {
    let (server, client, t) =
        with_table("CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE); INSERT INTO t VALUES (1, 1), (2, 2)").await;
    let mut session = session(&server, "postgres").await;
    let above = horizon(&client).await;
    let (absent, there, taken, fine) = (
        texts(&["9", "9"]),
        texts(&["1", "7"]),
        texts(&["5", "2"]),
        texts(&["6", "6"]),
    );
    let steps = vec![
        Step::Delete(keys(&t, &[texts(&["8", "8"])])),
        Step::Update(rows(&t, std::slice::from_ref(&absent))),
        Step::Insert(rows(&t, &[there.clone(), taken.clone(), fine])),
    ];
    let done = apply(&mut session, &client, 100, Some(above), steps).await;
    let expected = [texts(&["8", "8"]), absent, there, taken].map(|row| row_id(&t, &row));
    assert_eq!(done.dropouts, expected);
    assert_eq!(
        answer(&client, "SELECT t::text FROM t ORDER BY id").await,
        "(1,1),(2,2),(6,6)"
    );
}

#[tokio::test]
async fn a_deferrable_constraint_does_not_hinder_an_insert() {
    let (server, client, t) =
        with_table("CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE DEFERRABLE); INSERT INTO t VALUES (1, 1)").await;
    let mut session = session(&server, "postgres").await;
    let new = [texts(&["1", "5"]), texts(&["2", "2"])];
    let done = apply(&mut session, &client, 100, None, vec![Step::Insert(rows(&t, &new))]).await;
    assert_eq!(done.dropouts, [row_id(&t, &new[0])]);
    assert_eq!(
        answer(&client, "SELECT t::text FROM t ORDER BY id").await,
        "(1,1),(2,2)"
    );
}

#[tokio::test]
async fn a_key_change_moves_the_row_or_drops_out() {
    let (server, client, t) = with_table(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b text); INSERT INTO t VALUES (1, 'a', 'b'), (2, 'c', 'd')",
    )
    .await;
    let mut session = session(&server, "postgres").await;
    let above = horizon(&client).await;
    let step = |from: &'static str, to: &'static str| {
        let old = row(&[Some(from), Some("<unchanged>"), Some("<unchanged>")]);
        let new = row(&[Some(to), Some("moved"), Some("<unchanged>")]);
        Step::Move {
            table: Arc::clone(&t),
            from: (row_id(&t, &old), old),
            to: (row_id(&t, &new), new),
        }
    };
    let done = apply(&mut session, &client, 100, Some(above), vec![step("1", "5")]).await;
    assert_eq!((done.rows_guarded > 0, done.dropouts.len()), (true, 0));
    let done = apply(&mut session, &client, 200, Some(above), vec![step("2", "5")]).await;
    assert_eq!(
        done.dropouts,
        [texts(&["2"]), texts(&["5"])].map(|row| row_id(&t, &row))
    );
    assert_eq!(
        answer(&client, "SELECT t::text FROM t ORDER BY id").await,
        "(2,c,d),(5,moved,b)"
    );
}

#[tokio::test]
async fn exactly_one_equal_row_without_a_key_is_changed() {
    let (server, client, t) =
        with_table("CREATE TABLE t (a json, p point, c char(4), b bool); ALTER TABLE t REPLICA IDENTITY FULL").await;
    let mut session = session(&server, "postgres").await;
    let one = row(&[Some("{\"a\": 1}"), Some("(1,2)"), Some("x   "), None]);
    let other = row(&[None, Some("(1,2)"), Some("x   "), Some("t")]);
    let (columns, table) = (rows(&t, std::slice::from_ref(&one)).columns, Arc::clone(&t));
    let keyless = |step| Step::Keyless {
        table: Arc::clone(&t),
        step,
    };
    let steps = vec![
        Step::InsertKeyless {
            table,
            columns,
            rows: vec![one.clone(), one.clone(), one.clone(), other.clone()],
        },
        keyless(KeylessStep::Delete { old: one.clone() }),
        keyless(KeylessStep::Update {
            old: other.clone(),
            new: one.clone(),
        }),
        keyless(KeylessStep::Update {
            old: one.clone(),
            new: other.clone(),
        }),
        keyless(KeylessStep::Delete {
            old: texts(&["{}", "(1,2)", "x   ", "t"]),
        }),
    ];
    let done = apply(&mut session, &client, 100, None, steps).await;
    assert_eq!(
        (
            done.rows_inserted,
            &done.delete_missing[&t.id],
            done.update_missing.len()
        ),
        (4, &1, 0)
    );
    let all = answer(&client, "SELECT t::text FROM t ORDER BY a IS NULL").await;
    assert_eq!(
        all,
        "(\"{\"\"a\"\": 1}\",\"(1,2)\",\"x   \",),(\"{\"\"a\"\": 1}\",\"(1,2)\",\"x   \",),(,\"(1,2)\",\"x   \",t)"
    );
}

#[tokio::test]
async fn truncate_leaves_its_survivors() {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    client
        .batch_execute(
            "CREATE TABLE a (id serial PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY REFERENCES a);
             INSERT INTO a SELECT FROM generate_series(1, 50); INSERT INTO b SELECT * FROM a",
        )
        .await
        .unwrap();
    let (a, b) = (
        table(&client, 1, "public", "a").await,
        table(&client, 2, "public", "b").await,
    );
    let mut session = session(&server, "postgres").await;
    let stays = texts(&["7"]);
    let truncate = |rows: Vec<_>| Step::Truncate {
        tables: vec![
            TruncateTable {
                table: Arc::clone(&a),
                survivors: rows,
                met: vec![],
            },
            TruncateTable {
                table: Arc::clone(&b),
                survivors: vec![],
                met: vec![],
            },
        ],
        restart_identity: true,
    };
    let one = batch(vec![truncate(vec![row_id(&a, &stays)])]);
    let mut transaction = begin(&mut session, &client, 100, None).await;
    transaction
        .lock_tables(&[Arc::clone(&a), Arc::clone(&b)])
        .await
        .unwrap();
    let refused = transaction.execute(&one, &HashMap::new()).await.unwrap_err();
    assert!(
        matches!(refused, synapse_engine_apply::Error::MissingValues { .. }),
        "{refused}"
    );
    let survivors = HashMap::from([(row_id(&a, &stays), stays)]);
    transaction.execute(&one, &survivors).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        answer(&client, "SELECT id FROM a UNION ALL SELECT -id FROM b").await,
        "7"
    );
    assert_eq!(answer(&client, "SELECT nextval('a_id_seq')").await, "51");
    let mut transaction = begin(&mut session, &client, 200, None).await;
    let none: Batch<'_> = batch(vec![truncate(vec![])]);
    transaction.execute(&none, &HashMap::new()).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(answer(&client, "SELECT count(*) FROM a").await, "0");
    assert_eq!(answer(&client, "SELECT nextval('a_id_seq')").await, "1");
}
