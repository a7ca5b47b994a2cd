use crate::{Pattern, excluded};

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn a_star_stands_for_any_run_of_characters() {
    for (pattern, schema, table, meant) in [
        ("public.t", "public", "t", true),
        ("public.t", "public", "tt", false),
        ("public.*", "public", "anything at all", true),
        ("*.log_*", "app", "log_2024", true),
        ("*.log_*", "app", "blog_2024", false),
        ("*.*", "a", "b", true),
        ("a*b.t", "ab", "t", true),
        ("a*b.t", "a", "t", false),
        ("s.a*bc*c", "s", "abcc", true),
        ("s.a*bc*c", "s", "abc", false),
        ("s.aa*aa", "s", "aaa", false),
        ("s.Ü*", "s", "Übung", true),
        ("Public.t", "public", "t", false),
        ("\"a.b\".\"c*\"", "a.b", "c*", true),
        ("\"a.b\".\"c*\"", "a.b", "cd", false),
        ("\"a\"\"b\".t", "a\"b", "t", true),
    ] {
        assert_eq!(
            excluded(&patterns(&[pattern]), schema, table),
            meant,
            "{pattern} on {schema}.{table}"
        );
    }
}

#[test]
fn a_table_is_left_out_when_any_pattern_means_it() {
    let exclude = patterns(&["a.x", "b.*"]);
    assert!(excluded(&exclude, "b", "x"));
    assert!(!excluded(&exclude, "a", "y"));
    assert!(!excluded(&[], "a", "x"));
}

#[test]
fn malformed_patterns_are_refused() {
    for text in [
        "", "t", ".t", "s.", "a.b.c", "\"a.b", "\"\".t", "a\"b.t", " a.b", "a.b ", "\"a\"b.c",
    ] {
        assert!(text.parse::<Pattern>().is_err(), "{text:?} was taken");
    }
}

#[test]
fn a_pattern_prints_as_it_was_written() {
    let text = "\"a.b\".log_*";
    assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
}
