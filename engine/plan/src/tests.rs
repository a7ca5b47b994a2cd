use crate::KeyClass;

#[test]
fn keys_that_postgresql_holds_equal_have_one_canonical_form() {
    let same = [
        (KeyClass::Numeric, "1.0", "1.00"),
        (KeyClass::Numeric, "1.00", "1"),
        (KeyClass::Bpchar, "a  ", "a"),
        (KeyClass::Citext, "Straße", "STRAßE"),
        (KeyClass::Float, "-0", "0"),
        (KeyClass::Interval, "1 day", "24:00:00"),
        (
            KeyClass::Jsonb,
            r#"{"a": 1.0, "b\"": [2.50]}"#,
            r#"{"a": 1.00, "b\"": [2.5]}"#,
        ),
        (KeyClass::Interval, "1 mon", "30 days"),
        (KeyClass::Interval, "1 year -1 days", "11 mons 29 days"),
        (KeyClass::Interval, "-00:00:01.5", "-00:00:01.500000"),
    ];
    for (class, a, b) in same {
        assert_eq!(class.canonical(a.as_bytes()), class.canonical(b.as_bytes()), "{a} {b}");
    }
}

#[test]
fn keys_that_postgresql_tells_apart_stay_apart() {
    let different = [
        (KeyClass::Numeric, "10", "1"),
        (KeyClass::Jsonb, r#"{"a": "1.0"}"#, r#"{"a": "1.00"}"#),
        (KeyClass::Jsonb, r#"["\"", 1.0]"#, r#"["\" 1.0"]"#),
        (KeyClass::Numeric, "100", "1"),
        (KeyClass::Numeric, "1.01", "1.1"),
        (KeyClass::Exact, "a ", "a"),
        (KeyClass::Bpchar, " a", "a"),
        (KeyClass::Interval, "1 day", "1 day 00:00:00.000001"),
        (KeyClass::Interval, "00:00:01", "-00:00:01"),
    ];
    for (class, a, b) in different {
        assert_ne!(class.canonical(a.as_bytes()), class.canonical(b.as_bytes()), "{a} {b}");
    }
}
