//! The load: pgbench's tables and its transaction, written on every node at once, with a record of what its clients
//! were told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;
use tokio_postgres::error::Severity;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;

/// The tables.
pub(crate) const TABLES: [&str; 4] = [
    "pgbench_accounts",
    "pgbench_branches",
    "pgbench_tellers",
    "pgbench_history",
];
/// Few enough that nodes collide all the time.
const BRANCHES: i32 = 2;
const TELLERS: i32 = 20;
const ACCOUNTS: i32 = 2_000;
/// Sessions on each node.
const CLIENTS: usize = 3;
/// Between two attempts to reach a server that is down.
const RETRY_EVERY: Duration = Duration::from_millis(20);

/// Makes pgbench's tables on every node, and fills them on the first.
pub(crate) async fn create(cluster: &Cluster) {
    cluster
        .sql_all(
            "CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
             CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
             CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
             CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));",
        )
        .await;
    let fill = format!(
        "INSERT INTO pgbench_branches SELECT b, 0 FROM generate_series(1, {BRANCHES}) b;
         INSERT INTO pgbench_tellers SELECT t, t % {BRANCHES} + 1, 0 FROM generate_series(1, {TELLERS}) t;
         INSERT INTO pgbench_accounts SELECT a, a % {BRANCHES} + 1, 0, '' FROM generate_series(1, {ACCOUNTS}) a;"
    );
    let first = cluster.names().remove(0);
    cluster.sql(&first, &fill).await;
    cluster.settle().await;
}

/// What clients know of their transactions, each named by what it wrote into the history.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The server said that they are committed.
    pub(crate) acknowledged: BTreeSet<String>,
    /// The connection broke before it said anything.
    pub(crate) in_doubt: BTreeSet<String>,
}

impl Tally {
    /// Adds what other clients know.
    pub(crate) fn merge(&mut self, other: Tally) {
        self.acknowledged.extend(other.acknowledged);
        self.in_doubt.extend(other.in_doubt);
    }

    /// Asserts that all nodes hold the same, and that every acknowledged transaction is there once, every one in doubt
    /// at most once, and nothing else.
    pub(crate) async fn check(&self, cluster: &Cluster, what: &str) {
        println!(
            "{what}: {} acknowledged, {} in doubt",
            self.acknowledged.len(),
            self.in_doubt.len()
        );
        cluster.equal(&TABLES).await;
        let first = cluster.names().remove(0);
        let mut found = BTreeMap::<String, u64>::new();
        for row in cluster.query(&first, "SELECT filler::text FROM pgbench_history").await {
            *found.entry(row.into_iter().flatten().collect()).or_default() += 1;
        }
        let lost: Vec<_> = self
            .acknowledged
            .iter()
            .filter(|tag| !found.contains_key(*tag))
            .collect();
        let doubled: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
        let known = |tag: &String| self.acknowledged.contains(tag) || self.in_doubt.contains(tag);
        let unknown: Vec<_> = found.keys().filter(|tag| !known(tag)).collect();
        if !(lost.is_empty() && doubled.is_empty() && unknown.is_empty()) {
            let report = cluster.report().await;
            panic!("{what}\nlost: {lost:?}\ndoubled: {doubled:?}\nrolled back and yet there: {unknown:?}\n{report}");
        }
    }
}

/// Clients at work.
pub(crate) struct Load {
    stop: CancellationToken,
    clients: JoinSet<Tally>,
    /// Transactions that were acknowledged so far.
    acknowledged: Arc<AtomicU64>,
}

impl Load {
    /// Starts clients on every node. No two rounds of one cluster have the same number.
    pub(crate) fn start(cluster: &Cluster, seed: u64, round: u64) -> Load {
        let (stop, mut clients) = (CancellationToken::new(), JoinSet::new());
        let acknowledged = Arc::<AtomicU64>::default();
        for node in cluster.names() {
            for number in 0..CLIENTS {
                let name = format!("{node}.{number}.{round}");
                let rng = SmallRng::seed_from_u64(seed ^ clients.len() as u64);
                let dsn = cluster.node(&node).dsn.clone();
                clients.spawn(client(dsn, name, rng, stop.clone(), Arc::clone(&acknowledged)));
            }
        }
        Load {
            stop,
            clients,
            acknowledged,
        }
    }

    /// Returns when so many more transactions were acknowledged, on any nodes.
    pub(crate) async fn goes_on(&self, cluster: &Cluster, transactions: u64) {
        let wanted = self.acknowledged.load(Ordering::Relaxed) + transactions;
        let enough = async || (self.acknowledged.load(Ordering::Relaxed) >= wanted).then_some(());
        cluster.until("the load goes on", enough).await;
    }

    /// Lets every client finish its transaction.
    pub(crate) async fn stop(self) -> Tally {
        self.stop.cancel();
        let mut all = Tally::default();
        for tally in self.clients.join_all().await {
            all.merge(tally);
        }
        all
    }
}

async fn client(dsn: String, name: String, mut rng: SmallRng, stop: CancellationToken, all: Arc<AtomicU64>) -> Tally {
    let (mut tally, mut number) = (Tally::default(), 0_u64);
    while !stop.is_cancelled() {
        let Ok((client, connection)) = tokio_postgres::connect(&dsn, NoTls).await else {
            tokio::time::sleep(RETRY_EVERY).await;
            continue;
        };
        let connection = tokio::spawn(connection);
        while !stop.is_cancelled() {
            number += 1;
            let tag = format!("{name}.{number}");
            match client.batch_execute(&transaction(&mut rng, &tag)).await {
                Ok(()) => {
                    tally.acknowledged.insert(tag);
                    all.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) if rolled_back(&error) => {}
                Err(_) => {
                    tally.in_doubt.insert(tag);
                    break;
                }
            }
        }
        connection.abort();
    }
    tally
}

/// pgbench's TPC-B-like transaction; as one message it is one transaction.
fn transaction(rng: &mut SmallRng, tag: &str) -> String {
    let aid = rng.random_range(1..=ACCOUNTS);
    let (bid, tid) = (rng.random_range(1..=BRANCHES), rng.random_range(1..=TELLERS));
    let delta = rng.random_range(-5_000..=5_000);
    format!(
        "UPDATE pgbench_accounts SET abalance = abalance + {delta} WHERE aid = {aid};
         SELECT abalance FROM pgbench_accounts WHERE aid = {aid};
         UPDATE pgbench_tellers SET tbalance = tbalance + {delta} WHERE tid = {tid};
         UPDATE pgbench_branches SET bbalance = bbalance + {delta} WHERE bid = {bid};
         INSERT INTO pgbench_history VALUES ({tid}, {bid}, {aid}, {delta}, clock_timestamp(), '{tag}');"
    )
}

/// An ERROR ends the transaction, not the session: a session that ends may have committed before.
fn rolled_back(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .is_some_and(|error| error.parsed_severity() == Some(Severity::Error))
}
