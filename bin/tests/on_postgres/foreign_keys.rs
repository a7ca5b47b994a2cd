//! Rows that nodes write while others take away what they refer to.

mod chains;
mod cost;
mod displaced;
mod kills;
mod large;
mod races;
mod rules;
mod shapes;

use crate::cluster::{Cluster, Server};

/// Two majors, three nodes.
const THREE: [Server; 3] = [Server::Own, Server::Eighteen, Server::Own];

/// How many entries wait to be mended.
const WAITING: &str = "SELECT count(*) FROM synapse.orphans WHERE foreign_key IS NOT NULL AND state = 'waiting'";

/// Nodes with these tables, filled on n1.
async fn parted(tables: &str, fill: &str) -> Cluster {
    let cluster = Cluster::start(&THREE).await;
    cluster.sql_all(tables).await;
    cluster.sql("n1", fill).await;
    cluster.settle().await;
    cluster
}

/// Resumes the links, and waits until nothing is left to be mended on any node; then all hold the same.
async fn mended(cluster: &Cluster, tables: &[&str]) {
    cluster.resume_all().await;
    settled(cluster).await;
    cluster.equal(tables).await;
}

/// Waits until nothing waits to be mended on any node, and all have heard of what was.
async fn settled(cluster: &Cluster) {
    cluster.settle().await;
    for node in cluster.names() {
        cluster.until_value(&node, WAITING, "0").await;
    }
    cluster.settle().await;
}

/// A query's value, which is the same on every node.
async fn everywhere(cluster: &Cluster, sql: &str) -> String {
    let mut values = Vec::new();
    for node in cluster.names() {
        values.push(cluster.value(&node, sql).await.unwrap_or_else(|| "none".to_owned()));
    }
    assert!(values.iter().all(|value| *value == values[0]), "{sql}: {values:?}");
    values.swap_remove(0)
}

/// Sets the rule of a table by a node's command.
fn rule(cluster: &Cluster, node: &str, table: &str, rule: &str) {
    let done = cluster.synapsectl(node, &["table", "set", "--table", table, "--foreign-keys", rule]);
    let (said, complained) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(done.status.success(), "{said}{complained}");
    assert!(said.contains("on every node"), "{said}");
}

/// What a node logged of orphans of a table: keys, rules and verdicts.
async fn logged(cluster: &Cluster, node: &str, table: &str) -> String {
    let sql = format!(
        "SELECT coalesce(string_agg(concat_ws(' ', key ->> 'id', policy, verdict, local_stamp ->> 'node', remote_stamp ->> 'node'), \
         ', ' ORDER BY key ->> 'id'), 'nothing') \
         FROM synapse.conflict_log WHERE kind = 'foreign_key_orphan' AND table_name = 'public.{table}'"
    );
    cluster.value(node, &sql).await.unwrap()
}
