//! Concurrent load on few unique values, and kills in its midst: all nodes end with the same rows, standing and displaced.

use std::path::{Path, PathBuf};

use tokio::process::{Child, Command};

use super::THREE;
use crate::cluster::{Cluster, Server, What};

/// A value that is taken here is no error: it is let be.
const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, v int UNIQUE, n int); \
    CREATE FUNCTION move(k int, a int, b int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
    UPDATE t SET u = a, v = b, n = n + 1 WHERE id = k; EXCEPTION WHEN unique_violation THEN NULL; END $$";

const SCRIPT: &str = "\\set id random(1, 40)\n\\set u random(1, 30)\n\\set v random(1, 30)\n\\set op random(1, 100)\n\
    \\if :op <= 40\n INSERT INTO t VALUES (:id, :u, :v, 0) ON CONFLICT DO NOTHING;\n\
    \\elif :op <= 70\n SELECT move(:id, :u, :v);\n\
    \\elif :op <= 80\n UPDATE t SET n = n + 1 WHERE id = :id;\n\
    \\elif :op <= 95\n DELETE FROM t WHERE id = :id;\n\
    \\elif :op <= 99\n DELETE FROM synapse.displaced WHERE key ->> 'id' = (:id)::text;\n\
    \\else\n BEGIN;\n DELETE FROM t WHERE id = :id;\n SELECT pg_sleep(0.01);\n END;\n\\endif\n";

const DISPLACED: &str =
    "SELECT coalesce(string_agg(key::text || image::text, ' ' ORDER BY key::text), 'none') FROM synapse.displaced";

async fn made() -> (Cluster, PathBuf) {
    let cluster = Cluster::start(&THREE).await;
    cluster.sql_all(TABLE).await;
    let script = cluster.dir().join("load.sql");
    std::fs::write(&script, SCRIPT).unwrap();
    (cluster, script)
}

fn load(cluster: &Cluster, node: &str, script: &Path, transactions: &str) -> Child {
    let port = cluster.node(node).postgres_port.to_string();
    let mut command = Command::new(Server::Own.bin().join("pgbench"));
    command
        .args(["-n", "-c", "3", "-j", "1", "-t", transactions, "--max-tries", "100"])
        .args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port, "-f"])
        .arg(script)
        .arg("app")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    command.spawn().unwrap()
}

/// All nodes hold the same, and what is displaced is excluded by what stands.
async fn all_agree(cluster: &Cluster) {
    cluster.equal(&["t"]).await;
    let first = cluster.value("n1", DISPLACED).await.unwrap();
    for node in cluster.names() {
        assert_eq!(cluster.value(&node, DISPLACED).await.unwrap(), first, "{node}");
        let free = "SELECT count(*) FROM synapse.displaced d WHERE NOT EXISTS (SELECT FROM t \
             WHERE t.u = (d.image ->> 'u')::int OR t.v = (d.image ->> 'v')::int) \
             OR EXISTS (SELECT FROM t WHERE t.id = (d.key ->> 'id')::int)";
        assert_eq!(cluster.number(&node, free).await, 0, "{node}");
    }
}

/// How many rows were displaced since the daemons' last starts.
async fn clashes(cluster: &Cluster) -> f64 {
    let mut clashes = 0.0;
    for node in cluster.names() {
        for kind in ["\"update_exists\"", "\"multiple_unique_conflicts\""] {
            clashes += cluster.metric(&node, "synapse_conflicts_total", kind).await;
        }
    }
    clashes
}

#[tokio::test]
async fn under_load_on_the_same_values_all_nodes_agree_who_stands() {
    let (cluster, script) = made().await;
    let loads = cluster
        .names()
        .into_iter()
        .map(|node| load(&cluster, &node, &script, "400"));
    for child in loads.collect::<Vec<_>>() {
        let outcome = child.wait_with_output().await.unwrap();
        assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
    }
    all_agree(&cluster).await;
    assert!(clashes(&cluster).await > 0.0);
}

#[tokio::test]
async fn daemons_and_servers_that_are_killed_in_the_midst_of_it_agree_too() {
    let (mut cluster, script) = made().await;
    for (node, what) in [
        ("n1", What::Engine),
        ("n2", What::Postgres),
        ("n3", What::Both),
        ("n2", What::Engine),
    ] {
        let loads: Vec<Child> = cluster
            .names()
            .into_iter()
            .map(|node| load(&cluster, &node, &script, "150"))
            .collect();
        let written = cluster
            .number(node, "SELECT coalesce(sum(n_tup_ins), 0)::int FROM pg_stat_user_tables")
            .await;
        let more = format!("SELECT (coalesce(sum(n_tup_ins), 0) > {written} + 20)::text FROM pg_stat_user_tables");
        cluster.until_value(node, &more, "true").await;
        cluster.kill(node, what).await;
        cluster.start_again(node, what).await;
        for child in loads {
            // The sessions of a server that was killed ended with it.
            child.wait_with_output().await.unwrap();
        }
        cluster.until_ready().await;
    }
    all_agree(&cluster).await;
    assert!(clashes(&cluster).await > 0.0);
}
