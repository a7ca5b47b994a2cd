//! Concurrent load, so that every path of a row is taken.

use std::path::Path;

use tokio::process::Command;

use crate::cluster::{Cluster, Server};

/// Updates, inserts and deletes of few rows, with moments in which a row is locked and uncommitted.
const SCRIPT: &str = "\\set id random(1, 60)\n\\set op random(1, 10)\n\
    \\if :op <= 6\n UPDATE t SET n = n + 1, a = clock_timestamp()::text WHERE id = :id;\n\
    \\elif :op <= 8\n INSERT INTO t VALUES (:id, 'in', 0) ON CONFLICT (id) DO UPDATE SET a = 'in again';\n\
    \\elif :op = 9\n DELETE FROM t WHERE id = :id;\n\
    \\else\n BEGIN;\n UPDATE t SET n = n + 1 WHERE id = :id;\n SELECT pg_sleep(0.01);\n END;\n\\endif\n";

/// Seconds that the load runs.
const SECONDS: &str = "6";

#[tokio::test]
async fn under_load_on_the_same_rows_every_path_is_taken_and_all_nodes_are_equal() {
    let cluster = Cluster::start(&[Server::Own, Server::Eighteen, Server::Own]).await;
    cluster
        .sql_all("CREATE TABLE t (id int PRIMARY KEY, a text, n int)")
        .await;
    let script = cluster.dir().join("load.sql");
    std::fs::write(&script, SCRIPT).unwrap();
    let loads = cluster.names().into_iter().map(|name| load(&cluster, name, &script));
    for outcome in futures_util::future::join_all(loads).await {
        let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
        assert!(outcome.status.success(), "{text}");
    }
    cluster.equal(&["t"]).await;
    let mut counts = Vec::new();
    for path in ["guarded", "exact", "skipped", "rechecked"] {
        let mut sum = 0.0;
        for node in cluster.names() {
            sum += cluster
                .metric(&node, "synapse_apply_rows_total", &format!("\"{path}\""))
                .await;
        }
        counts.push((path, sum));
    }
    assert!(counts.iter().all(|(_, count)| *count > 0.0), "{counts:?}");
    assert!(cluster.metric("n1", "synapse_conflicts_total", "").await > 0.0);
    // Each transaction writes one row, and what it met is told once, also where its row was looked at again.
    let twice = "SELECT count(*) FROM (SELECT FROM synapse.conflict_log GROUP BY key, remote_stamp ->> 'transaction' HAVING count(*) > 1) AS twice";
    for node in cluster.names() {
        assert_eq!(cluster.number(&node, twice).await, 0, "{node}");
    }
}

async fn load(cluster: &Cluster, node: String, script: &Path) -> std::process::Output {
    let bin = Server::Own.bin();
    let mut command = Command::new(bin.join("pgbench"));
    command
        .args([
            "-n",
            "-c",
            "4",
            "-j",
            "1",
            "-T",
            SECONDS,
            "--max-tries",
            "100",
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
        ])
        .arg("-p")
        .arg(cluster.node(&node).postgres_port.to_string())
        .arg("-f")
        .arg(script)
        .arg("app");
    command.output().await.unwrap()
}
