//! What a repair says of one table.

use std::collections::BTreeMap;

use serde::Serialize;
use synapse_engine_identity::NodeId;

use super::Consent;
use super::decide::Decision;
use crate::frames::{Act, TablePart};
use crate::verify::plan::TablePlan;

/// One table.
#[derive(Debug, Serialize)]
pub(super) struct TableOutcome {
    pub(super) table: String,
    /// Whether all nodes hold the same rows now.
    pub(super) equal: bool,
    /// Rows that differed.
    pub(super) different: u64,
    /// How many of these each node writes again.
    pub(super) sends: BTreeMap<NodeId, u64>,
    /// How many of these each node deletes.
    pub(super) deletes: BTreeMap<NodeId, u64>,
    pub(super) repaired: u64,
    /// Rows that were left because they had been written meanwhile, or were locked.
    pub(super) left: u64,
    /// Rows that differ still.
    pub(super) remaining: u64,
    /// Why nothing of it can be repaired.
    pub(super) refused: Option<String>,
    /// The first rows, and what becomes of them.
    pub(super) rows: Vec<Planned>,
    /// Whether all nodes have the table, with the same columns.
    #[serde(skip)]
    same_shape: bool,
}

/// One row.
#[derive(Debug, Serialize)]
pub(super) struct Planned {
    /// Text by column.
    key: BTreeMap<String, String>,
    act: Act,
    node: NodeId,
}

impl TableOutcome {
    pub(super) fn new(plan: &TablePlan, refused: Option<String>) -> Self {
        TableOutcome {
            table: plan.name.clone(),
            equal: false,
            different: 0,
            sends: BTreeMap::new(),
            deletes: BTreeMap::new(),
            repaired: 0,
            left: 0,
            remaining: 0,
            refused,
            rows: Vec::new(),
            same_shape: plan.missing_on.is_empty() && plan.columns_missing.is_empty(),
        }
    }

    /// Takes in what was decided of `different` rows; at most `to_list` are listed.
    pub(super) fn plan(&mut self, part: &TablePart, decisions: &[Decision], different: usize, to_list: usize) {
        self.different += different as u64;
        for decision in decisions {
            let counts = match decision.act {
                Act::Send => &mut self.sends,
                Act::Delete => &mut self.deletes,
            };
            *counts.entry(decision.node).or_default() += 1;
        }
        let room = to_list.saturating_sub(self.rows.len());
        self.rows.extend(decisions.iter().take(room).map(|decision| Planned {
            key: part.key.iter().cloned().zip(decision.key.iter().cloned()).collect(),
            act: decision.act,
            node: decision.node,
        }));
    }

    /// Says at last whether all is equal.
    pub(super) fn conclude(&mut self, consent: Consent) {
        if consent == Consent::Missing || self.refused.is_some() {
            self.remaining = self.different;
        }
        self.equal = self.remaining == 0 && self.same_shape;
        if self.equal {
            // There was nothing to do that could have been refused.
            self.refused = None;
        }
    }
}
