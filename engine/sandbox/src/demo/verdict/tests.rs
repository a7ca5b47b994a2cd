use super::*;

#[test]
fn the_documented_verdict_is_understood() {
    let text = br#"{ "equal": false, "tables": [ { "table": "public.t", "rows": {"n1": 9, "n2": 9}, "equal": false,
      "differences_total": 1, "differences": [] } ] }"#;
    let table = Table {
        table: "public.t".to_owned(),
        equal: false,
        differences_total: 1,
    };
    assert_eq!(
        parse(text).unwrap(),
        Verdict {
            equal: false,
            tables: vec![table]
        }
    );
}

#[test]
fn no_verdict_is_an_error_and_never_equality() {
    for text in ["", "null", "{}", r#"{"equal": "yes", "tables": []}"#] {
        assert!(parse(text.as_bytes()).is_err(), "{text}");
    }
}
