//! Policies that cannot be: nothing changes, and the reason is said.

use synapse_engine_sandbox::What;

use crate::cluster::{Cluster, MIXED};

#[tokio::test]
async fn what_cannot_be_in_force_everywhere_is_refused_and_changes_nothing() {
    let mut cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all("CREATE TABLE t (id int PRIMARY KEY, a text, n int); CREATE TABLE k (a int)")
        .await;
    let function = "CREATE FUNCTION public.f(jsonb, jsonb, jsonb, jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT $1'";
    cluster.sql("n1", function).await;
    let refusals = [
        ("t", "newest-wins", 2, "does not belong there"),
        ("nowhere", "merge", 5, "n1, n2: there is no table public.nowhere"),
        ("k", "first-write-wins", 5, "has no key"),
        ("t", "counter(amount)", 5, "there is no column amount"),
        ("t", "counter(id)", 5, "part of the key"),
        (
            "t",
            "counter(a)",
            5,
            "counters are smallint, integer, bigint or numeric",
        ),
        ("t", "priority(n1,n9)", 5, "there is no node n9; the nodes are n1, n2"),
        (
            "t",
            "custom(public.f)",
            5,
            "n2: there is no function public.f(jsonb,jsonb,jsonb,jsonb)",
        ),
    ];
    for node in ["n1", "n2"] {
        for (table, policy, code, why) in refusals {
            let said = cluster.synapsectl(node, &["table", "set", "--table", table, "--policy", policy]);
            let complained = String::from_utf8_lossy(&said.stderr);
            assert!(complained.contains(why), "{policy}: {complained}");
            assert_eq!(said.status.code(), Some(code), "{policy}");
        }
    }
    cluster.kill("n2", What::Engine).await;
    cluster
        .until_peer("n1", "n2", "it is gone", |peer| peer["state"] == "connecting")
        .await;
    let said = cluster.synapsectl("n1", &["table", "set", "--table", "t", "--policy", "merge"]);
    let complained = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(5), "{complained}");
    assert!(complained.contains("while all nodes are up"), "{complained}");
    assert_eq!(cluster.number("n1", "SELECT count(*) FROM synapse.policies").await, 0);
    let identity = "SELECT relreplident::text FROM pg_class WHERE oid = 't'::regclass";
    assert_eq!(cluster.value("n1", identity).await.as_deref(), Some("d"));
}
