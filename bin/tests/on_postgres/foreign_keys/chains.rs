//! Rows whose ancestors all go.

use super::{everywhere, mended, parted, rule};
use crate::cluster::Cluster;

const TABLES: [&str; 4] = ["great", "grand", "parent", "child"];

async fn family() -> Cluster {
    let tables = "CREATE TABLE great (id int PRIMARY KEY, a text); \
         CREATE TABLE grand (id int PRIMARY KEY, great int NOT NULL REFERENCES great ON DELETE CASCADE); \
         CREATE TABLE parent (id int PRIMARY KEY, grand int NOT NULL REFERENCES grand ON DELETE CASCADE); \
         CREATE TABLE child (id int PRIMARY KEY, parent int NOT NULL REFERENCES parent ON DELETE CASCADE)";
    let fill = "INSERT INTO great SELECT i, 'was ' || i FROM generate_series(1, 4) i; \
         INSERT INTO grand SELECT i, i FROM generate_series(1, 4) i; \
         INSERT INTO parent SELECT i, i FROM generate_series(1, 4) i; \
         INSERT INTO child SELECT i, i FROM generate_series(1, 4) i";
    parted(tables, fill).await
}

#[tokio::test]
async fn what_is_restored_brings_back_what_it_refers_to_in_turn() {
    let cluster = family().await;
    cluster.hold_all().await;
    cluster
        .sql("n1", "INSERT INTO child VALUES (100, 1), (200, 2), (300, 3)")
        .await;
    // All at once; one after the other in two orders of time.
    cluster.sql("n2", "DELETE FROM great WHERE id = 1").await;
    for table in ["child", "parent", "grand", "great"] {
        cluster.sql("n2", &format!("DELETE FROM {table} WHERE id = 2")).await;
    }
    cluster.sql("n2", "DELETE FROM parent WHERE id = 3").await;
    mended(&cluster, &TABLES).await;
    cluster.hold_all().await;
    // The parent was restored; now its own parents go, while another node writes another child.
    cluster.sql("n3", "INSERT INTO child VALUES (301, 3)").await;
    cluster.sql("n2", "DELETE FROM great WHERE id = 3").await;
    mended(&cluster, &TABLES).await;
    let all = "SELECT string_agg(concat_ws(' ', c.id, p.id, g.id, t.a), ', ' ORDER BY c.id) FROM child c \
         LEFT JOIN parent p ON p.id = c.parent LEFT JOIN grand g ON g.id = p.grand LEFT JOIN great t ON t.id = g.great";
    assert_eq!(
        everywhere(&cluster, all).await,
        "4 4 4 was 4, 100 1 1 was 1, 200 2 2 was 2, 301 3 3 was 3"
    );
}

#[tokio::test]
async fn a_child_that_others_refer_to_is_not_deleted_but_where_they_go_with_it() {
    let cluster = family().await;
    let more = "CREATE TABLE note (id int PRIMARY KEY, child int REFERENCES child); \
         CREATE TABLE mark (id int PRIMARY KEY, child int REFERENCES child ON DELETE CASCADE)";
    cluster.sql_all(more).await;
    rule(&cluster, "n1", "child", "delete-child");
    cluster.settle().await;
    cluster.hold_all().await;
    cluster
        .sql(
            "n1",
            "INSERT INTO child VALUES (100, 1), (200, 2); INSERT INTO note VALUES (1, 100); INSERT INTO mark VALUES (1, 100), (2, 200)",
        )
        .await;
    cluster.sql("n2", "DELETE FROM great WHERE id <= 2").await;
    let all = ["great", "grand", "parent", "child", "note", "mark"];
    mended(&cluster, &all).await;
    assert_eq!(
        everywhere(&cluster, "SELECT array_agg(id ORDER BY id) FROM child").await,
        "{3,4,100}"
    );
    assert_eq!(everywhere(&cluster, "SELECT array_agg(id) FROM mark").await, "{1}");
    let status = cluster.status("n1").await;
    assert_eq!(status["state"], "degraded", "{status}");
    let problem = status["problems"].to_string();
    assert!(
        problem.contains("public.child refer to a row of public.parent") && problem.contains("public.note"),
        "{status}"
    );
    let logged = "SELECT string_agg(concat_ws(' ', key ->> 'id', verdict), ', ' ORDER BY id) FROM synapse.conflict_log \
         WHERE kind = 'foreign_key_orphan'";
    assert_eq!(
        cluster.value("n1", logged).await.as_deref(),
        Some("100 both, 200 remote")
    );
    // A person mends it, anywhere.
    cluster.sql("n3", "DELETE FROM note").await;
    let healed = async || (cluster.status("n1").await["state"] == "streaming").then_some(());
    cluster.until("nothing stands still", healed).await;
    cluster.equal(&all).await;
    assert_eq!(
        everywhere(&cluster, "SELECT array_agg(id ORDER BY id) FROM child").await,
        "{3,4}"
    );
}
