use super::*;

#[test]
fn every_table_has_a_line_and_differences_their_values() {
    let tables = serde_json::from_value(serde_json::json!([
        { "table": "public.s", "rows": {"n1": 5, "n2": 5}, "equal": true, "differences_total": 0, "differences": [] },
        { "table": "public.t", "rows": {"n1": 9, "n2": 8}, "equal": false, "differences_total": 3,
          "differences": [ { "key": {"id": 1}, "columns": ["a"], "nodes": {"n1": {"a": "x"}, "n2": null} } ] } ]))
    .unwrap();
    let verdict = Verdict { equal: false, tables };
    let expected = "\
TABLE     ROWS        RESULT
public.s  5           equal
public.t  n1 9, n2 8  3 rows differ

public.t:
  {\"id\":1}
    n1: {\"a\":\"x\"}
    n2: (no row)
  and 2 more

the nodes differ
";
    assert_eq!(verdict.text(), expected);
}
