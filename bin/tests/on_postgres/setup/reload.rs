//! SIGHUP: certificate, key and authority are read anew, and bad ones are not taken.

use std::path::PathBuf;
use std::process::Command;

use crate::cluster::{Cluster, MIXED};

/// What the configuration says of `key` in `[tls]`.
fn tls_file(config: &str, key: &str) -> PathBuf {
    let line = config.lines().find(|line| line.starts_with(&format!("{key} = ")));
    let value = line.and_then(|line| line.split('"').nth(1));
    PathBuf::from(value.unwrap_or_else(|| panic!("no {key} in {config}")))
}

/// Sends SIGHUP and waits for the log to say what came of it.
async fn reload(cluster: &Cluster, node: &str, expected: &str) {
    let said = |text: &str| text.matches(expected).count();
    let log = || std::fs::read_to_string(&cluster.node(node).log).unwrap();
    let before = said(&log());
    let pid = cluster.node(node).engine_pid.unwrap().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let look = async || (said(&log()) > before).then_some(());
    cluster.until(&format!("{node} says: {expected}"), look).await;
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_a_bad_one_is_not() {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY)").await;
    let config = std::fs::read_to_string(&cluster.node("n1").config).unwrap();
    let other = std::fs::read_to_string(&cluster.node("n2").config).unwrap();
    let certificate = tls_file(&config, "certificate");
    let kept = std::fs::read(&certificate).unwrap();

    for bad in [
        b"no certificate".to_vec(),
        std::fs::read(tls_file(&other, "certificate")).unwrap(),
    ] {
        // Written in place: the file stays its owner's.
        std::fs::write(&certificate, bad).unwrap();
        reload(&cluster, "n1", "kept the certificate of before").await;
    }
    std::fs::write(&certificate, kept).unwrap();
    reload(&cluster, "n1", "took certificate, key and authority anew").await;

    cluster.sql("n1", "INSERT INTO t VALUES (1)").await;
    cluster.sql("n2", "INSERT INTO t VALUES (2)").await;
    cluster.equal(&["t"]).await;
}
