//! Writes of several nodes to the same rows at once.

mod filters;
mod kills;
mod late;
mod limits;
mod load;
mod log;
mod rows;
mod second;

use crate::cluster::{Cluster, Server};

/// Nodes that hold the same rows, with every link held.
async fn parted_among(servers: &[Server]) -> Cluster {
    let cluster = Cluster::start(servers).await;
    cluster
        .sql_all("CREATE TABLE t (id int PRIMARY KEY, a text, b text)")
        .await;
    cluster
        .sql(
            "n1",
            "INSERT INTO t SELECT i, 'first', 'first' FROM generate_series(1, 20) i",
        )
        .await;
    cluster.equal(&["t"]).await;
    cluster.hold_all().await;
    cluster
}
