//! How a run is followed, and goes on when it was cut off.

use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use super::{apart, stderr, verify, verify_json};
use crate::cluster::{Cluster, MIXED, What};

async fn three_tables() -> Cluster {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY)")
        .await;
    cluster
        .sql(
            "n1",
            "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1)",
        )
        .await;
    cluster.equal(&["a", "b", "c"]).await;
    cluster
}

fn names(verdict: &Value) -> Vec<&str> {
    let tables = verdict["tables"].as_array().unwrap();
    tables.iter().map(|table| table["table"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_run_that_was_cut_off_goes_on_behind_the_last_table_that_was_done() {
    let cluster = three_tables().await;
    let holder = cluster.session("n2").await;
    holder
        .batch_execute("BEGIN; LOCK TABLE b IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let output = verify(&cluster, &[], 3);
    assert!(
        stderr(&output).contains("`--resume public.a/equal` goes on behind public.a"),
        "{}",
        stderr(&output)
    );
    let output = verify(&cluster, &["--repair", "--from", "n1", "--confirm"], 3);
    assert!(
        stderr(&output).contains("--resume public.a/equal"),
        "{}",
        stderr(&output)
    );
    holder.batch_execute("ROLLBACK").await.unwrap();
    let verdict = verify_json(&cluster, &["--resume", "public.a/equal"], 0);
    assert_eq!(names(&verdict), ["public.b", "public.c"]);
    // What differed before does not become equal by going on.
    let verdict = verify_json(&cluster, &["--resume", "public.a/differ"], 1);
    assert_eq!(verdict["equal"], false);
    apart(&cluster, "n2", "INSERT INTO a VALUES (2); INSERT INTO c VALUES (2)").await;
    let repair = ["--repair", "--from", "n1", "--confirm", "--resume", "public.b/equal"];
    let report = verify_json(&cluster, &repair, 0);
    assert_eq!(names(&report), ["public.c"]);
    assert!(
        cluster.difference("a").await.is_some(),
        "it was done before, and is not looked at again"
    );
    cluster.equal(&["c"]).await;
}

/// Starts `synapsectl verify` on n1, and returns when it waits for a lock on n2.
async fn verify_until_it_waits(cluster: &Cluster) -> Child {
    let child = Command::new(env!("CARGO_BIN_EXE_synapsectl"))
        .args(["verify", "--config"])
        .arg(&cluster.node("n1").config)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let waits = "SELECT count(*) FROM pg_locks WHERE relation = 'b'::regclass AND NOT granted";
    cluster.until_value("n2", waits, "1").await;
    child
}

async fn ended(child: Child) -> Output {
    tokio::task::spawn_blocking(|| child.wait_with_output())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_run_whose_daemon_is_killed_or_that_is_interrupted_names_the_place_to_go_on() {
    let mut cluster = three_tables().await;
    let holder = cluster.session("n2").await;
    for (end, code) in [("interrupt", 130), ("kill", 3)] {
        holder
            .batch_execute("BEGIN; LOCK TABLE b IN ACCESS EXCLUSIVE MODE")
            .await
            .unwrap();
        let child = verify_until_it_waits(&cluster).await;
        if end == "kill" {
            cluster.kill("n1", What::Engine).await;
        } else {
            let pid = i32::try_from(child.id())
                .ok()
                .and_then(rustix::process::Pid::from_raw)
                .unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        }
        let output = ended(child).await;
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("--resume public.a/equal"),
            "{}",
            stderr(&output)
        );
        holder.batch_execute("ROLLBACK").await.unwrap();
    }
    cluster.start_again("n1", What::Engine).await;
    cluster.until_ready().await;
    cluster.settle().await;
    let verdict = verify_json(&cluster, &["--resume", "public.a/equal"], 0);
    assert_eq!(names(&verdict), ["public.b", "public.c"]);
}

#[tokio::test]
async fn an_answer_that_is_followed_tells_progress_results_and_the_end() {
    let cluster = three_tables().await;
    apart(&cluster, "n2", "DELETE FROM b").await;
    let answer = cluster
        .get("n1", "/v1/verify?table=a&table=b&follow=true")
        .await
        .unwrap();
    let lines: Vec<Value> = answer
        .text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |kind: &str| lines.iter().filter(|line| line.get(kind).is_some()).collect::<Vec<_>>();
    assert_eq!(of("table").len(), 2, "{answer:?}");
    assert_eq!(lines.last(), Some(&json!({ "done": { "equal": false } })));
    let progress = of("progress");
    assert!(
        progress.iter().all(|line| line["progress"]["tables"] == 2),
        "{answer:?}"
    );
    assert!(
        progress.iter().any(|line| line["progress"]["step"] == "settling"),
        "{answer:?}"
    );
    // The document at the end is made of the same results.
    let whole = cluster.verify(&["a", "b"]).await;
    assert_eq!(whole["tables"][1], of("table")[1]["table"], "{whole}");
    assert_eq!(whole["equal"], false);
}
