//! Journals that a disk damages: what is missing comes back from peers.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::bank::{self, Load, TABLES};
use crate::cluster::{Cluster, Server, What};

/// What counts the blocks that came back.
const REPAIRED: &str = "synapse_journal_repaired_blocks_total";
/// The header of a segment, and of a block, in bytes.
const SEGMENT_HEADER: u64 = 64;
const BLOCK_HEADER: usize = 80;
/// Where a block's header has its kind, and the size of what follows it; the kinds.
const KIND_AT: usize = 6;
const STORED_AT: usize = 68;
const TRANSACTIONS: u8 = 0;
const PROGRESS: u8 = 1;

/// Which bytes of a block are flipped.
#[derive(Clone, Copy, Debug)]
enum Bytes {
    Header,
    Payload,
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_blocks_found_at_a_start_are_fetched_from_a_peer() {
    let mut cluster = Cluster::start(&[Server::Own; 3]).await;
    bank::create(&cluster).await;
    // What n1 has is needed: n3 has none of it.
    cluster.kill("n3", What::Both).await;
    write(&cluster).await;
    cluster.stop("n1", What::Engine).await;
    damage(&cluster, "n1", "n1", Bytes::Payload);
    damage(&cluster, "n1", "n2", Bytes::Header);
    cluster.start_again("n1", What::Engine).await;
    mended(&cluster, "n1", 2.0).await;
    cluster.kill("n2", What::Both).await;
    cluster.start_again("n3", What::Both).await;
    let written = cluster
        .value("n1", "SELECT count(*) FROM pgbench_history")
        .await
        .unwrap();
    cluster
        .until_value("n3", "SELECT count(*) FROM pgbench_history", &written)
        .await;
    cluster.start_again("n2", What::Both).await;
    cluster.equal(&TABLES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_block_met_while_shipping_is_fetched_from_a_peer() {
    let mut cluster = Cluster::start(&[Server::Own; 3]).await;
    bank::create(&cluster).await;
    cluster.kill("n3", What::Both).await;
    write(&cluster).await;
    damage(&cluster, "n1", "n1", Bytes::Payload);
    assert_eq!(repaired(&cluster, "n1").await, 0.0, "nobody has read it yet");
    cluster.start_again("n3", What::Both).await;
    mended(&cluster, "n1", 1.0).await;
    cluster.equal(&TABLES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_block_met_while_applying_is_fetched_from_a_peer() {
    let cluster = Cluster::start(&[Server::Own; 2]).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    let session = cluster.session("n1").await;
    session
        .batch_execute("BEGIN; LOCK TABLE t IN EXCLUSIVE MODE")
        .await
        .unwrap();
    // More than the applier reads ahead.
    for number in 0..40 {
        let rows =
            format!("SELECT g, repeat('x', 100) FROM generate_series({number} * 1000 + 1, {number} * 1000 + 1000) g");
        cluster.sql("n2", &format!("INSERT INTO t {rows}")).await;
    }
    let all = async || (blocks(&segment(&cluster, "n1", "n2"), TRANSACTIONS).len() >= 40).then_some(());
    cluster.until("n1 has journalled all of it", all).await;
    let path = segment(&cluster, "n1", "n2");
    let (offset, stored) = blocks(&path, TRANSACTIONS)[37];
    flip(&path, offset + BLOCK_HEADER as u64 + stored / 2);
    assert_eq!(repaired(&cluster, "n1").await, 0.0, "nobody has read it yet");
    session.batch_execute("COMMIT").await.unwrap();
    mended(&cluster, "n1", 1.0).await;
    cluster.equal(&["t"]).await;
    assert_eq!(cluster.number("n1", "SELECT count(*) FROM t").await, 40_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_that_no_peer_can_mend_is_spoken_of_until_one_returns() {
    let mut cluster = Cluster::start(&[Server::Own; 3]).await;
    bank::create(&cluster).await;
    cluster.kill("n3", What::Both).await;
    write(&cluster).await;
    cluster.stop("n2", What::Engine).await;
    cluster.stop("n1", What::Engine).await;
    let (path, offset) = damage(&cluster, "n1", "n1", Bytes::Header);
    cluster.start_again("n1", What::Engine).await;
    let degraded = async || Some(cluster.status("n1").await).filter(|status| status["state"] == "degraded");
    let problems = cluster.until("n1 is degraded", degraded).await["problems"].to_string();
    for part in [
        path.to_str().unwrap(),
        &format!("at byte {offset}"),
        "synapsectl node join",
    ] {
        assert!(problems.contains(part), "{part} is not in {problems}");
    }
    let ready = cluster.get("n1", "/readyz").await.unwrap();
    assert!(ready.status == 503 && ready.text.contains("is damaged"), "{ready:?}");
    cluster.start_again("n2", What::Engine).await;
    mended(&cluster, "n1", 1.0).await;
    cluster.start_again("n3", What::Both).await;
    cluster.equal(&TABLES).await;
    let streaming = async || (cluster.status("n1").await["state"] == "streaming").then_some(());
    cluster.until("n1 is as before", streaming).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_progress_that_has_no_copy_stops_the_node_which_says_what_to_do() {
    let mut cluster = Cluster::start(&[Server::Own; 2]).await;
    bank::create(&cluster).await;
    write(&cluster).await;
    cluster.stop("n1", What::Engine).await;
    let path = segment(&cluster, "n1", "n1");
    for (offset, _) in blocks(&path, PROGRESS).split_off(1) {
        flip(&path, offset + BLOCK_HEADER as u64);
    }
    cluster.start_again("n1", What::Engine).await;
    let stopped = async || Some(cluster.status("n1").await).filter(|status| status["state"] == "stopped");
    let problems = cluster.until("n1 is stopped", stopped).await["problems"].to_string();
    for part in [path.to_str().unwrap(), "at byte", "synapsectl node join"] {
        assert!(problems.contains(part), "{part} is not in {problems}");
    }
    // And its own transactions, which the damage did not touch, still reach whoever asks.
    let linked = async || (cluster.peer("n2", "n1").await["state"] == "connected").then_some(());
    cluster.until("n2 is linked to n1", linked).await;
}

/// Writes on the nodes that are up, until each has journalled a good deal of every other's.
async fn write(cluster: &Cluster) {
    let load = Load::start(cluster, rand::random(), 0);
    let count = "SELECT count(*) > 200 FROM pgbench_history WHERE filler";
    for (node, other) in [("n1", "n2"), ("n2", "n1")] {
        cluster
            .until_value(node, &format!("{count} LIKE '{other}.%'"), "t")
            .await;
    }
    load.stop().await;
    for (node, other) in [("n1", "n2"), ("n2", "n1")] {
        cluster
            .until_peer(node, other, "all of it is applied", |peer| peer["lag_bytes"] == 0)
            .await;
    }
}

async fn mended(cluster: &Cluster, node: &str, count: f64) {
    let look = async || (repaired(cluster, node).await >= count).then_some(());
    cluster
        .until(&format!("{count} blocks of {node} are repaired"), look)
        .await;
}

async fn repaired(cluster: &Cluster, node: &str) -> f64 {
    cluster.metric(node, REPAIRED, "").await
}

/// Flips bytes of a block in the middle of what `node` has journalled of `origin`. Answers with the segment and the
/// block's place.
fn damage(cluster: &Cluster, node: &str, origin: &str, bytes: Bytes) -> (PathBuf, u64) {
    let path = segment(cluster, node, origin);
    let blocks = blocks(&path, TRANSACTIONS);
    assert!(blocks.len() > 20, "{} holds {} blocks", path.display(), blocks.len());
    let (offset, stored) = blocks[blocks.len() / 2];
    let at = match bytes {
        Bytes::Header => offset + STORED_AT as u64,
        Bytes::Payload => offset + BLOCK_HEADER as u64 + stored / 2,
    };
    flip(&path, at);
    (path, offset)
}

fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut flipped = [0; 4];
    file.read_exact_at(&mut flipped, at).unwrap();
    file.write_all_at(&flipped.map(|byte| byte ^ 0xff), at).unwrap();
}

/// The only segment of a log.
pub(crate) fn segment(cluster: &Cluster, node: &str, origin: &str) -> PathBuf {
    let config = fs::read_to_string(&cluster.node(node).config).unwrap();
    let config: toml::Table = config.parse().unwrap();
    let journal = PathBuf::from(config["node"]["data-dir"].as_str().unwrap()).join("journal");
    let names = |dir: PathBuf| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let log = names(journal).find(|path| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with(&format!("{origin}-"))
    });
    let mut segments = names(log.unwrap());
    let only = segments.next().unwrap();
    assert_eq!(segments.next(), None, "the log has grown beyond one segment");
    only
}

/// Where blocks of a kind begin, and how much follows their headers.
fn blocks(path: &Path, kind: u8) -> Vec<(u64, u64)> {
    let file = File::open(path).unwrap();
    let (length, mut offset) = (file.metadata().unwrap().len(), SEGMENT_HEADER);
    let mut found = Vec::new();
    while offset + BLOCK_HEADER as u64 <= length {
        let mut header = [0; BLOCK_HEADER];
        file.read_exact_at(&mut header, offset).unwrap();
        let stored = u32::from_le_bytes(header[STORED_AT..STORED_AT + 4].try_into().unwrap());
        if header[KIND_AT] == kind {
            found.push((offset, u64::from(stored)));
        }
        offset += (BLOCK_HEADER as u64 + u64::from(stored)).next_multiple_of(16);
    }
    found
}
