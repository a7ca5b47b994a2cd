//! Transactions: parts of them rolled back, prepared, deferred, empty.

use crate::cluster::{Cluster, MIXED};

async fn with_table() -> Cluster {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all("CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE u (id int PRIMARY KEY)")
        .await;
    cluster
}

#[tokio::test]
async fn what_a_savepoint_rolled_back_does_not_arrive() {
    let cluster = with_table().await;
    cluster
        .sql(
            "n1",
            "BEGIN; INSERT INTO t VALUES (1, 'kept'); SAVEPOINT a; INSERT INTO t VALUES (2, 'gone'); UPDATE t SET a = 'gone'; \
             ROLLBACK TO a; SAVEPOINT b; INSERT INTO t VALUES (3, 'kept'); RELEASE b; SAVEPOINT c; DELETE FROM t; ROLLBACK TO c; COMMIT; \
             BEGIN; INSERT INTO t VALUES (4, 'gone'); ROLLBACK",
        )
        .await;
    cluster.equal(&["t"]).await;
    let kept = cluster
        .value("n2", "SELECT array_agg(id || a ORDER BY id) FROM t")
        .await;
    assert_eq!(kept.as_deref(), Some("{1kept,3kept}"));
}

#[tokio::test]
async fn a_prepared_transaction_arrives_when_it_is_committed() {
    let cluster = with_table().await;
    cluster
        .sql(
            "n1",
            "BEGIN; INSERT INTO t VALUES (1, 'prepared'); PREPARE TRANSACTION 'one'",
        )
        .await;
    cluster
        .sql(
            "n1",
            "BEGIN; INSERT INTO t VALUES (2, 'prepared'); PREPARE TRANSACTION 'two'",
        )
        .await;
    cluster.sql("n1", "INSERT INTO t VALUES (3, 'plain')").await;
    cluster.settle().await;
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM t").await, 1);
    cluster.sql("n1", "COMMIT PREPARED 'one'").await;
    cluster.sql("n1", "ROLLBACK PREPARED 'two'").await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n2", "SELECT sum(id) FROM t").await, 4);
}

#[tokio::test]
async fn a_deferred_constraint_that_holds_at_commit_holds_everywhere() {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all(
            "CREATE TABLE p (id int PRIMARY KEY); \
             CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
        )
        .await;
    cluster
        .sql(
            "n1",
            "BEGIN; INSERT INTO c VALUES (1, 10); INSERT INTO p VALUES (10); COMMIT",
        )
        .await;
    cluster.equal(&["p", "c"]).await;
    cluster
        .sql(
            "n2",
            "BEGIN; DELETE FROM p WHERE id = 10; INSERT INTO p VALUES (11); UPDATE c SET p = 11; COMMIT",
        )
        .await;
    cluster.equal(&["p", "c"]).await;
    assert_eq!(cluster.number("n1", "SELECT p FROM c").await, 11);
}

#[tokio::test]
async fn transactions_that_write_nothing_do_not_disturb() {
    let cluster = with_table().await;
    for _ in 0..20 {
        cluster.sql("n1", "BEGIN; SELECT txid_current(); COMMIT").await;
        cluster
            .sql(
                "n2",
                "BEGIN; CREATE TEMP TABLE x (a int); INSERT INTO x VALUES (1); DROP TABLE x; COMMIT",
            )
            .await;
    }
    cluster
        .sql("n1", "SELECT pg_logical_emit_message(true, 'another tool', 'text')")
        .await;
    cluster.sql("n1", "INSERT INTO u VALUES (1); DELETE FROM u").await;
    cluster
        .sql(
            "n2",
            "UPDATE t SET a = 'x' WHERE id = 77; INSERT INTO t VALUES (1, 'x')",
        )
        .await;
    cluster.equal(&["t", "u"]).await;
}

#[tokio::test]
async fn triggers_fire_where_they_are_meant_to() {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all(
            "CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE told (at text, by text, id int); \
             CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 INSERT INTO public.told VALUES (current_setting('port'), TG_NAME, NEW.id); RETURN NEW; END $$; \
             CREATE TRIGGER plain AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION tell(); \
             CREATE TRIGGER always AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION tell(); \
             CREATE TRIGGER replica AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION tell(); \
             ALTER TABLE t ENABLE ALWAYS TRIGGER always; ALTER TABLE t ENABLE REPLICA TRIGGER replica",
        )
        .await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 'x')").await;
    cluster.settle().await;
    // What the triggers of the applying node write belongs to that node: it is not sent back.
    let by_port = |port: u16| format!("SELECT array_agg(by ORDER BY by) FROM told WHERE at = '{port}'");
    let (n1, n2) = (cluster.node("n1").postgres_port, cluster.node("n2").postgres_port);
    assert_eq!(
        cluster.value("n1", &by_port(n1)).await.as_deref(),
        Some("{always,plain}")
    );
    assert_eq!(
        cluster.value("n2", &by_port(n1)).await.as_deref(),
        Some("{always,plain}"),
        "they came as rows"
    );
    assert_eq!(
        cluster.value("n2", &by_port(n2)).await.as_deref(),
        Some("{always,replica}")
    );
    assert_eq!(cluster.value("n1", &by_port(n2)).await, None, "no echo");
}

#[tokio::test]
async fn row_security_hides_nothing_from_replication() {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all(
            "CREATE ROLE tenant LOGIN; CREATE TABLE t (id int PRIMARY KEY, owner text); \
             ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY; \
             CREATE POLICY own ON t USING (owner = current_user); GRANT ALL ON t TO tenant",
        )
        .await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 'postgres')").await;
    cluster
        .sql("n1", "SET ROLE tenant; INSERT INTO t VALUES (2, 'tenant')")
        .await;
    cluster.settle().await;
    cluster
        .sql("n2", "SET ROLE tenant; INSERT INTO t VALUES (3, 'tenant'); UPDATE t SET id = id + 10; DELETE FROM t WHERE id = 1")
        .await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n1", "SELECT sum(id) FROM t").await, 26);
}
