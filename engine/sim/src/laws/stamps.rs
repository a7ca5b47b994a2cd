//! A stamp never changes, says what its node had applied, and grows with causality.

use super::truth::Truth;
use crate::world::World;

pub(super) fn check(world: &World, truth: &Truth) -> Result<(), String> {
    for (txn, local) in &truth.locals {
        if *local.stamp.context != local.context {
            return Err(format!(
                "{txn} is stamped with {} and had {}",
                local.stamp.context, local.context
            ));
        }
        let in_force = truth.in_force(txn, local);
        if local.stamp.epoch != in_force {
            return Err(format!(
                "{txn} is under {:?}, and {in_force:?} was in force",
                local.stamp.epoch
            ));
        }
        for (origin, lsn) in local.context.iter() {
            let seen = synapse_engine_identity::TxnId { origin, lsn };
            let earlier = truth
                .locals
                .get(&seen)
                .ok_or_else(|| format!("{txn} saw {seen}, which never was"))?;
            if earlier.stamp.hlc >= local.stamp.hlc {
                return Err(format!(
                    "{txn} saw {seen} and is not later: {} {}",
                    local.stamp.hlc, earlier.stamp.hlc
                ));
            }
        }
    }
    for node in &world.nodes {
        for block in node.disk.logs.values().flat_map(crate::disk::Log::blocks) {
            let stamp = block.stamp(0);
            if world.stamps.get(&stamp.txn).is_some_and(|first| *first != stamp) {
                return Err(format!("{} holds another stamp of {}", node.origin, stamp.txn));
            }
        }
    }
    Ok(())
}
