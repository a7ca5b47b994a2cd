//! Clusters of servers of different majors under load.

use crate::bank::{self, Load};
use crate::cluster::{Cluster, Server};

#[tokio::test(flavor = "multi_thread")]
async fn one_15_and_two_18_hold_the_same() {
    equal_under_load(&[Server::Own, Server::Eighteen, Server::Eighteen]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_15_and_one_18_hold_the_same() {
    equal_under_load(&[Server::Own, Server::Own, Server::Eighteen]).await;
}

async fn equal_under_load(servers: &[Server]) {
    let cluster = Cluster::start(servers).await;
    bank::create(&cluster).await;
    let load = Load::start(&cluster, rand::random(), 0);
    for node in cluster.names() {
        let enough = format!("SELECT count(*) >= 400 FROM pgbench_history WHERE filler LIKE '{node}.%'");
        cluster.until_value(&node, &enough, "t").await;
    }
    load.stop().await.check(&cluster, &format!("{servers:?}")).await;
}
