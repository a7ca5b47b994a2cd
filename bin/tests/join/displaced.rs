//! Nodes that join while rows are displaced.

use crate::cluster::{Cluster, Server, What};
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

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_cut_off_has_displaced_rows_of_the_moment_of_their_table() {
    const LATER: &str = "CREATE TABLE y (id int PRIMARY KEY); CREATE TABLE z (id int PRIMARY KEY)";
    const U: &str = "CREATE TABLE u (id int PRIMARY KEY, v text UNIQUE)";
    let mut cluster = Cluster::start(&[Server::Own; 2]).await;
    cluster.sql_all(&format!("{U}; {LATER}")).await;
    cluster
        .sql("n1", "INSERT INTO y VALUES (1); INSERT INTO z VALUES (1)")
        .await;
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
    // Both sessions of the copy wait for tables that come after u, and so does what would come after these.
    cluster.sql("n3", LATER).await;
    let fenced = "SELECT count(DISTINCT tgrelid) FROM pg_trigger WHERE tgrelid IN ('y'::regclass, 'z'::regclass) AND NOT tgisinternal";
    cluster.until_value("n3", fenced, "2").await;
    let in_the_way = cluster.session("n3").await;
    in_the_way
        .batch_execute("BEGIN; LOCK TABLE y, z IN SHARE MODE")
        .await
        .unwrap();
    cluster.sql("n3", U).await;
    let one_is_full = async || (cluster.status("n3").await["join"]["tables_done"] == 1).then_some(());
    cluster.until("u is copied, and the others wait", one_is_full).await;
    // One comes back and one is displaced anew, at the donor alone, and another goes.
    cluster.sql("n1", "DELETE FROM u WHERE id = 2").await;
    cluster
        .sql(
            "n2",
            "UPDATE u SET v = 'fifth' WHERE id = 4; INSERT INTO u VALUES (5, 'six')",
        )
        .await;
    let came_back = "SELECT string_agg(id || v, ' ' ORDER BY id) FROM u";
    for node in ["n1", "n2"] {
        cluster.until_value(node, came_back, "1same 3other 4fifth 5six").await;
    }
    cluster.kill("n3", What::Engine).await;
    in_the_way.batch_execute("ROLLBACK").await.unwrap();
    cluster.start_again("n3", What::Engine).await;
    cluster.until_ready().await;
    cluster.equal(&["u", "y", "z"]).await;
    for node in cluster.names() {
        assert_eq!(
            cluster.value(&node, came_back).await.as_deref(),
            Some("1same 3other 4fifth 5six"),
            "{node}"
        );
        for table in ["displaced", "rivals"] {
            let left = format!("SELECT count(*) FROM synapse.{table}");
            assert_eq!(cluster.number(&node, &left).await, 0, "{table} on {node}");
        }
    }
}
