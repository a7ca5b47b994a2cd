//! What we apply is not published as our own: a journal holds exactly its node's local transactions.

use super::truth::Truth;
use crate::world::World;

pub(super) fn check(world: &World, truth: &Truth) -> Result<(), String> {
    for node in &world.nodes {
        for (origin, log) in &node.disk.logs {
            for block in log.blocks() {
                let txn = block.stamp(0).txn;
                if txn.origin != *origin || !truth.locals.contains_key(&txn) {
                    return Err(format!("{} holds {txn}, which no application wrote", node.origin));
                }
            }
        }
    }
    Ok(())
}
