//! What a person sees of rows that are displaced, and is asked.

use serde_json::json;

use super::{left, parted};

#[tokio::test]
async fn a_row_that_is_displaced_is_in_the_log_with_what_came_and_counted() {
    let cluster = parted("CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, v text)").await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 'same', 'one')").await;
    cluster.sql("n2", "INSERT INTO t VALUES (2, 'same', 'two')").await;
    assert_eq!(left(&cluster).await, "2:same:two | 1 by 2");
    let log = "SELECT string_agg(concat_ws(' ', kind, key ->> 'id', verdict, local ->> 'v', remote ->> 'v', \
               local_stamp ->> 'node', remote_stamp ->> 'node'), ',') FROM synapse.conflict_log";
    let seen = |node: &'static str| cluster.value(node, log);
    assert_eq!(
        seen("n1").await.as_deref(),
        Some("insert_exists 1 remote one two n1 n2")
    );
    assert_eq!(seen("n2").await.as_deref(), Some("insert_exists 1 local one n2 n1"));
    for node in ["n1", "n2"] {
        assert_eq!(
            cluster.status(node).await["conflicts"]["by_kind"],
            json!({"insert_exists": 1})
        );
        assert_eq!(cluster.status(node).await["displaced"], 1);
    }
    // So is one of a table of which rows are displaced already.
    cluster.hold_all().await;
    cluster.sql("n1", "INSERT INTO t VALUES (3, 'too', 'three')").await;
    cluster.sql("n2", "INSERT INTO t VALUES (4, 'too', 'four')").await;
    assert_eq!(left(&cluster).await, "2:same:two 4:too:four | 1 by 2 3 by 4");
    assert_eq!(
        seen("n1").await.as_deref(),
        Some("insert_exists 1 remote one two n1 n2,insert_exists 3 remote three four n1 n2")
    );
    cluster.sql("n3", "DELETE FROM t WHERE id IN (2, 4)").await;
    assert_eq!(left(&cluster).await, "1:same:one 3:too:three | none");
    assert_eq!(cluster.status("n1").await["displaced"], 0);
}

#[tokio::test]
async fn where_a_person_is_to_be_asked_the_link_waits_before_a_row_is_displaced() {
    let cluster = parted("CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, v text)").await;
    cluster.resume_all().await;
    let set = |policy: &str| {
        let set = cluster.synapsectl("n1", &["table", "set", "--table", "t", "--policy", policy]);
        assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    };
    set("error");
    cluster.settle().await;
    cluster.hold_all().await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 'same', 'one')").await;
    cluster.sql("n2", "INSERT INTO t VALUES (2, 'same', 'two')").await;
    cluster.resume_all().await;
    let stopped = cluster
        .until_peer("n1", "n2", "stopped", |peer| peer["state"] == "stopped")
        .await;
    let message = stopped["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(
        message.contains("wrote rows that exclude each other in table public.t"),
        "{message}"
    );
    set("last-write-wins");
    for node in cluster.names() {
        cluster.post(&node, "/v1/apply/retry", json!({})).await;
    }
    assert_eq!(left(&cluster).await, "2:same:two | 1 by 2");
}
