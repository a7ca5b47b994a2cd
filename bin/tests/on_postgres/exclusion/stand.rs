//! Which of rows that exclude each other stand.

use super::{left, parted};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, v text UNIQUE)";

#[tokio::test]
async fn of_rows_with_the_same_value_the_latest_stands_on_every_node() {
    let cluster = parted(TABLE).await;
    for (at, node) in ["n2", "n3", "n1"].into_iter().enumerate() {
        let insert = format!("INSERT INTO t VALUES ({at}, 'same')");
        cluster.sql(node, &insert).await;
    }
    assert_eq!(left(&cluster).await, "2:same | 0 by 2 1 by 2");
}

#[tokio::test]
async fn a_row_that_only_a_displaced_one_excludes_stands() {
    let cluster = parted(TABLE).await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 'a', 'a')").await;
    cluster.sql("n2", "INSERT INTO t VALUES (2, 'b', 'a')").await;
    cluster.sql("n3", "INSERT INTO t VALUES (3, 'b', 'c')").await;
    assert_eq!(left(&cluster).await, "1:a:a 3:b:c | 2 by 3+1");
}

#[tokio::test]
async fn updates_that_take_the_same_value_are_decided_alike() {
    let cluster = parted(TABLE).await;
    cluster.resume_all().await;
    cluster
        .sql(
            "n1",
            "INSERT INTO t SELECT i, 'u' || i, 'v' || i FROM generate_series(1, 4) i",
        )
        .await;
    cluster.settle().await;
    cluster.hold_all().await;
    cluster.sql("n1", "UPDATE t SET u = 'same' WHERE id = 1").await;
    cluster.sql("n3", "UPDATE t SET v = 'same' WHERE id IN (3)").await;
    cluster
        .sql("n2", "UPDATE t SET u = 'same', v = 'same' WHERE id = 2")
        .await;
    assert_eq!(left(&cluster).await, "2:same:same 4:u4:v4 | 1 by 2 3 by 2");
}

#[tokio::test]
async fn a_swap_of_values_meets_another_and_a_swap_elsewhere() {
    let cluster = parted(TABLE).await;
    cluster.resume_all().await;
    cluster
        .sql("n1", "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
        .await;
    cluster.settle().await;
    cluster.hold_all().await;
    let swap = |one: u32, other: u32, a: &str, b: &str| {
        format!(
            "UPDATE t SET u = NULL WHERE id = {one}; UPDATE t SET u = '{a}' WHERE id = {other}; UPDATE t SET u = '{b}' WHERE id = {one}"
        )
    };
    cluster.sql("n1", &swap(1, 2, "a", "b")).await;
    cluster.sql("n2", &swap(2, 3, "b", "c")).await;
    // 1 is b by n1; 2 is c and 3 is b by n2, later.
    assert_eq!(left(&cluster).await, "2:c 3:b | 1 by 3");
    cluster.sql("n3", &swap(2, 3, "c", "b")).await;
    assert_eq!(left(&cluster).await, "2:b 3:c | 1 by 2");
}

#[tokio::test]
async fn many_rows_of_one_transaction_are_displaced_at_once() {
    let cluster = parted(TABLE).await;
    let insert =
        |from: u32| format!("INSERT INTO t SELECT {from} + i, 'u' || i, 'v' || (i + 1) FROM generate_series(1, 500) i");
    cluster.sql("n1", &insert(0)).await;
    cluster.sql("n2", &insert(1_000)).await;
    cluster.sql("n3", "INSERT INTO t VALUES (9999, 'u1')").await;
    cluster.resume_all().await;
    cluster.equal(&["t"]).await;
    for node in cluster.names() {
        assert_eq!(cluster.number(&node, "SELECT count(*) FROM t").await, 500);
        let displaced = cluster.number(&node, "SELECT count(*) FROM synapse.displaced").await;
        assert_eq!(displaced, 501);
    }
}
