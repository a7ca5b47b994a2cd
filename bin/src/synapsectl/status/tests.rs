use super::*;

fn status(peers: serde_json::Value) -> Status {
    let status = serde_json::json!({
        "node": "n1", "cluster": "c", "state": "degraded", "pg_version": "15.18", "captured_lsn": "0/20",
        "slot": {"name": "s", "confirmed_lsn": "0/10", "retained_bytes": 2048},
        "memory_bytes": 1024, "journal_bytes": 0, "journal_limit_bytes": 1024,
        "conflicts": {"total": 3, "by_kind": {"insert_exists": 3}, "per_second": 0.05, "left_out": 2}, "displaced": 7, "problems": ["cannot apply n2:7@0/10"], "warnings": [],
        "peers": peers
    });
    serde_json::from_value(status).unwrap()
}

#[test]
fn what_is_wrong_stands_first_and_below_its_peer_with_what_helps() {
    let shown = text(&status(serde_json::json!([
        {"node": "n2", "state": "stopped", "applied_lsn": "0/8", "lag_bytes": 2048, "lag_seconds": 90.0, "clock_skew_seconds": 0.001,
         "waits_for": null, "error": {"class": "definite", "message": "no table", "txn": "n2:7@0/10", "table": "public.t", "key": {"id": 1}}},
        {"node": "n3", "state": "connected", "applied_lsn": "0/9", "lag_bytes": 0, "lag_seconds": 0.0, "clock_skew_seconds": null,
         "waits_for": null, "error": null}
    ])));
    let expected = "\
n1  DEGRADED  cluster c, PostgreSQL 15.18
PROBLEM: cannot apply n2:7@0/10
captured   0/20
slot       s: confirmed 0/10, WAL retained 2.0 kB
journal    0 B of 1.0 kB
memory     1.0 kB
conflicts  3 (insert_exists 3), 0.1/s, 2 not in the log
displaced  7 rows; hint: SELECT * FROM synapse.displaced

PEER  STATE      LAG     AGE    APPLIED  CLOCK
n2    stopped    2.0 kB  1 min  0/8      +0.001 s
    definite: no table
    transaction n2:7@0/10, table public.t, key {\"id\":1}
    hint: mend the cause, then `synapsectl apply retry --from n2`; or do without it: `synapsectl apply skip --from n2 --txn n2:7@0/10 --confirm`
n3    connected  0 B     0 s    0/9      -
";
    assert_eq!(shown, expected);
}

#[test]
fn a_held_link_says_how_it_is_resumed() {
    let shown = text(&status(serde_json::json!([
        {"node": "n2", "state": "held", "applied_lsn": "0/8", "lag_bytes": 0, "lag_seconds": 0.0, "clock_skew_seconds": null,
         "waits_for": null, "error": null}
    ])));
    assert!(
        shown.contains("hint: `synapsectl link resume --from n2 --to n1`"),
        "{shown}"
    );
}
