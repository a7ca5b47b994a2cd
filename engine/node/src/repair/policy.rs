//! Which of several rows a conflict policy would keep: a pure function of when and by whom they were written.

use synapse_engine_identity::NodeId;

use crate::frames::WrittenAt;

/// A conflict policy, as far as it can choose among rows that stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Policy {
    /// The row that was written last.
    LastWriteWins,
}

/// A row that stands on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) node: NodeId,
    pub(super) written: WrittenAt,
}

/// The node whose row wins; none where no node has the row. A row that is missing is no candidate, because nothing says
/// when it went: it loses against any that is there.
pub(super) fn winner(policy: Policy, candidates: &[Candidate]) -> Option<NodeId> {
    match policy {
        // A write that the server does not know any more is older than all that it does. Of one write's copies the
        // writer's own is believed, and after that some copy, the same whoever decides.
        Policy::LastWriteWins => candidates
            .iter()
            .max_by_key(|Candidate { node, written }| (written.micros, written.by, *node == written.by, *node))
            .map(|candidate| candidate.node),
    }
}

#[cfg(test)]
mod tests;
