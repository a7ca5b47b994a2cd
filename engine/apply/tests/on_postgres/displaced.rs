//! `synapse.displaced` and `synapse.rivals`.

use synapse_engine_apply::{Apart, Displaced, Error, NamedRow, Remedy, Rival, Which, read_apart};
use synapse_engine_identity::{ColumnId, Hlc, KeyHash};

use crate::conflicts::SCHEMA;
use crate::fixture::{answer, begin, origin, session, table, with_table};

fn text(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

fn displaced(number: u8, image: &[(u16, Option<&str>)]) -> Displaced {
    let image = image.iter().map(|(id, value)| (ColumnId(*id), value.and_then(text)));
    Displaced {
        row: KeyHash([number; 16]),
        key: vec![text(&number.to_string()), text("k'\"")],
        image: image.collect(),
        origin: origin("n2"),
        hlc: Hlc(1_234_567_890_123_456),
        rivals: Vec::new(),
    }
}

#[tokio::test]
async fn displaced_rows_are_kept_replaced_read_in_order_and_removed() {
    let (server, client, t) = with_table(
        "CREATE TABLE t (id int, \"K'\" text, a text[], g int GENERATED ALWAYS AS (id) STORED, j jsonb, b bytea, PRIMARY KEY (id, \"K'\"))",
    )
    .await;
    client.batch_execute(SCHEMA).await.unwrap();
    let mut session = session(&server, "postgres").await;
    let mut all: Vec<Displaced> = [3, 1, 2]
        .iter()
        .map(|n| {
            let (id, b) = (n.to_string(), "\\x00ff");
            displaced(
                *n,
                &[
                    (0, Some(&id)),
                    (1, Some("k'\"")),
                    (2, Some("{a,NULL,\"x\\\\\"}")),
                    (4, None),
                    (5, Some(b)),
                ],
            )
        })
        .collect();
    let mut transaction = begin(&mut session, &client, 1, None).await;
    transaction.put_displaced(&t, &all).await.unwrap();
    transaction.commit().await.unwrap();
    let since = answer(&client, "SELECT displaced_at FROM synapse.displaced ORDER BY row_id").await;
    let shown = "SELECT key::text || image::text FROM synapse.displaced WHERE row_id = decode(repeat('03', 16), 'hex')";
    assert_eq!(
        answer(&client, shown).await,
        "{\"K'\": \"k'\\\"\", \"id\": \"3\"}\
         {\"a\": \"{a,NULL,\\\"x\\\\\\\\\\\"}\", \"b\": \"\\\\x00ff\", \"j\": null, \"K'\": \"k'\\\"\", \"id\": \"3\"}"
    );

    all[0].hlc = Hlc(7);
    all[0].image[3].1 = text("{\"a\": \"\\\"\"}");
    let mut transaction = begin(&mut session, &client, 2, None).await;
    transaction.put_displaced(&t, &all[..1]).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(
        answer(&client, "SELECT displaced_at FROM synapse.displaced ORDER BY row_id").await,
        since
    );

    all.sort_by_key(|row| row.row);
    let mut transaction = begin(&mut session, &client, 3, None).await;
    assert_eq!(transaction.displaced(&t, Which::All).await.unwrap(), all);
    let some = [all[2].row, KeyHash([9; 16]), all[0].row];
    let read = transaction.displaced(&t, Which::Rows(&some)).await.unwrap();
    assert_eq!(read, [all[0].clone(), all[2].clone()]);
    // They are locked.
    let locked = "SELECT count(*) FROM (SELECT FROM synapse.displaced FOR UPDATE SKIP LOCKED) AS free";
    assert_eq!(answer(&client, locked).await, "0");
    assert_eq!(transaction.remove_displaced(&t, &some).await.unwrap(), 2);
    assert_eq!(transaction.displaced(&t, Which::All).await.unwrap(), all[1..2]);
    transaction.commit().await.unwrap();
    assert_eq!(answer(&client, "SELECT count(*) FROM synapse.displaced").await, "1");
}

#[tokio::test]
async fn a_column_that_came_later_is_no_part_of_an_image_and_one_that_is_gone_is_left() {
    let (server, client, t) = with_table("CREATE TABLE t (id int, k text, a text, PRIMARY KEY (id, k))").await;
    client.batch_execute(SCHEMA).await.unwrap();
    let mut session = session(&server, "postgres").await;
    let before = displaced(1, &[(0, Some("1")), (1, Some("k'\"")), (2, Some("gone"))]);
    let mut transaction = begin(&mut session, &client, 1, None).await;
    transaction.put_displaced(&t, &[before]).await.unwrap();
    transaction.commit().await.unwrap();
    let change = "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN b int DEFAULT 5 UNIQUE";
    client.batch_execute(change).await.unwrap();
    let t = table(&client, 1, "public", "t").await;
    session.forget_tables();
    let mut transaction = begin(&mut session, &client, 2, None).await;
    let one = displaced(1, &[(0, Some("1")), (1, Some("k'\""))]);
    let read = transaction.displaced(&t, Which::All).await.unwrap();
    assert_eq!(read, std::slice::from_ref(&one));
    let two = displaced(2, &[(0, Some("2")), (1, Some("k'\"")), (2, Some("5"))]);
    transaction
        .put_displaced(&t, &[one.clone(), two.clone()])
        .await
        .unwrap();
    assert_eq!(transaction.displaced(&t, Which::All).await.unwrap(), [one, two]);
}

#[tokio::test]
async fn rivals_are_noted_and_all_rows_are_known_at_a_start() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, k text)").await;
    client.batch_execute(SCHEMA).await.unwrap();
    let mut session = session(&server, "postgres").await;
    let key = |number: u8| KeyHash([number; 16]);
    let rival = |row: u8, rival: u8, hlc| Rival {
        row: key(row),
        rival: key(rival),
        row_key: vec![text(&row.to_string())],
        rival_key: vec![text(&format!("\"{rival}"))],
        origin: origin("n3"),
        hlc: Hlc(hlc),
    };
    let mut transaction = begin(&mut session, &client, 1, None).await;
    let all = [rival(2, 7, 1), rival(1, 8, 1), rival(4, 7, 1), rival(4, 1, 1)];
    transaction.put_rivals(&t, &all).await.unwrap();
    transaction.put_rivals(&t, &[rival(2, 7, 5)]).await.unwrap();
    let of = async |transaction: &mut synapse_engine_apply::Transaction<'_>, rows: &[u8]| {
        let rows: Vec<KeyHash> = rows.iter().copied().map(key).collect();
        transaction.rivals(&t, &rows).await.unwrap()
    };
    assert_eq!(of(&mut transaction, &[7]).await, [rival(2, 7, 5), rival(4, 7, 1)]);
    assert_eq!(of(&mut transaction, &[1, 9]).await, [rival(1, 8, 1), rival(4, 1, 1)]);
    let removed = [(key(4), key(7)), (key(1), key(1))];
    assert_eq!(transaction.remove_rivals(&t, &removed).await.unwrap(), 1);
    transaction.commit().await.unwrap();
    let elsewhere = "INSERT INTO synapse.displaced (table_schema, table_name, row_id, key, image, origin, hlc, rivals) \
         VALUES ('s', 'O''t', decode(repeat('00', 16), 'hex'), '{}', '{}', 'n2:1', 1, '[]')";
    client.batch_execute(elsewhere).await.unwrap();
    let named = |schema: &str, table: &str, number| NamedRow {
        schema: schema.to_owned(),
        table: table.to_owned(),
        row: key(number),
    };
    let expected = Apart {
        displaced: vec![named("s", "O't", 0)],
        rivals: vec![
            (named("public", "t", 1), key(8)),
            (named("public", "t", 2), key(7)),
            (named("public", "t", 4), key(1)),
        ],
    };
    assert_eq!(read_apart(&client).await.unwrap(), expected);
}

#[tokio::test]
async fn a_row_that_nobody_here_wrote_is_told() {
    let (server, client, t) = with_table("CREATE TABLE t (id int PRIMARY KEY, k text)").await;
    client.batch_execute(SCHEMA).await.unwrap();
    let mut session = session(&server, "postgres").await;
    let zero = "\\x00000000000000000000000000000000";
    for (rival_id, origin, hlc, why) in [
        ("\\x00", "n1:1", "1", "row_id has 1 bytes, not 16"),
        (zero, "N1", "1", "origin"),
        (zero, "n1:1", "-1", "hlc is -1"),
    ] {
        let sql = format!(
            "TRUNCATE synapse.rivals; INSERT INTO synapse.rivals VALUES ('public', 't', '{zero}', '{rival_id}', '[]', '[]', '{origin}', {hlc})"
        );
        client.batch_execute(&sql).await.unwrap();
        let mut transaction = begin(&mut session, &client, 1, None).await;
        let asked = [KeyHash([0; 16])];
        let error = transaction.rivals(&t, &asked).await.unwrap_err();
        assert!(
            matches!(&error, Error::Unreadable { why: said } if said.contains(why)),
            "{error}"
        );
        assert_eq!(error.remedy(), Remedy::Operator);
    }
}
