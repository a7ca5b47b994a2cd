//! Which of several rows a conflict policy would keep: a pure function of when and by whom they were written.

use std::cmp::Reverse;

use synapse_engine_identity::NodeId;
use synapse_engine_replication::{Order, Policy};

use crate::frames::WrittenAt;

/// A row that stands on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) node: NodeId,
    pub(super) written: WrittenAt,
}

/// The node whose row wins; none where no node has the row, and where the policy leaves the choice to a person or a
/// function. A row that is missing is no candidate, because nothing says when it went: it loses against any that is there.
///
/// A write that the server does not know any more is older than all that it does. Of one write's copies the writer's own
/// is believed, and after that some copy, the same whoever decides.
pub(super) fn winner(policy: &Policy, candidates: &[Candidate]) -> Option<NodeId> {
    let order = match policy {
        Policy::Error | Policy::Custom { .. } => return None,
        Policy::Order { order, .. } => order,
    };
    let copy = |c: &Candidate| (c.node == c.written.by, c.node);
    let candidates = candidates.iter();
    let winner = match order {
        Order::LastWriteWins => candidates.max_by_key(|c| (c.written.micros, c.written.by, copy(c))),
        Order::FirstWriteWins => candidates.max_by_key(|c| (Reverse(c.written.micros), Reverse(c.written.by), copy(c))),
        Order::Priority(nodes) => {
            let rank = |by: NodeId| nodes.iter().position(|node| *node == by).unwrap_or(nodes.len());
            candidates.max_by_key(|c| (Reverse(rank(c.written.by)), c.written.micros, c.written.by, copy(c)))
        }
    };
    winner.map(|candidate| candidate.node)
}

#[cfg(test)]
mod tests;
