use super::*;

fn settings(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn equal_settings_have_no_differences() {
    let all = settings(&[("fsync", "on"), ("wal_level", "logical")]);
    assert!(differences(&all, &all).is_empty());
}

#[test]
fn a_value_that_differs_or_is_missing_is_named() {
    let ours = settings(&[("fsync", "on"), ("synchronous_commit", "local")]);
    let native = settings(&[("extra", "1"), ("fsync", "on"), ("synchronous_commit", "on")]);
    assert_eq!(
        differences(&ours, &native),
        [
            "extra: ours not set, native 1",
            "synchronous_commit: ours local, native on"
        ]
    );
}
