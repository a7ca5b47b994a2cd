use super::*;

fn candidate(node: &str, micros: Option<i64>, by: &str) -> Candidate {
    Candidate {
        node: node.parse().unwrap(),
        written: WrittenAt {
            micros,
            by: by.parse().unwrap(),
        },
    }
}

#[test]
fn the_last_write_wins_and_then_the_greatest_node() {
    let cases: &[(&[Candidate], Option<&str>)] = &[
        (&[], None),
        (&[candidate("n2", Some(5), "n2")], Some("n2")),
        (
            &[candidate("n1", Some(6), "n1"), candidate("n2", Some(5), "n2")],
            Some("n1"),
        ),
        (
            &[candidate("n1", Some(5), "n1"), candidate("n2", Some(5), "n2")],
            Some("n2"),
        ),
        // What an applier wrote counts as its origin's.
        (
            &[candidate("n1", Some(5), "n3"), candidate("n2", Some(5), "n2")],
            Some("n1"),
        ),
        // Two copies of one write: the writer's own.
        (
            &[candidate("n1", Some(5), "n1"), candidate("n2", Some(5), "n1")],
            Some("n1"),
        ),
        (
            &[candidate("n1", Some(5), "n3"), candidate("n2", Some(5), "n3")],
            Some("n2"),
        ),
        // What is not known any more is older than what is.
        (
            &[candidate("n1", Some(-1), "n1"), candidate("n2", None, "n2")],
            Some("n1"),
        ),
    ];
    for (candidates, expected) in cases {
        let expected = expected.map(|name| name.parse().unwrap());
        assert_eq!(winner(&Policy::default(), candidates), expected, "{candidates:?}");
        let reversed: Vec<_> = candidates.iter().rev().copied().collect();
        assert_eq!(
            winner(&Policy::default(), &reversed),
            expected,
            "in any order: {candidates:?}"
        );
    }
}

#[test]
fn other_orders_choose_by_the_first_write_or_by_the_node() {
    let rows = [
        candidate("n1", Some(7), "n1"),
        candidate("n2", Some(5), "n2"),
        candidate("n3", Some(9), "n3"),
    ];
    for (policy, expected) in [
        ("last-write-wins", Some("n3")),
        ("first-write-wins", Some("n2")),
        ("priority(n1,n3)", Some("n1")),
        ("priority(n9)", Some("n3")),
        ("error", None),
        ("custom(app.choose)", None),
    ] {
        let policy: Policy = policy.parse().unwrap();
        let expected = expected.map(|name| name.parse().unwrap());
        assert_eq!(winner(&policy, &rows), expected, "{policy}");
    }
}
