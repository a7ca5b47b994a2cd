//! Every transaction is applied once at every node: the markers of an origin follow one another without a gap.

use std::collections::BTreeSet;

use synapse_engine_identity::TxnId;
use synapse_engine_replication::MarkerKind;

use super::truth::{Logged, Truth, logged};
use crate::world::World;

pub(super) fn check(world: &World, truth: &Truth) -> Result<(), String> {
    for node in 0..world.nodes.len() {
        let me = world.nodes[node].origin;
        let mut applied = BTreeSet::new();
        for entry in logged(world, node) {
            let Logged::Ours(commit, marker) = entry else { continue };
            match marker.kind {
                MarkerKind::Recheck { .. } => continue,
                MarkerKind::Batch => {}
            }
            let bound = |lsn| TxnId {
                origin: marker.origin,
                lsn,
            };
            for (txn, _) in truth.locals.range(bound(marker.first)..=bound(marker.last)) {
                if !applied.insert(*txn) {
                    return Err(format!("{me} applied {txn} again at {}", commit.end));
                }
            }
        }
        for txn in truth.locals.keys().filter(|txn| txn.origin != me) {
            if !applied.contains(txn) {
                return Err(format!("{me} never applied {txn}"));
            }
        }
    }
    Ok(())
}
