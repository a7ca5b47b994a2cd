use super::*;

#[test]
fn the_confirmed_position_is_read_from_a_whole_status() {
    let body = r#"{ "node": "n1", "state": "streaming", "slot": { "name": "s", "confirmed_lsn": "1/A0", "retained_bytes": 7 } }"#;
    let status: Status = serde_json::from_str(body).unwrap();
    assert_eq!(status.slot.confirmed_lsn, Lsn(0x1_0000_00A0));
}

#[test]
fn a_status_without_a_position_is_refused() {
    for body in [r#"{ "slot": {} }"#, r#"{ "slot": { "confirmed_lsn": "here" } }"#] {
        assert!(serde_json::from_str::<Status>(body).is_err(), "{body}");
    }
}
