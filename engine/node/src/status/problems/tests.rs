use std::time::Instant;

use synapse_engine_identity::Context;

use super::*;
use crate::frames::Beat;

#[test]
fn a_node_is_ready_only_when_it_streams_with_every_configured_peer() {
    assert!(reasons(&Phase::Streaming, 2, 2).is_empty());
    assert!(reasons(&Phase::Streaming, 0, 0).is_empty());
    assert_eq!(reasons(&Phase::Streaming, 1, 2), ["1 of 2 configured peers are linked"]);
    assert_eq!(reasons(&Phase::Starting, 0, 2).len(), 2);
    assert_eq!(reasons(&Phase::Copying, 2, 2), ["copying tables from a peer"]);
    assert_eq!(
        reasons(&Phase::Stopped("no slot".to_owned()), 2, 2),
        ["stopped: no slot"]
    );
}

#[test]
fn a_full_journal_is_spoken_of_long_before() {
    let skew = Duration::from_secs(5);
    assert!(warnings(79, 100, &[], skew).is_empty());
    assert_eq!(
        warnings(85, 100, &[], skew),
        ["the journal has reached 85 % of its limit"]
    );
}

#[test]
fn two_nodes_with_one_part_of_sequences_are_a_problem() {
    let beat = Beat {
        stamper: None,
        durable: Context::new(),
        available: Context::new(),
        from: Vec::new(),
        held: false,
        ordinal: 1,
    };
    let peer = Peer {
        beat: Some((beat, Instant::now())),
        ..Peer::default()
    };
    assert!(of_peer("n2", &peer, 0).is_empty());
    assert!(of_peer("n2", &peer, 1)[0].contains("the same part of every sequence"));
}

#[test]
fn a_link_that_is_held_by_a_clock_is_a_problem() {
    let mut peer = super::super::tests::peer();
    assert_eq!(of_clock(&peer), None);
    peer.held_seconds = Some(12.34);
    assert_eq!(
        of_clock(&peer).as_deref(),
        Some("the clock of n2 was too far ahead: its transactions wait for another 12.3 s")
    );
}
