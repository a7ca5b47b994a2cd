use super::*;
use crate::record::tests::sample;

const BODY: &str = r#"{ "node": "n1", "cluster": "c", "state": "streaming", "pg_version": "15.18",
  "slot": { "name": "s", "confirmed_lsn": "0/1", "retained_bytes": 0 }, "memory_bytes": 0, "journal_bytes": 0,
  "conflicts": { "total": 3, "by_kind": { "update_origin_differs": 3 } },
  "peers": [ { "node": "n2", "state": "connected", "applied_lsn": "0/1", "lag_bytes": 12345, "lag_seconds": 0.0, "error": null } ] }"#;

#[test]
fn the_documented_answer_is_understood() {
    let status = parse("n1", 200, BODY).unwrap();
    assert_eq!(
        status.conflicts.by_kind,
        BTreeMap::from([("update_origin_differs".to_owned(), 3)])
    );
    assert_eq!(
        status.peers,
        [Peer {
            node: "n2".to_owned(),
            lag_bytes: 12_345
        }]
    );
}

#[test]
fn an_answer_in_another_form_is_a_bug_that_names_the_node() {
    for (status, body) in [(200, "{}"), (503, "starting")] {
        let error = parse("n1", status, body).unwrap_err();
        assert_eq!(error.class(), crate::Class::Bug);
        assert!(error.to_string().contains("synapsed of n1"), "{error}");
    }
}

#[test]
fn a_second_is_one_line() {
    let statuses = Ok(vec![parse("n1", 200, BODY).unwrap()]);
    assert_eq!(
        line(5, &[812.4], &sample(), &statuses),
        "   5 s | n1   812 tps | lag n1>n2 12 kB | conflicts 3"
    );
}

#[test]
fn sizes_keep_at_most_three_digits_below_a_gigabyte() {
    for (count, text) in [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (999_999, "999 kB"),
        (5_000_000, "5 MB"),
    ] {
        assert_eq!(bytes(count), text);
    }
}
