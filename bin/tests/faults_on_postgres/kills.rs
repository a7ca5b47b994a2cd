//! Random faults under load: after each, all nodes are equal, and nothing that was acknowledged is lost or doubled.
//!
//! `SYNAPSE_FAULT_SEED=n` replays a run's choices; `SYNAPSE_FAULT_ROUNDS=n` makes it longer, `SYNAPSE_FAULT_MINUTES=n`
//! lets it go on for so long (`make soak`).

use std::env;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use crate::bank::{self, Load, Tally};
use crate::cluster::{Cluster, Server, What};

/// Rounds of a test.
const ROUNDS: u64 = 5;
/// The most transactions that are committed before a fault, while a node is down, and after that.
const TRANSACTIONS_MAX: u64 = 400;

#[tokio::test(flavor = "multi_thread")]
async fn killed_daemons_lose_and_double_nothing() {
    rounds(&[What::Engine], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_servers_lose_and_double_nothing() {
    rounds(&[What::Postgres], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_nodes_lose_and_double_nothing() {
    rounds(&[What::Both], 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_on_two_nodes_at_once_lose_and_double_nothing() {
    rounds(&[What::Engine, What::Postgres, What::Both], 2).await;
}

/// Kills one of `whats` on each of `victims` nodes, starts them again, and compares; again and again.
async fn rounds(whats: &[What], victims: usize) {
    let number = |name| {
        env::var(name)
            .ok()
            .map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name}={text}")))
    };
    let seed = number("SYNAPSE_FAULT_SEED").unwrap_or_else(rand::random);
    let rounds = number("SYNAPSE_FAULT_ROUNDS").unwrap_or(ROUNDS);
    let minutes = number("SYNAPSE_FAULT_MINUTES");
    println!("replay with SYNAPSE_FAULT_SEED={seed}");
    let mut rng = SmallRng::seed_from_u64(seed);
    let until = minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let mut cluster = Cluster::start(&[Server::Own; 3]).await;
    bank::create(&cluster).await;
    let mut tally = Tally::default();
    let mut round = 0;
    while until.map_or(round < rounds, |until| Instant::now() < until) {
        round += 1;
        let names = cluster.names();
        let nodes: Vec<String> = names.choose_multiple(&mut rng, victims).cloned().collect();
        let mut fault = |node| (node, *whats.choose(&mut rng).expect("something is to be killed"));
        let faults: Vec<(String, What)> = nodes.into_iter().map(&mut fault).collect();
        let load = Load::start(&cluster, rng.random(), round);
        load.goes_on(&cluster, rng.random_range(0..TRANSACTIONS_MAX)).await;
        for (node, what) in &faults {
            cluster.kill(node, *what).await;
        }
        load.goes_on(&cluster, rng.random_range(0..TRANSACTIONS_MAX)).await;
        for (node, what) in &faults {
            cluster.start_again(node, *what).await;
        }
        load.goes_on(&cluster, rng.random_range(0..TRANSACTIONS_MAX)).await;
        tally.merge(load.stop().await);
        tally
            .check(&cluster, &format!("seed {seed}, round {round}: {faults:?}"))
            .await;
    }
}
