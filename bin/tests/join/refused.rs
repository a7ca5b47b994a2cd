//! Nodes that hold rows of their own.

use std::path::Path;

use crate::cluster::{Cluster, Server, What};
use crate::load::Load;
use crate::{NAMES, TABLES, fill};

/// Makes a node as if it had never been one: its database as it is, and nothing of ours.
pub(crate) async fn begin_anew(cluster: &mut Cluster, node: &str) {
    cluster.stop(node, What::Engine).await;
    let detached = cluster.synapsectl(node, &["node", "detach", "--confirm"]);
    assert!(detached.status.success(), "{detached:?}");
    let config: toml::Table = std::fs::read_to_string(&cluster.node(node).config)
        .unwrap()
        .parse()
        .unwrap();
    let data_dir = config["node"]["data-dir"].as_str().unwrap();
    std::fs::remove_dir_all(Path::new(data_dir)).unwrap();
    // It is made again by the daemon, whose user may not be who runs this test.
    cluster.stop(node, What::Both).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_hold_rows_are_refused_until_one_gives_way() {
    let mut cluster = Cluster::start(&[Server::Own; 2]).await;
    for node in ["n1", "n2"] {
        begin_anew(&mut cluster, node).await;
        cluster.start_again(node, What::Postgres).await;
        cluster.sql(node, TABLES).await;
    }
    fill(&cluster, "n1", 20_000).await;
    fill(&cluster, "n2", 30_000).await;
    for node in ["n1", "n2"] {
        cluster.start_again(node, What::Engine).await;
    }
    for (node, other) in [("n1", "n2"), ("n2", "n1")] {
        let said = async || {
            let status = cluster.status(node).await;
            (status["state"] == "stopped").then_some(status["problems"].to_string())
        };
        let problems = cluster.until("both are refused", said).await;
        assert!(
            problems.contains(&format!("{node} holds rows, and so does {other}")),
            "{problems}"
        );
        let command = format!("synapsectl node join --from {other} --replace-local --confirm");
        assert!(problems.contains(&command), "{problems}");
    }
    let asked = cluster.synapsectl("n2", &["node", "join", "--from", "n1", "--replace-local"]);
    let text = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert_eq!(asked.status.code(), Some(5), "{text}");
    assert!(text.contains("n2 would lose 32000 rows in 3 tables"), "{text}");
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM t").await, 30_000);

    let displaced = "INSERT INTO synapse.displaced VALUES ('public', 't', '\\x00', '{}', '{}', 'n2:1', 1, '[]'); \
         INSERT INTO synapse.rivals VALUES ('public', 't', '\\x00', '\\x01', '[]', '[]', 'n2:1', 2)";
    cluster.sql("n2", displaced).await;
    let load = Load::start(&cluster, &["n1"]);
    replaced(&cluster, "n2", "n1");
    cluster.until_ready().await;
    load.stop().await;
    cluster.equal(&NAMES).await;
    for table in ["displaced", "rivals"] {
        let left = format!("SELECT count(*) FROM synapse.{table}");
        assert_eq!(cluster.number("n2", &left).await, 0, "{table}");
    }
    assert!(cluster.number("n2", "SELECT max(n) FROM t").await <= 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_replaced_while_the_others_write_and_keep_what_it_had_sent() {
    let mut cluster = Cluster::start(&[Server::Own; 3]).await;
    cluster.sql_all(TABLES).await;
    fill(&cluster, "n1", 20_000).await;
    cluster.settle().await;
    let load = Load::start(&cluster, &["n1", "n2", "n3"]);
    // What it sent to some only, in its old life, must reach all.
    cluster.hold("n2", "n3").await;
    cluster.sql("n2", "INSERT INTO t (id, v) VALUES (-1, 'old life')").await;
    cluster
        .until_value("n1", "SELECT count(*) FROM t WHERE v = 'old life'", "1")
        .await;
    replaced(&cluster, "n2", "n1");
    // Its API goes away for a moment: it begins anew.
    let again = async || {
        let status = cluster.get("n2", "/v1/status").await.ok()?.json();
        status["join"]["from"].as_str().map(str::to_owned)
    };
    cluster.until("n2 is copied", again).await;
    cluster.resume("n2", "n3").await;
    cluster.until_ready().await;
    load.stop().await;
    cluster.equal(&NAMES).await;
    assert_eq!(
        cluster
            .number("n3", "SELECT count(*) FROM t WHERE v = 'old life'")
            .await,
        1
    );
    for node in ["n1", "n3", "n2"] {
        cluster.kill(node, What::Engine).await;
        cluster.start_again(node, What::Engine).await;
    }
    cluster.until_ready().await;
    cluster.sql_all("INSERT INTO t (v) VALUES ('after')").await;
    cluster.equal(&NAMES).await;
}

fn replaced(cluster: &Cluster, node: &str, from: &str) {
    let done = cluster.synapsectl(node, &["node", "join", "--from", from, "--replace-local", "--confirm"]);
    assert!(done.status.success(), "{done:?}");
}
