//! `verify`: whether all nodes hold the same rows, without a false difference while rows are written.
//!
//! Each node digests its rows by buckets of keys; buckets that differ are compared key by key; keys that differ are read
//! again until they are equal, or until each node has applied what the others had committed and nobody wrote them.

mod collect;
mod compare;
mod difference;
mod plan;
pub(crate) mod read;
mod settle;
mod statement;
mod verdict;

use std::sync::Arc;

use futures_util::future::try_join_all;
use synapse_engine_identity::NodeId;

use crate::answer::{AskError, ask_one};
use crate::frames::{Answer, Request};
use crate::shared::Shared;
use crate::wait::nodes;
use compare::KEYS_MAX;
use plan::{Shapes, TablePlan};

pub(crate) use verdict::{TableVerdict, Verdict};

/// Buckets of a table's keys: so many that even a table of a billion rows has some ten thousand keys in each.
const BUCKETS: u32 = 1 << 14;
/// Differences that are listed with their values, of all tables together.
const LISTED_MAX: usize = 100;

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    /// A node did not answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// A configured peer has no link.
    #[error("{linked} of {configured} configured peers are linked")]
    Missing {
        /// Peers with a link.
        linked: usize,
        /// Peers in the configuration.
        configured: usize,
    },
    /// No node has the table.
    #[error("no node has a replicated table {table}")]
    UnknownTable {
        /// As it was named.
        table: String,
    },
    /// Rows could not be compared at rest.
    #[error("{rows} rows of {table} could not be settled: {why}")]
    Unsettled {
        /// The table.
        table: String,
        /// How many.
        rows: usize,
        /// What kept them moving.
        why: String,
    },
}

/// Compares the tables that are named, or all.
pub(crate) async fn verify(shared: &Arc<Shared>, tables: &[String]) -> Result<Verdict, VerifyError> {
    let linked = shared.peers().values().filter(|peer| peer.link.is_some()).count();
    let configured = shared.config.cluster.join.len();
    if linked < configured {
        return Err(VerifyError::Missing { linked, configured });
    }
    let shapes = try_join_all(nodes(shared).into_iter().map(|node| shapes(shared, node))).await?;
    let plans = plan::plans(&shapes, tables)?;
    let mut verdict = Verdict::default();
    let mut to_list = LISTED_MAX;
    for plan in plans {
        let table = table(shared, &plan, to_list).await?;
        to_list = to_list.saturating_sub(table.differences.len());
        verdict.push(table);
    }
    Ok(verdict)
}

async fn shapes(shared: &Arc<Shared>, node: NodeId) -> Result<Shapes, AskError> {
    let Answer::Tables(tables) = ask_one(shared, node, Request::Tables).await? else {
        return Err(AskError::beside(node));
    };
    Ok(Shapes { node, tables })
}

/// Compares one table.
async fn table(shared: &Arc<Shared>, plan: &TablePlan, to_list: usize) -> Result<TableVerdict, VerifyError> {
    let mut verdict = TableVerdict::new(plan);
    let part = &plan.part;
    let digests = try_join_all(
        plan.nodes
            .iter()
            .map(|node| collect::digests(shared, *node, part, BUCKETS)),
    )
    .await?;
    verdict.count_rows(&plan.nodes, &digests);
    let differing = compare::differing(&digests);
    drop(digests);
    for buckets in compare::chunks(&differing, KEYS_MAX) {
        let keys = plan
            .nodes
            .iter()
            .map(|node| collect::keys(shared, *node, part, BUCKETS, &buckets));
        let suspects = compare::suspects(try_join_all(keys).await?);
        let different = settle::settle(shared, plan, suspects).await?;
        verdict.differences_total += different.len() as u64;
        let room = to_list.saturating_sub(verdict.differences.len());
        let listed: Vec<_> = different.into_iter().take(room).collect();
        verdict
            .differences
            .extend(difference::list(shared, plan, listed).await?);
    }
    verdict.conclude();
    Ok(verdict)
}
