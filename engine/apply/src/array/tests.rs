use bytes::BytesMut;
use postgres_types::{FromSql, ToSql, Type};
use proptest::prelude::*;

use super::TextArray;

proptest! {
    #[test]
    fn an_array_of_any_texts_and_nulls_reads_back(values in proptest::collection::vec(proptest::option::of(".{0,9}"), 1..20)) {
        let mut out = BytesMut::new();
        let borrowed = values.iter().map(|v| v.as_ref().map(String::as_bytes)).collect();
        TextArray(borrowed).to_sql(&Type::TEXT_ARRAY, &mut out).unwrap();
        let read = Vec::<Option<String>>::from_sql(&Type::TEXT_ARRAY, &out).unwrap();
        prop_assert_eq!(read, values);
    }
}

#[test]
fn values_do_not_show_in_debug_output() {
    let shown = format!(
        "{:?} {:?}",
        TextArray(vec![Some(b"secret")]),
        super::Text(Some(b"secret"))
    );
    assert!(!shown.contains("secret"), "{shown}");
}
