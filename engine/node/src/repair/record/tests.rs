use super::*;

fn part() -> TablePart {
    TablePart {
        schema: "public".to_owned(),
        table: "t".to_owned(),
        columns: ["a", "id"].map(str::to_owned).to_vec(),
        key: vec!["id".to_owned()],
    }
}

fn row(a: &str) -> RowValues {
    RowValues {
        key: vec!["1".to_owned()],
        key_json: "{\"id\":1}".to_owned(),
        columns: vec![a.to_owned(), "1".to_owned()],
        digests: Vec::new(),
    }
}

#[test]
fn a_record_keeps_every_nodes_row_with_all_digits() {
    let (long, none): (RowValues, Option<&RowValues>) = (row("1.000000000000000000000000000001"), None);
    let before = [("n1".parse().unwrap(), Some(&long)), ("n2".parse().unwrap(), none)];
    let kept = record(&part(), &vec!["1".to_owned()], &before, Some(&long));
    let expected = Record {
        key: "{\"id\":1}".to_owned(),
        before: "{\"n1\":{\"a\":1.000000000000000000000000000001,\"id\":1},\"n2\":null}".to_owned(),
        after: Some("{\"a\":1.000000000000000000000000000001,\"id\":1}".to_owned()),
    };
    assert_eq!(kept, expected);
}

#[test]
fn a_deleted_row_has_no_after() {
    let gone = row("null");
    let before = [("n2".parse().unwrap(), Some(&gone))];
    assert_eq!(record(&part(), &vec!["1".to_owned()], &before, None).after, None);
}

#[test]
fn what_only_json_may_hold_is_kept_as_text() {
    for (json, kept) in [
        ("{\"a\": 1.10}", "{\"a\": 1.10}"),
        ("\"\\u0000\"", "\"\\\"\\\\u0000\\\"\""),
        ("\"\\ud800\"", "\"\\\"\\\\ud800\\\"\""),
        ("1e999999", "\"1e999999\""),
    ] {
        assert_eq!(raw(json).get(), kept);
    }
}
