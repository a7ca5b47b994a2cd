use serde_json::json;

use super::*;

#[test]
fn both_rows_stand_below_their_conflict_and_nothing_stored_reaches_the_terminal() {
    let listed: list::Listed = serde_json::from_value(json!({
        "conflicts": [
            { "id": 8, "table": "public.t", "key": {"id": "1"}, "kind": "update_origin_differs", "policy": "last-write-wins",
              "local": {"id": "1", "a": "x\u{1b}[2J\ny"}, "remote": "left out: 20000 bytes",
              "local_stamp": {"node": "n1", "lsn": "0/10", "time": "2026-01-31 12:00:00+00", "transaction": "n1:1@0/10"},
              "remote_stamp": {"node": "n2", "lsn": "0/20", "time": "2026-01-31 12:00:01+00", "transaction": "n2:1@0/20"},
              "verdict": "remote", "resolved_at": "2026-01-31 12:00:02+00" },
            { "id": 7, "table": "public.\u{202e}u", "key": {"id": "1"}, "kind": "delete_missing", "policy": "last-write-wins",
              "local": null, "remote": null,
              "local_stamp": {"node": "n1", "lsn": "0/8", "time": "2026-01-31 11:00:00+00", "transaction": "n1:1@0/8"},
              "remote_stamp": {"node": "n2", "lsn": "0/9", "time": "2026-01-31 11:00:01+00", "transaction": "n2:1@0/9"},
              "verdict": "local", "resolved_at": "2026-01-31 12:00:02+00" }
        ],
        "next_before": 7,
        "left_out": { "total": 3, "uptime_seconds": 7200,
            "by": [{ "table": "public.t", "kind": "insert_exists", "policy": "last-write-wins", "count": 3 }] }
    }))
    .unwrap();
    let expected = "\
8  2026-01-31 12:00:02+00  public.t {\"id\":\"1\"}  update_origin_differs  last-write-wins: remote
    local   n1:1@0/10  2026-01-31 12:00:00+00  {\"a\":\"x\\u001b[2J\\ny\",\"id\":\"1\"}
    remote  n2:1@0/20  2026-01-31 12:00:01+00  (left out: 20000 bytes)
7  2026-01-31 12:00:02+00  public.\\u202eu {\"id\":\"1\"}  delete_missing  last-write-wins: local
    local   n1:1@0/8  2026-01-31 11:00:00+00  (no row)
    remote  n2:1@0/9  2026-01-31 11:00:01+00  (no row)

there are more: --before 7

3 are not in the log ([conflicts] log-rate), since the daemon's start 2.0 h ago:
TABLE     KIND           POLICY           COUNT
public.t  insert_exists  last-write-wins  3
";
    assert_eq!(listed.text(), expected);
}

#[test]
fn groups_line_up_and_none_is_said_in_words() {
    let stats: stats::Stats = serde_json::from_value(json!({
        "groups": [{ "table": "public.t", "kind": "insert_exists", "policy": "last-write-wins", "verdict": "both", "count": 12,
                     "first": "2026-01-31 11:00:00+00", "last": "2026-01-31 12:00:00+00" }],
        "left_out": { "total": 0, "uptime_seconds": 1, "by": [] }
    }))
    .unwrap();
    let expected = "\
TABLE     KIND           POLICY           VERDICT  COUNT  LAST
public.t  insert_exists  last-write-wins  both     12     2026-01-31 12:00:00+00
";
    assert_eq!(stats.text(), expected);
    let none: stats::Stats =
        serde_json::from_value(json!({"groups": [], "left_out": {"total": 0, "uptime_seconds": 1, "by": []}})).unwrap();
    assert_eq!(none.text(), "no conflicts\n");
}

#[test]
fn filters_go_into_the_query_escaped() {
    let filter = Filter {
        table: Some("public.a&b".to_owned()),
        kind: None,
        policy: None,
        verdict: Some("both".to_owned()),
        since: Some("2026-01-31 12:00:00+00".to_owned()),
    };
    assert_eq!(
        filter.query().join("&"),
        "table=public.a%26b&verdict=both&since=2026-01-31%2012%3A00%3A00%2B00"
    );
}
