//! Transactions that are larger than the memory of the daemons.

use std::time::Duration;

use tokio::time::Instant;

use crate::cluster::{Cluster, Server};

/// Rows of one transaction.
const ROWS: i64 = 2_000_000;
/// What a daemon may ever have resident, in bytes.
const MEMORY_MAX: u64 = 256 << 20;
/// The longest from the commit until every node has it.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread")]
async fn two_million_rows_in_one_transaction_pass_daemons_of_256_megabytes() {
    let cluster = Cluster::start(&[Server::Own; 3]).await;
    cluster
        .sql_all("CREATE TABLE big (id int8 PRIMARY KEY, a int, b text)")
        .await;
    let insert = format!("INSERT INTO big SELECT g, g, md5(g::text) FROM generate_series(1, {ROWS}) g");
    cluster.sql("n1", &insert).await;
    until_everywhere(&cluster, ROWS).await;
    cluster.sql("n2", "DELETE FROM big WHERE id > 1000").await;
    until_everywhere(&cluster, 1_000).await;
    cluster.equal(&["big"]).await;
}

/// Waits for the rows, then looks at the highest memory that each daemon ever had.
async fn until_everywhere(cluster: &Cluster, rows: i64) {
    let since = Instant::now();
    for node in cluster.names() {
        while cluster.number(&node, "SELECT count(*) FROM big").await != rows {
            assert_peaks(cluster, rows);
            if since.elapsed() > PATIENCE {
                panic!("{node} has not {rows} rows after {since:?}\n{}", cluster.report().await);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
    println!(
        "{rows} rows everywhere after {:?}; {}",
        since.elapsed(),
        assert_peaks(cluster, rows)
    );
}

/// The system's own record of the peak (`VmHWM`), so that nothing between two looks is missed.
fn assert_peaks(cluster: &Cluster, rows: i64) -> String {
    let mut peaks = Vec::new();
    for node in cluster.names() {
        let pid = cluster.node(&node).engine_pid.expect("the daemon runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("the system tells the peak");
        let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().unwrap();
        assert!(
            kilobytes << 10 < MEMORY_MAX,
            "{node} took {kilobytes} kB on the way to {rows} rows"
        );
        peaks.push(format!("{node}: {kilobytes} kB"));
    }
    format!("peaks: {}", peaks.join(", "))
}
