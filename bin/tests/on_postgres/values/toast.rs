//! Values that are stored out of line, and UPDATEs that do not send them.

use crate::cluster::{Cluster, MIXED};

/// A megabyte that does not compress, the same for the same seed.
fn large(seed: u32) -> String {
    format!("(SELECT string_agg(md5(({seed} * 100000 + i)::text), '') FROM generate_series(1, 32768) i)")
}

async fn prepared() -> Cluster {
    let cluster = Cluster::start(&MIXED).await;
    cluster.sql_all("CREATE TABLE big (id int PRIMARY KEY, a text, b text, n int); ALTER TABLE big ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL").await;
    cluster
        .sql(
            "n1",
            &format!(
                "INSERT INTO big VALUES (1, {}, {}, 0), (2, {}, NULL, 0), (3, {}, 'short', 0)",
                large(1),
                large(2),
                large(3),
                large(4)
            ),
        )
        .await;
    cluster.equal(&["big"]).await;
    cluster
}

#[tokio::test]
async fn an_update_that_does_not_touch_a_large_value_leaves_it() {
    let cluster = prepared().await;
    cluster.sql("n2", "UPDATE big SET n = n + 1").await;
    cluster.equal(&["big"]).await;
    cluster.sql("n1", "UPDATE big SET id = id + 10, n = 7").await;
    cluster.equal(&["big"]).await;
    cluster.sql("n2", &format!("UPDATE big SET b = {} WHERE id = 12; UPDATE big SET n = 8 WHERE id = 12; DELETE FROM big WHERE id = 13", large(9))).await;
    cluster.equal(&["big"]).await;
    assert_eq!(
        cluster
            .query("n1", "SELECT id, length(a), length(b), n FROM big ORDER BY id")
            .await
            .len(),
        2
    );
    assert_eq!(
        cluster
            .number("n1", "SELECT length(a) + length(b) FROM big WHERE id = 12")
            .await,
        2 << 20
    );
}

#[tokio::test]
async fn a_large_value_and_another_column_updated_at_once_on_two_nodes_both_survive() {
    let cluster = prepared().await;
    for (first, second) in [("n1", "n2"), ("n2", "n1")] {
        cluster.hold_all().await;
        cluster
            .sql(
                first,
                &format!(
                    "UPDATE big SET a = {} WHERE id = 1; UPDATE big SET a = 'now short' WHERE id = 2",
                    large(5)
                ),
            )
            .await;
        cluster.sql(second, "UPDATE big SET n = n + 1 WHERE id IN (1, 2)").await;
        cluster.resume_all().await;
        cluster.equal(&["big"]).await;
        let wanted = cluster.value("n1", &format!("SELECT md5({})", large(5))).await;
        assert_eq!(
            cluster.value("n1", "SELECT md5(a) FROM big WHERE id = 1").await,
            wanted,
            "the large value of {first}"
        );
        let other = cluster.number("n1", "SELECT n FROM big WHERE id = 1").await;
        assert_eq!(
            other,
            if first == "n1" { 1 } else { 2 },
            "the column that {second} updated"
        );
    }
}

#[tokio::test]
async fn an_update_that_lacks_a_large_value_brings_a_deleted_row_back_whole() {
    let cluster = prepared().await;
    cluster.hold_all().await;
    cluster.sql("n1", "DELETE FROM big").await;
    cluster.sql("n2", "UPDATE big SET n = 5 WHERE id <> 3").await;
    cluster.resume_all().await;
    cluster.equal(&["big"]).await;
    let rows = cluster
        .query("n1", "SELECT id, length(a), n FROM big ORDER BY id")
        .await;
    let rows: Vec<String> = rows
        .into_iter()
        .map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(rows, ["1 1048576 5", "2 1048576 5"]);
}
