//! One table's repair: compared piece by piece, decided, carried out, and looked at once more.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;

use super::decide::{self, Batch, Decision};
use super::outcome::TableOutcome;
use super::{By, Consent, RepairError, Wanted, equal_keys, written};
use crate::answer::{AskError, ask_one};
use crate::frames::{Act, Answer, RepairRows, Request, RowKey};
use crate::policies;
use crate::shared::Shared;
use crate::verify::compare::{Readings, Suspects};
use crate::verify::plan::TablePlan;
use crate::verify::settle::{by_key, settle};
use crate::verify::tell::{Step, Tell};
use crate::verify::{Comparing, VerifyError, collect};
use crate::wait::wait;

/// Rows in one repairing transaction: bounds how long they are locked, and what a transaction that fails leaves undone.
const ROWS_MAX: usize = 500;
/// How long deletes may take to be applied everywhere before rows are written again.
const APPLIED_MAX: Duration = Duration::from_secs(120);
/// Keys that an error names.
const NAMED_MAX: usize = 5;

/// One table's repair.
pub(super) struct Job<'s> {
    pub(super) shared: &'s Arc<Shared>,
    pub(super) plan: &'s TablePlan,
    pub(super) wanted: &'s Wanted,
    pub(super) tell: &'s Tell,
}

impl Job<'_> {
    /// Compares the table, and repairs it if that is consented to.
    pub(super) async fn table(&self, to_list: usize) -> Result<TableOutcome, RepairError> {
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
                let part = &self.plan.part;
                let policy = policies::in_force(self.shared, &part.schema, &part.table).unwrap_or_default();
                Ok(decide::by_policy(&policy, &self.plan.nodes, different, &times))
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
