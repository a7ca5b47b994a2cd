//! What is not repaired, and says so.

use serde_json::json;

use super::{apart, logged, stderr, stdout, verify};
use crate::cluster::{Cluster, MIXED};

async fn different() -> Cluster {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all("CREATE TABLE keyless (a int); CREATE TABLE t (id int PRIMARY KEY, a text)")
        .await;
    cluster
        .sql("n1", "INSERT INTO keyless VALUES (1); INSERT INTO t VALUES (1, 'a')")
        .await;
    cluster.equal(&["keyless", "t"]).await;
    apart(&cluster, "n2", "INSERT INTO keyless VALUES (2); UPDATE t SET a = 'b'").await;
    cluster
}

#[tokio::test]
async fn a_table_without_a_key_is_refused_and_others_are_repaired() {
    let cluster = different().await;
    let output = verify(
        &cluster,
        &["--table", "keyless", "--repair", "--from", "n1", "--confirm"],
        5,
    );
    assert!(
        stderr(&output).contains("public.keyless cannot be repaired: it has no key"),
        "{}",
        stderr(&output)
    );
    let output = verify(&cluster, &["--repair", "--from", "n1", "--confirm"], 1);
    assert!(
        stdout(&output).contains("cannot be repaired: it has no key"),
        "{}",
        stdout(&output)
    );
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM keyless").await, 2);
    apart(&cluster, "n2", "DELETE FROM keyless WHERE a = 2").await;
    verify(&cluster, &["--repair", "--from", "n1", "--confirm"], 0);
}

#[tokio::test]
async fn what_makes_no_sense_is_a_matter_of_usage() {
    let cluster = different().await;
    let cases: &[&[&str]] = &[
        &["--repair", "--from", "n9", "--confirm"],
        &["--repair", "--from", "n1", "--table", "nowhere"],
        &["--repair", "--from", "n1", "--by-policy"],
        &["--repair"],
        &["--from", "n1"],
        &["--confirm"],
        &["--resume", "nonsense"],
        &["--resume", "public.nowhere/equal"],
    ];
    for case in cases {
        verify(&cluster, case, 2);
    }
    let both = cluster
        .post(
            "n1",
            "/v1/repair",
            json!({ "from": "n1", "by_policy": true, "confirm": true }),
        )
        .await;
    assert_eq!(both.status, 400, "{}", both.text);
    let unknown = cluster
        .post("n1", "/v1/repair", json!({ "from": "n9", "confirm": true }))
        .await;
    assert_eq!(unknown.status, 404, "{}", unknown.text);
    let token = cluster.dir().join("wrong");
    std::fs::write(&token, "wrong").unwrap();
    let token = token.to_str().unwrap();
    let output = verify(
        &cluster,
        &["--repair", "--from", "n1", "--confirm", "--token-file", token],
        2,
    );
    assert!(
        stderr(&output).contains("changes ask for a token"),
        "{}",
        stderr(&output)
    );
    assert!(logged(&cluster, "n1").await.is_empty() && logged(&cluster, "n2").await.is_empty());
    assert!(cluster.difference("t").await.is_some());
}

#[tokio::test]
async fn a_table_with_another_column_somewhere_is_refused() {
    let cluster = different().await;
    cluster.sql("n2", "ALTER TABLE t ADD b text").await;
    let output = verify(&cluster, &["--table", "t", "--repair", "--from", "n1", "--confirm"], 5);
    assert!(
        stderr(&output).contains("its column b is not on n1"),
        "{}",
        stderr(&output)
    );
}

#[tokio::test]
async fn a_transaction_that_fails_names_its_rows_and_changes_none() {
    let cluster = different().await;
    cluster
        .sql(
            "n1",
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$; \
             CREATE TRIGGER no BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION no(); \
             ALTER TABLE t ENABLE ALWAYS TRIGGER no",
        )
        .await;
    let output = verify(&cluster, &["--table", "t", "--repair", "--from", "n1", "--confirm"], 3);
    let error = stderr(&output);
    assert!(
        error.contains("n1 could not repair 1 rows of public.t (keys 1)"),
        "{error}"
    );
    assert!(error.contains("not today"), "{error}");
    assert!(logged(&cluster, "n1").await.is_empty());
    assert!(cluster.difference("t").await.is_some());
}
