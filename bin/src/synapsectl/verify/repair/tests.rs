use super::*;

fn report(confirmed: bool, table: serde_json::Value) -> Report {
    let mut whole = json!({ "table": "public.t", "equal": false, "different": 0, "sends": {}, "deletes": {},
        "repaired": 0, "left": 0, "remaining": 0, "refused": null, "rows": [] });
    for (name, value) in table.as_object().unwrap() {
        whole[name] = value.clone();
    }
    let table: Table = serde_json::from_value(whole).unwrap();
    Report {
        equal: table.equal,
        confirmed,
        tables: vec![table],
    }
}

#[test]
fn a_dry_run_says_what_would_be_done_and_is_refused() {
    let table = json!({ "different": 3, "sends": {"n1": 2}, "deletes": {"n2": 1},
        "rows": [{ "key": {"id": "1"}, "act": "send", "node": "n1" }, { "key": {"id": "2"}, "act": "delete", "node": "n2" }] });
    let report = report(false, table);
    let expected = "\
TABLE     DIFFERENT  RESULT
public.t  3          n1 would write 2 again, n2 would delete 1

public.t:
  {\"id\":\"1\"}  n1 would write it again
  {\"id\":\"2\"}  n2 would delete it
  and 1 more

the nodes differ
";
    assert_eq!(report.text(), expected);
    assert_eq!(report.exit(), Exit::Refused);
}

#[test]
fn what_is_left_is_named_and_the_answer_is_no() {
    let table = json!({ "different": 3, "sends": {"n1": 3}, "repaired": 2, "left": 1, "remaining": 1 });
    let report = report(true, table);
    assert!(
        report
            .text()
            .contains("2 repaired, 1 left, because they were written meanwhile or locked, 1 differ still"),
        "{}",
        report.text()
    );
    assert_eq!(report.exit(), Exit::No);
}

#[test]
fn nothing_to_do_is_done() {
    assert_eq!(report(false, json!({ "equal": true })).exit(), Exit::Done);
    let refused = json!({ "different": 2, "remaining": 2, "refused": "it has no key" });
    assert_eq!(report(false, refused).exit(), Exit::No, "there is nothing to confirm");
}
