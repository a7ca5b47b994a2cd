//! What becomes of rows that differ: pure functions of what the nodes read.

use std::collections::BTreeMap;

use synapse_engine_identity::NodeId;
use synapse_engine_replication::Policy;

use super::policy::{Candidate, winner};
use crate::frames::{Act, RowKey, WrittenAt};
use crate::verify::compare::Readings;
use crate::verify::plan::TablePlan;

/// What becomes of a row, and who does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) key: RowKey,
    pub(super) readings: Readings,
    pub(super) node: NodeId,
    pub(super) act: Act,
}

/// Rows of one repairing transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) node: NodeId,
    pub(super) act: Act,
    pub(super) rows: Vec<(RowKey, Readings)>,
}

/// Why a table cannot be repaired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) why: String,
    pub(super) hint: &'static str,
}

/// Whether a table cannot be repaired, whatever its rows.
pub(super) fn refusal(plan: &TablePlan) -> Option<Refusal> {
    let names = |nodes: &[NodeId]| nodes.iter().map(NodeId::as_str).collect::<Vec<_>>().join(", ");
    if !plan.missing_on.is_empty() {
        return Some(Refusal {
            why: format!("it is not on {}", names(&plan.missing_on)),
            hint: "create it there first",
        });
    }
    if let Some((column, without)) = plan.columns_missing.first_key_value() {
        return Some(Refusal {
            why: format!("its column {column} is not on {}", names(without)),
            hint: "add it there first",
        });
    }
    if plan.part.key.is_empty() {
        return Some(Refusal {
            why: "it has no key that is the same on all nodes, so its rows cannot be told apart".to_owned(),
            hint: "give it a primary key on every node, or copy a node anew with `synapsectl node join --replace-local`",
        });
    }
    None
}

/// All nodes are to have what `source` has.
pub(super) fn by_node(nodes: &[NodeId], source: NodeId, different: Vec<(RowKey, Readings)>) -> Vec<Decision> {
    let at = nodes.iter().position(|node| *node == source);
    let decide = |(key, readings): (RowKey, Readings)| {
        let at_source = at.and_then(|at| readings.get(at)).copied().flatten();
        let (node, act) = match at_source {
            Some(_) => (source, Act::Send),
            // Whoever has it deletes it; all others delete it as they apply that.
            None => (holders(nodes, &readings).next()?, Act::Delete),
        };
        Some(Decision {
            key,
            readings,
            node,
            act,
        })
    };
    different.into_iter().filter_map(decide).collect()
}

/// Each row as the policy would have it. `times` are each node's, in the order of the nodes. A row that all nodes have lost
/// meanwhile needs nothing, and one of which the policy chooses none is left.
pub(super) fn by_policy(
    policy: &Policy,
    nodes: &[NodeId],
    different: Vec<(RowKey, Readings)>,
    times: &[BTreeMap<RowKey, WrittenAt>],
) -> Vec<Decision> {
    let decide = |(key, readings): (RowKey, Readings)| {
        let standing = nodes.iter().zip(times);
        let candidates: Vec<Candidate> = standing
            .filter_map(|(node, times)| {
                let written = *times.get(&key)?;
                Some(Candidate { node: *node, written })
            })
            .collect();
        let node = winner(policy, &candidates)?;
        Some(Decision {
            key,
            readings,
            node,
            act: Act::Send,
        })
    };
    different.into_iter().filter_map(decide).collect()
}

/// Divides decisions into transactions of `rows_max` rows at most: deletes first, then node by node.
pub(super) fn batches(decisions: Vec<Decision>, rows_max: usize) -> Vec<Batch> {
    let mut groups: BTreeMap<(Act, NodeId), Vec<(RowKey, Readings)>> = BTreeMap::new();
    for Decision {
        key,
        readings,
        node,
        act,
    } in decisions
    {
        groups.entry((act, node)).or_default().push((key, readings));
    }
    let mut batches = Vec::new();
    for ((act, node), rows) in groups {
        for rows in rows.chunks(rows_max) {
            let rows = rows.to_vec();
            batches.push(Batch { node, act, rows });
        }
    }
    batches
}

fn holders<'a>(nodes: &'a [NodeId], readings: &'a Readings) -> impl Iterator<Item = NodeId> + 'a {
    nodes
        .iter()
        .zip(readings)
        .filter(|(_, reading)| reading.is_some())
        .map(|(node, _)| *node)
}

#[cfg(test)]
mod tests;
