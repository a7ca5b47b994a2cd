use std::collections::BTreeSet;

use super::*;

fn row(cells: &[&str]) -> Row {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

#[test]
fn rows_of_a_family_have_their_key_in_common_and_differ_in_one_column_or_in_all() {
    let sampled = [row(&["1", "10", "\"a\""]), row(&["2", "20", "\"b\""])];
    let values = [
        vec![],
        vec!["null".to_owned(), "10".to_owned()],
        vec!["\"\"".to_owned()],
    ];
    let families = families(&sampled, &values, &[true, false, false]);
    let expected = [
        vec![row(&["1", "10", "\"a\""]), row(&["1", "20", "\"b\""])],
        vec![
            row(&["1", "10", "\"a\""]),
            row(&["1", "null", "\"a\""]),
            row(&["1", "20", "\"a\""]),
        ],
        vec![
            row(&["1", "10", "\"a\""]),
            row(&["1", "10", "\"\""]),
            row(&["1", "10", "\"b\""]),
        ],
    ];
    assert_eq!(families[..3], expected);
    assert_eq!(families.len(), 6);
}

#[test]
fn an_empty_table_has_rows_that_were_made_of_values_alone() {
    let values = [vec!["0".to_owned()], vec!["null".to_owned(), "7".to_owned()], vec![]];
    let families = families(&[], &values, &[true, false, false]);
    assert_eq!(families[0], [row(&["0", "7", "null"])]);
    assert_eq!(families[1], [row(&["0", "7", "null"]), row(&["0", "null", "null"])]);
}

#[test]
fn pairs_come_in_both_orders_and_triples_are_different_ones() {
    let family: Family = (0..8).map(|n: i32| vec![n.to_string()]).collect();
    let families = [family];
    let pairs: BTreeSet<_> = pairs(&families).into_iter().map(|[a, b, _]| (a, b)).collect();
    assert_eq!(pairs.len(), 56);
    for size in 2..=FAMILY_MAX {
        let families = [families[0][..size].to_vec()];
        let triples = triples(&families);
        let different: BTreeSet<_> = triples.iter().collect();
        assert_eq!(different.len(), triples.len(), "{size}");
        assert_eq!(triples.len(), TRIPLES_OF_FAMILY.min(size * size * size - 1));
    }
}

#[test]
fn however_many_rows_there_are_the_cases_are_bounded() {
    let sampled: Vec<Row> = (0..20).map(|n| vec![n.to_string(); 200]).collect();
    let values = vec![vec!["null".to_owned()]; 200];
    let families = families(&sampled, &values, &[false; 200]);
    let counts = [
        single(&families).len(),
        pairs(&families).len(),
        triples(&families).len(),
    ];
    assert_eq!(counts, [CASES_MAX; 3]);
}
