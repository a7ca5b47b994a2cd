use synapse_engine_setup::install;
use tokio_postgres::Client;

use crate::server::{FIT, Server, identity, value, wanted, wanted_as};

/// A set-up database with a role that may create and no more.
async fn prepared(server: &Server, ordinal: u16) -> (Client, Client) {
    let mut admin = server.database("app").await;
    admin
        .batch_execute("CREATE ROLE weak LOGIN; CREATE SCHEMA \"Größe\" AUTHORIZATION weak")
        .await
        .unwrap();
    install(&mut admin, &wanted_as("n1", ordinal)).await.unwrap();
    let weak = server.connect_as("app", "weak").await;
    weak.batch_execute("SET search_path = \"Größe\"").await.unwrap();
    (admin, weak)
}

#[tokio::test]
async fn tables_of_an_ordinary_role_are_fit_in_the_transaction_that_creates_them() {
    for server in Server::each(FIT) {
        let (_admin, weak) = prepared(&server, 0).await;
        weak.batch_execute(
            "BEGIN;
             CREATE TABLE keyless (v text); INSERT INTO keyless VALUES ('a'); UPDATE keyless SET v = 'b';
             CREATE TABLE \"Täble\" AS SELECT 1 AS a; UPDATE \"Täble\" SET a = 2;
             SELECT 1 AS a INTO into_it; DELETE FROM into_it;
             CREATE TABLE parts (a int) PARTITION BY LIST (a);
             CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
             INSERT INTO parts VALUES (1); UPDATE parts SET a = 1; DELETE FROM parts;
             CREATE TEMP TABLE passing (v text);
             CREATE UNLOGGED TABLE unlogged (v text);
             COMMIT",
        )
        .await
        .unwrap();
        for (table, letter) in [
            ("keyless", "f"),
            ("\"Täble\"", "f"),
            ("into_it", "f"),
            ("parts_1", "f"),
            ("passing", "d"),
            ("unlogged", "d"),
        ] {
            assert_eq!(identity(&weak, table).await, letter, "{table}");
        }
        weak.batch_execute("ALTER TABLE unlogged SET LOGGED").await.unwrap();
        assert_eq!(identity(&weak, "unlogged").await, "f");
    }
}

#[tokio::test]
async fn a_table_that_gains_a_key_goes_back_to_the_default_and_one_that_loses_it_does_not_fail() {
    for server in Server::each(FIT) {
        let (_admin, weak) = prepared(&server, 0).await;
        weak.batch_execute("CREATE TABLE t (a int, b int NOT NULL); CREATE TABLE own (a int)")
            .await
            .unwrap();
        weak.batch_execute("ALTER TABLE own REPLICA IDENTITY FULL; ALTER TABLE own ADD PRIMARY KEY (a)")
            .await
            .unwrap();
        assert_eq!(identity(&weak, "t").await, "f");
        weak.batch_execute("ALTER TABLE t ADD CONSTRAINT k PRIMARY KEY (a)")
            .await
            .unwrap();
        assert_eq!(identity(&weak, "t").await, "d");
        weak.batch_execute("ALTER TABLE t DROP CONSTRAINT k; UPDATE t SET b = 1")
            .await
            .unwrap();
        assert_eq!(identity(&weak, "t").await, "f");
        weak.batch_execute("CREATE UNIQUE INDEX u ON t (b); ALTER TABLE t REPLICA IDENTITY USING INDEX u")
            .await
            .unwrap();
        assert_eq!(identity(&weak, "t").await, "i");
        weak.batch_execute("DROP INDEX u; UPDATE t SET b = 2").await.unwrap();
        assert_eq!(identity(&weak, "t").await, "f");
        weak.batch_execute("ALTER TABLE t REPLICA IDENTITY NOTHING; UPDATE t SET b = 3")
            .await
            .unwrap();

        weak.batch_execute(
            "CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
             ALTER TABLE p ADD PRIMARY KEY (a)",
        )
        .await
        .unwrap();
        assert_eq!(identity(&weak, "p1").await, "d");
    }
}

#[tokio::test]
async fn an_identity_that_the_owner_chose_stays() {
    for server in Server::each(FIT) {
        let (_admin, weak) = prepared(&server, 0).await;
        weak.batch_execute(
            "CREATE TABLE a (v int PRIMARY KEY); ALTER TABLE a REPLICA IDENTITY FULL; ALTER TABLE a ADD w int;
             CREATE TABLE b (v int); ALTER TABLE b REPLICA IDENTITY FULL",
        )
        .await
        .unwrap();
        assert_eq!(identity(&weak, "a").await, "f");
        assert_eq!(identity(&weak, "b").await, "f");
    }
}

#[tokio::test]
async fn new_sequences_are_disjoint_at_once() {
    for server in Server::each(FIT) {
        let (_admin, weak) = prepared(&server, 3).await;
        weak.batch_execute(
            "CREATE TABLE t (a serial, b bigint GENERATED ALWAYS AS IDENTITY, c text);
             CREATE SEQUENCE \"Seq\" INCREMENT BY 10 START WITH 50;
             CREATE SCHEMA AUTHORIZATION CURRENT_USER",
        )
        .await
        .unwrap_err();
        weak.batch_execute(
            "CREATE TABLE t (a serial, b bigint GENERATED ALWAYS AS IDENTITY, c text);
             CREATE SEQUENCE \"Seq\" INCREMENT BY 10 START WITH 50; INSERT INTO t (c) VALUES ('x'), ('y')",
        )
        .await
        .unwrap();
        let drawn: Vec<i64> = value(&weak, "SELECT array_agg(a + 1000 * b ORDER BY a) FROM t").await;
        assert_eq!(drawn, [4004, 20_020]);
        assert_eq!(value::<i64>(&weak, "SELECT nextval('\"Seq\"')").await, 80);
        weak.batch_execute("ALTER SEQUENCE \"Seq\" INCREMENT BY 5")
            .await
            .unwrap();
        assert_eq!(value::<i64>(&weak, "SELECT nextval('\"Seq\"')").await, 145);
        weak.batch_execute("ALTER SEQUENCE \"Seq\" RESTART WITH 50")
            .await
            .unwrap();
        assert_eq!(value::<i64>(&weak, "SELECT nextval('\"Seq\"')").await, 65);
        weak.batch_execute("ALTER TABLE t ADD d serial").await.unwrap();
        let drawn: Vec<i32> = value(&weak, "SELECT array_agg(d ORDER BY d) FROM t").await;
        assert_eq!(drawn.len(), 2);
        assert_eq!(
            value::<i32>(&weak, "INSERT INTO t (c) VALUES ('z') RETURNING d % 16").await,
            4
        );
    }
}

#[tokio::test]
async fn tables_of_a_schema_made_in_one_statement_are_fit() {
    for server in Server::each(FIT) {
        let (admin, _weak) = prepared(&server, 1).await;
        admin
            .batch_execute("CREATE SCHEMA made CREATE TABLE t (a serial)")
            .await
            .unwrap();
        assert_eq!(identity(&admin, "made.t").await, "f");
        assert_eq!(value::<i64>(&admin, "SELECT nextval('made.t_a_seq')").await, 2);
    }
}

#[tokio::test]
async fn our_failure_is_a_warning_and_never_the_applications() {
    for server in Server::each(FIT) {
        let mut admin = server.database("app").await;
        install(&mut admin, &wanted()).await.unwrap();
        admin
            .batch_execute("ALTER TABLE synapse.identities RENAME TO gone")
            .await
            .unwrap();
        admin
            .batch_execute("CREATE TABLE t (v text); INSERT INTO t VALUES ('a')")
            .await
            .unwrap();
        assert_eq!(value::<i64>(&admin, "SELECT count(*) FROM t").await, 1);
        assert_eq!(identity(&admin, "t").await, "d");
        let log = std::fs::read_to_string(server.dir().join("log")).unwrap();
        assert!(log.contains("CREATE TABLE left a table or sequence unfit"), "{log}");
    }
}

#[tokio::test]
async fn apply_sessions_and_ordinary_work_log_nothing() {
    for server in Server::each(FIT) {
        let (admin, weak) = prepared(&server, 0).await;
        admin
            .batch_execute("SET session_replication_role = replica; CREATE TABLE r (v text); UPDATE r SET v = '1'")
            .await
            .unwrap();
        assert_eq!(identity(&admin, "r").await, "f");
        weak.batch_execute("CREATE TABLE t (a serial); ALTER TABLE t ADD PRIMARY KEY (a); DROP TABLE t")
            .await
            .unwrap();
        let log = std::fs::read_to_string(server.dir().join("log")).unwrap();
        assert!(!log.contains("WARNING") && !log.contains("ERROR"), "{log}");
    }
}
