use std::time::Duration;

use synapse_wal_client::{Class, Error, LogicalSlot, LogicalStart, PhysicalSlot, SlotLife, SlotSnapshot, WhileActive};
use synapse_wal_types::{Lsn, SlotName};

use crate::fixture::{Server, logical, value};

const PERMANENT: LogicalSlot = LogicalSlot {
    life: SlotLife::Permanent,
    snapshot: SlotSnapshot::None,
};

fn name(text: &str) -> SlotName {
    text.parse().unwrap()
}

#[tokio::test]
async fn a_session_knows_its_server_and_keeps_its_settings() {
    let server = Server::start("DateStyle = 'SQL, DMY'\nIntervalStyle = iso_8601", "");
    let mut session = server.sql().await;
    let identity = session.identify_system().await.unwrap();
    assert_eq!(
        (identity.timeline.0, identity.database.as_deref()),
        (1, Some("postgres"))
    );
    let system = value(&mut session, "SELECT system_identifier FROM pg_control_system()").await;
    assert_eq!(system, Some(identity.system.to_string()));
    assert!(identity.flushed > Lsn::ZERO);
    let reported = session
        .show("server_version_num")
        .await
        .unwrap()
        .parse::<u32>()
        .unwrap();
    let version = session.server_version();
    assert_eq!(reported, u32::from(version.major) * 10_000 + u32::from(version.minor));
    assert_eq!(session.show("IntervalStyle").await.unwrap(), "postgres");
    assert_eq!(session.show("search_path").await.unwrap(), "pg_catalog");
    let formats = "SELECT '2024-02-03'::date::text || ' ' || '1 day'::interval::text";
    assert_eq!(value(&mut session, formats).await.as_deref(), Some("2024-02-03 1 day"));
    let pid = value(&mut session, "SELECT pg_backend_pid()").await;
    assert_eq!(pid, Some(session.backend_pid().to_string()));
}

#[tokio::test]
async fn an_error_leaves_the_session_usable_and_a_dropped_command_does_not() {
    let server = Server::start("", "");
    let mut session = server.sql().await;
    let error = session.query("SELECT 1/0").await.unwrap_err();
    assert_eq!(error.server().unwrap().code, "22012");
    assert_eq!(value(&mut session, "SELECT 1").await.as_deref(), Some("1"));
    let cut = tokio::time::timeout(Duration::from_millis(100), session.query("SELECT pg_sleep(30)")).await;
    assert!(cut.is_err());
    let error = session.query("SELECT 2").await.unwrap_err();
    assert!(matches!(error, Error::Interrupted), "{error}");
    assert_eq!(error.class(), Class::Bug);
}

#[tokio::test]
async fn slot_errors_are_told_apart() {
    let server = Server::start("", "");
    let mut session = server.sql().await;
    let slot = name("1st");
    let missing = session.drop_slot(&slot, WhileActive::Fail).await.unwrap_err();
    assert!(matches!(missing, Error::SlotMissing(_)), "{missing}");
    assert_eq!(missing.class(), Class::Definite);
    let start = || LogicalStart {
        publications: vec!["p".to_owned()],
        ..LogicalStart::default()
    };
    let missing = server
        .sql()
        .await
        .start_logical(&slot, Lsn::ZERO, start())
        .await
        .unwrap_err();
    assert!(matches!(missing, Error::SlotMissing(_)), "{missing}");

    let created = session.create_logical_slot(&slot, PERMANENT).await.unwrap();
    assert!(created.consistent_point > Lsn::ZERO);
    assert_eq!(created.snapshot, None);
    let exists = session.create_logical_slot(&slot, PERMANENT).await.unwrap_err();
    assert!(matches!(exists, Error::SlotExists(_)), "{exists}");

    let stream = server
        .sql()
        .await
        .start_logical(&slot, Lsn::ZERO, start())
        .await
        .unwrap();
    let second = server
        .sql()
        .await
        .start_logical(&slot, Lsn::ZERO, start())
        .await
        .unwrap_err();
    assert!(matches!(second, Error::SlotActive(_)), "{second}");
    assert_eq!(second.class(), Class::Transient);
    let active = session.drop_slot(&slot, WhileActive::Fail).await.unwrap_err();
    assert!(matches!(active, Error::SlotActive(_)), "{active}");
    let (dropped, finished) = tokio::join!(session.drop_slot(&slot, WhileActive::Wait), async {
        stream.finish().await.unwrap().0.close().await
    });
    dropped.unwrap();
    finished.unwrap();
}

#[tokio::test]
async fn an_exported_snapshot_shows_what_was_there_and_nothing_later() {
    let server = Server::start("", "");
    let mut writer = server.sql().await;
    writer.query("CREATE TABLE public.t AS SELECT 1 AS a").await.unwrap();
    let mut exporter = server.sql().await;
    let export = LogicalSlot {
        life: SlotLife::Temporary,
        snapshot: SlotSnapshot::Export,
    };
    let created = exporter.create_logical_slot(&name("s"), export).await.unwrap();
    writer.query("INSERT INTO public.t VALUES (2)").await.unwrap();
    let snapshot = created.snapshot.unwrap();
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ";
    let sql = format!("{begin}; SET TRANSACTION SNAPSHOT '{snapshot}'; SELECT count(*) FROM public.t");
    assert_eq!(value(&mut server.sql().await, &sql).await.as_deref(), Some("1"));

    let mut user = server.sql().await;
    user.query(&format!("{begin} READ ONLY")).await.unwrap();
    let own = LogicalSlot {
        life: SlotLife::Temporary,
        snapshot: SlotSnapshot::Use,
    };
    user.create_logical_slot(&name("u"), own).await.unwrap();
    writer.query("INSERT INTO public.t VALUES (3)").await.unwrap();
    assert_eq!(
        value(&mut user, "SELECT count(*) FROM public.t").await.as_deref(),
        Some("2")
    );
}

#[tokio::test]
async fn a_physical_slots_state_is_read() {
    let server = Server::start("", "");
    let mut session = logical(&server.local()).await.unwrap();
    for (slot, reserve_wal) in [("kept", true), ("idle", false)] {
        let options = PhysicalSlot {
            life: SlotLife::Temporary,
            reserve_wal,
        };
        session.create_physical_slot(&name(slot), options).await.unwrap();
        let state = session.read_physical_slot(&name(slot)).await.unwrap().unwrap();
        assert_eq!(state.restart.is_some(), reserve_wal);
        assert_eq!(state.timeline.is_some(), reserve_wal);
    }
    assert_eq!(session.read_physical_slot(&name("absent")).await.unwrap(), None);
}
