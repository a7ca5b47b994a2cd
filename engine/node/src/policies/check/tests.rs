use super::*;

fn nodes(names: &[&str]) -> Vec<NodeId> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn a_priority_names_nodes_that_there_are() {
    let policy: Policy = "priority(n2,n7,n1)".parse().unwrap();
    assert_eq!(
        of_nodes(&policy, &nodes(&["n1", "n2", "n3"])),
        ["there is no node n7; the nodes are n1, n2, n3"]
    );
    assert!(of_nodes(&policy, &nodes(&["n1", "n2", "n7"])).is_empty());
    assert!(of_nodes(&Policy::default(), &[]).is_empty());
}
