//! One table's comparison, piece by piece: a piece is so many keys as are held in memory at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use futures_util::future::try_join_all;
use futures_util::stream::{FuturesUnordered, TryStreamExt};
use synapse_engine_identity::NodeId;

use super::compare::{self, KEYS_MAX, Readings};
use super::plan::TablePlan;
use super::tell::{Step, Tell};
use super::{BUCKETS, VerifyError, collect, settle};
use crate::frames::{Digest, RowKey};
use crate::shared::Shared;

/// A comparison that has read every node's digests, and goes on with the buckets that differ.
pub(crate) struct Comparing<'s> {
    shared: &'s Arc<Shared>,
    plan: &'s TablePlan,
    tell: &'s Tell,
    digests: Vec<BTreeMap<u32, Digest>>,
    chunks: VecDeque<Vec<u32>>,
    buckets: u64,
    compared: u64,
}

impl<'s> Comparing<'s> {
    /// Has every node digest its rows.
    pub(crate) async fn begin(
        shared: &'s Arc<Shared>,
        plan: &'s TablePlan,
        tell: &'s Tell,
    ) -> Result<Self, VerifyError> {
        let digests = read(shared, plan, tell).await?;
        let differing = compare::differing(&digests);
        let chunks: VecDeque<_> = compare::chunks(&differing, KEYS_MAX).into();
        Ok(Comparing {
            shared,
            plan,
            tell,
            digests,
            chunks,
            buckets: differing.len() as u64,
            compared: 0,
        })
    }

    /// What each node holds, in the order of the plan's nodes.
    pub(crate) fn digests(&self) -> &[BTreeMap<u32, Digest>] {
        &self.digests
    }

    /// The rows of the next piece that differ in truth; `None` when all has been compared.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<(RowKey, Readings)>>, VerifyError> {
        let Some(buckets) = self.chunks.pop_front() else {
            return Ok(None);
        };
        self.tell.progress(Step::Comparing, self.compared, self.buckets);
        let keys = self
            .plan
            .nodes
            .iter()
            .map(|node| collect::keys(self.shared, *node, &self.plan.part, BUCKETS, &buckets));
        let suspects = compare::suspects(try_join_all(keys).await?);
        let different = settle::settle(self.shared, self.plan, suspects, self.tell).await?;
        self.compared += buckets.len() as u64;
        self.tell.progress(Step::Comparing, self.compared, self.buckets);
        Ok(Some(different))
    }
}

/// All nodes read at once; each that is done is told.
async fn read(shared: &Arc<Shared>, plan: &TablePlan, tell: &Tell) -> Result<Vec<BTreeMap<u32, Digest>>, VerifyError> {
    let total = plan.nodes.len() as u64;
    tell.progress(Step::Reading, 0, total);
    let each = plan.nodes.iter().map(|node| async move {
        let digests = collect::digests(shared, *node, &plan.part, BUCKETS).await?;
        Ok::<(NodeId, _), VerifyError>((*node, digests))
    });
    let mut reading: FuturesUnordered<_> = each.collect();
    let mut by_node = BTreeMap::new();
    while let Some((node, digests)) = reading.try_next().await? {
        by_node.insert(node, digests);
        tell.progress(Step::Reading, by_node.len() as u64, total);
    }
    Ok(plan.nodes.iter().filter_map(|node| by_node.remove(node)).collect())
}
