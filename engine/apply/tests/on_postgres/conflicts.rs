//! The log of conflicts.

use std::collections::HashMap;
use std::sync::Arc;

use synapse_engine_apply::{Logged, LoggedConflict};
use synapse_engine_identity::{Hlc, RowId, TxnId};
use synapse_engine_plan::{Batch, Row, Step, Table};
use synapse_wal_types::Lsn;
use tokio_postgres::Client;

use crate::fixture::{answer, batch, begin, origin, row, row_id, rows, session, table, texts, with_table};

/// As an installation makes it.
pub(crate) const SCHEMA: &str = include_str!("../../../setup/sql/schema.sql");

/// 2026-01-31 12:00:00.000001 UTC.
const TIME: Hlc = Hlc(823_176_000_000_001);

pub(crate) fn conflict(row: RowId, remote: Option<&str>) -> LoggedConflict {
    let txn = |node, lsn| TxnId {
        origin: origin(node),
        lsn: Lsn(lsn),
    };
    LoggedConflict {
        row,
        kind: "update_origin_differs",
        policy: "p".to_owned(),
        verdict: "remote",
        remote: remote.map(str::to_owned),
        local_stamp: (txn("n2", 5), TIME),
        remote_stamp: (txn("n1", 256), TIME),
    }
}

fn known<'a>(table: &Arc<Table>, values: &[Row<'a>]) -> Batch<'a> {
    Batch {
        steps: Vec::new(),
        ..batch(vec![Step::Update(rows(table, values))])
    }
}

async fn images(client: &Client, columns: &str) -> String {
    answer(
        client,
        &format!("SELECT ({columns})::text FROM synapse.conflict_log ORDER BY id"),
    )
    .await
}

#[tokio::test]
async fn a_conflict_is_logged_with_its_row_as_it_stands_and_both_stamps() {
    let (server, client, t) = with_table(
        "CREATE TABLE t (id int PRIMARY KEY, \"wei'rd\" bool, c char(3), x json, g int GENERATED ALWAYS AS (id + 1) STORED); \
         INSERT INTO t VALUES (1, true, 'a', '{\"b\": null}'), (2, NULL, NULL, NULL)",
    )
    .await;
    client.batch_execute(SCHEMA).await.unwrap();
    let values = ["1", "2", "3"].map(|id| {
        row(&[
            Some(id),
            Some("f"),
            Some("<unchanged>"),
            Some("<unchanged>"),
            Some("<unchanged>"),
        ])
    });
    let ids: Vec<RowId> = values.iter().map(|row| row_id(&t, row)).collect();
    let batch = known(&t, &values);
    let mut session = session(&server, "postgres").await;
    let mut transaction = begin(&mut session, &client, 256, None).await;
    transaction.lock(&batch, &ids).await.unwrap();
    let conflicts = [
        conflict(ids[2], None),
        conflict(ids[0], Some("{\"id\": \"1\"}")),
        conflict(ids[1], Some("\"left out: 7 bytes\"")),
    ];
    let Logged::As(numbers) = transaction.log_conflicts(&batch, &conflicts).await.unwrap() else {
        panic!("the log was refused");
    };
    assert_eq!(numbers, [1, 2, 3]);
    transaction.commit().await.unwrap();
    assert_eq!(
        images(
            &client,
            "key ->> 'id' || coalesce(local::text, '-') || coalesce(remote::text, '-')"
        )
        .await,
        "3--,1{\"c\": \"a  \", \"x\": \"{\\\"b\\\": null}\", \"id\": \"1\", \"wei'rd\": \"t\"}{\"id\": \"1\"},\
         2{\"c\": null, \"x\": null, \"id\": \"2\", \"wei'rd\": null}\"left out: 7 bytes\""
    );
    let stamps = images(&client, "local_stamp::text || remote_stamp::text").await;
    let one = "{\"lsn\": \"0/5\", \"node\": \"n2\", \"time\": \"2026-01-31 12:00:00.000001+00\", \"transaction\": \"n2:7@0/5\"}\
        {\"lsn\": \"0/100\", \"node\": \"n1\", \"time\": \"2026-01-31 12:00:00.000001+00\", \"transaction\": \"n1:7@0/100\"}";
    assert_eq!(stamps, [one; 3].join(","));
    assert_eq!(
        images(&client, "table_name || kind || policy || verdict").await,
        ["public.tupdate_origin_differspremote"; 3].join(",")
    );
}

#[tokio::test]
async fn what_is_rolled_back_or_taken_out_again_is_not_in_the_log() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY)").await;
    client.batch_execute(SCHEMA).await.unwrap();
    let values = [texts(&["1"]), texts(&["2"])];
    let batch = known(&t, &values);
    let conflicts = [0, 1].map(|at| conflict(row_id(&t, &values[at]), None));
    let mut session = session(&server, "postgres").await;
    let mut transaction = begin(&mut session, &client, 256, None).await;
    transaction.log_conflicts(&batch, &conflicts).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut transaction = begin(&mut session, &client, 256, None).await;
    let Logged::As(numbers) = transaction.log_conflicts(&batch, &conflicts).await.unwrap() else {
        panic!("the log was refused");
    };
    transaction.unlog_conflicts(&numbers[..1]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(images(&client, "key ->> 'id'").await, "2");
}

#[tokio::test]
async fn a_log_that_cannot_be_written_does_not_spoil_the_transaction() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY)").await;
    let values = [texts(&["1"])];
    let known = known(&t, &values);
    let conflicts = [conflict(row_id(&t, &values[0]), Some("{}"))];
    let mut session = session(&server, "postgres").await;
    let insert = || batch(vec![Step::Insert(rows(&t, &values))]);
    // Without the table it cannot be prepared; with a constraint that nothing satisfies it can, and fails later.
    for made in [None, Some("ALTER TABLE synapse.conflict_log ADD CHECK (kind = '')")] {
        if let Some(sql) = made {
            client.batch_execute(SCHEMA).await.unwrap();
            client.batch_execute(sql).await.unwrap();
        }
        client.batch_execute("TRUNCATE t").await.unwrap();
        let mut transaction = begin(&mut session, &client, 256, None).await;
        let logged = transaction.log_conflicts(&known, &conflicts).await.unwrap();
        assert!(matches!(logged, Logged::Refused(_)), "{logged:?}");
        let insert = insert();
        transaction.execute(&insert, &HashMap::new()).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(answer(&client, "SELECT id FROM t").await, "1");
    }
}

#[tokio::test]
async fn many_conflicts_of_several_tables_keep_their_numbers_and_large_rows_are_noted() {
    let (server, client, t) = with_table(
        "CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE u (id int PRIMARY KEY, a text); \
         INSERT INTO t SELECT i, 't' FROM generate_series(1, 600) i; INSERT INTO u VALUES (1, repeat('x', 20000))",
    )
    .await;
    client.batch_execute(SCHEMA).await.unwrap();
    let u = table(&client, 2, "public", "u").await;
    let ids: Vec<String> = (1..=600).map(|id| id.to_string()).collect();
    let mut values: Vec<Row<'_>> = ids.iter().map(|id| texts(&[id, "x"])).collect();
    let mut batch = batch(vec![
        Step::Update(rows(&t, &values)),
        Step::Update(rows(&u, &values[..1])),
    ]);
    batch.steps.clear();
    let mut conflicts: Vec<_> = values.drain(..).map(|row| conflict(row_id(&t, &row), None)).collect();
    conflicts.insert(300, conflict(row_id(&u, &texts(&["1", "x"])), None));
    let mut session = session(&server, "postgres").await;
    let mut transaction = begin(&mut session, &client, 256, None).await;
    let Logged::As(numbers) = transaction.log_conflicts(&batch, &conflicts).await.unwrap() else {
        panic!("the log was refused");
    };
    transaction.commit().await.unwrap();
    let logged = client
        .query(
            "SELECT id, table_name, key ->> 'id', local #>> '{}' FROM synapse.conflict_log WHERE id = ANY ($1)",
            &[&numbers],
        )
        .await
        .unwrap();
    assert_eq!(logged.len(), 601);
    for row in &logged {
        let number: i64 = row.get(0);
        let at = numbers.iter().position(|other| *other == number).unwrap();
        let (table, id, local): (String, String, String) = (row.get(1), row.get(2), row.get(3));
        if at == 300 {
            assert_eq!((table.as_str(), id.as_str()), ("public.u", "1"));
            assert!(local.starts_with("left out: 200"), "{local}");
        } else {
            let wanted = &ids[if at < 300 { at } else { at - 1 }];
            assert_eq!((table.as_str(), &id), ("public.t", wanted));
            assert_eq!(local, format!("{{\"a\": \"t\", \"id\": \"{wanted}\"}}"));
        }
    }
}
