//! Rows of several nodes that exclude each other: which stand, which are displaced, and what brings these back.

mod constraints;
mod freed;
mod load;
mod overlaps;
mod seen;
mod stand;

use crate::cluster::{Cluster, Server};

const THREE: [Server; 3] = [Server::Own, Server::Eighteen, Server::Own];

/// Three nodes with a table, and every link held.
async fn parted(tables: &str) -> Cluster {
    let cluster = Cluster::start(&THREE).await;
    cluster.sql_all(tables).await;
    cluster.settle().await;
    cluster.hold_all().await;
    cluster
}

/// What stands in `t` and what is displaced of it, once all have heard of all: `1:a 2:b | 3:c by 1`.
async fn left(cluster: &Cluster) -> String {
    cluster.resume_all().await;
    cluster.settle().await;
    let mut all = Vec::new();
    for node in cluster.names() {
        let stands = "SELECT coalesce(string_agg(concat_ws(':', id, u, v), ' ' ORDER BY id), 'none') FROM t";
        let displaced = "SELECT coalesce(string_agg((key ->> 'id') || ' by ' || \
             (SELECT string_agg(r ->> 'id', '+') FROM jsonb_array_elements(rivals) r), ' ' ORDER BY key ->> 'id'), 'none') \
             FROM synapse.displaced";
        let stands = cluster.value(&node, stands).await.expect("one row");
        let displaced = cluster.value(&node, displaced).await.expect("one row");
        all.push(format!("{stands} | {displaced}"));
    }
    assert!(all.iter().all(|one| *one == all[0]), "{all:#?}");
    all.swap_remove(0)
}
