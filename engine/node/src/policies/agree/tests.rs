use super::*;

#[test]
fn what_several_nodes_say_alike_is_said_once() {
    let node = |name: &str| name.parse::<NodeId>().unwrap();
    let said = |text: &str| text.to_owned();
    let answers = vec![
        (node("n1"), vec![said("no table t")]),
        (node("n2"), vec![said("no column a"), said("no node n9")]),
        (node("n3"), vec![said("no table t"), said("no node n9")]),
    ];
    assert_eq!(
        told_once(answers),
        ["n1, n3: no table t", "n2: no column a", "n2, n3: no node n9"]
    );
}
