use synapse_engine_identity::Incarnation;
use synapse_engine_setup::{Class, Error, Outcome, align_sequences, identity_check, install, recorded_node};
use synapse_wal_types::TimelineId;

use crate::server::{FIT, Server, identity, position, value, wanted};

/// Tables and sequences of many kinds, some with awkward names.
pub(crate) const RICH: &str = "
    CREATE SCHEMA \"Äpp.x\";
    CREATE TABLE keyed (id serial PRIMARY KEY, v text);
    CREATE TABLE keyless (v text);
    CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
    CREATE TABLE by_index (a int NOT NULL, b int); CREATE UNIQUE INDEX by_index_a ON by_index (a);
    ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_a;
    CREATE TABLE own_full (v text); ALTER TABLE own_full REPLICA IDENTITY FULL;
    CREATE TABLE late (id int PRIMARY KEY DEFERRABLE);
    CREATE UNLOGGED TABLE unlogged (v text);
    CREATE TABLE \"Äpp.x\".\"Täble \"\"q\" (\"Id\" bigint GENERATED ALWAYS AS IDENTITY, v text);
    CREATE TABLE parts (id int, k int) PARTITION BY RANGE (k);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
    CREATE SEQUENCE \"UPPER\" INCREMENT BY 5 START WITH 100;
    CREATE SEQUENCE down INCREMENT BY -1 MINVALUE -1000000000;
    CREATE SEQUENCE ring AS smallint MINVALUE 1 MAXVALUE 100 CYCLE;
    CREATE SEQUENCE tiny MAXVALUE 3 CYCLE;
    INSERT INTO keyed (v) SELECT 'x' FROM generate_series(1, 20);
";

#[tokio::test]
async fn a_second_install_changes_nothing() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client.batch_execute(RICH).await.unwrap();
        let first = install(&mut client, &wanted()).await.unwrap();
        assert!(first.publication_created);
        let (dump, at) = (server.dump("app").await, position(&client, "keyed_id_seq").await);
        assert!(dump.contains("CREATE PUBLICATION synapse FOR ALL TABLES"), "{dump}");

        let second = install(&mut client, &wanted()).await.unwrap();
        assert!(!second.publication_created);
        let left: Vec<_> = second
            .changes
            .iter()
            .map(|change| (change.object.as_str(), change.outcome))
            .collect();
        assert_eq!(left, [], "a sequence that this node can share was changed again");
        assert_eq!(server.dump("app").await, dump);
        assert_eq!(position(&client, "keyed_id_seq").await, at);
    }
}

#[tokio::test]
async fn existing_tables_get_an_identity_that_lets_updates_through() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client.batch_execute(RICH).await.unwrap();
        let installed = install(&mut client, &wanted()).await.unwrap();
        for (table, letter) in [
            ("keyed", "d"),
            ("keyless", "f"),
            ("nothing", "d"),
            ("by_index", "i"),
            ("own_full", "f"),
            ("late", "f"),
            ("unlogged", "d"),
            ("\"Äpp.x\".\"Täble \"\"q\"", "f"),
            ("parts_1", "f"),
        ] {
            assert_eq!(identity(&client, table).await, letter, "{table}");
        }
        assert!(
            installed
                .changes
                .iter()
                .any(|change| change.object == "keyless" || change.object == "public.keyless")
        );
        client
            .batch_execute(
                "INSERT INTO keyless VALUES ('a'); UPDATE keyless SET v = 'b'; DELETE FROM keyless; \
                 INSERT INTO nothing VALUES (1); UPDATE nothing SET id = 2; \
                 INSERT INTO late VALUES (1); UPDATE late SET id = 2; \
                 INSERT INTO parts VALUES (1, 1); UPDATE parts SET k = 2; DELETE FROM parts",
            )
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_locked_table_is_waited_for_without_holding_up_others() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client
            .batch_execute("CREATE TABLE busy (v text); CREATE SEQUENCE s")
            .await
            .unwrap();
        let reader = server.connect("app").await;
        reader
            .batch_execute("BEGIN; SELECT * FROM busy; SELECT nextval('s')")
            .await
            .unwrap();
        let wanted = wanted();
        let installing = tokio::spawn(async move { (install(&mut client, &wanted).await, client) });
        // The schema is there before the first sweep, and the reader is in its way until it commits.
        let other = server.connect("app").await;
        while !value::<bool>(&other, "SELECT to_regclass('synapse.node') IS NOT NULL").await {
            assert!(!installing.is_finished());
            tokio::task::yield_now().await;
        }
        other.batch_execute("SELECT count(*) FROM busy").await.unwrap();
        reader.batch_execute("COMMIT").await.unwrap();
        let (installed, client) = installing.await.unwrap();
        assert_eq!(installed.unwrap().changes.len(), 2);
        assert_eq!(identity(&client, "busy").await, "f");
    }
}

#[tokio::test]
async fn what_is_not_ours_is_refused() {
    for server in Server::each(FIT) {
        let mut client = server.database("taken").await;
        client
            .batch_execute("CREATE SCHEMA synapse; CREATE TABLE synapse.rooms (id int)")
            .await
            .unwrap();
        let error = install(&mut client, &wanted()).await.unwrap_err();
        assert!(matches!(error, Error::SchemaTaken), "{error}");

        let mut client = server.database("other").await;
        install(&mut client, &wanted()).await.unwrap();
        let mut other = wanted();
        other.node = "n2".parse().unwrap();
        let error = install(&mut client, &other).await.unwrap_err();
        assert!(
            matches!(&error, Error::OtherNode { node, .. } if node == "n1"),
            "{error}"
        );
        assert_eq!(error.class(), Class::Definite);
    }
}

#[tokio::test]
async fn a_role_without_rights_is_told_what_to_run_and_can_go_on_then() {
    for server in Server::each(FIT) {
        let admin = server.database("app").await;
        admin
            .batch_execute("CREATE ROLE \"Weak one\" LOGIN REPLICATION; CREATE TABLE keyless (v text)")
            .await
            .unwrap();
        let mut client = server.connect_as("app", "Weak one").await;
        let Err(Error::NeedsSuperuser { script, missing, .. }) = install(&mut client, &wanted()).await else {
            panic!("an ordinary role installed");
        };
        assert_eq!(
            missing,
            "schema synapse, event trigger synapse, publication synapse are"
        );
        admin.batch_execute(&script).await.unwrap();
        install(&mut client, &wanted()).await.unwrap();
        assert_eq!(identity(&admin, "keyless").await, "f");
        client
            .batch_execute(
                "INSERT INTO synapse.skipped VALUES ('n2:1', '0/1', 'r', '[]'); \
                 INSERT INTO synapse.conflict_log (table_name, key, kind, policy, local_stamp, remote_stamp, verdict) \
                 VALUES ('public.t', '{}', 'k', 'p', '{}', '{}', 'local'); DELETE FROM synapse.conflict_log; \
                 INSERT INTO synapse.answer (request) VALUES ('r'); SELECT synapse.request_waits('{}')",
            )
            .await
            .unwrap();
        // As earlier versions left it.
        for (kind, name) in [
            ("TABLE", "synapse.conflict_log"),
            ("TABLE", "synapse.displaced"),
            ("TABLE", "synapse.rivals"),
            ("FUNCTION", "synapse.set_conflict_policy"),
        ] {
            admin.batch_execute(&format!("DROP {kind} {name}")).await.unwrap();
            let error = install(&mut client, &wanted()).await.unwrap_err();
            assert!(
                matches!(&error, Error::NeedsSuperuser { missing, .. } if missing.contains(name)),
                "{error}"
            );
            admin.batch_execute(&script).await.unwrap();
            install(&mut client, &wanted()).await.unwrap();
        }
        client
            .batch_execute(
                "INSERT INTO synapse.displaced (table_schema, table_name, row_id, key, image, origin, hlc, rivals) \
                 VALUES ('public', 't', '\\x00', '{}', '{}', 'n2:1', 1, '[]'); \
                 INSERT INTO synapse.rivals VALUES ('public', 't', '\\x00', '\\x01', '[]', '[]', 'n1:1', 2); \
                 DELETE FROM synapse.rivals",
            )
            .await
            .unwrap();
        // Capture is to see which rows somebody deletes from it.
        let published = "SELECT count(*) FROM pg_publication_tables p JOIN pg_class c \
             ON c.oid = format('%I.%I', p.schemaname, p.tablename)::regclass \
             WHERE p.pubname = 'synapse' AND p.schemaname = 'synapse' AND p.tablename = 'displaced' \
             AND c.relreplident = 'f'";
        assert_eq!(value::<i64>(&admin, published).await, 1);
    }
}

#[tokio::test]
async fn a_new_incarnation_records_the_server_anew_and_the_same_one_does_not() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        install(&mut client, &wanted()).await.unwrap();
        let (origin, recorded) = recorded_node(&client).await.unwrap().unwrap();
        assert_eq!(origin.to_string(), "n1:7");
        assert_eq!(
            identity_check(&client, &recorded).await.unwrap().timeline,
            TimelineId(1)
        );

        client
            .batch_execute("UPDATE synapse.node SET system_id = 1")
            .await
            .unwrap();
        install(&mut client, &wanted()).await.unwrap();
        let (_, stale) = recorded_node(&client).await.unwrap().unwrap();
        assert_eq!(stale.system.0, 1);
        let mut next = wanted();
        next.incarnation = Incarnation(8);
        install(&mut client, &next).await.unwrap();
        let (origin, again) = recorded_node(&client).await.unwrap().unwrap();
        assert_eq!((origin.incarnation, again), (Incarnation(8), recorded));
    }
}

#[tokio::test]
async fn a_sequence_that_was_set_elsewhere_is_brought_back() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client.batch_execute("CREATE SEQUENCE s").await.unwrap();
        install(&mut client, &wanted()).await.unwrap();
        client.batch_execute("SELECT setval('s', 1000)").await.unwrap();
        let changes = align_sequences(&mut client).await.unwrap();
        assert_eq!(
            changes.iter().map(|change| change.outcome).collect::<Vec<_>>(),
            [Outcome::Disjoint]
        );
        assert_eq!(value::<i64>(&client, "SELECT nextval('s')").await, 1009);
        assert_eq!(align_sequences(&mut client).await.unwrap(), []);
    }
}
