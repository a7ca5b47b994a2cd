//! pgbench's tables, on both sides in the same way: the tables on every node, then the rows on the first.

use anyhow::Context;

use crate::cluster::Node;
use crate::run::Session;
use crate::{pgbench, sql, token};

/// Counts and sums that change with every TPC-B transaction.
const SUMS: &str = "SELECT concat_ws(' ', (SELECT sum(abalance) FROM pgbench_accounts), \
     (SELECT count(*) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers), \
     (SELECT sum(bbalance) FROM pgbench_branches), (SELECT count(*) FROM pgbench_history), \
     (SELECT sum(delta) FROM pgbench_history))";

/// Empty tables with their keys on every node.
pub(crate) async fn tables(session: &Session<'_>, label: &str, nodes: &[Node], scale: u32) -> anyhow::Result<()> {
    for (index, node) in nodes.iter().enumerate() {
        let client = sql::connect(node.port, sql::DATABASE).await?;
        sql::run(&client, &[token::TABLE]).await?;
        let label = format!("{label}-n{}", index + 1);
        pgbench::initialize(&session.server.bin, &session.raw, &label, node.port, "dtp", scale).await?;
    }
    Ok(())
}

/// Rows on the first node, from which they travel.
pub(crate) async fn rows(session: &Session<'_>, label: &str, nodes: &[Node], scale: u32) -> anyhow::Result<()> {
    let first = nodes.first().context("a cluster has nodes")?;
    let label = format!("{label}-rows");
    pgbench::initialize(&session.server.bin, &session.raw, &label, first.port, "g", scale).await
}

/// Fails unless all nodes have the same sums.
pub(crate) async fn check_equal(nodes: &[Node]) -> anyhow::Result<()> {
    let mut first = None;
    for (index, node) in nodes.iter().enumerate() {
        let client = sql::connect(node.port, sql::DATABASE).await?;
        let sums = sql::value(&client, SUMS).await?;
        let expected = first.get_or_insert_with(|| sums.clone());
        anyhow::ensure!(
            sums == *expected,
            "node {} has {sums} and the first {expected}",
            index + 1
        );
    }
    Ok(())
}
