//! Repairs while applications write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio_postgres::Client;

use super::{apart, logged, verify};
use crate::cluster::{Cluster, MIXED};

/// Rows that one application writes: so many that a repair finds some of them before they are written again.
const ROWS: i32 = 1500;

/// Counts its rows up, one after the other, and adds rows, until it is told to stop. Answers how often it counted.
async fn write(client: Client, number: i32, stop: Arc<AtomicBool>) -> i64 {
    let mut done = 0;
    let mut added = 0;
    while !stop.load(Ordering::Relaxed) {
        for id in rows_of(number) {
            let sql = format!("UPDATE t SET n = n + 1 WHERE id = {id}");
            let counted = client.execute(&sql, &[]).await.unwrap();
            assert_eq!(counted, 1, "row {id} is never gone");
            done += 1;
        }
        added += 1;
        let sql = format!("INSERT INTO t VALUES (1000000 * {number} + {added}, 'new', 0)");
        client.execute(&sql, &[]).await.unwrap();
    }
    done
}

fn rows_of(number: i32) -> std::ops::RangeInclusive<i32> {
    (number - 1) * ROWS + 1..=number * ROWS
}

#[tokio::test]
async fn no_write_of_an_application_is_lost() {
    let cluster = Cluster::start(&MIXED).await;
    cluster
        .sql_all("CREATE TABLE t (id int PRIMARY KEY, a text, n bigint NOT NULL)")
        .await;
    let last = rows_of(4).end().to_owned();
    let rows = format!("INSERT INTO t SELECT i, 'right', 0 FROM generate_series(1, {last}) i");
    cluster.sql("n1", &rows).await;
    cluster.equal(&["t"]).await;
    let stop = Arc::new(AtomicBool::new(false));
    // Each counts rows of its own: what two count at once is decided between the two. Nobody writes the fourth part.
    let mut writing = Vec::new();
    for (node, number) in [("n1", 1), ("n1", 2), ("n2", 3)] {
        let client = cluster.session(node).await;
        writing.push((number, tokio::spawn(write(client, number, Arc::clone(&stop)))));
    }
    // As long as the load lasts rows are made to differ, those that n1 writes and others, and are repaired; what was
    // written meanwhile is left to the next run. What another node writes to a row in the moment of its repair
    // conflicts with it, so the third part does not differ.
    for run in 1..=5 {
        let wrong = format!(
            "UPDATE t SET a = 'wrong' WHERE id % 2 = 0 AND id <= {last} AND id NOT BETWEEN {} AND {}; \
             INSERT INTO t SELECT 10000 + 20 * {run} + i, 'extra', 0 FROM generate_series(1, 20) i",
            rows_of(3).start(),
            rows_of(3).end(),
        );
        apart(&cluster, "n2", &wrong).await;
        let wanted = json!({ "from": "n1", "confirm": true });
        let answer = cluster.post("n1", "/v1/repair", wanted).await;
        assert!(answer.status == 200 || answer.status == 504, "{}", answer.text);
    }
    stop.store(true, Ordering::Relaxed);
    let mut counted = Vec::new();
    for (number, writing) in writing {
        counted.push((number, writing.await.unwrap()));
    }
    cluster.settle().await;
    verify(&cluster, &["--repair", "--from", "n1", "--confirm"], 0);
    cluster.equal(&["t"]).await;
    for (number, done) in counted {
        let rows = rows_of(number);
        let sql = format!(
            "SELECT sum(n) FROM t WHERE id BETWEEN {} AND {}",
            rows.start(),
            rows.end()
        );
        assert!(done > 0);
        assert_eq!(cluster.number("n2", &sql).await, done, "all that {number} counted");
    }
    let wrong = "SELECT count(*) FROM t WHERE a IN ('wrong', 'extra')";
    assert_eq!(cluster.number("n2", wrong).await, 0);
    assert!(!logged(&cluster, "n1").await.is_empty() && !logged(&cluster, "n2").await.is_empty());
}
