use synapse_engine_setup::{
    Class, Detach, Detached, Discard, Error, detach, drop_slot, ensure_origin, install, slot_state,
};

use crate::install::RICH;
use crate::server::{FIT, Server, position, value, wanted};

const PLAIN: Detach = Detach {
    slot: None,
    discard: Discard {
        skipped: false,
        displaced: false,
    },
};

#[tokio::test]
async fn the_schema_is_what_it_was() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client.batch_execute(RICH).await.unwrap();
        let before = server.dump("app").await;
        install(&mut client, &wanted()).await.unwrap();
        ensure_origin(
            &mut client,
            &"n2:5@0/1".parse::<synapse_engine_identity::TxnId>().unwrap().origin,
        )
        .await
        .unwrap();
        assert_ne!(server.dump("app").await, before);

        let detached = detach(&mut client, &PLAIN).await.unwrap();
        assert_eq!(detached.origins, ["synapse_n2_5"]);
        assert_eq!(server.dump("app").await, before);
        assert_eq!(
            value::<i64>(&client, "SELECT count(*) FROM pg_replication_origin").await,
            0
        );
        assert_eq!(position(&client, "ring").await, (1, false));
        assert_eq!(
            value::<i32>(&client, "INSERT INTO keyed (v) VALUES ('y') RETURNING id").await,
            33
        );
        assert_eq!(detach(&mut client, &PLAIN).await.unwrap(), Detached::default());
    }
}

#[tokio::test]
async fn a_detach_that_was_cut_off_is_finished_by_the_next() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client.batch_execute(RICH).await.unwrap();
        let before = server.dump("app").await;
        install(&mut client, &wanted()).await.unwrap();
        client
            .batch_execute("DROP PUBLICATION synapse; DROP EVENT TRIGGER synapse; SELECT synapse.release_sequence('keyed_id_seq'::regclass)")
            .await
            .unwrap();
        detach(&mut client, &PLAIN).await.unwrap();
        assert_eq!(server.dump("app").await, before);
    }
}

#[tokio::test]
async fn a_sequence_goes_on_beyond_what_other_nodes_drew() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        client
            .batch_execute("CREATE TABLE t (id serial PRIMARY KEY)")
            .await
            .unwrap();
        install(&mut client, &wanted()).await.unwrap();
        client
            .batch_execute("INSERT INTO t DEFAULT VALUES; INSERT INTO t VALUES (402)")
            .await
            .unwrap();
        detach(&mut client, &PLAIN).await.unwrap();
        assert_eq!(
            value::<i32>(&client, "INSERT INTO t DEFAULT VALUES RETURNING id").await,
            403
        );
    }
}

#[tokio::test]
async fn skipped_transactions_and_displaced_rows_are_lost_only_when_asked() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        install(&mut client, &wanted()).await.unwrap();
        client
            .batch_execute(
                "INSERT INTO synapse.skipped VALUES ('n2:1', '0/1', 'why', '[]'); \
                 INSERT INTO synapse.displaced VALUES ('public', 't', '\\x00', '{}', '{}', 'n2:1', 1, '[]')",
            )
            .await
            .unwrap();
        let asked = |skipped, displaced| Detach {
            slot: None,
            discard: Discard { skipped, displaced },
        };
        for displaced in [false, true] {
            let error = detach(&mut client, &asked(false, displaced)).await.unwrap_err();
            assert!(matches!(error, Error::SkippedRows { rows: 1 }), "{error}");
        }
        let error = detach(&mut client, &asked(true, false)).await.unwrap_err();
        assert!(matches!(error, Error::DisplacedRows { rows: 1 }), "{error}");
        assert_eq!(value::<i64>(&client, "SELECT count(*) FROM pg_publication").await, 1);
        detach(&mut client, &asked(true, true)).await.unwrap();
        assert_eq!(value::<i64>(&client, "SELECT count(*) FROM pg_publication").await, 0);
    }
}

#[tokio::test]
async fn a_schema_of_an_earlier_version_is_taken_away_too() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        install(&mut client, &wanted()).await.unwrap();
        let earlier = "DROP TABLE synapse.displaced, synapse.rivals, synapse.conflict_log";
        client.batch_execute(earlier).await.unwrap();
        detach(&mut client, &PLAIN).await.unwrap();
        assert!(value::<bool>(&client, "SELECT to_regnamespace('synapse') IS NULL").await);
    }
}

#[tokio::test]
async fn slots_are_seen_and_dropped() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        let slot = "synapse_n1".parse().unwrap();
        assert_eq!(slot_state(&client, &slot).await.unwrap(), None);
        assert!(!drop_slot(&client, &slot).await.unwrap());
        client
            .batch_execute("SELECT pg_create_logical_replication_slot('synapse_n1', 'pgoutput')")
            .await
            .unwrap();
        install(&mut client, &wanted()).await.unwrap();
        let state = slot_state(&client, &slot).await.unwrap().unwrap();
        assert_eq!(
            (state.plugin.as_deref(), state.database.as_deref()),
            (Some("pgoutput"), Some("app"))
        );
        assert!(state.confirmed_flush >= state.restart_lsn && state.retained_bytes.is_some());
        let request = Detach {
            slot: Some(slot.clone()),
            discard: Discard::default(),
        };
        assert!(detach(&mut client, &request).await.unwrap().slot_dropped);
        assert_eq!(slot_state(&client, &slot).await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_active_slot_is_a_typed_error_and_nothing_is_undone() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        install(&mut client, &wanted()).await.unwrap();
        // A temporary slot is held by the session that made it.
        let holder = server.connect("app").await;
        holder
            .batch_execute("SELECT pg_create_logical_replication_slot('held', 'pgoutput', true)")
            .await
            .unwrap();
        let request = Detach {
            slot: Some("held".parse().unwrap()),
            discard: Discard::default(),
        };
        let error = detach(&mut client, &request).await.unwrap_err();
        assert!(
            matches!(&error, Error::SlotActive { slot, pid } if slot == "held" && *pid > 0),
            "{error}"
        );
        assert_eq!(error.class(), Class::Transient);
        assert_eq!(value::<i64>(&client, "SELECT count(*) FROM pg_publication").await, 1);
    }
}
