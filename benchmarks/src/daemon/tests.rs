use super::*;

#[test]
fn the_confirmed_position_is_read_from_a_whole_status() {
    let body = r#"{ "node": "n1", "state": "streaming", "slot": { "name": "s", "confirmed_lsn": "1/A0", "retained_bytes": 7 } }"#;
    let status: Status = serde_json::from_str(body).unwrap();
    assert_eq!(status.slot.confirmed_lsn, Lsn(0x1_0000_00A0));
}

#[test]
fn a_member_streams_and_has_nothing_to_say_of_joining() {
    let joined = |state: &str, join: &str| {
        let body = format!(r#"{{ "state": "{state}", "join": {join}, "slot": {{ "confirmed_lsn": "0/0" }} }}"#);
        serde_json::from_str::<Status>(&body).unwrap().joined()
    };
    assert!(joined("streaming", "null"));
    assert!(!joined("streaming", r#"{ "waits": null, "tables_done": 4 }"#));
    assert!(!joined("copying", "null"));
}

#[test]
fn a_status_without_a_position_is_refused() {
    for body in [
        r#"{ "state": "streaming", "slot": {} }"#,
        r#"{ "state": "streaming", "slot": { "confirmed_lsn": "here" } }"#,
    ] {
        assert!(serde_json::from_str::<Status>(body).is_err(), "{body}");
    }
}
