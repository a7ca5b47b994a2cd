use super::*;

fn waited(json: serde_json::Value) -> Waited {
    serde_json::from_value(json).unwrap()
}

#[test]
fn the_answer_becomes_an_exit_code() {
    let done = waited(serde_json::json!({"done": true, "reason": null, "detail": null, "behind": []}));
    assert_eq!(done.exit(), Exit::Done);
    let stands = waited(serde_json::json!({"done": false, "reason": "stands", "detail": "held", "behind": []}));
    assert_eq!(stands.exit(), Exit::No);
    let timeout = waited(serde_json::json!({"done": false, "reason": "timeout", "detail": null, "behind": []}));
    assert_eq!(timeout.exit(), Exit::TimedOut);
}

#[test]
fn who_is_behind_whom_is_said_with_the_bytes_left() {
    let behind = serde_json::json!([{"node": "n2", "peer": "n1", "bytes": 2048}]);
    let shown =
        waited(serde_json::json!({"done": false, "reason": "timeout", "detail": "n2 is slow", "behind": behind}))
            .text();
    assert_eq!(shown, "timed out: n2 is slow\nn2 has not applied 2.0 kB of n1\n");
}
