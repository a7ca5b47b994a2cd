use std::time::Duration;

use synapse_engine_identity::{Context, NodeId, Origin};
use tokio::time::{Instant, timeout_at};

use crate::frames::Answer;
use crate::peer::Peer;
use crate::shared::{Shared, lock};

/// Not everything that ends the waiting is announced: it is looked at so often anyway.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Waits until `wanted` is applied here and nothing is to be looked at again, until something stands still, or until
/// the time is over.
pub(super) async fn applied(shared: &Shared, wanted: &Context, patience_ms: u32) -> Answer {
    let deadline = Instant::now() + Duration::from_millis(u64::from(patience_ms));
    let mut stirred = shared.stirred.subscribe();
    loop {
        stirred.borrow_and_update();
        let (applied, rechecks) = now(shared);
        let settled = !rechecks && missing(shared, wanted, &applied).is_empty();
        let stands = stands(shared, wanted, &applied);
        let over = settled || stands.is_some() || shared.shutdown.is_cancelled();
        if over || Instant::now() >= deadline {
            return Answer::Applied {
                applied,
                settled,
                stands,
            };
        }
        // Stirred, late or ending: each is looked at above.
        let _ = timeout_at(deadline.min(Instant::now() + LOOK_AGAIN), stirred.changed()).await;
    }
}

/// What is applied, and whether re-checks are pending. What counts is what the stream says: a transaction whose marker
/// has not been read may yet have to be looked at again.
fn now(shared: &Shared) -> (Context, bool) {
    match shared.kernel() {
        None => (Context::new(), true),
        Some(kernel) => {
            let kernel = lock(&kernel);
            (
                kernel.stamper().state().applied.clone(),
                kernel.next_recheck().is_some(),
            )
        }
    }
}

/// The origins of which something is missing here.
fn missing(shared: &Shared, wanted: &Context, applied: &Context) -> Vec<Origin> {
    let lacks = wanted
        .iter()
        .filter(|(origin, lsn)| *origin != shared.me && applied.get(*origin) < *lsn);
    lacks.map(|(origin, _)| origin).collect()
}

/// What must be seen to by a person before the rest can come.
fn stands(shared: &Shared, wanted: &Context, applied: &Context) -> Option<String> {
    let peers = shared.peers();
    let here = shared.me.node;
    // What a node that did not say its position has sent may be stopped as well.
    let unnamed = |node: &NodeId| wanted.iter().all(|(origin, _)| origin.node != *node);
    let stopped = peers.iter().find(|(node, peer)| peer.stop.is_some() && unnamed(node));
    let stopped = stopped.and_then(|(node, peer)| standing(here, *node, peer));
    stopped.or_else(|| {
        let missing = missing(shared, wanted, applied).into_iter();
        missing
            .map(|origin| origin.node)
            .find_map(|node| standing(here, node, peers.get(&node)?))
    })
}

/// Why nothing of `from` is applied at `here`, when that does not pass by itself.
fn standing(here: NodeId, from: NodeId, peer: &Peer) -> Option<String> {
    if let Some(stop) = &peer.stop {
        return Some(format!("{here} cannot apply {} of {from}: {}", stop.txn, stop.message));
    }
    if peer.beat.as_ref().is_some_and(|(beat, _)| beat.held) {
        return Some(format!("what {from} sends to {here} is held"));
    }
    None
}

#[cfg(test)]
mod tests;
