//! Conflict policies on real clusters: links are held, so that writes truly are concurrent.

mod check;
mod decided;
mod error;
mod page;
mod refused;
mod sql;

use crate::cluster::{Cluster, Server};

/// Two majors, three nodes.
const THREE: [Server; 3] = [Server::Own, Server::Eighteen, Server::Own];

/// Sets a table's policy by a node's command.
fn set(cluster: &Cluster, node: &str, table: &str, policy: &str) {
    let done = cluster.synapsectl(node, &["table", "set", "--table", table, "--policy", policy]);
    let (said, complained) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert!(done.status.success(), "{said}{complained}");
    assert!(said.contains("on every node"), "{said}");
}
