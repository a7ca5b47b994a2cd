//! Whether the waiting is over: a pure function of what the nodes said.

use std::collections::BTreeMap;

use serde::Serialize;
use synapse_engine_identity::{Context, NodeId, Origin};
use synapse_wal_types::Lsn;

/// What one node says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) applied: Context,
    /// Whether all that was asked for is applied, and nothing is to be looked at again.
    pub(crate) settled: bool,
    /// What stands still and must be seen by a person.
    pub(crate) stands: Option<String>,
}

/// What a node has not applied of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Behind {
    pub(crate) node: NodeId,
    pub(crate) peer: NodeId,
    /// Of the peer's WAL.
    pub(crate) bytes: u64,
}

/// Whether the waiting is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    Stands { detail: String, behind: Vec<Behind> },
    NotYet { detail: String, behind: Vec<Behind> },
}

/// Judges by each node's position, whether that is every node's, what the nodes that answer have applied, and what those
/// that are silent had applied when they were heard last.
pub(crate) fn judge(
    positions: &BTreeMap<NodeId, (Origin, Lsn)>,
    all_known: bool,
    reports: &BTreeMap<NodeId, Report>,
    silent: &BTreeMap<NodeId, Context>,
) -> Verdict {
    let answered = reports.iter().map(|(node, report)| (node, &report.applied));
    let behind = behind(positions, answered.chain(silent));
    if let Some(detail) = reports.values().find_map(|report| report.stands.clone()) {
        return Verdict::Stands { detail, behind };
    }
    if !silent.is_empty() {
        return Verdict::NotYet {
            detail: format!("{} cannot be reached", names(silent.keys())),
            behind,
        };
    }
    if !all_known {
        let detail = format!("only {} could be asked what it had committed", names(positions.keys()));
        return Verdict::NotYet { detail, behind };
    }
    let unsettled = reports
        .iter()
        .filter(|(_, report)| !report.settled)
        .map(|(node, _)| node);
    let unsettled: Vec<&NodeId> = unsettled.collect();
    if unsettled.is_empty() && behind.is_empty() {
        return Verdict::Done;
    }
    Verdict::NotYet {
        detail: format!("{} has not applied everything", names(unsettled)),
        behind,
    }
}

fn behind<'a>(
    positions: &BTreeMap<NodeId, (Origin, Lsn)>,
    applied: impl Iterator<Item = (&'a NodeId, &'a Context)>,
) -> Vec<Behind> {
    let mut behind = Vec::new();
    for (node, applied) in applied {
        for (peer, (origin, lsn)) in positions {
            let bytes = lsn.bytes_since(applied.get(*origin));
            if peer != node && bytes > 0 {
                behind.push(Behind {
                    node: *node,
                    peer: *peer,
                    bytes,
                });
            }
        }
    }
    behind
}

fn names<'a>(nodes: impl IntoIterator<Item = &'a NodeId>) -> String {
    let names: Vec<&str> = nodes.into_iter().map(NodeId::as_str).collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests;
