use super::*;

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

#[test]
fn rows_are_aligned_as_psql_does() {
    let result = StatementResult {
        columns: vec!["id".to_owned(), "name".to_owned()],
        rows: vec![vec![text("1"), text("ä")], vec![text("-22"), None]],
        rows_affected: 2,
    };
    let expected = [" id  | name", "-----+------", "   1 | ä", " -22 |", "(2 rows)", ""].join("\n");
    assert_eq!(result.to_string(), expected);
}

#[test]
fn a_statement_without_rows_says_how_many_it_changed() {
    let result = StatementResult {
        columns: Vec::new(),
        rows: Vec::new(),
        rows_affected: 3,
    };
    assert_eq!(result.to_string(), "(3 rows affected)\n");
}

#[test]
fn only_plain_numbers_stand_at_the_right() {
    for (value, expected) in [
        ("12", true),
        ("-1.5", true),
        ("", false),
        ("-", false),
        ("0/16B3748", false),
        ("a1", false),
    ] {
        assert_eq!(is_number(value), expected, "{value}");
    }
}
