//! What `verify` answers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use synapse_engine_identity::NodeId;

use super::plan::TablePlan;
use crate::frames::Digest;

/// The whole answer to `GET /v1/verify`.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    pub(crate) equal: bool,
    /// A [`TableVerdict`] each.
    pub(crate) tables: Vec<Box<RawValue>>,
}

/// One table.
#[derive(Debug, Serialize)]
pub(crate) struct TableVerdict {
    pub(crate) table: String,
    /// How many each node had when it was first read.
    pub(crate) rows: BTreeMap<NodeId, u64>,
    pub(crate) equal: bool,
    pub(crate) differences_total: u64,
    pub(crate) differences: Vec<Difference>,
    /// Nodes that do not have the table, or do not replicate it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing_on: Vec<NodeId>,
    /// Columns that are not everywhere; they are not compared.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) columns_missing: BTreeMap<String, Vec<NodeId>>,
}

/// One row. Of a table without a key the key is the whole row, and the nodes' values are how often they have it.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    pub(crate) key: Box<RawValue>,
    pub(crate) columns: Vec<String>,
    pub(crate) nodes: BTreeMap<NodeId, Option<BTreeMap<String, Box<RawValue>>>>,
}

impl TableVerdict {
    pub(crate) fn new(plan: &TablePlan) -> Self {
        TableVerdict {
            table: plan.name.clone(),
            rows: BTreeMap::new(),
            equal: false,
            differences_total: 0,
            differences: Vec::new(),
            missing_on: plan.missing_on.clone(),
            columns_missing: plan.columns_missing.clone(),
        }
    }

    pub(crate) fn count_rows(&mut self, nodes: &[NodeId], digests: &[BTreeMap<u32, Digest>]) {
        let count = |digests: &BTreeMap<u32, Digest>| digests.values().map(|digest| digest.rows).sum();
        self.rows = nodes.iter().copied().zip(digests.iter().map(count)).collect();
    }

    /// Says at last whether all is equal.
    pub(crate) fn conclude(&mut self) {
        self.equal = self.differences_total == 0 && self.missing_on.is_empty() && self.columns_missing.is_empty();
    }
}

#[cfg(test)]
mod tests;
