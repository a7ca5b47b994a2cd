//! The exact path.

use std::collections::HashMap;
use std::sync::Arc;

use synapse_engine_apply::{Error, Scope, Values, Written};
use synapse_engine_identity::{ColumnId, TxnId};
use synapse_engine_plan::{Batch, Exact, ExactWrite, Row, Step, Table};
use synapse_wal_types::Lsn;

use crate::fixture::{answer, batch, begin, origin, row, row_id, rows, session, texts, with_table};

const A: ColumnId = ColumnId(1);
const B: ColumnId = ColumnId(2);
const ID: ColumnId = ColumnId(0);

fn exact<'a>(table: &Arc<Table>, values: &Row<'a>, write: ExactWrite) -> Exact<'a> {
    Exact {
        every: false,
        made: synapse_engine_plan::Made::default(),
        row: row_id(table, values),
        table: Arc::clone(table),
        values: values.clone(),
        write,
    }
}

fn live(won: &[ColumnId], others: Vec<(TxnId, Vec<ColumnId>)>, unknown: &[ColumnId]) -> ExactWrite {
    ExactWrite::Live {
        won: won.to_vec(),
        others,
        unknown: unknown.to_vec(),
    }
}

fn other() -> TxnId {
    TxnId {
        origin: origin("n2"),
        lsn: Lsn(5),
    }
}

fn known<'a>(rows: &[Row<'a>], table: &Arc<Table>) -> Batch<'a> {
    Batch {
        steps: Vec::new(),
        ..batch(vec![Step::Update(crate::fixture::rows(table, rows))])
    }
}

#[tokio::test]
async fn locked_rows_become_what_they_are_to_become() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, a text, b text); INSERT INTO t SELECT i, 'a', 'b' FROM generate_series(1, 3) i").await;
    let mut session = session(&server, "postgres").await;
    let all: Vec<Row<'_>> = ["1", "2", "3", "4", "5"].map(|id| texts(&[id, "A", "B"])).to_vec();
    let ids: Vec<_> = all.iter().map(|row| row_id(&t, row)).collect();
    let mut transaction = begin(&mut session, &client, 100, None).await;
    let found = transaction.lock(&known(&all, &t), &ids).await.unwrap();
    assert_eq!(found, ids[..3]);
    let exacts = [
        exact(&t, &all[0], ExactWrite::Delete),
        exact(&t, &all[1], live(&[A], vec![(other(), vec![ID, B])], &[])),
        exact(&t, &all[2], ExactWrite::Nothing),
        exact(&t, &all[3], live(&[A], vec![(other(), vec![ID, B])], &[])),
        exact(&t, &all[4], ExactWrite::Delete),
    ];
    // The fourth is not there: all of its values are needed, and nothing was sent.
    let refused = transaction
        .write(&exacts, &Values::default(), Scope::Won)
        .await
        .unwrap_err();
    let Error::MissingValues { rows } = refused else {
        panic!("{refused}")
    };
    assert_eq!(
        (rows.len(), rows[0].row, &rows[0].authors),
        (1, ids[3], &vec![(other(), vec![ID, B])])
    );
    let values = Values {
        authors: HashMap::from([((other(), ids[3]), texts(&["4", "?", "theirs"]))]),
        filled: HashMap::new(),
    };
    let written = transaction.write(&exacts, &values, Scope::Won).await.unwrap();
    assert_eq!((written.again, written.absent), (vec![], vec![ids[4]]));
    transaction.commit().await.unwrap();
    assert_eq!(
        answer(&client, "SELECT t::text FROM t ORDER BY id").await,
        "(2,A,b),(3,a,b),(4,A,theirs)"
    );
}

#[tokio::test]
async fn a_re_check_writes_what_every_author_won() {
    let (server, client, t) =
        with_table("CREATE TABLE t (id numeric PRIMARY KEY, a text, b text); INSERT INTO t VALUES (1.0, 'a', 'b')")
            .await;
    let mut session = session(&server, "postgres").await;
    let one = texts(&["1.00", "A", "B"]);
    // What the batch did not win stays as it is in the row, the key's text included.
    let mut transaction = begin(&mut session, &client, 50, None).await;
    transaction
        .lock(&known(std::slice::from_ref(&one), &t), &[row_id(&t, &one)])
        .await
        .unwrap();
    let won = [exact(&t, &one, live(&[A], vec![(other(), vec![ID, B])], &[]))];
    let written = transaction.write(&won, &Values::default(), Scope::Won).await.unwrap();
    assert_eq!(written, Written::default());
    transaction.commit().await.unwrap();
    assert_eq!(answer(&client, "SELECT t::text FROM t").await, "(1.0,A,b)");
    let mut transaction = begin(&mut session, &client, 100, None).await;
    transaction
        .lock(&known(std::slice::from_ref(&one), &t), &[row_id(&t, &one)])
        .await
        .unwrap();
    let exacts = [exact(&t, &one, live(&[A], vec![(other(), vec![ID, B])], &[]))];
    let values = Values {
        authors: HashMap::from([((other(), row_id(&t, &one)), texts(&["1.000", "?", "theirs"]))]),
        filled: HashMap::new(),
    };
    assert!(
        transaction
            .write(&exacts, &Values::default(), Scope::EveryAuthor)
            .await
            .is_err()
    );
    let written = transaction.write(&exacts, &values, Scope::EveryAuthor).await.unwrap();
    assert_eq!(written, Written::default());
    transaction.commit().await.unwrap();
    // The key's text is its author's too.
    assert_eq!(answer(&client, "SELECT t::text FROM t").await, "(1.000,A,theirs)");
}

#[tokio::test]
async fn a_row_that_appeared_after_it_was_locked_is_looked_at_again() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, a text, b text)").await;
    let mut session = session(&server, "postgres").await;
    let (one, two) = (texts(&["1", "A", "B"]), texts(&["2", "A", "B"]));
    let ids = [row_id(&t, &one), row_id(&t, &two)];
    let known = known(&[one.clone(), two.clone()], &t);
    let mut transaction = begin(&mut session, &client, 100, None).await;
    assert_eq!(transaction.lock(&known, &ids).await.unwrap(), []);
    client
        .batch_execute("INSERT INTO t VALUES (1, 'local', 'local'), (2, 'local', 'local')")
        .await
        .unwrap();
    let exacts = [
        exact(&t, &one, live(&[ID, A, B], vec![], &[])),
        exact(&t, &two, ExactWrite::Delete),
    ];
    let written = transaction
        .write(&exacts, &Values::default(), Scope::Won)
        .await
        .unwrap();
    // A delete does not touch what no verdict has seen.
    assert_eq!((&written.again[..], &written.absent[..]), (&ids[..1], &ids[1..]));
    assert_eq!(transaction.lock(&known, &written.again).await.unwrap(), written.again);
    let written = transaction
        .write(&exacts[..1], &Values::default(), Scope::Won)
        .await
        .unwrap();
    assert_eq!(written, Written::default());
    transaction.commit().await.unwrap();
    assert_eq!(
        answer(&client, "SELECT t::text FROM t ORDER BY id").await,
        "(1,A,B),(2,local,local)"
    );
}

#[tokio::test]
async fn columns_that_nobody_knows_are_asked_for_and_filled() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, a text, b text)").await;
    let mut session = session(&server, "postgres").await;
    let one = row(&[Some("1"), Some("A"), Some("<unchanged>")]);
    let exacts = [exact(&t, &one, live(&[ID, A], vec![], &[B]))];
    let known = batch(vec![Step::Update(rows(&t, std::slice::from_ref(&one)))]);
    let mut transaction = begin(&mut session, &client, 100, None).await;
    transaction.lock(&known, &[row_id(&t, &one)]).await.unwrap();
    let refused = transaction
        .write(&exacts, &Values::default(), Scope::Won)
        .await
        .unwrap_err();
    let Error::MissingValues { rows } = refused else {
        panic!("{refused}")
    };
    assert_eq!(rows[0].unknown, [B]);
    let values = Values {
        authors: HashMap::new(),
        filled: HashMap::from([(row_id(&t, &one), texts(&["?", "?", "toast"]))]),
    };
    let written = transaction.write(&exacts, &values, Scope::Won).await.unwrap();
    assert_eq!(written, Written::default());
    transaction.commit().await.unwrap();
    assert_eq!(answer(&client, "SELECT t::text FROM t").await, "(1,A,toast)");
}
