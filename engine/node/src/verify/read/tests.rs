use super::*;

#[test]
fn sums_of_signed_halves_are_those_of_the_digests() {
    // -1 is 0xFFFF_FFFF_FFFF_FFFF; two of them and 5 make 3.
    assert_eq!(half("3").unwrap(), 3);
    assert_eq!(half("-1").unwrap(), u64::MAX);
    assert_eq!(half("-18446744073709551613").unwrap(), 3);
    assert!(half("x").is_err());
}

#[test]
fn a_key_of_the_wrong_width_is_refused() {
    let part = TablePart {
        schema: String::new(),
        table: String::new(),
        columns: Vec::new(),
        key: vec!["a".into(), "b".into()],
    };
    let keys = [
        vec!["1".to_owned(), "2".to_owned()],
        vec!["3".to_owned(), "4".to_owned()],
    ];
    assert_eq!(by_column(&part, &keys).unwrap(), [["1", "3"], ["2", "4"]]);
    assert!(by_column(&part, &[vec!["1".to_owned()]]).is_err());
}

#[test]
fn buckets_are_a_power_of_two() {
    assert!(check_buckets(1 << 14).is_ok());
    assert!(check_buckets(0).is_err() && check_buckets(3).is_err());
}
