//! `verify`: whether all nodes hold the same rows, without a false difference while rows are written.
//!
//! Each node digests its rows by buckets of keys; buckets that differ are compared key by key; keys that differ are read
//! again until they are equal, or until each node has applied what the others had committed and nobody wrote them.

pub(crate) mod collect;
pub(crate) mod compare;
mod comparing;
mod difference;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod settle;
pub(crate) mod statement;
pub(crate) mod tell;
mod verdict;

use std::sync::Arc;

use futures_util::future::try_join_all;
use synapse_engine_identity::NodeId;

use crate::answer::{AskError, ask_one};
use crate::frames::{Answer, Request};
use crate::shared::Shared;
use crate::wait::nodes;
use plan::{Shapes, TablePlan};
use tell::Tell;
use verdict::TableVerdict;

pub(crate) use comparing::Comparing;
pub(crate) use verdict::Verdict;

/// Buckets of a table's keys: so many that even a table of a billion rows has some ten thousand keys in each.
const BUCKETS: u32 = 1 << 14;
/// Differences that are listed with their values, of all tables together.
pub(crate) const LISTED_MAX: usize = 100;

/// What is to be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// With or without their schema; none means every table.
    pub(crate) tables: Vec<String>,
    /// Begin behind this one, in the order in which tables are compared: an earlier run came so far.
    pub(crate) after: Option<String>,
}

/// Why there is no answer.
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

/// Compares the tables that are wanted, and gives a verdict on each. Answers whether all are equal.
pub(crate) async fn verify(shared: &Arc<Shared>, wanted: &Wanted, tell: &Tell) -> Result<bool, VerifyError> {
    let plans = plans(shared, wanted).await?;
    let (mut equal, mut to_list) = (true, LISTED_MAX);
    for (at, plan) in plans.iter().enumerate() {
        let tell = tell.of_table(&plan.name, at + 1, plans.len());
        let verdict = table(shared, plan, to_list, &tell).await?;
        to_list = to_list.saturating_sub(verdict.differences.len());
        equal &= verdict.equal;
        tell.done(&verdict).await;
    }
    Ok(equal)
}

/// How each of the tables that are wanted is compared. Every node of the cluster has to be there.
pub(crate) async fn plans(shared: &Arc<Shared>, wanted: &Wanted) -> Result<Vec<TablePlan>, VerifyError> {
    let linked = shared.peers().values().filter(|peer| peer.link.is_some()).count();
    let configured = shared.config.cluster.join.len();
    if linked < configured {
        return Err(VerifyError::Missing { linked, configured });
    }
    let shapes = try_join_all(nodes(shared).into_iter().map(|node| shapes(shared, node))).await?;
    plan::plans(&shapes, wanted)
}

async fn shapes(shared: &Arc<Shared>, node: NodeId) -> Result<Shapes, AskError> {
    let Answer::Tables(tables) = ask_one(shared, node, Request::Tables).await? else {
        return Err(AskError::beside(node));
    };
    Ok(Shapes { node, tables })
}

/// Compares one table.
async fn table(
    shared: &Arc<Shared>,
    plan: &TablePlan,
    to_list: usize,
    tell: &Tell,
) -> Result<TableVerdict, VerifyError> {
    let mut verdict = TableVerdict::new(plan);
    let mut comparing = Comparing::begin(shared, plan, tell).await?;
    verdict.count_rows(&plan.nodes, comparing.digests());
    while let Some(different) = comparing.next().await? {
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
