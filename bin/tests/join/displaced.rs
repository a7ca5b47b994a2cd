//! Nodes that join while rows are displaced.

use crate::cluster::{Cluster, Server};
use crate::{add, add_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joins_knows_what_is_displaced() {
    let table = "CREATE TABLE u (id int PRIMARY KEY, v text UNIQUE)";
    let mut cluster = Cluster::start(&[Server::Own, Server::Own]).await;
    cluster.sql_all(table).await;
    cluster.settle().await;
    cluster.hold_all().await;
    cluster
        .sql("n1", "INSERT INTO u VALUES (1, 'same'), (3, 'other')")
        .await;
    cluster
        .sql("n2", "INSERT INTO u VALUES (2, 'same'), (4, 'other')")
        .await;
    cluster.resume_all().await;
    cluster.settle().await;
    add(&mut cluster, "n3").await;
    cluster.sql("n3", table).await;
    cluster.until_ready().await;
    cluster.equal(&["u"]).await;
    let displaced = "SELECT string_agg(key ->> 'id', ' ' ORDER BY key ->> 'id') FROM synapse.displaced";
    assert_eq!(cluster.value("n3", displaced).await.as_deref(), Some("1 3"));
    cluster.sql("n3", "DELETE FROM u WHERE id = 2").await;
    cluster.sql("n1", "UPDATE u SET v = 'another' WHERE id = 4").await;
    cluster.equal(&["u"]).await;
    let stand = "SELECT string_agg(id || v, ' ' ORDER BY id) FROM u";
    for node in cluster.names() {
        assert_eq!(
            cluster.value(&node, stand).await.as_deref(),
            Some("1same 3other 4another"),
            "{node}"
        );
        assert_eq!(
            cluster.number(&node, "SELECT count(*) FROM synapse.displaced").await,
            0,
            "{node}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_joins_has_keys_without_overlaps_and_what_they_displace() {
    let table = "CREATE EXTENSION btree_gist; \
         CREATE TABLE b (room text, during tstzrange, who text, PRIMARY KEY (room, during WITHOUT OVERLAPS))";
    let mut cluster = Cluster::start(&[Server::Eighteen; 2]).await;
    cluster.sql_all(table).await;
    // How a node writes a time is its own.
    cluster
        .sql("n1", "ALTER DATABASE app SET timezone = 'Asia/Tokyo'")
        .await;
    cluster.settle().await;
    cluster.hold_all().await;
    let book = |who: &str, from: u32, to: u32| {
        format!("INSERT INTO b VALUES ('blue', '[2026-01-01 {from}:00+00,2026-01-01 {to}:00+00)', '{who}')")
    };
    cluster
        .sql("n1", &format!("{}; {}", book("one", 10, 12), book("two", 14, 16)))
        .await;
    cluster
        .sql("n2", &format!("{}; {}", book("three", 11, 13), book("same", 14, 16)))
        .await;
    cluster.resume_all().await;
    cluster.settle().await;
    add_of(&mut cluster, "n3", Server::Eighteen).await;
    cluster.sql("n3", table).await;
    cluster.until_ready().await;
    assert_eq!(cluster.verify(&["b"]).await["equal"], true);
    let stand = "SELECT string_agg(who, ' ' ORDER BY during) FROM b";
    let displaced = "SELECT string_agg(image ->> 'who', ' ') FROM synapse.displaced";
    for node in cluster.names() {
        assert_eq!(
            cluster.value(&node, stand).await.as_deref(),
            Some("three same"),
            "{node}"
        );
        assert_eq!(cluster.value(&node, displaced).await.as_deref(), Some("one"), "{node}");
    }
    cluster
        .sql(
            "n3",
            "UPDATE b SET who = 'moved', during = '[2026-01-01 12:00+00,2026-01-01 13:00+00)' WHERE who = 'three'",
        )
        .await;
    cluster.sql("n1", "UPDATE b SET who = 'later' WHERE who = 'same'").await;
    cluster.settle().await;
    assert_eq!(cluster.verify(&["b"]).await["equal"], true);
    for node in cluster.names() {
        assert_eq!(
            cluster.value(&node, stand).await.as_deref(),
            Some("one moved later"),
            "{node}"
        );
    }
}
