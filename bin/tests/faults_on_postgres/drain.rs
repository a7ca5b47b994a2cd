//! Daemons that are told to stop.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use crate::bank::{self, Load};
use crate::cluster::{Cluster, MIXED, Server, What};

/// The longest from SIGTERM to the end, under load.
const STOP_MAX: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_told_to_stop_ends_in_time_and_doubles_nothing() {
    let mut cluster = Cluster::start(&[Server::Own; 3]).await;
    bank::create(&cluster).await;
    let load = Load::start(&cluster, rand::random(), 0);
    for node in ["n1", "n2", "n3", "n1"] {
        let before = cluster.number(node, "SELECT count(*) FROM pgbench_history").await;
        let more = format!("SELECT count(*) > {before} + 50 FROM pgbench_history");
        cluster.until_value(node, &more, "t").await;
        let since = Instant::now();
        cluster.stop(node, What::Engine).await;
        assert!(since.elapsed() < STOP_MAX, "{node} took {:?}", since.elapsed());
        let log = std::fs::read_to_string(&cluster.node(node).log).unwrap();
        assert!(
            log.trim_end().ends_with("stopped"),
            "{node} did not come to its end:\n{}",
            cluster.report().await
        );
        cluster.start_again(node, What::Engine).await;
    }
    load.stop().await.check(&cluster, "after stops").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_told_to_stop_exits_with_0() {
    let mut cluster = Cluster::start(&MIXED).await;
    cluster.stop("n2", What::Engine).await;
    // As a child of this process, so that its status can be seen.
    let config = &cluster.node("n2").config;
    let owner = std::fs::metadata(config).unwrap();
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_synapsed"));
    daemon
        .arg("--config")
        .arg(config)
        .uid(owner.uid())
        .gid(owner.gid())
        .stderr(Stdio::null());
    let mut child = daemon.spawn().unwrap();
    cluster.until_ready().await;
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = async || child.try_wait().unwrap();
    let status = cluster.until("the daemon ends", ended).await;
    assert_eq!(status.code(), Some(0));
}
