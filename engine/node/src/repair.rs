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
mod outcome;
mod policy;
mod record;
mod statement;
mod within;
mod written;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde::Serialize;
use synapse_engine_identity::NodeId;

use crate::answer::{AskError, ask_one};
use crate::frames::{Act, Answer, RepairRows, Request, RowKey};
use crate::shared::Shared;
use crate::verify::compare::{Readings, Suspects};
use crate::verify::plan::TablePlan;
use crate::verify::settle::{by_key, settle};
use crate::verify::tell::{Step, Tell};
use crate::verify::{self, Comparing, LISTED_MAX, VerifyError, collect};
use crate::wait::{nodes, wait};
use decide::{Batch, Decision};
use outcome::TableOutcome;
use policy::Policy;

pub(crate) use execute::execute;
pub(crate) use written::written;

/// Rows in one repairing transaction: bounds how long they are locked, and what a transaction that fails leaves undone.
const ROWS_MAX: usize = 500;
/// How long deletes may take to be applied everywhere before rows are written again.
const APPLIED_MAX: Duration = Duration::from_secs(120);
/// Keys that an error names.
const NAMED_MAX: usize = 5;

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

/// One table's repair.
struct Job<'s> {
    shared: &'s Arc<Shared>,
    plan: &'s TablePlan,
    wanted: &'s Wanted,
    tell: &'s Tell,
}

impl Job<'_> {
    async fn table(&self, to_list: usize) -> Result<TableOutcome, RepairError> {
        let refusal = decide::refusal(self.plan);
        let mut outcome = TableOutcome::new(self.plan, refusal.map(|refusal| refusal.why));
        let mut comparing = Comparing::begin(self.shared, self.plan, self.tell).await?;
        while let Some(different) = comparing.next().await? {
            if outcome.refused.is_some() {
                outcome.different += different.len() as u64;
                continue;
            }
            let keys: Vec<RowKey> = different.iter().map(|(key, _)| key.clone()).collect();
            let decisions = self.decide(different).await?;
            outcome.plan(&self.plan.part, &decisions, keys.len(), to_list);
            if self.wanted.consent == Consent::Given && !keys.is_empty() {
                self.carry_out(decisions, &mut outcome).await?;
                outcome.remaining += self.still_different(keys).await?;
            }
        }
        outcome.conclude(self.wanted.consent);
        if self.wanted.consent == Consent::Given && outcome.different > 0 {
            let TableOutcome {
                table,
                different,
                repaired,
                left,
                remaining,
                ..
            } = &outcome;
            tracing::info!(table, by = ?self.wanted.by, different, repaired, left, remaining, "repaired rows that differed");
        }
        Ok(outcome)
    }

    async fn decide(&self, different: Vec<(RowKey, Readings)>) -> Result<Vec<Decision>, RepairError> {
        match self.wanted.by {
            By::Node(source) => {
                let decisions = decide::by_node(&self.plan.nodes, source, different);
                Ok(equal_keys::leave_out(self.shared, self.plan, source, decisions).await?)
            }
            By::Policy => {
                let keys: Vec<RowKey> = different.iter().map(|(key, _)| key.clone()).collect();
                let asked = self.plan.nodes.iter();
                let asked = asked.map(|node| written::collect(self.shared, *node, &self.plan.part, &keys));
                let times = try_join_all(asked).await?;
                Ok(decide::by_policy(
                    Policy::LastWriteWins,
                    &self.plan.nodes,
                    different,
                    &times,
                ))
            }
        }
    }

    /// Deletes first, and everywhere, so that values that must be unique are free for the rows that come.
    async fn carry_out(&self, decisions: Vec<Decision>, outcome: &mut TableOutcome) -> Result<(), RepairError> {
        let total = decisions.len() as u64;
        let mut done = 0;
        let mut deleted = false;
        for batch in decide::batches(decisions, ROWS_MAX) {
            if deleted && batch.act == Act::Send {
                self.applied(outcome.repaired).await?;
                deleted = false;
            }
            self.tell.progress(Step::Repairing, done, total);
            done += batch.rows.len() as u64;
            deleted |= batch.act == Act::Delete;
            let (repaired, left) = self.batch(batch).await?;
            outcome.repaired += repaired;
            outcome.left += left;
        }
        self.tell.progress(Step::Repairing, done, total);
        Ok(())
    }

    async fn batch(&self, batch: Batch) -> Result<(u64, u64), RepairError> {
        let Batch { node, act, rows } = batch;
        let source = match self.wanted.by {
            By::Node(source) => source,
            By::Policy => node,
        };
        let (count, keys) = (rows.len(), named(&rows));
        let request = Request::Repair(RepairRows {
            part: self.plan.part.clone(),
            source,
            act,
            nodes: self.plan.nodes.clone(),
            rows,
        });
        let failed = |why: String| RepairError::Rows {
            node,
            table: self.plan.name.clone(),
            count,
            keys,
            why,
        };
        match ask_one(self.shared, node, request).await {
            Ok(Answer::Repaired { repaired, left }) => Ok((repaired, left)),
            Ok(_) => Err(failed("it answered something else than was asked".to_owned())),
            Err(AskError::Failed { why, .. } | AskError::Unreachable { why, .. }) => Err(failed(why)),
        }
    }

    async fn applied(&self, rows: u64) -> Result<(), RepairError> {
        let waited = wait(self.shared, APPLIED_MAX).await;
        if waited.done {
            return Ok(());
        }
        Err(RepairError::Verify(VerifyError::Unsettled {
            table: self.plan.name.clone(),
            rows: usize::try_from(rows).unwrap_or(usize::MAX),
            why: waited.detail.unwrap_or_default(),
        }))
    }

    /// How many of these differ once all nodes have applied everything.
    async fn still_different(&self, keys: Vec<RowKey>) -> Result<u64, RepairError> {
        let reading = self.plan.nodes.iter();
        let reading = reading.map(|node| collect::rows(self.shared, *node, &self.plan.part, &keys));
        let readings = by_key(try_join_all(reading).await?, keys.len());
        let suspects: Suspects = keys.into_iter().zip(readings).collect();
        Ok(settle(self.shared, self.plan, suspects, self.tell).await?.len() as u64)
    }
}

/// The first keys, in words.
fn named(rows: &[(RowKey, Readings)]) -> String {
    let first: Vec<String> = rows.iter().take(NAMED_MAX).map(|(key, _)| key.join(", ")).collect();
    let more = rows.len().saturating_sub(NAMED_MAX);
    match more {
        0 => format!("keys {}", first.join("; ")),
        more => format!("keys {} and {more} more", first.join("; ")),
    }
}
