//! Nodes whose clocks are wrong.

mod faketime;

use std::time::{Duration, Instant};

use serde_json::Value;
use synapse_engine_sandbox::What;

use crate::cluster::{Cluster, Server};

/// Two majors, three nodes: one of them may have a wrong clock, and a majority has not.
const THREE: [Server; 3] = [Server::Own, Server::Eighteen, Server::Own];
const HOUR: i32 = 3_600;
/// As the configuration has it by default: `max-clock-skew`.
const SKEW_MAX: i32 = 5;

/// A table with rows 1 to 4, everywhere.
async fn with_rows() -> Cluster {
    let cluster = Cluster::with_clocks(&THREE).await;
    cluster.sql_all("CREATE TABLE t (id int PRIMARY KEY, a text)").await;
    cluster
        .sql("n1", "INSERT INTO t SELECT i, 'first' FROM generate_series(1, 4) i")
        .await;
    cluster.equal(&["t"]).await;
    cluster
}

fn skew(peer: &Value) -> f64 {
    peer["clock_skew_seconds"].as_f64().unwrap_or(0.0)
}

/// Waits until `node` knows that the clock of `peer` is so many seconds behind its own.
async fn until_skewed(cluster: &Cluster, node: &str, peer: &str, seconds: i32) {
    let near = |peer: &Value| (skew(peer) - f64::from(seconds)).abs() < 1.0;
    cluster.until_peer(node, peer, "its clock is heard of", near).await;
}

async fn value(cluster: &Cluster, node: &str, id: i32) -> Option<String> {
    cluster.value(node, &format!("SELECT a FROM t WHERE id = {id}")).await
}

#[tokio::test]
async fn a_clock_an_hour_ahead_is_seen_and_wins_nothing() {
    let cluster = with_rows().await;
    cluster.set_clock("n3", HOUR);
    for (node, peer, ahead) in [
        ("n1", "n3", -HOUR),
        ("n2", "n3", -HOUR),
        ("n3", "n1", HOUR),
        ("n3", "n2", HOUR),
    ] {
        until_skewed(&cluster, node, peer, ahead).await;
        let status = cluster.status(node).await;
        let way = if ahead < 0 { "ahead of" } else { "behind" };
        let warned = status["warnings"].as_array().unwrap().iter().any(|warning| {
            let warning = warning.as_str().unwrap();
            warning.contains(&format!("the clock of {peer} is 36")) && warning.contains(&format!("s {way} this node's"))
        });
        assert!(warned, "{status}");
        let metric = cluster
            .metric(node, "synapse_clock_skew_seconds", &format!("peer=\"{peer}\""))
            .await;
        assert!((metric - f64::from(ahead)).abs() < 1.0, "{node}: {metric}");
        let text = cluster.synapsectl(node, &["status"]);
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        let sign = if ahead < 0 { "-" } else { "+" };
        let line = text.lines().find(|line| line.starts_with(peer)).unwrap();
        assert!(
            line.contains(&format!(" {sign}3600.")) || line.contains(&format!(" {sign}3599.")),
            "{text}"
        );
    }
    // What it writes arrives at once, and whoever writes later has the last word.
    cluster.sql("n3", "UPDATE t SET a = 'n3' WHERE id = 1").await;
    cluster.settle().await;
    cluster.hold_all().await;
    cluster.sql("n3", "UPDATE t SET a = 'n3' WHERE id IN (2, 3)").await;
    cluster.sql("n1", "UPDATE t SET a = 'n1' WHERE id IN (1, 2)").await;
    cluster.sql("n2", "DELETE FROM t WHERE id = 3").await;
    cluster.resume_all().await;
    cluster.equal(&["t"]).await;
    let expected = [(1, Some("n1")), (2, Some("n1")), (3, None)];
    for (id, wanted) in expected {
        let rows = cluster.query("n3", &format!("SELECT a FROM t WHERE id = {id}")).await;
        assert_eq!(rows.first().and_then(|row| row[0].as_deref()), wanted, "row {id}");
    }
    let held = cluster.metric("n1", "synapse_clock_held_seconds", "").await;
    assert!(held == 0.0, "{held}");
}

#[tokio::test]
async fn what_was_written_alone_by_a_wrong_clock_waits_for_its_time_and_holds_up_nobody_else() {
    let mut cluster = with_rows().await;
    // Its daemon begins anew and hears nobody who could say that its clock is wrong.
    for node in ["n1", "n2", "n3"] {
        cluster.stop(node, What::Engine).await;
    }
    let ahead = 20;
    cluster.set_clock("n3", ahead);
    cluster.start_again("n3", What::Engine).await;
    cluster.sql("n3", "UPDATE t SET a = 'n3' WHERE id = 1").await;
    let written = Instant::now();
    let captured =
        async || (cluster.metric("n3", "synapse_captured_transactions_total", "").await >= 1.0).then_some(());
    cluster.until("n3 has read it", captured).await;
    cluster.set_clock("n3", 0);
    cluster.start_again("n1", What::Engine).await;
    cluster.start_again("n2", What::Engine).await;
    for node in ["n1", "n2"] {
        let held = cluster
            .until_peer(node, "n3", "held", |peer| peer["state"] == "held")
            .await;
        let seconds = held["held_seconds"].as_f64().unwrap();
        assert!(seconds > 0.0 && seconds < f64::from(ahead - SKEW_MAX + 1), "{held}");
        assert!(
            held["error"]["message"]
                .as_str()
                .unwrap()
                .contains("wait until that time has come"),
            "{held}"
        );
    }
    // A node that begins anew meanwhile has it in its journal, and has not heard a majority yet.
    cluster.kill("n1", What::Engine).await;
    cluster.start_again("n1", What::Engine).await;
    cluster
        .until_peer("n1", "n3", "held again", |peer| peer["state"] == "held")
        .await;
    // Nobody else is held up by it.
    cluster.sql("n1", "UPDATE t SET a = 'n1' WHERE id = 2").await;
    cluster.until_value("n2", "SELECT a FROM t WHERE id = 2", "n1").await;
    let status = cluster.status("n1").await;
    assert_eq!(status["state"], "degraded");
    let problem = status["problems"][0].as_str().unwrap();
    assert!(
        problem.starts_with("the clock of n3 was too far ahead: its transactions wait for another "),
        "{problem}"
    );
    assert!(cluster.metric("n1", "synapse_clock_held_seconds", "peer=\"n3\"").await > 0.0);
    assert_eq!(value(&cluster, "n1", 1).await.as_deref(), Some("first"));
    let text = cluster.synapsectl("n1", &["status"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("for another ") && text.contains("held"), "{text}");
    // Its time comes, and it goes on by itself: no sooner than it may.
    cluster.until_value("n1", "SELECT a FROM t WHERE id = 1", "n3").await;
    let waited = written.elapsed();
    println!("applied {waited:?} after it was written");
    assert!(
        waited >= Duration::from_secs(u64::try_from(ahead - SKEW_MAX - 1).unwrap()),
        "{waited:?}"
    );
    cluster.equal(&["t"]).await;
    for node in ["n1", "n2", "n3"] {
        let look = async || (cluster.status(node).await["state"] == "streaming").then_some(());
        cluster.until("nothing is wrong any more", look).await;
    }
}

#[tokio::test]
async fn an_update_that_saw_the_other_is_no_conflict_with_clocks_two_seconds_apart() {
    let cluster = with_rows().await;
    cluster.set_clock("n2", 2);
    cluster.set_clock("n3", -2);
    for (node, peer, ahead) in [("n1", "n2", -2), ("n1", "n3", 2), ("n3", "n2", -4)] {
        until_skewed(&cluster, node, peer, ahead).await;
    }
    // Each node writes what it has just seen, those with the later clock before those with the earlier one.
    for round in 0..5 {
        for node in ["n2", "n1", "n3"] {
            let before = value(&cluster, node, 1).await.unwrap();
            let after = format!("{node} in round {round}");
            cluster
                .sql(node, &format!("UPDATE t SET a = '{after}' WHERE id = 1"))
                .await;
            assert_ne!(before, after);
            for other in cluster.names() {
                cluster
                    .until_value(&other, "SELECT a FROM t WHERE id = 1", &after)
                    .await;
            }
        }
    }
    cluster.sql("n2", "DELETE FROM t WHERE id = 2").await;
    cluster.settle().await;
    cluster.sql("n3", "INSERT INTO t VALUES (2, 'again')").await;
    cluster.equal(&["t"]).await;
    assert_eq!(value(&cluster, "n1", 2).await.as_deref(), Some("again"));
    for node in cluster.names() {
        assert_eq!(cluster.status(&node).await["conflicts"]["total"], 0, "{node}");
        assert_eq!(
            cluster.number(&node, "SELECT count(*) FROM synapse.conflict_log").await,
            0,
            "{node}"
        );
    }
    // Writes that did not see each other are one, and by its clock the later write is the earlier one.
    cluster.hold_all().await;
    cluster.sql("n2", "UPDATE t SET a = 'n2' WHERE id = 3").await;
    cluster.sql("n3", "UPDATE t SET a = 'n3' WHERE id = 3").await;
    cluster.resume_all().await;
    cluster.equal(&["t"]).await;
    assert_eq!(value(&cluster, "n1", 3).await.as_deref(), Some("n2"));
    assert!(cluster.number("n1", "SELECT count(*) FROM synapse.conflict_log").await > 0);
}
