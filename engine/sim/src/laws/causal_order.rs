//! A transaction is applied after all that it saw, and each origin's in their order.

use synapse_engine_identity::{Context, TxnId};
use synapse_engine_replication::MarkerKind;

use super::truth::{Logged, Truth, logged};
use crate::world::World;

pub(super) fn check(world: &World, truth: &Truth) -> Result<(), String> {
    for node in 0..world.nodes.len() {
        let me = world.nodes[node].origin;
        let mut seen = Context::new();
        for entry in logged(world, node) {
            let marker = match entry {
                Logged::Other => continue,
                Logged::Local(commit) => {
                    seen.advance(me, commit.end);
                    continue;
                }
                Logged::Ours(_, marker) => marker,
            };
            match marker.kind {
                MarkerKind::Recheck { .. } => continue,
                MarkerKind::Batch => {}
            }
            let bound = |lsn| TxnId {
                origin: marker.origin,
                lsn,
            };
            for (txn, local) in truth.locals.range(bound(marker.first)..=bound(marker.last)) {
                let others = local.stamp.context.iter().filter(|(origin, _)| *origin != txn.origin);
                if let Some((origin, lsn)) = others.into_iter().find(|(origin, lsn)| seen.get(*origin) < *lsn) {
                    return Err(format!("{me} applied {txn} before {origin}@{lsn}, which it saw"));
                }
            }
            if seen.get(marker.origin) >= marker.last {
                return Err(format!("{me} applied {}@{} out of order", marker.origin, marker.last));
            }
            seen.advance(marker.origin, marker.last);
        }
    }
    Ok(())
}
