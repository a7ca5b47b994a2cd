//! Rows that lose what they refer to.

use synapse_engine_apply::{ForeignKey, OnDelete, Orphaned, Reference, foreign_key_marks, foreign_keys};
use synapse_engine_plan::Step;
use tokio_postgres::Client;

use crate::conflicts::SCHEMA;
use crate::fixture::{answer, apply, batch, begin, horizon, keys, rows, session, table, texts};
use crate::server::Server;

const TABLES: &str = "CREATE SCHEMA \"a b\"; CREATE TABLE \"a b\".grand (\"i d\" int PRIMARY KEY, note text); \
     CREATE TABLE parent (a int, b numeric, flag bool, at timestamptz, grand int REFERENCES \"a b\".grand, g int GENERATED ALWAYS AS (a) STORED, \
         PRIMARY KEY (b, a)); \
     CREATE TABLE child (id int PRIMARY KEY, b numeric, a int, FOREIGN KEY (a, b) REFERENCES parent (a, b) ON DELETE CASCADE); \
     INSERT INTO \"a b\".grand SELECT i, E'it''s\\\\' FROM generate_series(1, 3) i; \
     INSERT INTO parent SELECT i, i + 0.50, i = 1, '2026-01-31 12:00+00', i FROM generate_series(1, 3) i";

async fn database() -> (Server, Client, Vec<ForeignKey>) {
    let server = Server::start().await;
    let client = server.application("postgres").await;
    client.batch_execute(SCHEMA).await.unwrap();
    client.batch_execute(TABLES).await.unwrap();
    client.batch_execute("SET search_path = pg_catalog").await.unwrap();
    let known = foreign_keys(&client).await.unwrap();
    client.batch_execute("RESET search_path").await.unwrap();
    (server, client, known)
}

fn named<'k>(known: &'k [ForeignKey], table: &str) -> &'k ForeignKey {
    known.iter().find(|key| key.child.name == table).unwrap()
}

fn reference(values: &[&str]) -> Reference {
    values.iter().map(|value| Some(value.as_bytes().to_vec())).collect()
}

#[tokio::test]
async fn foreign_keys_are_read_with_what_they_do() {
    let (_server, client, known) = database().await;
    let child = named(&known, "child");
    let columns: Vec<(&str, &str)> = child
        .columns
        .iter()
        .map(|pair| (pair.child.as_str(), pair.parent.as_str()))
        .collect();
    assert_eq!(columns, [("a", "a"), ("b", "b")], "in the constraint's order");
    assert_eq!(child.on_delete, OnDelete::Cascade);
    assert_eq!(named(&known, "parent").on_delete, OnDelete::Refuse);
    assert_eq!(named(&known, "parent").parent.shown(), "a b.grand");
    let written: Vec<&str> = child.parent.columns.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        written,
        ["a", "b", "flag", "at", "grand"],
        "what is generated is left out"
    );
    // Of a partitioned table it is one, whatever its partitions inherit.
    let more = "CREATE TABLE parts (id int, r int, a int, b numeric, FOREIGN KEY (a, b) REFERENCES parent (a, b)) PARTITION BY LIST (r); \
         CREATE TABLE one PARTITION OF parts FOR VALUES IN (1); CREATE TABLE two PARTITION OF parts FOR VALUES IN (2)";
    let before = foreign_key_marks(&client).await.unwrap();
    client.batch_execute(more).await.unwrap();
    let known = foreign_keys(&client).await.unwrap();
    assert_eq!(known.len(), 3);
    assert_eq!(named(&known, "parts").child.leaves.len(), 2);
    let after = foreign_key_marks(&client).await.unwrap();
    let parent = ("public".to_owned(), "parent".to_owned());
    let child = ("public".to_owned(), "child".to_owned());
    assert_ne!(before[&parent], after[&parent], "it is referred to through one more");
    assert_eq!(before[&child], after[&child]);
}

#[tokio::test]
async fn rows_of_the_application_that_lose_what_they_refer_to_are_told_from_those_of_others() {
    let (server, client, known) = database().await;
    let (parent, child) = (
        table(&client, 1, "public", "parent").await,
        table(&client, 2, "public", "child").await,
    );
    let mut session = session(&server, "postgres").await;
    client
        .batch_execute("INSERT INTO child VALUES (1, 1.5, 1), (2, NULL, 2)")
        .await
        .unwrap();
    let theirs = vec![Step::Insert(rows(&child, &[texts(&["3", "2.50", "2"])]))];
    apply(&mut session, &client, 100, None, theirs).await;
    let above = horizon(&client).await;
    let gone = [("1", "1.5"), ("2", "2.5"), ("3", "3.5")];
    let deleted = gone.map(|(a, b)| crate::fixture::row(&[Some(a), Some(b), None, None, None, None]));
    let deletes = batch(vec![
        Step::Delete(keys(&parent, &deleted)),
        Step::Insert(rows(&child, &[texts(&["4", "3.5", "3"])])),
    ]);
    let mut transaction = begin(&mut session, &client, 200, Some(above)).await;
    transaction
        .execute(&deletes, &std::collections::HashMap::new())
        .await
        .unwrap();
    let key = named(&known, "child");
    let asked = [
        reference(&["1", "1.500"]),
        reference(&["2", "2.5"]),
        reference(&["3", "3.5"]),
        reference(&["9", "9"]),
    ];
    let found = transaction.orphaned(key, &asked).await.unwrap();
    let expected = |at: usize, local| Orphaned {
        reference: asked[at].clone(),
        local,
        forgotten: false,
        overwritten: at == 2,
    };
    // The last one was written by this very transaction: a version of before, which may be local, is not seen any more.
    assert_eq!(found, [expected(0, true), expected(1, false), expected(2, false)]);
    let mut dangling = transaction.dangling(key).await.unwrap();
    dangling.sort();
    let all = [["1", "1.5"], ["2", "2.50"], ["3", "3.5"]];
    assert_eq!(dangling, all.map(|values| reference(&values)));
    let referring = transaction.referring(key, &asked, &["id".to_owned()]).await.unwrap();
    let mut ids: Vec<_> = referring
        .iter()
        .map(|row| (row.at, row.values[0].clone().unwrap()))
        .collect();
    ids.sort();
    assert_eq!(ids, [(0, b"1".to_vec()), (1, b"3".to_vec()), (2, b"4".to_vec())]);
    // Where the rows that are referred to are back, nobody misses them.
    transaction.rollback().await.unwrap();
    let mut transaction = begin(&mut session, &client, 200, Some(above)).await;
    assert_eq!(transaction.orphaned(key, &asked).await.unwrap(), []);
    assert_eq!(transaction.dangling(key).await.unwrap(), Vec::<Reference>::new());
    transaction.rollback().await.unwrap();
}

#[tokio::test]
async fn what_a_kept_row_refers_to_is_kept_also_when_it_is_gone_already() {
    let (server, client, _) = database().await;
    client
        .batch_execute(
            "CREATE TABLE tree (id int PRIMARY KEY, above int REFERENCES tree); INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2)",
        )
        .await
        .unwrap();
    let known = foreign_keys(&client).await.unwrap();
    let (tree, of_tree) = (named(&known, "tree"), table(&client, 1, "public", "tree").await);
    let mut session = session(&server, "postgres").await;
    for (lsn, gone) in [(100, "1"), (200, "2")] {
        let mut transaction = begin(&mut session, &client, lsn, Some(horizon(&client).await)).await;
        transaction
            .keep(tree, &known, &[reference(&[gone])], "{}")
            .await
            .unwrap();
        let deletes = batch(vec![Step::Delete(keys(
            &of_tree,
            &[crate::fixture::row(&[Some(gone), None])],
        ))]);
        transaction
            .execute(&deletes, &std::collections::HashMap::new())
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }
    // Nothing refers to 1 any more, and that entry goes; 3 still refers to 2, which refers to 1.
    client
        .batch_execute("DELETE FROM synapse.orphans WHERE refs = '[\"1\"]'")
        .await
        .unwrap();
    let kept = "SELECT concat_ws(' ', refs, image) FROM synapse.orphans ORDER BY id";
    let expected = [
        "[\"2\"] {\"id\": \"2\", \"above\": \"1\"}",
        "{\"id\": \"1\", \"above\": null}",
    ];
    assert_eq!(answer(&client, kept).await, expected.join(","));
}

#[tokio::test]
async fn what_goes_is_kept_once_with_all_that_it_refers_to() {
    let (server, client, known) = database().await;
    client
        .batch_execute(
            "CREATE TABLE tree (id int PRIMARY KEY, above int REFERENCES tree); \
             INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 2); UPDATE tree SET above = 3 WHERE id = 1",
        )
        .await
        .unwrap();
    let known: Vec<ForeignKey> = foreign_keys(&client).await.unwrap().into_iter().chain(known).collect();
    let mut session = session(&server, "postgres").await;
    let mut transaction = begin(&mut session, &client, 100, None).await;
    let (child, tree) = (named(&known, "child"), named(&known, "tree"));
    let asked = [reference(&["1", "1.5"]), reference(&["7", "7"])];
    for _ in 0..2 {
        transaction
            .keep(child, &known, &asked, "{\"node\": \"n1\"}")
            .await
            .unwrap();
        transaction
            .keep(tree, &known, &[reference(&["2"])], "{}")
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
    let kept = "SELECT concat_ws(' ', table_name, foreign_key, refs, image) FROM synapse.orphans ORDER BY id";
    let expected = [
        "parent child_a_b_fkey [\"1\", \"1.5\"] {\"a\": \"1\", \"b\": \"1.50\", \"at\": \"2026-01-31 12:00:00+00\", \"flag\": \"t\", \"grand\": \"1\"}",
        "parent child_a_b_fkey [\"7\", \"7\"]",
        "grand {\"i d\": \"1\", \"note\": \"it's\\\\\"}",
        "tree tree_above_fkey [\"2\"] {\"id\": \"2\", \"above\": \"1\"}",
        "tree {\"id\": \"1\", \"above\": \"3\"}",
        "tree {\"id\": \"3\", \"above\": \"2\"}",
    ];
    assert_eq!(answer(&client, kept).await, expected.join(","));
    // It came back meanwhile, and goes again: it is kept as it is then.
    client
        .batch_execute("UPDATE parent SET flag = false WHERE a = 1; UPDATE synapse.orphans SET state = 'reported'")
        .await
        .unwrap();
    let mut transaction = begin(&mut session, &client, 200, None).await;
    transaction
        .keep(child, &known, &asked, "{\"node\": \"n2\"}")
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let again = "SELECT concat_ws(' ', state, gone_by ->> 'node', image ->> 'flag') FROM synapse.orphans \
         WHERE table_name = 'parent' ORDER BY id";
    assert_eq!(answer(&client, again).await, "waiting n2 f,reported n1");
    let back = format!(
        "DELETE FROM parent WHERE a = 1; {} FROM synapse.orphans o WHERE o.table_name = 'parent' AND o.image IS NOT NULL",
        child.parent.insert_image("o.image")
    );
    client.batch_execute(&back).await.unwrap();
    let row = answer(&client, "SELECT (a, b, flag, grand, g)::text FROM parent WHERE a = 1").await;
    assert_eq!(row, "(1,1.50,f,1,1)");
}
