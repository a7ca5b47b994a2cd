//! Constraints of every kind.

use super::{left, parted};

#[tokio::test]
async fn ranges_that_overlap_exclude_each_other() {
    let table = "CREATE TABLE t (id int PRIMARY KEY, u int4range, v text, EXCLUDE USING gist (u WITH &&))";
    let cluster = parted(table).await;
    cluster
        .sql("n1", "INSERT INTO t VALUES (1, '[1,10)'), (2, '[20,30)')")
        .await;
    cluster.sql("n2", "INSERT INTO t VALUES (3, '[5,25)')").await;
    cluster.sql("n3", "INSERT INTO t VALUES (4, '[8,9)')").await;
    assert_eq!(left(&cluster).await, "2:[20,30) 4:[8,9) | 1 by 4 3 by 4+2");
}

#[tokio::test]
async fn an_expression_and_a_condition_decide_what_is_equal() {
    let table = "CREATE TABLE t (id int PRIMARY KEY, u text, v text); \
                 CREATE UNIQUE INDEX ON t (lower(u)) WHERE v IS NULL";
    let cluster = parted(table).await;
    cluster
        .sql("n1", "INSERT INTO t VALUES (1, 'Ann', NULL), (2, 'Bob', 'gone')")
        .await;
    cluster.sql("n2", "INSERT INTO t VALUES (3, 'ANN'), (4, 'bob')").await;
    assert_eq!(left(&cluster).await, "2:Bob:gone 3:ANN 4:bob | 1 by 3");
    cluster.sql("n3", "UPDATE t SET v = 'gone' WHERE id = 3").await;
    assert_eq!(left(&cluster).await, "1:Ann 2:Bob:gone 3:ANN:gone 4:bob | none");
}

#[tokio::test]
async fn a_deferrable_constraint_holds_too() {
    let table = "CREATE TABLE t (id int PRIMARY KEY, u text UNIQUE DEFERRABLE INITIALLY DEFERRED, v text)";
    let cluster = parted(table).await;
    cluster.sql("n1", "INSERT INTO t VALUES (1, 'same'), (2, 'b')").await;
    cluster.sql("n2", "INSERT INTO t VALUES (3, 'same'), (4, 'd')").await;
    assert_eq!(left(&cluster).await, "2:b 3:same 4:d | 1 by 3");
    cluster.sql("n3", "DELETE FROM t WHERE id = 3").await;
    assert_eq!(left(&cluster).await, "1:same 2:b 4:d | none");
}

#[tokio::test]
async fn several_columns_are_one_value() {
    let table = "CREATE TABLE t (id int PRIMARY KEY, u text, v text, UNIQUE (u, v))";
    let cluster = parted(table).await;
    cluster
        .sql("n1", "INSERT INTO t VALUES (1, 'a', 'b'), (2, 'a', NULL)")
        .await;
    cluster
        .sql(
            "n2",
            "INSERT INTO t VALUES (3, 'a', 'b'), (4, 'a', NULL), (5, 'b', 'b')",
        )
        .await;
    assert_eq!(left(&cluster).await, "2:a 3:a:b 4:a 5:b:b | 1 by 3");
}
