//! What is killed while a node is filled.

use crate::cluster::{Cluster, Server, What};
use crate::load::Load;
use crate::{NAMES, TABLES, add, fill};

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_goes_on_when_joiner_or_donor_are_killed() {
    let mut cluster = Cluster::start(&[Server::Own]).await;
    let extra: String = (0..6)
        .map(|i| format!("CREATE TABLE x{i} (id int PRIMARY KEY, v text);"))
        .collect();
    let tables = format!("{TABLES}{extra}");
    cluster.sql("n1", &tables).await;
    fill(&cluster, "n1", 100_000).await;
    for i in 0..6 {
        let sql = format!("INSERT INTO x{i} SELECT g, md5(g::text) FROM generate_series(1, 50000) g");
        cluster.sql("n1", &sql).await;
    }
    let load = Load::start(&cluster, &["n1"]);
    add(&mut cluster, "n2").await;
    cluster.sql("n2", &tables).await;
    let victims = [
        ("n2", What::Engine),
        ("n1", What::Engine),
        ("n2", What::Both),
        ("n1", What::Both),
    ];
    let mut half_way = 0;
    for (node, what) in victims {
        let done = async || {
            let join = &cluster.status("n2").await["join"];
            let copied = join.is_null() || join["rows"].as_u64() > Some(0);
            copied.then_some(!join.is_null())
        };
        half_way += u32::from(cluster.until("rows have come", done).await);
        cluster.kill(node, what).await;
        cluster.start_again(node, what).await;
    }
    assert!(half_way > 0, "the copy was never cut off");
    cluster.until_ready().await;
    load.stop().await;
    let mut names = NAMES.to_vec();
    names.extend(["x0", "x1", "x2", "x3", "x4", "x5"]);
    cluster.equal(&names).await;
    cluster.sql_all("INSERT INTO t (v) VALUES ('after')").await;
    cluster.equal(&names).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_goes_on_when_it_is_killed() {
    let mut cluster = Cluster::start(&[Server::Own; 2]).await;
    cluster.sql_all(TABLES).await;
    fill(&cluster, "n1", 50_000).await;
    cluster.settle().await;
    let arguments = ["node", "join", "--from", "n1", "--replace-local", "--confirm"];
    let replaced = cluster.synapsectl("n2", &arguments);
    assert!(replaced.status.success(), "{replaced:?}");
    for what in [What::Engine, What::Both, What::Engine] {
        cluster.kill("n2", what).await;
        cluster.start_again("n2", what).await;
    }
    cluster.until_ready().await;
    cluster.equal(&NAMES).await;
    cluster.sql_all("INSERT INTO t (v) VALUES ('after')").await;
    cluster.equal(&NAMES).await;
}
