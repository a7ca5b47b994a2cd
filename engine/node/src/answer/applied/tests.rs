use std::time::Instant;

use synapse_engine_identity::{Context, Incarnation, Origin, TxnId};
use synapse_wal_types::Lsn;

use super::standing;
use crate::frames::Beat;
use crate::peer::{Peer, Stop, StopClass};

fn beat(held: bool) -> Option<(Beat, Instant)> {
    let beat = Beat {
        stamper: None,
        durable: Context::new(),
        available: Context::new(),
        from: Vec::new(),
        held,
        ordinal: 1,
    };
    Some((beat, Instant::now()))
}

fn stop() -> Stop {
    let origin = Origin {
        node: "n1".parse().unwrap(),
        incarnation: Incarnation(7),
    };
    Stop {
        txn: TxnId { origin, lsn: Lsn(0x10) },
        class: StopClass::Definite,
        message: "no such table".to_owned(),
        table: None,
        key: serde_json::Value::Null,
        until_catalog_changes: false,
    }
}

#[test]
fn a_link_that_flows_or_is_only_slow_does_not_stand() {
    let (here, from) = ("n2".parse().unwrap(), "n1".parse().unwrap());
    assert_eq!(standing(here, from, &Peer::default()), None);
    assert_eq!(
        standing(
            here,
            from,
            &Peer {
                beat: beat(false),
                trouble: Some("gone".to_owned()),
                ..Peer::default()
            }
        ),
        None
    );
}

#[test]
fn a_held_link_and_a_stopped_one_say_who_waits_for_whom() {
    let (here, from) = ("n2".parse().unwrap(), "n1".parse().unwrap());
    let held = Peer {
        beat: beat(true),
        ..Peer::default()
    };
    assert_eq!(
        standing(here, from, &held).as_deref(),
        Some("what n1 sends to n2 is held")
    );
    let stopped = Peer {
        beat: beat(true),
        stop: Some(stop()),
        ..Peer::default()
    };
    assert_eq!(
        standing(here, from, &stopped).as_deref(),
        Some("n2 cannot apply n1:7@0/10 of n1: no such table")
    );
}
