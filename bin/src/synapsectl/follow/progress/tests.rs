use super::*;

#[test]
fn a_line_says_table_and_step() {
    let progress: Progress = serde_json::from_value(serde_json::json!({ "table": "public.t", "number": 2, "tables": 5,
        "step": "settling", "done": 7, "total": 9 }))
    .unwrap();
    assert_eq!(
        progress.text(),
        "table 2 of 5  public.t  7 of 9 rows that may differ are settled"
    );
}
