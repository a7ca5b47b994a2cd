//! How a run is followed, and goes on when it was cut off.

use serde_json::{Value, json};

use super::{apart, stderr, verify, verify_json};
use crate::cluster::{Cluster, MIXED};

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
