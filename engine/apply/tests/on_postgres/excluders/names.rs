//! Names that could be taken for something else, keys, and what is answered of a standing row.

use std::sync::Arc;

use synapse_engine_apply::{Constraints, connect};
use synapse_engine_change::Value;
use synapse_engine_identity::ColumnId;
use synapse_engine_plan::Table;
use tokio_postgres::NoTls;

use super::{ask, whole};
use crate::conflicts::SCHEMA;
use crate::fixture::{begin, options, row_id, session, table, with_table};

#[tokio::test]
async fn tables_and_columns_may_be_called_as_what_statements_use() {
    let (server, client, _) = with_table("CREATE TABLE t ()").await;
    client.batch_execute(SCHEMA).await.unwrap();
    let mut session = session(&server, "postgres").await;
    for (number, name) in (0..).zip(["image", "sent", "u", "d", "e", "s", "x", "n", "Wei'rd \"name\""]) {
        let quoted = name.replace('"', "\"\"");
        let sql = format!(
            "CREATE SCHEMA \"{quoted}\"; CREATE TYPE \"{quoted}\".both AS (e0 int, ord int, image text); \
             CREATE TABLE \"{quoted}\".\"{quoted}\" (n int PRIMARY KEY, e0 int, k0 text, ord text, \"image\" text, u text, d text, x text, \
             \"Grö'ße\" text, e \"{quoted}\".both, s \"{quoted}\".both, sent \"{quoted}\".both, UNIQUE (e0, k0, \"Grö'ße\"), UNIQUE (ord)); \
             CREATE UNIQUE INDEX named ON \"{quoted}\".\"{quoted}\" (lower(\"image\"), upper(u), (d || x), ((e).image), ((s).e0)) \
             WHERE k0 <> \"image\" AND (sent).ord IS NULL; \
             INSERT INTO \"{quoted}\".\"{quoted}\" VALUES (1, 1, 'k', 'o', 'i', 'u', 'd', 'x', 'G', '(1,2,e)', '(1,2,s)', '(3,,t)')"
        );
        client.batch_execute(&sql).await.unwrap();
        let t = table(&client, number, name, name).await;
        let displaced: &[&[&str]] = &[&[
            "7", "2", "k", "q", "J", "u", "d", "x", "G", "(1,2,e)", "(1,2,s)", "(,,)",
        ]];
        let images: &[&[&str]] = &[
            &[
                "10", "1", "k", "p", "I", "U", "d", "x", "G", "(5,5,e)", "(1,5,t)", "(,,t)",
            ],
            &[
                "11", "2", "k", "q", "j", "U", "d", "x", "g", "(5,5,e)", "(1,5,t)", "(,,)",
            ],
        ];
        let found = ask(&mut session, &client, &t, displaced, images).await;
        let mut expected = [
            "1+7 named".to_owned(),
            format!("1+7 {name}_ord_key"),
            format!("0-1 {name}_e0_k0_Grö'ße_key"),
            "0-1 named".to_owned(),
        ];
        expected[..2].sort();
        expected[2..].sort();
        let expected = expected.join(", ");
        assert_eq!(found, expected, "{name}");
    }
}

#[tokio::test]
async fn a_row_is_told_by_the_key_of_its_replica_identity_whatever_the_primary_key() {
    let (server, client, t) = with_table(
        "CREATE TABLE t (id int PRIMARY KEY DEFERRABLE, a int NOT NULL, b int NOT NULL, UNIQUE (b, a), UNIQUE (a, b)); \
         ALTER TABLE t REPLICA IDENTITY USING INDEX t_b_a_key; INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)",
    )
    .await;
    client.batch_execute(SCHEMA).await.unwrap();
    let t = Arc::new(Table {
        key: vec![ColumnId(1), ColumnId(2)],
        ..(*t).clone()
    });
    let mut session = session(&server, "postgres").await;
    let constraints = begin(&mut session, &client, 1, None)
        .await
        .constraints(&t)
        .await
        .unwrap();
    let names: Vec<(&str, bool)> = constraints.iter().map(|c| (&*c.name, c.deferrable)).collect();
    assert_eq!(names, [("t_a_b_key", false), ("t_pkey", true)]);
    assert!(constraints.any_deferrable() && !constraints.is_empty());
    // The row of key (2, 2) has moved on from 2 to 1.
    let images: &[&[&str]] = &[&["1", "2", "2"], &["2", "3", "3"]];
    assert_eq!(
        ask(&mut session, &client, &t, &[], images).await,
        "0-1/1 t_pkey, 1-2/2 t_pkey"
    );
}

#[tokio::test]
async fn a_table_with_nothing_but_its_key_is_asked_nothing() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, a int)").await;
    let connected = connect(&server.config("postgres"), NoTls, &options()).await.unwrap();
    assert!(Constraints::read(&connected, &t).await.unwrap().is_empty());
    let mut session = session(&server, "postgres").await;
    // There is no synapse.displaced to be asked.
    assert_eq!(ask_only(&mut session, &client, &t).await, 0);
    client.batch_execute("CREATE UNIQUE INDEX ON t (a)").await.unwrap();
    session.forget_tables();
    client.batch_execute(SCHEMA).await.unwrap();
    client.batch_execute("INSERT INTO t VALUES (1, 5)").await.unwrap();
    assert_eq!(ask_only(&mut session, &client, &t).await, 1);
}

#[tokio::test]
async fn an_index_that_is_not_valid_is_none() {
    let (server, client, t) = with_table(
        "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE UNIQUE INDEX half ON t (a); INSERT INTO t VALUES (1, 5); \
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass",
    )
    .await;
    let mut session = session(&server, "postgres").await;
    assert_eq!(ask_only(&mut session, &client, &t).await, 0);
}

async fn ask_only(
    session: &mut synapse_engine_apply::Session,
    client: &tokio_postgres::Client,
    t: &Arc<Table>,
) -> usize {
    let mut transaction = begin(session, client, 1, None).await;
    let found = transaction.excluders(t, &[whole(t, &["2", "5"])]).await.unwrap();
    transaction.rollback().await.unwrap();
    found.standing.len()
}

#[tokio::test]
async fn a_standing_row_is_answered_whole_in_the_text_of_the_stream() {
    let (server, client, t) = with_table(
        "CREATE TABLE t (id bool PRIMARY KEY, a int UNIQUE, c char(3), g int GENERATED ALWAYS AS (a + 1) STORED, j json, n text, \
         r point); INSERT INTO t VALUES (true, 5, 'x', DEFAULT, '{\"b\":  1}', NULL, '(1,2)')",
    )
    .await;
    client.batch_execute(SCHEMA).await.unwrap();
    let mut session = session(&server, "postgres").await;
    let mut transaction = begin(&mut session, &client, 1, None).await;
    let image = whole(&t, &["f", "5", "NULL", "NULL", "NULL", "NULL"]);
    let mut lacking = image.clone();
    lacking[1] = Value::Unchanged;
    let found = transaction.excluders(&t, &[image]).await.unwrap();
    let [exclusion] = &found.standing[..] else {
        panic!("{found:?}")
    };
    let values = ["t", "5", "x  ", "{\"b\":  1}", "NULL", "(1,2)"];
    let expected = whole(&t, &values);
    assert_eq!(exclusion.other.row, row_id(&t, &expected));
    assert_eq!(exclusion.other.key, [Some(b"t".to_vec())]);
    let texts = values.map(|text| (text != "NULL").then(|| text.as_bytes().to_vec()));
    let columns = [0, 1, 2, 4, 5, 6].map(ColumnId);
    assert_eq!(
        exclusion.other.values,
        columns.into_iter().zip(texts).collect::<Vec<_>>()
    );
    let error = transaction.excluders(&t, &[lacking]).await.unwrap_err();
    assert!(
        matches!(&error, synapse_engine_apply::Error::NoValue { column, .. } if column == "a"),
        "{error}"
    );
}
