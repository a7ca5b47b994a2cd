use super::*;

const NEW: Standing = Standing::New { empty: true };
const HOLDING: Standing = Standing::New { empty: false };
const MEMBER: Standing = Standing::Joined { whole_for: None };
const WHOLE: Standing = Standing::Joined { whole_for: Some(3) };

fn name(text: &str) -> NodeId {
    text.parse().unwrap()
}

fn decided(empty: bool, others: [Standing; 2], wanted: Option<&str>) -> Decision {
    let others = [(name("n2"), others[0]), (name("n3"), others[1])];
    decide(name("n1"), empty, 3, &others, wanted.map(name))
}

#[test]
fn empty_nodes_begin_together_and_need_no_copy() {
    assert_eq!(decided(true, [NEW, NEW], None), Decision::Begin { whole: true });
    assert_eq!(decided(true, [WHOLE, NEW], None), Decision::Begin { whole: true });
    assert_eq!(decide(name("n1"), true, 1, &[], None), Decision::Begin { whole: true });
}

#[test]
fn an_empty_node_is_filled_from_a_member() {
    let from = |node| Decision::Copy { from: name(node) };
    assert_eq!(decided(true, [NEW, MEMBER], None), from("n3"));
    assert_eq!(decided(true, [MEMBER, MEMBER], None), from("n2"));
    assert_eq!(decided(true, [MEMBER, MEMBER], Some("n3")), from("n3"));
    let grown = Standing::Joined { whole_for: Some(2) };
    assert_eq!(decided(true, [grown, grown], None), from("n2"));
}

#[test]
fn one_node_that_holds_rows_begins_and_the_others_wait_for_it() {
    assert_eq!(decided(false, [NEW, NEW], None), Decision::Begin { whole: false });
    assert_eq!(
        decided(false, [Standing::Copying, NEW], None),
        Decision::Begin { whole: false }
    );
    assert!(matches!(decided(true, [HOLDING, NEW], None), Decision::Wait { .. }));
    assert!(matches!(decided(true, [NEW, NEW], Some("n2")), Decision::Wait { .. }));
    assert!(matches!(
        decided(true, [Standing::Copying, NEW], None),
        Decision::Wait { .. }
    ));
}

#[test]
fn two_nodes_that_hold_rows_are_refused() {
    let by = |node| Decision::Refuse { other: name(node) };
    assert_eq!(decided(false, [NEW, HOLDING], None), by("n3"));
    assert_eq!(decided(false, [HOLDING, MEMBER], None), by("n3"));
    assert_eq!(decided(false, [WHOLE, NEW], Some("n2")), by("n2"));
}

#[test]
fn whatever_all_say_at_most_one_node_begins_with_rows_of_its_own() {
    for bits in 0..8_u8 {
        let nodes = [("n1", bits & 1 == 0), ("n2", bits & 2 == 0), ("n3", bits & 4 == 0)];
        let begins = |me: &str, empty: bool| {
            let others: Vec<_> = nodes
                .iter()
                .filter(|(n, _)| *n != me)
                .map(|(n, e)| (name(n), Standing::New { empty: *e }))
                .collect();
            decide(name(me), empty, 3, &others, None) == Decision::Begin { whole: false }
        };
        assert!(nodes.iter().filter(|(n, e)| begins(n, *e)).count() <= 1, "{nodes:?}");
    }
}
