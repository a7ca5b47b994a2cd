use super::*;
use crate::frames::TablePart;

fn plan(missing_on: Vec<NodeId>) -> TablePlan {
    TablePlan {
        name: "public.t".to_owned(),
        nodes: vec!["n1".parse().unwrap(), "n2".parse().unwrap()],
        missing_on,
        columns_missing: BTreeMap::new(),
        part: TablePart {
            schema: "public".to_owned(),
            table: "t".to_owned(),
            columns: Vec::new(),
            key: Vec::new(),
        },
    }
}

#[test]
fn a_difference_has_the_shape_that_scripts_rely_on() {
    let mut table = TableVerdict::new(&plan(Vec::new()));
    let nine = BTreeMap::from([(
        0,
        Digest {
            rows: 9,
            high: 0,
            low: 0,
        },
    )]);
    table.count_rows(&plan(Vec::new()).nodes, &[nine.clone(), nine]);
    table.differences_total = 1;
    let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
    let n1 = BTreeMap::from([("a".to_owned(), raw("\"x\""))]);
    table.differences.push(Difference {
        key: raw("{\"id\": 1}"),
        columns: vec!["a".to_owned()],
        nodes: BTreeMap::from([("n1".parse().unwrap(), Some(n1)), ("n2".parse().unwrap(), None)]),
    });
    table.conclude();
    let verdict = Verdict {
        equal: table.equal,
        tables: vec![serde_json::value::to_raw_value(&table).unwrap()],
    };
    let text = serde_json::to_string(&verdict).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({ "equal": false, "tables": [ { "table": "public.t", "rows": {"n1": 9, "n2": 9},
        "equal": false, "differences_total": 1,
        "differences": [ { "key": {"id": 1}, "columns": ["a"], "nodes": {"n1": {"a": "x"}, "n2": null} } ] } ] });
    assert_eq!(shown, expected);
}

#[test]
fn a_table_that_a_node_lacks_is_not_equal() {
    let mut table = TableVerdict::new(&plan(vec!["n3".parse().unwrap()]));
    table.conclude();
    assert!(!table.equal);
    let mut whole = TableVerdict::new(&plan(Vec::new()));
    whole.conclude();
    assert!(whole.equal);
}
