//! What stands still, what soon will, and why a node is not ready.

use std::time::Duration;

use synapse_engine_setup::{SlotState, WalStatus};

use super::peers::PeerStatus;
use crate::mend;
use crate::peer::Peer;
use crate::shared::{Phase, Shared};

/// The share of its limit at which a journal is spoken of.
const JOURNAL_WARN_PERCENT: u64 = 80;

/// What stands still that a person must see.
pub(super) fn problems(
    shared: &Shared,
    slot: Option<&SlotState>,
    damaged: &[String],
    peers: &[PeerStatus],
) -> Vec<String> {
    let mut problems = damaged.to_vec();
    if let Phase::Stopped(reason) = &*shared.phase.borrow() {
        problems.push(reason.clone());
    }
    if !shared.journal.room() {
        problems.push(format!(
            "the journal is at its limit of {} bytes: nothing more is shipped or confirmed until peers have applied what it holds",
            shared.journal.limit_bytes()
        ));
    }
    if let Some(WalStatus::Lost) = slot.and_then(|slot| slot.wal_status) {
        problems.push(format!(
            "the slot {} has lost its WAL: this node must be copied anew",
            shared.slot
        ));
    }
    problems.extend(shared.orphans.standing.borrow().problems.iter().cloned());
    let ordinal = shared.state().ordinal;
    for (node, peer) in shared.peers().iter() {
        problems.extend(of_peer(node.as_str(), peer, ordinal));
    }
    problems.extend(peers.iter().filter_map(of_clock));
    problems
}

fn of_peer(node: &str, peer: &Peer, ordinal: u16) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(stop) = &peer.stop {
        problems.push(format!("cannot apply {}: {}", stop.txn, stop.message));
    }
    if peer.beat.as_ref().is_some_and(|(beat, _)| beat.ordinal == ordinal) {
        problems.push(format!(
            "{node} has the same part of every sequence as this node ({ordinal}): both would hand out the same values"
        ));
    }
    problems
}

fn of_clock(peer: &PeerStatus) -> Option<String> {
    let held = peer.held_seconds?;
    let node = &peer.node;
    Some(format!(
        "the clock of {node} was too far ahead: its transactions wait for another {held:.1} s"
    ))
}

/// What will stand still if nobody looks.
pub(super) fn warnings(journal_bytes: u64, limit_bytes: u64, peers: &[PeerStatus], skew_max: Duration) -> Vec<String> {
    let mut warnings = Vec::new();
    let percent = journal_bytes
        .saturating_mul(100)
        .checked_div(limit_bytes)
        .unwrap_or(100);
    if (JOURNAL_WARN_PERCENT..100).contains(&percent) {
        warnings.push(format!("the journal has reached {percent} % of its limit"));
    }
    for peer in peers {
        let skew = peer.clock_skew_seconds.unwrap_or(0.0);
        if skew.abs() > skew_max.as_secs_f64() {
            let (length, way) = (skew.abs(), if skew > 0.0 { "behind" } else { "ahead of" });
            warnings.push(format!("the clock of {} is {length:.1} s {way} this node's", peer.node));
        }
        if peer.holding {
            warnings.push(format!("what this node sends to {} is held", peer.node));
        }
    }
    warnings
}

/// What is said of orphans that stay by their table's rule.
pub(super) fn reported(orphans: u64) -> Option<String> {
    (orphans > 0).then(|| {
        let places = places(orphans);
        format!(
            "rows that are gone are referred to in {places}, and it stays so by the tables' rule; \
             hint: synapsectl conflict list --kind foreign_key_orphan"
        )
    })
}

/// What is said of rows that refer to displaced ones.
pub(super) fn of_displaced(orphans: u64) -> Option<String> {
    (orphans > 0).then(|| {
        let places = places(orphans);
        format!(
            "rows that are displaced are referred to in {places}, and it stays so until they come back or are given up; \
             hint: SELECT * FROM synapse.displaced"
        )
    })
}

fn places(count: u64) -> String {
    let places = if count == 1 { "place" } else { "places" };
    format!("{count} {places}")
}

/// Why this node is not ready; nothing when it is.
pub(crate) fn not_ready(shared: &Shared) -> Vec<String> {
    let linked = shared.peers().values().filter(|peer| peer.link.is_some()).count();
    let mut reasons = reasons(&shared.phase.borrow(), linked, shared.config.cluster.join.len());
    reasons.extend(shared.joining.progress().line());
    reasons.extend(mend::standing(shared));
    reasons
}

fn reasons(phase: &Phase, linked: usize, configured: usize) -> Vec<String> {
    let mut reasons = Vec::new();
    match phase {
        Phase::Starting => reasons.push("starting: it has not caught up with its own stream".to_owned()),
        Phase::Copying => reasons.push("copying tables from a peer".to_owned()),
        Phase::Stopped(why) => reasons.push(format!("stopped: {why}")),
        Phase::Streaming => {}
    }
    if linked < configured {
        reasons.push(format!("{linked} of {configured} configured peers are linked"));
    }
    reasons
}

#[cfg(test)]
mod tests;
