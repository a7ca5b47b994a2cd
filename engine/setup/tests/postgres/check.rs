use synapse_engine_setup::{Finding, Level, RestartNeeded, Wanted, check, install};

use crate::server::{FIT, Server, wanted};

fn find<'a>(findings: &'a [Finding], what: &str) -> &'a Finding {
    let found = findings.iter().find(|finding| finding.what.contains(what));
    found.unwrap_or_else(|| panic!("no finding about {what}: {findings:#?}"))
}

#[tokio::test]
async fn a_fit_server_lacks_nothing() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        for _ in 0..2 {
            let findings = check(&mut client, &wanted()).await.unwrap();
            let unmet: Vec<_> = findings
                .iter()
                .filter(|finding| finding.level == Level::Unmet)
                .collect();
            assert!(unmet.is_empty(), "{unmet:#?}");
            find(&findings, "fsync is off");
            install(&mut client, &wanted()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_wrongly_configured_server_is_told_what_to_set() {
    let settings = [
        "wal_level=replica",
        "max_replication_slots=1",
        "max_wal_senders=0",
        "full_page_writes=off",
    ];
    for server in Server::each(&settings) {
        let mut client = server.database("app").await;
        let findings = check(
            &mut client,
            &Wanted {
                origins: 30,
                ..wanted()
            },
        )
        .await
        .unwrap();
        for (what, fix) in [
            ("wal_level is replica", "ALTER SYSTEM SET wal_level = logical;"),
            (
                "track_commit_timestamp is off",
                "ALTER SYSTEM SET track_commit_timestamp = on;",
            ),
            ("max_wal_senders is 0", "ALTER SYSTEM SET max_wal_senders = 1;"),
            ("replication origins are in use: 30 more", "= 30;"),
        ] {
            let finding = find(&findings, what);
            assert_eq!((finding.level, finding.restart), (Level::Unmet, RestartNeeded::Restart));
            assert!(
                finding.fix.as_deref().is_some_and(|text| text.ends_with(fix)),
                "{finding}"
            );
        }
        assert_eq!(find(&findings, "full_page_writes").restart, RestartNeeded::Reload);
        assert!(findings.is_sorted_by_key(|finding| finding.level));
    }
}

#[tokio::test]
async fn every_fix_for_an_ordinary_role_is_one() {
    for server in Server::each(FIT) {
        let admin = server.database("app").await;
        admin.batch_execute("CREATE ROLE \"Weak one\" LOGIN").await.unwrap();
        let mut client = server.connect_as("app", "Weak one").await;
        let findings = check(&mut client, &wanted()).await.unwrap();
        find(&findings, "may not open replication connections");
        find(&findings, "may not create a schema");
        find(&findings, "may not set session_replication_role");
        let functions = find(&findings, "functions of replication origins");
        assert!(
            functions
                .fix
                .as_deref()
                .unwrap()
                .contains("pg_replication_origin_xact_setup")
        );
        find(
            &findings,
            "a publication FOR ALL TABLES named synapse and an event trigger named synapse",
        );

        for finding in findings.iter().filter(|finding| finding.level == Level::Unmet) {
            admin.batch_execute(finding.fix.as_deref().unwrap()).await.unwrap();
        }
        let findings = check(&mut client, &wanted()).await.unwrap();
        assert!(
            findings.iter().all(|finding| finding.level == Level::Warning),
            "{findings:#?}"
        );
        install(&mut client, &wanted()).await.unwrap();
        client
            .batch_execute("SET session_replication_role = replica")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn limits_of_tables_and_sequences_are_named() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client
            .batch_execute(
                "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
                 CREATE TABLE keyless (v text);
                 CREATE TABLE late (id int PRIMARY KEY, u int UNIQUE DEFERRABLE);
                 CREATE TABLE folded (k text COLLATE ci PRIMARY KEY);
                 CREATE UNLOGGED TABLE scratch (v text);
                 CREATE TABLE small (id smallserial PRIMARY KEY);
                 CREATE SEQUENCE tiny MAXVALUE 2 CYCLE;
                 CREATE FOREIGN DATA WRAPPER fdw; CREATE SERVER far FOREIGN DATA WRAPPER fdw;
                 CREATE TABLE parts (a int) PARTITION BY LIST (a);
                 CREATE FOREIGN TABLE far_part PARTITION OF parts FOR VALUES IN (1) SERVER far",
            )
            .await
            .unwrap();
        for _ in 0..2 {
            let share = crate::server::wanted_as("n1", 3);
            let findings = check(&mut client, &share).await.unwrap();
            assert!(
                find(&findings, "tables without a key")
                    .what
                    .ends_with(": \"public\".\"keyless\"")
            );
            assert!(find(&findings, "deferrable").what.ends_with(": \"public\".\"late\""));
            assert!(
                find(&findings, "nondeterministic")
                    .what
                    .ends_with(": \"public\".\"folded\"")
            );
            assert!(find(&findings, "unlogged").what.ends_with(": \"public\".\"scratch\""));
            assert!(
                find(&findings, "foreign partitions")
                    .what
                    .ends_with(": \"public\".\"far_part\"")
            );
            assert!(
                find(&findings, "few values left")
                    .what
                    .contains("\"small_id_seq\" (2048 left)")
            );
            assert!(find(&findings, "cannot be made disjoint").what.contains("\"tiny\""));
            install(&mut client, &share).await.unwrap();
        }
    }
}
