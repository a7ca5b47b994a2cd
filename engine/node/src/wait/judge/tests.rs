use synapse_engine_identity::Incarnation;

use super::*;

fn origin(name: &str) -> Origin {
    Origin {
        node: name.parse().unwrap(),
        incarnation: Incarnation(1),
    }
}

fn positions(of: &[(&str, u64)]) -> BTreeMap<NodeId, (Origin, Lsn)> {
    of.iter()
        .map(|(name, lsn)| (origin(name).node, (origin(name), Lsn(*lsn))))
        .collect()
}

fn report(applied: &[(&str, u64)], settled: bool) -> Report {
    let applied = applied.iter().map(|(name, lsn)| (origin(name), Lsn(*lsn))).collect();
    Report {
        applied,
        settled,
        stands: None,
    }
}

fn reports(of: Vec<(&str, Report)>) -> BTreeMap<NodeId, Report> {
    of.into_iter()
        .map(|(name, report)| (origin(name).node, report))
        .collect()
}

#[test]
fn it_is_over_when_every_node_has_applied_what_every_other_had_committed() {
    let positions = positions(&[("n1", 10), ("n2", 20)]);
    let said = reports(vec![
        ("n1", report(&[("n2", 20)], true)),
        ("n2", report(&[("n1", 12)], true)),
    ]);
    assert_eq!(judge(&positions, true, &said, &BTreeMap::new()), Verdict::Done);
}

#[test]
fn a_node_that_lacks_something_is_named_with_the_bytes() {
    let positions = positions(&[("n1", 10), ("n2", 20)]);
    let said = reports(vec![
        ("n1", report(&[("n2", 20)], true)),
        ("n2", report(&[("n1", 4)], false)),
    ]);
    let behind = vec![Behind {
        node: origin("n2").node,
        peer: origin("n1").node,
        bytes: 6,
    }];
    assert_eq!(
        judge(&positions, true, &said, &BTreeMap::new()),
        Verdict::NotYet {
            detail: "n2 has not applied everything".to_owned(),
            behind
        }
    );
}

#[test]
fn rows_that_are_looked_at_again_are_not_done() {
    let positions = positions(&[("n1", 10), ("n2", 20)]);
    let said = reports(vec![
        ("n1", report(&[("n2", 20)], false)),
        ("n2", report(&[("n1", 10)], true)),
    ]);
    assert!(matches!(
        judge(&positions, true, &said, &BTreeMap::new()),
        Verdict::NotYet { .. }
    ));
}

#[test]
fn a_node_that_does_not_answer_is_not_yet_done_and_is_named_with_what_it_lacked() {
    let positions = positions(&[("n1", 10)]);
    let said = reports(vec![("n1", report(&[], true))]);
    let silent = BTreeMap::from([(origin("n2").node, Context::from_iter([(origin("n1"), Lsn(7))]))]);
    let behind = vec![Behind {
        node: origin("n2").node,
        peer: origin("n1").node,
        bytes: 3,
    }];
    let expected = Verdict::NotYet {
        detail: "n2 cannot be reached".to_owned(),
        behind,
    };
    assert_eq!(judge(&positions, false, &said, &silent), expected);
    assert_eq!(judge(&positions, true, &said, &silent), expected);
}

#[test]
fn a_peer_that_was_never_heard_is_not_done_either() {
    let positions = positions(&[("n1", 10)]);
    let said = reports(vec![("n1", report(&[], true))]);
    assert!(matches!(
        judge(&positions, false, &said, &BTreeMap::new()),
        Verdict::NotYet { .. }
    ));
}

#[test]
fn what_stands_still_ends_the_waiting_also_while_a_node_is_silent() {
    let positions = positions(&[("n1", 10)]);
    let held = Report {
        stands: Some("what n1 sends to n2 is held".to_owned()),
        ..report(&[], false)
    };
    let said = reports(vec![("n2", held)]);
    assert!(
        matches!(judge(&positions, false, &said, &BTreeMap::new()), Verdict::Stands { detail, .. } if detail.contains("held"))
    );
}
