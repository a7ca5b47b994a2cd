use super::*;
use crate::frames::{Digest, TablePart};

fn plan(key: &[&str]) -> TablePlan {
    TablePlan {
        name: "public.t".to_owned(),
        nodes: vec!["n1".parse().unwrap(), "n2".parse().unwrap()],
        missing_on: Vec::new(),
        columns_missing: BTreeMap::new(),
        part: TablePart {
            schema: "public".to_owned(),
            table: "t".to_owned(),
            columns: ["a", "b", "id"].map(str::to_owned).to_vec(),
            key: key.iter().map(|k| (*k).to_owned()).collect(),
        },
    }
}

fn row(a: &str, b: &str) -> BTreeMap<RowKey, RowValues> {
    let columns = [a, b, "1"].map(str::to_owned).to_vec();
    let values = RowValues {
        key: vec!["1".to_owned()],
        key_json: "{\"id\":1}".to_owned(),
        digests: columns.clone(),
        columns,
    };
    BTreeMap::from([(values.key.clone(), values)])
}

fn shown(plan: &TablePlan, readings: Readings, nodes: &[BTreeMap<RowKey, RowValues>]) -> serde_json::Value {
    let text = serde_json::to_string(&show(plan, &vec!["1".to_owned()], &readings, nodes)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn only_the_columns_that_differ_are_shown() {
    let shown = shown(&plan(&["id"]), vec![None, None], &[row("1", "\"x\""), row("1", "null")]);
    let expected =
        serde_json::json!({"key": {"id": 1}, "columns": ["b"], "nodes": {"n1": {"b": "x"}, "n2": {"b": null}}});
    assert_eq!(shown, expected);
}

#[test]
fn a_missing_row_is_null_beside_the_other_in_full() {
    let shown = shown(&plan(&["id"]), vec![None, None], &[row("1", "2"), BTreeMap::new()]);
    let expected =
        serde_json::json!({"key": {"id": 1}, "columns": ["a", "b"], "nodes": {"n1": {"a": 1, "b": 2}, "n2": null}});
    assert_eq!(shown, expected);
}

#[test]
fn rows_without_a_key_are_counted() {
    let readings = vec![
        Some(Digest {
            rows: 2,
            high: 0,
            low: 0,
        }),
        None,
    ];
    let shown = shown(&plan(&[]), readings, &[row("1", "2"), BTreeMap::new()]);
    let expected = serde_json::json!({"key": {"id": 1}, "columns": [], "nodes": {"n1": {"count": 2}, "n2": null}});
    assert_eq!(shown, expected);
}

#[test]
fn a_number_keeps_its_digits_and_a_long_value_is_shown_by_its_length() {
    assert_eq!(
        raw("1.000000000000000000000000000001").get(),
        "1.000000000000000000000000000001"
    );
    assert_eq!(raw(&format!("\"{}\"", "x".repeat(SHOWN_MAX))).get(), "\"(4098 bytes)\"");
}
