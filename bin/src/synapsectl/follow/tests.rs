use super::*;

#[test]
fn a_result_keeps_its_digits() {
    let Some(Line::Table(table)) = read("{\"table\":{\"a\":1.000000000000000000000000000001}}\n") else {
        panic!("a table is a table");
    };
    assert_eq!(table.get(), "{\"a\":1.000000000000000000000000000001}");
}

#[test]
fn the_last_line_says_how_it_ended() {
    assert!(matches!(
        read("{\"done\":{\"equal\":true,\"confirmed\":true}}"),
        Some(Line::Done(Done { equal: true }))
    ));
    let failed = read("{\"failed\":{\"status\":504,\"error\":\"slow\",\"hint\":null}}");
    assert!(matches!(failed, Some(Line::Failed { status: 504, .. })));
}

#[test]
fn a_line_that_was_cut_off_is_none() {
    assert!(read("{\"table\":{\"a\":1.0000").is_none());
}
