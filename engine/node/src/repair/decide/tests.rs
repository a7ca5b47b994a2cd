use super::*;
use crate::frames::{Digest, TablePart};

fn node(name: &str) -> NodeId {
    name.parse().unwrap()
}

fn nodes() -> Vec<NodeId> {
    ["n1", "n2", "n3"].map(node).to_vec()
}

fn key(text: &str) -> RowKey {
    vec![text.to_owned()]
}

/// Readings by their low half; 0 is no row.
fn row(text: &str, readings: [u64; 3]) -> (RowKey, Readings) {
    let reading = |low: u64| (low > 0).then_some(Digest { rows: 1, high: 0, low });
    (key(text), readings.map(reading).to_vec())
}

fn told(decisions: &[Decision]) -> Vec<(String, &str, Act)> {
    let told = |d: &Decision| (d.key[0].clone(), d.node.to_string(), d.act);
    decisions
        .iter()
        .map(told)
        .map(|(key, node, act)| {
            let node = ["n1", "n2", "n3"].into_iter().find(|name| *name == node).unwrap();
            (key, node, act)
        })
        .collect()
}

#[test]
fn the_source_sends_what_it_has_and_a_holder_deletes_what_it_has_not() {
    let different = vec![
        row("a", [1, 2, 1]),
        row("b", [0, 0, 7]),
        row("c", [5, 0, 0]),
        row("d", [0, 4, 4]),
    ];
    let decisions = by_node(&nodes(), node("n1"), different);
    assert_eq!(
        told(&decisions),
        [
            ("a".to_owned(), "n1", Act::Send),
            ("b".to_owned(), "n3", Act::Delete),
            ("c".to_owned(), "n1", Act::Send),
            ("d".to_owned(), "n2", Act::Delete),
        ]
    );
}

#[test]
fn a_row_that_is_nowhere_needs_nothing() {
    assert!(by_node(&nodes(), node("n1"), vec![row("a", [0, 0, 0])]).is_empty());
    let none = [BTreeMap::new(), BTreeMap::new(), BTreeMap::new()];
    let policy = &Policy::default();
    assert!(by_policy(policy, &nodes(), vec![row("a", [1, 0, 2])], &none).is_empty());
}

#[test]
fn a_missing_row_loses_against_any_that_is_there() {
    let written = WrittenAt {
        micros: Some(1),
        by: node("n2"),
    };
    let times = [BTreeMap::new(), BTreeMap::from([(key("a"), written)]), BTreeMap::new()];
    let decisions = by_policy(&Policy::default(), &nodes(), vec![row("a", [0, 2, 0])], &times);
    assert_eq!(told(&decisions), [("a".to_owned(), "n2", Act::Send)]);
}

#[test]
fn transactions_are_bounded_and_deletes_come_first() {
    let different = vec![
        row("a", [1, 2, 1]),
        row("b", [0, 0, 7]),
        row("c", [5, 0, 0]),
        row("d", [6, 0, 0]),
    ];
    let batches = batches(by_node(&nodes(), node("n1"), different), 2);
    let shape: Vec<_> = batches.iter().map(|b| (b.act, b.node, b.rows.len())).collect();
    assert_eq!(
        shape,
        [
            (Act::Delete, node("n3"), 1),
            (Act::Send, node("n1"), 2),
            (Act::Send, node("n1"), 1)
        ]
    );
}

#[test]
fn a_table_that_is_not_the_same_everywhere_or_has_no_key_is_refused() {
    let mut plan = TablePlan {
        name: "public.t".to_owned(),
        nodes: nodes(),
        missing_on: Vec::new(),
        columns_missing: BTreeMap::new(),
        part: TablePart {
            schema: "public".to_owned(),
            table: "t".to_owned(),
            columns: vec!["id".to_owned()],
            key: vec!["id".to_owned()],
        },
    };
    assert_eq!(refusal(&plan), None);
    plan.part.key.clear();
    assert!(refusal(&plan).unwrap().why.contains("no key"));
    plan.columns_missing.insert("b".to_owned(), vec![node("n2")]);
    assert_eq!(refusal(&plan).unwrap().why, "its column b is not on n2");
    plan.missing_on = vec![node("n3")];
    assert_eq!(refusal(&plan).unwrap().why, "it is not on n3");
}
