use super::Rule;

#[test]
fn a_rule_is_read_as_it_is_written_and_nothing_else_is_one() {
    for rule in Rule::ALL {
        assert_eq!(rule.to_string().parse(), Ok(rule));
    }
    assert_eq!(Rule::default(), Rule::RestoreParent);
    for text in ["", "restore", "delete_child", "report report"] {
        let error = text.parse::<Rule>().unwrap_err().to_string();
        assert!(error.contains("restore-parent, delete-child or report"), "{error}");
    }
}
