mod from;
mod load;
mod policy;
mod refused;
mod rows;
mod run;

use std::process::Output;

use serde_json::Value;

use crate::cluster::Cluster;

/// Writes that capture takes for the engine's own: they stay on their node.
async fn apart(cluster: &Cluster, node: &str, sql: &str) {
    // The message of a barrier that nobody waits for.
    let message = "SELECT pg_logical_emit_message(true, 'synapse', 'barrier|9223372036854775808|' || \
         pg_snapshot_xmin(pg_current_snapshot()))";
    cluster.sql(node, &format!("{message}; {sql}")).await;
}

/// Runs `synapsectl verify` on n1 and asserts its exit code.
#[track_caller]
fn verify(cluster: &Cluster, arguments: &[&str], code: i32) -> Output {
    let all: Vec<&str> = ["verify"].into_iter().chain(arguments.iter().copied()).collect();
    let output = cluster.synapsectl("n1", &all);
    assert_eq!(
        output.status.code(),
        Some(code),
        "{all:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// As [`verify`], and reads what it prints.
#[track_caller]
fn verify_json(cluster: &Cluster, arguments: &[&str], code: i32) -> Value {
    let all: Vec<&str> = arguments.iter().copied().chain(["--output", "json"]).collect();
    let output = verify(cluster, &all, code);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The keys in a node's log, each with its source and whether a row stands after it.
async fn logged(cluster: &Cluster, node: &str) -> Vec<String> {
    let sql = "SELECT format('%s %s %s %s', table_name, key, source, after IS NOT NULL) FROM synapse.repair_log \
         WHERE repaired_by = (SELECT node FROM synapse.node) ORDER BY key::text";
    let rows = cluster.query(node, sql).await;
    rows.into_iter().flatten().flatten().collect()
}
