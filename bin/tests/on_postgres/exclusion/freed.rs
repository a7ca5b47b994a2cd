//! What brings displaced rows back, and what ends them.

use super::{left, parted};
use crate::cluster::Cluster;

/// Row 1 of n1 is displaced by row 2 of n2, on every node.
async fn displaced() -> Cluster {
    let cluster = parted("CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, v text)").await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 'same', 'one')").await;
    cluster.sql("n2", "INSERT INTO t VALUES (2, 'same', 'two')").await;
    assert_eq!(left(&cluster).await, "2:same:two | 1 by 2");
    cluster
}

#[tokio::test]
async fn a_displaced_row_comes_back_when_what_displaced_it_is_deleted() {
    let cluster = displaced().await;
    cluster.sql("n3", "DELETE FROM t WHERE id = 2").await;
    assert_eq!(left(&cluster).await, "1:same:one | none");
}

#[tokio::test]
async fn a_displaced_row_comes_back_when_what_displaced_it_takes_another_value() {
    let cluster = displaced().await;
    cluster.sql("n2", "UPDATE t SET u = 'other' WHERE id = 2").await;
    assert_eq!(left(&cluster).await, "1:same:one 2:other:two | none");
}

#[tokio::test]
async fn a_displaced_row_stays_away_as_long_as_somebody_else_is_in_its_way() {
    let cluster = displaced().await;
    cluster
        .sql(
            "n3",
            "DELETE FROM t WHERE id = 2; INSERT INTO t VALUES (3, 'same', 'three')",
        )
        .await;
    assert_eq!(left(&cluster).await, "3:same:three | 1 by 3");
    cluster.sql("n1", "UPDATE t SET id = 4 WHERE id = 3").await;
    assert_eq!(left(&cluster).await, "4:same:three | 1 by 4");
    cluster.sql("n2", "TRUNCATE t").await;
    assert_eq!(left(&cluster).await, "none | none");
}

#[tokio::test]
async fn a_displaced_row_that_is_given_up_is_gone_everywhere() {
    let cluster = displaced().await;
    cluster
        .sql("n3", "DELETE FROM synapse.displaced WHERE key ->> 'id' = '1'")
        .await;
    assert_eq!(left(&cluster).await, "2:same:two | none");
    cluster.sql("n1", "DELETE FROM t WHERE id = 2").await;
    assert_eq!(left(&cluster).await, "none | none");
}

#[tokio::test]
async fn a_new_row_takes_the_key_of_a_displaced_one() {
    let cluster = displaced().await;
    cluster.sql("n3", "INSERT INTO t VALUES (1, 'new', 'three')").await;
    assert_eq!(left(&cluster).await, "1:new:three 2:same:two | none");
}

#[tokio::test]
async fn an_update_that_was_made_while_the_row_stood_there_is_kept() {
    let cluster = parted("CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE, v text)").await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 'same', 'one')").await;
    cluster.sql("n2", "INSERT INTO t VALUES (2, 'same', 'two')").await;
    cluster.resume("n2", "n3").await;
    cluster.until_value("n3", "SELECT count(*) FROM t", "1").await;
    cluster.resume("n1", "n3").await;
    cluster
        .until_value("n3", "SELECT count(*) FROM synapse.displaced", "1")
        .await;
    // n1 has not heard of row 2.
    cluster.sql("n1", "UPDATE t SET v = 'later' WHERE id = 1").await;
    assert_eq!(left(&cluster).await, "1:same:later | 2 by 1");
    cluster.sql("n1", "UPDATE t SET u = 'other' WHERE id = 1").await;
    assert_eq!(left(&cluster).await, "1:other:later 2:same:two | none");
}
