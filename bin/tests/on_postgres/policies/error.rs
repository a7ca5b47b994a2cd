//! A policy that asks a person.

use super::set;
use crate::cluster::{Cluster, MIXED};

#[tokio::test]
async fn a_conflict_waits_for_a_person_and_is_decided_by_the_next_policy() {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 'first')").await;
    set(&cluster, "n1", "t", "error");
    cluster.equal(&["t"]).await;
    cluster.hold_all().await;
    cluster.sql("n1", "UPDATE t SET a = 'n1' WHERE id = 1").await;
    cluster.sql("n2", "UPDATE t SET a = 'n2' WHERE id = 1").await;
    cluster.resume_all().await;
    for node in ["n1", "n2"] {
        let stopped = cluster
            .until("the conflict stops the link", async || {
                let listed = cluster.synapsectl(node, &["apply", "list"]);
                let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
                listed.contains("ask a person").then_some(listed)
            })
            .await;
        assert!(
            stopped.contains("public.t") && stopped.contains("definite"),
            "{stopped}"
        );
        assert_eq!(
            cluster.value(node, "SELECT max(a) FROM t").await.as_deref(),
            Some(node),
            "each keeps its own meanwhile"
        );
    }
    // The one that sets it is stopped too: the answer stands behind what waits for it.
    let set = cluster.synapsectl("n2", &["table", "set", "--table", "t", "--policy", "first-write-wins"]);
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    for node in ["n1", "n2"] {
        // The block with the answer may be on its way.
        cluster
            .until("the conflict is decided", async || {
                // Refused where it is decided already.
                cluster.synapsectl(node, &["apply", "retry"]);
                let decided = cluster.value(node, "SELECT max(a) FROM t").await;
                decided.filter(|a| a == "n1")
            })
            .await;
    }
    cluster.equal(&["t"]).await;
}
