use super::peers::PeerState;
use super::*;
use crate::conflicts::Class;

fn class(table: &str, kind: &'static str) -> Class {
    Class {
        table: table.to_owned(),
        kind,
        policy: "last-write-wins".to_owned(),
    }
}

pub(super) fn peer() -> PeerStatus {
    PeerStatus {
        node: "n2".to_owned(),
        state: PeerState::Connected,
        applied_lsn: "0/8".to_owned(),
        lag_bytes: 0,
        lag_seconds: 0.0,
        clock_skew_seconds: None,
        held_seconds: None,
        waits_for: None,
        holding: false,
        error: None,
    }
}

fn sample() -> Status {
    Status {
        node: "n1".parse().unwrap(),
        cluster: "c".to_owned(),
        state: State::Streaming,
        version: "0.1.0",
        pg_version: "15.18".to_owned(),
        captured_lsn: "0/20".to_owned(),
        slot: Slot {
            name: "s".to_owned(),
            confirmed_lsn: "0/10".to_owned(),
            retained_bytes: 5,
            wal_status: None,
        },
        memory_bytes: 1,
        journal_bytes: 2,
        journal_limit_bytes: 3,
        conflicts: Conflicts {
            per_second: 0.5,
            ..conflicts(
                &Counts::from([
                    (class("public.a", "insert_exists"), 2),
                    (class("public.b", "insert_exists"), 3),
                    (class("public.b", "update_missing"), 1),
                ]),
                &Counts::from([(class("public.a", "insert_exists"), 1)]),
            )
        },
        orphans: Orphans::default(),
        rows: Rows {
            guarded: 1,
            exact: 2,
            skipped: 3,
            rechecked: 4,
        },
        displaced: 5,
        join: None,
        problems: Vec::new(),
        warnings: Vec::new(),
        peers: vec![peer()],
    }
}

#[test]
fn the_status_has_the_fields_that_scripts_rely_on() {
    let shown = serde_json::to_value(sample()).unwrap();
    assert_eq!(shown["node"], "n1");
    assert_eq!(shown["cluster"], "c");
    assert_eq!(shown["state"], "streaming");
    assert_eq!(shown["pg_version"], "15.18");
    assert_eq!(
        shown["slot"],
        serde_json::json!({"name": "s", "confirmed_lsn": "0/10", "retained_bytes": 5, "wal_status": null})
    );
    assert_eq!(shown["memory_bytes"], 1);
    assert_eq!(shown["journal_bytes"], 2);
    assert_eq!(shown["displaced"], 5);
    let expected = serde_json::json!({"total": 6, "by_kind": {"insert_exists": 5, "update_missing": 1}, "per_second": 0.5, "left_out": 1});
    assert_eq!(shown["conflicts"], expected);
    let peer = &shown["peers"][0];
    assert_eq!((&peer["node"], &peer["state"]), (&"n2".into(), &"connected".into()));
    assert_eq!((&peer["applied_lsn"], &peer["lag_bytes"]), (&"0/8".into(), &0.into()));
    assert_eq!(
        (&peer["lag_seconds"], &peer["error"]),
        (&0.0.into(), &serde_json::Value::Null)
    );
}

#[test]
fn only_a_streaming_node_is_degraded_or_one_that_cannot_start() {
    let problems = ["a link is stopped".to_owned()];
    let damaged = ["the journal is damaged".to_owned()];
    assert_eq!(state(&Phase::Streaming, &[], &[]), State::Streaming);
    assert_eq!(state(&Phase::Streaming, &problems, &[]), State::Degraded);
    assert_eq!(state(&Phase::Starting, &problems, &[]), State::Starting);
    assert_eq!(state(&Phase::Starting, &damaged, &damaged), State::Degraded);
    assert_eq!(state(&Phase::Copying, &problems, &[]), State::Copying);
    assert_eq!(state(&Phase::Stopped("why".to_owned()), &problems, &[]), State::Stopped);
}
