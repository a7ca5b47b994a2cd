//! `repair`: rows that differ are made equal, by a named node or by policy.
//!
//! Whatever is mended is an ordinary transaction of one node: no origin, no marker. Capture stamps it and ships it to
//! everybody, and a write elsewhere that did not see it is decided against it as against any other write.
//!
//! * The source has the row: it writes it again as it is. An UPDATE, and no DELETE with an INSERT: an application that
//!   waits for the row's lock would find the row gone, and its write would be lost without an error (READ COMMITTED).
//! * The source has no such row: a node that has it deletes it. The source could not: a row that is inserted and
//!   deleted again is nothing at its peers, in one transaction and in two that a peer merges; and its applications would
//!   see a row that they had deleted.

mod decide;
mod equal_keys;
mod execute;
mod job;
mod outcome;
mod policy;
mod record;
mod statement;
mod within;
mod written;

use std::sync::Arc;

use serde::Serialize;
use synapse_engine_identity::NodeId;

use crate::answer::AskError;
use crate::shared::Shared;
use crate::verify::tell::Tell;
use crate::verify::{self, LISTED_MAX, VerifyError};
use crate::wait::nodes;
use job::Job;

pub(crate) use execute::execute;
pub(crate) use written::written;

/// By what the right row is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// This node's rows are right, and rows that it does not have are wrong.
    Node(NodeId),
    /// Row by row, as the table's conflict policy would decide.
    Policy,
}

/// Whether rows may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Yes.
    Given,
    /// Not yet: what would be done is said, and nothing is done.
    Missing,
}

/// What is to be repaired, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) compare: verify::Wanted,
    pub(crate) by: By,
    pub(crate) consent: Consent,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Repaired {
    /// Whether all that was compared is equal now.
    pub(crate) equal: bool,
    pub(crate) confirmed: bool,
}

/// Why it did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RepairError {
    /// The comparison failed.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The source is none of the cluster's nodes.
    #[error("no node of this cluster is called {node}")]
    UnknownNode {
        /// As it was named.
        node: NodeId,
    },
    /// A table that was named cannot be repaired.
    #[error("{table} cannot be repaired: {why}")]
    Refused {
        /// The table.
        table: String,
        /// In words.
        why: String,
        /// What helps.
        hint: &'static str,
    },
    /// A repairing transaction failed.
    #[error("{node} could not repair {count} rows of {table} ({keys}): {why}")]
    Rows {
        /// Who was to do it.
        node: NodeId,
        /// The table.
        table: String,
        /// How many rows the transaction had.
        count: usize,
        /// The first keys.
        keys: String,
        /// In the node's words.
        why: String,
    },
}

impl From<AskError> for RepairError {
    fn from(error: AskError) -> Self {
        RepairError::Verify(VerifyError::Ask(error))
    }
}

/// Compares the tables that are wanted, and repairs what differs if that is consented to.
pub(crate) async fn repair(shared: &Arc<Shared>, wanted: &Wanted, tell: &Tell) -> Result<Repaired, RepairError> {
    let plans = verify::plans(shared, &wanted.compare).await?;
    if let By::Node(node) = wanted.by
        && !nodes(shared).contains(&node)
    {
        return Err(RepairError::UnknownNode { node });
    }
    let named = !wanted.compare.tables.is_empty();
    if let Some((table, refusal)) = plans.iter().find_map(|plan| Some((&plan.name, decide::refusal(plan)?)))
        && named
    {
        return Err(RepairError::Refused {
            table: table.clone(),
            why: refusal.why,
            hint: refusal.hint,
        });
    }
    let (mut equal, mut to_list) = (true, LISTED_MAX);
    for (at, plan) in plans.iter().enumerate() {
        let tell = tell.of_table(&plan.name, at + 1, plans.len());
        let job = Job {
            shared,
            plan,
            wanted,
            tell: &tell,
        };
        let outcome = job.table(to_list).await?;
        to_list = to_list.saturating_sub(outcome.rows.len());
        equal &= outcome.equal;
        tell.done(&outcome).await;
    }
    Ok(Repaired {
        equal,
        confirmed: wanted.consent == Consent::Given,
    })
}
