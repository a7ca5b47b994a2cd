use std::collections::BTreeMap;
use std::time::Instant;

use synapse_engine_identity::{Context, Incarnation, Origin, TxnId};
use synapse_wal_types::Lsn;

use super::*;

fn held() -> Option<(Beat, Instant)> {
    let beat = Beat {
        stamper: None,
        durable: Context::new(),
        available: Context::new(),
        from: Vec::new(),
        held: true,
        ordinal: 1,
    };
    Some((beat, Instant::now()))
}

fn stop() -> Stop {
    let origin = Origin {
        node: "n2".parse().unwrap(),
        incarnation: Incarnation(7),
    };
    Stop {
        txn: TxnId { origin, lsn: Lsn(0x10) },
        class: StopClass::Definite,
        message: "relation does not exist".to_owned(),
        table: Some("public.t".to_owned()),
        key: serde_json::json!({"id": 1}),
        until_catalog_changes: true,
    }
}

#[test]
fn a_stopped_link_shows_what_stopped_it_whatever_else_is_wrong() {
    let peer = Peer {
        stop: Some(stop()),
        trouble: Some("refused".to_owned()),
        beat: held(),
        ..Peer::default()
    };
    assert_eq!(state(&peer), PeerState::Stopped);
    let shown = serde_json::to_value(error(&peer)).unwrap();
    let expected = serde_json::json!({
        "class": "definite", "message": "relation does not exist", "txn": "n2:7@0/10", "table": "public.t", "key": {"id": 1}
    });
    assert_eq!(shown, expected);
}

#[test]
fn a_peer_without_a_link_is_being_connected_and_shows_the_last_trouble() {
    let peer = Peer {
        trouble: Some("connection refused".to_owned()),
        beat: held(),
        ..Peer::default()
    };
    assert_eq!(state(&peer), PeerState::Connecting);
    assert_eq!(
        error(&peer).map(|e| (e.class, e.message)),
        Some((StopClass::Transient, "connection refused".to_owned()))
    );
}

#[test]
fn an_address_that_nobody_answered_at_is_listed_until_as_many_peers_are_known() {
    let join = ["a:1".to_owned(), "b:2".to_owned()];
    let mut peers = BTreeMap::new();
    assert_eq!(silent(&join, &peers), ["a:1", "b:2"]);
    peers.insert(
        "n2".parse().unwrap(),
        Peer {
            address: Some("a:1".to_owned()),
            ..Peer::default()
        },
    );
    assert_eq!(silent(&join, &peers), ["b:2"]);
    peers.insert("n3".parse().unwrap(), Peer::default());
    assert!(silent(&join, &peers).is_empty());
}

#[test]
fn skew_has_a_sign() {
    assert!((seconds(-1_500_000) + 1.5).abs() < 1e-9);
    assert!((seconds(250_000) - 0.25).abs() < 1e-9);
}
