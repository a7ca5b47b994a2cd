use std::sync::Arc;

use crate::bench::{mapped, relation, table};
use crate::{Error, Mapping};

#[test]
fn columns_are_found_by_name_in_whatever_order_they_stand() {
    let ours = Arc::new(table(0, "t", &["b", "id", "a"]));
    let theirs = relation("t", &["id", "a", "b"]);
    let mapping = Mapping::new(&theirs, &ours).unwrap();
    assert_eq!(
        mapped(&mapping, &theirs, &["1", "x", "y"]),
        ("y 1 x".to_owned(), vec![])
    );
    // What the stream does not carry is told by our columns.
    assert_eq!(
        mapped(&mapping, &theirs, &["1", "x", "~"]),
        ("~ 1 x".to_owned(), vec![0])
    );
}

#[test]
fn a_column_that_only_we_have_is_left_as_it_is_and_is_not_missing() {
    let ours = Arc::new(table(0, "t", &["id", "new", "a"]));
    let theirs = relation("t", &["id", "a"]);
    let mapping = Mapping::new(&theirs, &ours).unwrap();
    assert_eq!(mapped(&mapping, &theirs, &["1", "x"]), ("1 ~ x".to_owned(), vec![]));
}

#[test]
fn a_column_that_we_compute_takes_nothing_and_is_not_missing() {
    let mut ours = table(0, "t", &["id", "a", "b"]);
    ours.columns[2].writable = false;
    let (ours, theirs) = (Arc::new(ours), relation("t", &["id", "a", "b"]));
    let mapping = Mapping::new(&theirs, &ours).unwrap();
    for b in ["y", "~"] {
        assert_eq!(mapped(&mapping, &theirs, &["1", "x", b]), ("1 x ~".to_owned(), vec![]));
    }
}

#[test]
fn a_column_that_we_lack_stops_the_link_and_names_it() {
    let ours = Arc::new(table(0, "t", &["id", "a"]));
    let error = Mapping::new(&relation("t", &["id", "a", "b"]), &ours).unwrap_err();
    assert!(
        matches!(&error, Error::MissingColumn { column, .. } if column == "b"),
        "{error}"
    );
}

#[test]
fn rows_that_are_told_apart_by_other_columns_stop_the_link() {
    let mut ours = table(0, "t", &["id", "a"]);
    ours.key = vec![synapse_engine_identity::ColumnId(1)];
    let error = Mapping::new(&relation("t", &["id", "a"]), &Arc::new(ours)).unwrap_err();
    let Error::IdentityDiffers { theirs, ours, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((theirs.as_str(), ours.as_str()), ("id", "a"));
}
