//! Links that are cut or held under load.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::bank::{self, Load};
use crate::cluster::{Cluster, Server};
use crate::proxy::Proxy;

/// Links are cut so often.
const CUTS: usize = 12;
/// The most transactions that are committed between two cuts.
const TRANSACTIONS_MAX: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn links_cut_at_any_moment_lose_and_double_nothing() {
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut cluster = Cluster::start(&[Server::Own; 3]).await;
    let proxies = through_proxies(&mut cluster).await;
    bank::create(&cluster).await;
    let load = Load::start(&cluster, seed, 0);
    for _ in 0..CUTS {
        load.goes_on(&cluster, rng.random_range(0..TRANSACTIONS_MAX)).await;
        proxies[rng.random_range(0..proxies.len())].cut();
    }
    load.stop().await.check(&cluster, "after cuts").await;
    let linked: u64 = cluster.names().iter().map(|name| links_made(&cluster, name)).sum();
    assert!(linked > 6, "no link was made again: the cuts cut nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_held_links_kept_back_arrives_once_they_are_resumed() {
    let cluster = Cluster::start(&[Server::Own; 3]).await;
    bank::create(&cluster).await;
    cluster.hold("n1", "n2").await;
    cluster.hold("n1", "n3").await;
    cluster.hold("n3", "n2").await;
    let load = Load::start(&cluster, rand::random(), 0);
    let written = "SELECT count(*) >= 300 FROM pgbench_history WHERE filler LIKE 'n1.%'";
    cluster.until_value("n1", written, "t").await;
    let tally = load.stop().await;
    let arrived = "SELECT count(*) FROM pgbench_history WHERE filler LIKE 'n1.%'";
    assert_eq!(cluster.number("n2", arrived).await, 0, "what is held does not arrive");
    cluster
        .until_peer("n2", "n1", "the link is held", |peer| peer["state"] == "held")
        .await;
    cluster.resume_all().await;
    tally.check(&cluster, "after holds").await;
}

/// Puts a proxy in front of every node for every other.
async fn through_proxies(cluster: &mut Cluster) -> Vec<Proxy> {
    let mut proxies = Vec::new();
    for node in cluster.names() {
        let mut changes = Vec::new();
        for peer in cluster.names().into_iter().filter(|peer| *peer != node) {
            let link = cluster.node(&peer).link.clone();
            let proxy = Proxy::start(link.clone()).await;
            changes.push((link, proxy.address.to_string()));
            proxies.push(proxy);
        }
        let through = |text: &str| {
            let mut text = text.to_owned();
            for (link, proxy) in &changes {
                text = text.replace(link, proxy);
            }
            text
        };
        cluster.reconfigure(&node, through).await;
    }
    cluster.until_ready().await;
    proxies
}

/// How often a node has linked to a peer, as its log says.
fn links_made(cluster: &Cluster, node: &str) -> u64 {
    let log = std::fs::read_to_string(&cluster.node(node).log).unwrap();
    log.matches("linked peer=").count() as u64
}
