//! Keys WITHOUT OVERLAPS, which PostgreSQL has from 18 on: such a key tells rows apart, and excludes rows of other keys.

use crate::cluster::{Cluster, Server};

const KEY: &str = "CREATE EXTENSION btree_gist; \
     CREATE TABLE t (id int, u int4range, v text, PRIMARY KEY (id, u WITHOUT OVERLAPS))";

/// Three nodes of PostgreSQL 18 with `t`, which n1 has filled, and every link held.
async fn parted(tables: &str, fill: &str) -> Cluster {
    let cluster = Cluster::start(&[Server::Eighteen; 3]).await;
    cluster.sql_all(tables).await;
    cluster.sql("n1", fill).await;
    cluster.settle().await;
    cluster.hold_all().await;
    cluster
}

/// What stands and what is displaced, by key and value, once all have heard of all.
async fn left(cluster: &Cluster) -> String {
    cluster.resume_all().await;
    cluster.settle().await;
    let sql = "SELECT (SELECT coalesce(string_agg(concat_ws(':', id, u, v), ' ' ORDER BY id, u), 'none') FROM t) || ' | ' || \
         (SELECT coalesce(string_agg(concat_ws(':', key ->> 'id', image ->> 'u', image ->> 'v'), ' ' \
          ORDER BY key ->> 'id', image ->> 'u'), 'none') FROM synapse.displaced)";
    let mut all = Vec::new();
    for node in cluster.names() {
        all.push(cluster.value(&node, sql).await.expect("one row"));
    }
    assert!(all.iter().all(|one| *one == all[0]), "{all:#?}");
    cluster.equal(&["t"]).await;
    all.swap_remove(0)
}

#[tokio::test]
async fn of_rows_whose_ranges_overlap_the_latest_stands() {
    let cluster = parted(KEY, "SELECT 1").await;
    let first =
        "INSERT INTO t VALUES (1, '[1,10)', 'one'), (2, '[1,5)', 'two'), (3, '[1,5)', 'three'), (4, '[1,9)', 'four')";
    cluster.sql("n1", first).await;
    // Overlaps; does not; is the same key; overlaps twice.
    let later = "INSERT INTO t VALUES (1, '[5,15)', 'later'), (2, '[5,9)', 'beside'), (3, '[1,5)', 'same'), \
         (4, '[1,3)', 'a'), (4, '[7,20)', 'b')";
    cluster.sql("n2", later).await;
    cluster
        .sql(
            "n3",
            "INSERT INTO t VALUES (1, '[20,30)', 'alone'), (4, '[2,3)', 'last')",
        )
        .await;
    assert_eq!(
        left(&cluster).await,
        "1:[5,15):later 1:[20,30):alone 2:[1,5):two 2:[5,9):beside 3:[1,5):same 4:[2,3):last 4:[7,20):b | \
         1:[1,10):one 4:[1,3):a 4:[1,9):four"
    );
    // What is in the way goes, or makes room.
    cluster.sql("n3", "DELETE FROM t WHERE id = 1 AND u = '[5,15)'").await;
    cluster.sql("n1", "DELETE FROM t WHERE id = 4 AND u = '[2,3)'").await;
    assert_eq!(
        left(&cluster).await,
        "1:[1,10):one 1:[20,30):alone 2:[1,5):two 2:[5,9):beside 3:[1,5):same 4:[1,3):a 4:[7,20):b | 4:[1,9):four"
    );
}

#[tokio::test]
async fn rows_change_and_come_back_and_take_other_ranges() {
    let fill = "INSERT INTO t SELECT i, int4range(1, 10), 'was' FROM generate_series(1, 9) i";
    let cluster = parted(KEY, fill).await;
    let first = "UPDATE t SET v = 'n1' WHERE id = 1; DELETE FROM t WHERE id = 2; UPDATE t SET v = 'n1' WHERE id = 3; \
         UPDATE t SET u = '[5,10)' WHERE id = 4; UPDATE t SET u = '[1,5)' WHERE id = 5; UPDATE t SET v = 'n1' WHERE id = 6; \
         DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (7, '[1,10)', 'again')";
    cluster.sql("n1", first).await;
    // Another value; a row that comes back; one that goes; two moves that overlap, and two that do not; a move away
    // from what was changed; a change of what was made anew.
    let later = "UPDATE t SET v = 'n2' WHERE id IN (1, 2); DELETE FROM t WHERE id = 3; UPDATE t SET u = '[3,7)' WHERE id = 4; \
         UPDATE t SET u = '[5,10)' WHERE id = 5; UPDATE t SET u = '[10,20)' WHERE id = 6; UPDATE t SET v = 'n2' WHERE id = 7";
    cluster.sql("n2", later).await;
    assert_eq!(
        left(&cluster).await,
        "1:[1,10):n2 2:[1,10):n2 4:[3,7):was 5:[1,5):was 5:[5,10):was 6:[10,20):was 7:[1,10):n2 8:[1,10):was 9:[1,10):was | \
         4:[5,10):was"
    );
    // The ranges trade places; one makes room for what is displaced; all rows at once.
    let trade = "BEGIN; UPDATE t SET u = '[100,101)' WHERE id = 5 AND u = '[1,5)'; UPDATE t SET u = '[1,5)', v = 'right' \
         WHERE id = 5 AND u = '[5,10)'; UPDATE t SET u = '[5,10)', v = 'left' WHERE id = 5 AND u = '[100,101)'; COMMIT";
    cluster.sql("n3", trade).await;
    cluster.sql("n2", "UPDATE t SET u = '[1,5)' WHERE id = 4").await;
    assert_eq!(
        left(&cluster).await,
        "1:[1,10):n2 2:[1,10):n2 4:[1,5):was 4:[5,10):was 5:[1,5):right 5:[5,10):left 6:[10,20):was 7:[1,10):n2 \
         8:[1,10):was 9:[1,10):was | none"
    );
    cluster
        .sql("n1", "UPDATE t SET v = v || '!'; DELETE FROM t WHERE id < 8")
        .await;
    assert_eq!(left(&cluster).await, "8:[1,10):was! 9:[1,10):was! | none");
    cluster.sql("n1", "TRUNCATE t").await;
    assert_eq!(left(&cluster).await, "none | none");
}

#[tokio::test]
async fn a_unique_constraint_without_overlaps_excludes_as_the_key_does() {
    let table = "CREATE EXTENSION btree_gist; \
         CREATE TABLE t (id int PRIMARY KEY, a int, u int4range, v text, UNIQUE (a, u WITHOUT OVERLAPS))";
    let cluster = parted(
        table,
        "INSERT INTO t VALUES (1, 1, '[1,5)', 'was'), (2, 1, '[5,9)', 'was')",
    )
    .await;
    cluster
        .sql(
            "n1",
            "INSERT INTO t VALUES (3, 2, '[1,9)', 'n1'); UPDATE t SET u = '[10,12)' WHERE id = 1",
        )
        .await;
    cluster
        .sql(
            "n2",
            "INSERT INTO t VALUES (4, 2, '[8,20)', 'n2'); UPDATE t SET u = '[11,15)' WHERE id = 2",
        )
        .await;
    assert_eq!(
        left(&cluster).await,
        "2:[11,15):was 4:[8,20):n2 | 1:[10,12):was 3:[1,9):n1"
    );
    cluster
        .sql(
            "n3",
            "UPDATE t SET u = '[12,15)' WHERE id = 2; DELETE FROM t WHERE id = 4",
        )
        .await;
    assert_eq!(left(&cluster).await, "1:[10,12):was 2:[12,15):was 3:[1,9):n1 | none");
}
