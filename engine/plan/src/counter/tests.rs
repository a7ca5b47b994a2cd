use super::*;

fn text(text: &str) -> Value<'_> {
    match text {
        "-" => Value::Null,
        text => Value::Text(text.as_bytes()),
    }
}

fn total(base: &str, changes: &[(&str, &str)]) -> Result<Option<String>, Error> {
    let added = changes.iter().map(|(old, new)| Added {
        old: text(old),
        new: text(new),
        planned: false,
    });
    sum(text(base), added)
}

#[test]
fn what_was_added_is_added_to_another_base() {
    let sums = [
        ("100", &[("100", "97"), ("50", "45")][..], "92"),
        ("9223372036854775806", &[("1", "2")], "9223372036854775807"),
        ("1.50", &[("0.5", "1.25")], "2.25"),
        ("-3", &[("0", "-4")], "-7"),
        ("1", &[("1.10", "1.1")], "1.00"),
        (
            "100000000000000000000000000000",
            &[("0", "1")],
            "100000000000000000000000000001",
        ),
    ];
    for (base, changes, expected) in sums {
        assert_eq!(
            total(base, changes).unwrap().as_deref(),
            Some(expected),
            "{base} {changes:?}"
        );
    }
}

#[test]
fn null_counts_as_nothing() {
    assert_eq!(total("-", &[]).unwrap(), None);
    assert_eq!(total("-", &[("-", "5")]).unwrap().as_deref(), Some("5"));
    assert_eq!(total("7", &[("5", "-")]).unwrap().as_deref(), Some("2"));
    assert_eq!(total("-", &[("5", "-")]).unwrap(), None);
    assert_eq!(total("7", &[("-", "-")]).unwrap().as_deref(), Some("7"));
}

#[test]
fn what_is_no_number_is_an_error_that_names_it() {
    let error = total("NaN", &[("1", "2")]).unwrap_err();
    assert!(error.to_string().contains("NaN"), "{error}");
    assert!(total("1", &[("1", "Infinity")]).is_err());
}
