use synapse_engine_identity::{Incarnation, Origin};
use synapse_engine_setup::{
    Class, Error, Recorded, Refusal, drop_origin, ensure_origin, identity_check, install, origins, recorded_node,
};
use synapse_wal_types::{SystemId, TimelineId};

use crate::server::{FIT, Server, value, wanted};

fn peer() -> Origin {
    Origin {
        node: "n2".parse().unwrap(),
        incarnation: Incarnation(1_795_000_000),
    }
}

#[tokio::test]
async fn origins_are_created_once_listed_and_dropped() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        install(&mut client, &wanted()).await.unwrap();
        client
            .batch_execute("SELECT pg_replication_origin_create('synapse_other_1')")
            .await
            .unwrap();
        let oid = ensure_origin(&mut client, &peer()).await.unwrap();
        assert_eq!(ensure_origin(&mut client, &peer()).await.unwrap(), oid);
        assert_eq!(
            origins(&client).await.unwrap(),
            [("synapse_n2_1795000000".to_owned(), oid)]
        );
        assert!(drop_origin(&mut client, "synapse_n2_1795000000").await.unwrap());
        assert!(!drop_origin(&mut client, "synapse_n2_1795000000").await.unwrap());
        assert_eq!(
            value::<i64>(&client, "SELECT count(*) FROM pg_replication_origin").await,
            1
        );
    }
}

#[tokio::test]
async fn an_origin_in_use_is_a_typed_error() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        install(&mut client, &wanted()).await.unwrap();
        ensure_origin(&mut client, &peer()).await.unwrap();
        let holder = server.connect("app").await;
        holder
            .batch_execute("SELECT pg_replication_origin_session_setup('synapse_n2_1795000000')")
            .await
            .unwrap();
        let error = drop_origin(&mut client, "synapse_n2_1795000000").await.unwrap_err();
        assert!(matches!(error, Error::OriginActive { .. }), "{error}");
        assert_eq!(error.class(), Class::Transient);
    }
}

#[tokio::test]
async fn a_server_that_is_not_the_recorded_one_is_refused() {
    for server in Server::each(FIT) {
        let mut client = server.database("app").await;
        assert_eq!(recorded_node(&client).await.unwrap(), None);
        install(&mut client, &wanted()).await.unwrap();
        let (_, good) = recorded_node(&client).await.unwrap().unwrap();
        identity_check(&client, &good).await.unwrap();
        let slot = "synapse_n1".parse().unwrap();
        for (recorded, wrong) in [
            (
                Recorded {
                    system: SystemId(1),
                    ..good.clone()
                },
                "system identifier",
            ),
            (
                Recorded {
                    timeline: TimelineId(9),
                    ..good.clone()
                },
                "timeline 1, not 9",
            ),
            (
                Recorded {
                    slot: Some(slot),
                    ..good.clone()
                },
                "does not exist",
            ),
        ] {
            let error = identity_check(&client, &recorded).await.unwrap_err();
            assert!(error.to_string().contains(wrong), "{error}");
            assert!(error.to_string().contains("synapsectl node join"), "{error}");
            assert!(matches!(error, Error::Refused(_)));
        }
    }
}

#[tokio::test]
async fn a_slot_that_lost_its_wal_is_refused() {
    for server in Server::each(
        &[
            FIT,
            &["max_slot_wal_keep_size=1MB", "max_wal_size=32MB", "min_wal_size=32MB"],
        ]
        .concat(),
    ) {
        let mut client = server.database("app").await;
        install(&mut client, &wanted()).await.unwrap();
        client
            .batch_execute("SELECT pg_create_logical_replication_slot('synapse_n1', 'pgoutput')")
            .await
            .unwrap();
        let (_, recorded) = recorded_node(&client).await.unwrap().unwrap();
        let recorded = Recorded {
            slot: Some("synapse_n1".parse().unwrap()),
            ..recorded
        };
        identity_check(&client, &recorded).await.unwrap();
        for _ in 0..4 {
            client
                .batch_execute("SELECT pg_switch_wal(); CREATE TABLE x (); DROP TABLE x")
                .await
                .unwrap();
        }
        client.batch_execute("CHECKPOINT").await.unwrap();
        let error = identity_check(&client, &recorded).await.unwrap_err();
        assert!(matches!(error, Error::Refused(Refusal::SlotLost { .. })), "{error}");
    }
}
