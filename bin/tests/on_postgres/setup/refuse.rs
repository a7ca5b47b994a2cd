//! Configurations, servers and peers that are refused.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::cluster::{Cluster, MIXED, What};

fn synapsed(config: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synapsed"));
    command.arg("--config").arg(config).args(more).output().unwrap()
}

/// A copy of a node's configuration in which `from` reads `to`.
fn changed(cluster: &Cluster, node: &str, from: &str, to: &str) -> PathBuf {
    let text = std::fs::read_to_string(&cluster.node(node).config).unwrap();
    assert!(text.contains(from), "{from:?} is not in {text}");
    let path = cluster.dir().join(format!("{node}.changed.toml"));
    std::fs::write(&path, text.replace(from, to)).unwrap();
    path
}

#[tokio::test]
async fn a_server_that_lacks_something_is_told_what_and_how_to_mend_it() {
    let mut cluster = Cluster::start(&MIXED).await;
    let config = cluster.node("n2").config.clone();
    let met = synapsed(&config, &["--check"]);
    assert_eq!(met.status.code(), Some(0), "{}", String::from_utf8_lossy(&met.stdout));

    cluster.stop("n2", What::Engine).await;
    cluster
        .sql(
            "n2",
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots",
        )
        .await;
    for setting in ["wal_level = 'replica'", "track_commit_timestamp = off"] {
        cluster.sql("n2", &format!("ALTER SYSTEM SET {setting}")).await;
    }
    cluster.stop("n2", What::Postgres).await;
    cluster.start_again("n2", What::Postgres).await;
    let unmet = synapsed(&config, &["--check"]);
    let text = String::from_utf8_lossy(&unmet.stdout);
    assert_eq!(unmet.status.code(), Some(1), "{text}");
    for expected in [
        "ALTER SYSTEM SET wal_level",
        "ALTER SYSTEM SET track_commit_timestamp",
        "restart",
    ] {
        assert!(text.contains(expected), "{expected} is missing: {text}");
    }
    cluster.stop("n2", What::Postgres).await;
    assert_eq!(
        synapsed(&config, &["--check"]).status.code(),
        Some(3),
        "nobody is there"
    );
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_with_its_place() {
    let cluster = Cluster::start(&MIXED).await;
    for (from, to, expected) in [
        ("[cluster]", "[cluster]\ncolour = \"red\"", "colour"),
        ("name = \"n1\"", "name = 5", "line"),
        ("listen = \"127.0.0.1", "listen = \"nowhere", "line"),
    ] {
        let path = changed(&cluster, "n1", from, to);
        let refused = synapsed(&path, &[]);
        let text = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{text}");
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(text.contains("line ") && text.contains(expected), "{text}");
    }
    let missing = synapsed(&cluster.dir().join("none.toml"), &["--check"]);
    assert_eq!(
        missing.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&missing.stderr)
    );
}

#[tokio::test]
async fn a_node_whose_certificate_is_of_another_name_does_not_start() {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql("n2", "CREATE DATABASE elsewhere").await;
    for (from, to) in [
        ("name = \"sandbox\"", "name = \"another\""),
        ("name = \"n2\"", "name = \"n1\""),
    ] {
        let path = changed(&cluster, "n2", from, to);
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.replace("/n2/data", "/n2/data-of-another");
        std::fs::write(&path, text.replace("dbname=app", "dbname=elsewhere")).unwrap();
        let refused = synapsed(&path, &[]);
        let text = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{text}");
        assert!(text.contains("it is of synapse://sandbox/n2"), "{text}");
        let slots = "SELECT count(*) FROM pg_replication_slots WHERE database = 'elsewhere'";
        assert_eq!(cluster.number("n2", slots).await, 0, "it had begun to set up");
    }
    cluster.until_ready().await;
}

#[tokio::test]
async fn a_database_that_another_life_of_the_node_set_up_is_left_alone() {
    let mut cluster = Cluster::start(&MIXED).await;
    cluster.stop("n2", What::Engine).await;
    let config = cluster.node("n2").config.clone();
    let kept = std::fs::read_to_string(&config).unwrap();
    let changed = kept.replace("/n2/data", "/n2/data-of-another");
    assert_ne!(changed, kept);
    // Written in place: the file stays its owner's.
    std::fs::write(&config, changed).unwrap();
    cluster.start_again("n2", What::Engine).await;
    let stopped = async || {
        let status = cluster.status("n2").await;
        let why = "the database was set up as n2";
        (status["state"] == "stopped" && status["problems"].to_string().contains(why)).then_some(())
    };
    cluster.until("n2 says whose the database is", stopped).await;
    cluster.stop("n2", What::Engine).await;
    std::fs::write(&config, kept).unwrap();
    cluster.start_again("n2", What::Engine).await;
    cluster.until_ready().await;
}
