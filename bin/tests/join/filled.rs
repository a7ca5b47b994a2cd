//! Empty nodes that are filled.

use crate::cluster::{Cluster, Server, What};
use crate::load::Load;
use crate::refused::begin_anew;
use crate::{NAMES, TABLES, add, fill};

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_filled_one_after_the_other_while_all_write() {
    let mut cluster = Cluster::start(&[Server::Own]).await;
    cluster.sql("n1", TABLES).await;
    fill(&cluster, "n1", 200_000).await;
    let load = Load::start(&cluster, &["n1"]);
    add(&mut cluster, "n2").await;
    cluster.sql("n2", TABLES).await;
    cluster.until_ready().await;
    assert!(cluster.number("n2", "SELECT count(*) FROM t").await > 190_000);
    load.stop().await;
    cluster.equal(&NAMES).await;

    let load = Load::start(&cluster, &["n1", "n2"]);
    add(&mut cluster, "n3").await;
    cluster.sql("n3", TABLES).await;
    cluster.until_ready().await;
    let more = Load::start(&cluster, &["n3"]);
    // All of them write beside each other for a while.
    let before = load.committed();
    let both = async || (load.committed() >= before + 200 && more.committed() >= 100).then_some(());
    cluster.until("old and new members write", both).await;
    load.stop().await;
    more.stop().await;
    cluster.equal(&NAMES).await;

    // Nobody hands out what another one has: not now, and not what was there before.
    for _ in 0..20 {
        cluster
            .sql_all("INSERT INTO t (v) VALUES ('own'); INSERT INTO i (v) VALUES ('1')")
            .await;
    }
    cluster.equal(&NAMES).await;
    assert_eq!(cluster.number("n1", "SELECT count(*) FROM t WHERE v = 'own'").await, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_waits_for_its_tables_and_takes_no_writes_before_it_is_full() {
    let mut cluster = Cluster::start(&[Server::Own]).await;
    cluster.sql("n1", TABLES).await;
    fill(&cluster, "n1", 2_000).await;
    add(&mut cluster, "n2").await;
    cluster
        .sql("n2", "CREATE TABLE t (id bigserial PRIMARY KEY, v text)")
        .await;
    let said = async || {
        let status = cluster.status("n2").await;
        let waits = status["join"]["waits"].as_str().unwrap_or_default().to_owned();
        (waits.contains("public.t (n)") && waits.contains("public.k")).then_some((status["state"].clone(), waits))
    };
    let (state, waits) = cluster.until("n2 says which tables it misses", said).await;
    assert_eq!(state, "copying", "{waits}");
    assert!(waits.contains("continues by itself"), "{waits}");
    let refused = cluster
        .try_sql("n2", "INSERT INTO t (v) VALUES ('mine')")
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("takes no writes yet"), "{refused}");
    assert_eq!(cluster.get("n2", "/readyz").await.unwrap().status, 503);

    cluster.sql("n2", &format!("DROP TABLE t; {TABLES}")).await;
    cluster.until_ready().await;
    cluster.equal(&NAMES).await;
    assert!(cluster.status("n2").await["join"].is_null());
    cluster.sql("n2", "INSERT INTO t (v) VALUES ('mine')").await;
    cluster.equal(&NAMES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn empty_nodes_begin_together_and_wait_for_each_other() {
    let mut cluster = Cluster::start(&[Server::Own; 2]).await;
    for node in ["n1", "n2"] {
        begin_anew(&mut cluster, node).await;
    }
    cluster.start_again("n1", What::Both).await;
    let said = async || {
        let waits = cluster.status("n1").await["join"]["waits"].as_str()?.to_owned();
        waits.contains("to answer before it joins").then_some(waits)
    };
    let waits = cluster.until("n1 says whom it waits for", said).await;
    assert!(waits.contains(&cluster.node("n2").link), "{waits}");
    cluster
        .sql("n1", "CREATE TABLE e (id int PRIMARY KEY); INSERT INTO e VALUES (1)")
        .await;
    cluster.start_again("n2", What::Postgres).await;
    cluster.sql("n2", "CREATE TABLE e (id int PRIMARY KEY)").await;
    cluster.start_again("n2", What::Both).await;
    cluster.until_ready().await;
    cluster.equal(&["e"]).await;
}
