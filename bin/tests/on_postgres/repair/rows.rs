//! Rows that ask for care: other constraints, triggers, keys and values of unusual types.

use super::{apart, logged, stdout, verify};
use crate::cluster::{Cluster, MIXED};

const REPAIR: &[&str] = &["--repair", "--from", "n1", "--confirm"];

async fn prepared(schema: &str, rows: &str, tables: &[&str]) -> Cluster {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql_all(schema).await;
    cluster.sql("n1", rows).await;
    cluster.equal(tables).await;
    cluster
}

#[tokio::test]
async fn a_unique_value_that_a_wrong_row_holds_is_free_before_the_right_row_comes() {
    let cluster = prepared(
        "CREATE TABLE t (id int PRIMARY KEY, mail text UNIQUE)",
        "INSERT INTO t VALUES (1, 'a'), (5, 'b')",
        &["t"],
    )
    .await;
    apart(
        &cluster,
        "n2",
        "DELETE FROM t WHERE id = 5; INSERT INTO t VALUES (9, 'b')",
    )
    .await;
    verify(&cluster, REPAIR, 0);
    cluster.equal(&["t"]).await;
    assert_eq!(
        cluster
            .value("n2", "SELECT string_agg(id::text, ',' ORDER BY id) FROM t")
            .await
            .as_deref(),
        Some("1,5")
    );
}

#[tokio::test]
async fn triggers_and_foreign_keys_of_the_application_do_not_act() {
    let cluster = prepared(
        "CREATE TABLE parent (id int PRIMARY KEY, a text); \
         CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE); \
         CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF tg_op = 'DELETE' THEN RETURN old; END IF; new.a := 'trigger'; RETURN new; END $$; \
         CREATE TRIGGER shout BEFORE INSERT OR UPDATE OR DELETE ON parent FOR EACH ROW EXECUTE FUNCTION shout()",
        "INSERT INTO parent VALUES (1, ''), (2, ''); INSERT INTO child VALUES (1, 1), (2, 2)",
        &["parent", "child"],
    )
    .await;
    apart(
        &cluster,
        "n1",
        "SET LOCAL session_replication_role = replica; UPDATE parent SET a = 'right' WHERE id = 1; \
         DELETE FROM parent WHERE id = 2",
    )
    .await;
    verify(&cluster, REPAIR, 0);
    cluster.equal(&["parent", "child"]).await;
    for node in ["n1", "n2"] {
        assert_eq!(
            cluster
                .value(node, "SELECT string_agg(a, ',') FROM parent")
                .await
                .as_deref(),
            Some("right")
        );
        assert_eq!(
            cluster.number(node, "SELECT count(*) FROM child").await,
            2,
            "no cascade on {node}"
        );
    }
}

#[tokio::test]
async fn keys_that_are_equal_and_have_other_text_are_one_row() {
    let cluster = prepared(
        "CREATE TABLE t (id numeric PRIMARY KEY, a text); CREATE TABLE c (id char(4) PRIMARY KEY, a text)",
        "INSERT INTO t VALUES (1.0, 'one'), (2, 'two'); INSERT INTO c VALUES ('x', 'one')",
        &["t", "c"],
    )
    .await;
    apart(
        &cluster,
        "n2",
        "UPDATE t SET id = 1.000 WHERE id = 1; INSERT INTO t VALUES (3.10, 'extra')",
    )
    .await;
    apart(&cluster, "n2", "UPDATE c SET a = 'two'").await;
    verify(&cluster, REPAIR, 0);
    cluster.equal(&["t", "c"]).await;
    assert_eq!(
        cluster
            .value("n2", "SELECT string_agg(id::text, ',' ORDER BY id) FROM t")
            .await
            .as_deref(),
        Some("1.0,2")
    );
}

#[tokio::test]
async fn values_of_every_kind_arrive_as_they_stand() {
    let cluster = prepared(
        "CREATE TYPE pair AS (x int, y text); CREATE DOMAIN short AS text CHECK (length(value) < 9); \
         CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, p pair, q pair, s short, j jsonb, b bytea, \
           c char(5), v varchar(9)[], f float8[], x xml, e text, nothing text, l json)",
        "INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (1, ROW(NULL, NULL), NULL, 'dom', '{\"a\": 1.10}', '\\x00ff', 'ab', \
           '{a,NULL,\"b,c\"}', '{0.1,NaN}', '<a>1</a>', '', NULL, '{\"z\": \"\\u0000\", \"z\": 1e999999}')",
        &["t"],
    )
    .await;
    apart(
        &cluster,
        "n2",
        "UPDATE t SET p = NULL, q = ROW(1, 'q'), s = 'no', j = NULL, b = '', c = '', v = NULL, f = '{}', x = '<b/>', \
           e = NULL, nothing = '', l = NULL",
    )
    .await;
    verify(&cluster, REPAIR, 0);
    cluster.equal(&["t"]).await;
    let row = "SELECT (p IS DISTINCT FROM NULL)::text || (q IS NOT DISTINCT FROM NULL)::text || j::text || f::text || (e = '')::text FROM t";
    assert_eq!(
        cluster.value("n2", row).await.as_deref(),
        Some("truetrue{\"a\": 1.10}{0.1,NaN}true")
    );
}

#[tokio::test]
async fn a_partition_and_a_table_of_another_schema_are_repaired_by_their_names() {
    let cluster = prepared(
        "CREATE SCHEMA \"My App\"; CREATE TABLE \"My App\".\"T\" (\"The Id\" int, b text, \"Part\" int, \
           PRIMARY KEY (\"The Id\", \"Part\")) PARTITION BY LIST (\"Part\"); \
         CREATE TABLE \"My App\".\"T1\" PARTITION OF \"My App\".\"T\" FOR VALUES IN (1)",
        "INSERT INTO \"My App\".\"T\" VALUES (1, 'x', 1), (2, 'y', 1)",
        &[],
    )
    .await;
    cluster.settle().await;
    apart(
        &cluster,
        "n2",
        "UPDATE \"My App\".\"T\" SET b = 'other' WHERE \"The Id\" = 2",
    )
    .await;
    verify(
        &cluster,
        &["--table", "My App.T1", "--repair", "--from", "n1", "--confirm"],
        0,
    );
    assert_eq!(
        cluster
            .value("n2", "SELECT string_agg(b, ',' ORDER BY b) FROM \"My App\".\"T\"")
            .await
            .as_deref(),
        Some("x,y")
    );
}

#[tokio::test]
async fn a_row_that_somebody_has_locked_is_left_and_others_are_repaired() {
    let cluster = prepared(
        "CREATE TABLE t (id int PRIMARY KEY, a text)",
        "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        &["t"],
    )
    .await;
    apart(
        &cluster,
        "n2",
        "UPDATE t SET a = 'wrong'; INSERT INTO t VALUES (4, 'extra'), (5, 'extra')",
    )
    .await;
    let (here, there) = (cluster.session("n1").await, cluster.session("n2").await);
    here.batch_execute("BEGIN; SELECT FROM t WHERE id = 2 FOR UPDATE")
        .await
        .unwrap();
    there
        .batch_execute("BEGIN; SELECT FROM t WHERE id = 5 FOR SHARE")
        .await
        .unwrap();
    let text = stdout(&verify(&cluster, REPAIR, 1));
    let left = "3 repaired, 2 left, because they were written meanwhile or locked, 2 differ still";
    assert!(text.contains(left), "{text}");
    assert_eq!(
        logged(&cluster, "n1").await.len() + logged(&cluster, "n2").await.len(),
        3
    );
    for session in [here, there] {
        session.batch_execute("COMMIT").await.unwrap();
    }
    verify(&cluster, REPAIR, 0);
    cluster.equal(&["t"]).await;
}
