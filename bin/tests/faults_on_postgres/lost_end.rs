//! Journals that lost in a crash what is applied: peers bring it back.

use std::fs::OpenOptions;

use crate::cluster::{Cluster, MIXED, What};
use crate::damage::segment;

const NODES: [(&str, &str); 2] = [("n1", "n2"), ("n2", "n1")];

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_lost_each_others_blocks_bring_them_back() {
    let mut cluster = Cluster::start(&MIXED).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    cluster
        .sql("n1", "INSERT INTO t SELECT g, 'n1' FROM generate_series(1, 50) g")
        .await;
    cluster
        .sql("n2", "INSERT INTO t SELECT g, 'n2' FROM generate_series(51, 100) g")
        .await;
    cluster.equal(&["t"]).await;
    stop(&mut cluster).await;
    let lengths = NODES.map(|(at, of)| segment(&cluster, at, of).metadata().unwrap().len());
    start(&mut cluster).await;
    cluster.sql("n1", "UPDATE t SET a = 'later' WHERE id <= 60").await;
    cluster.equal(&["t"]).await;
    cluster.sql("n2", "DELETE FROM t WHERE id BETWEEN 40 AND 70").await;
    cluster.equal(&["t"]).await;

    stop(&mut cluster).await;
    for ((at, of), length) in NODES.into_iter().zip(lengths) {
        let path = segment(&cluster, at, of);
        assert!(path.metadata().unwrap().len() > length, "{}", path.display());
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length)
            .unwrap();
    }
    // Alone it cannot bring back what it lost, and says that it waits.
    cluster.start_again("n1", What::Engine).await;
    let log = cluster.node("n1").log.clone();
    let said = async || {
        let log = std::fs::read_to_string(&log).unwrap();
        log.contains("the journal lost its end in a crash").then_some(())
    };
    cluster.until("n1 says what its journal lost", said).await;
    cluster.start_again("n2", What::Engine).await;
    cluster.until_ready().await;
    // The registers are those of before: an update that saw the delete, and one that did not.
    cluster.sql("n1", "INSERT INTO t VALUES (40, 'again')").await;
    cluster.sql("n2", "UPDATE t SET a = 'last' WHERE id = 1").await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n2", "SELECT count(*) FROM t").await, 70);
}

async fn stop(cluster: &mut Cluster) {
    for (node, _) in NODES {
        cluster.stop(node, What::Engine).await;
    }
}

async fn start(cluster: &mut Cluster) {
    for (node, _) in NODES {
        cluster.start_again(node, What::Engine).await;
    }
}
