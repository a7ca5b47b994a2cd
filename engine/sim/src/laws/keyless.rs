//! A table without a key is a multiset: what is applied of a transaction is what it did, in its order, but for updates
//! and deletes that found no equal row. Inserts are never left out; with the law of exactly once they converge.

use synapse_engine_identity::TxnId;
use synapse_engine_replication::MarkerKind;

use super::truth::{Logged, Truth, logged};
use crate::postgres::{Effect, Item, Table};
use crate::world::World;

pub(super) fn check(world: &World, truth: &Truth) -> Result<(), String> {
    for node in 0..world.nodes.len() {
        for entry in logged(world, node) {
            let Logged::Ours(commit, marker) = entry else { continue };
            let bound = |lsn| TxnId {
                origin: marker.origin,
                lsn,
            };
            let batch = truth.locals.range(bound(marker.first)..=bound(marker.last));
            let batch = batch.filter(|_| matches!(marker.kind, MarkerKind::Batch));
            let meant: Vec<&Effect> = batch.flat_map(|(_, local)| &local.keyless).collect();
            let done = commit.items.iter().filter_map(|item| match item {
                Item::Change { table, effect, .. } if *table == Table::Keyless => Some(effect),
                Item::Change { .. } | Item::Message { .. } => None,
            });
            let done: Vec<&Effect> = done.collect();
            if !is_what_is_left_of(&done, &meant) {
                let (me, end) = (world.nodes[node].origin, commit.end);
                return Err(format!("{me} at {end} did {done:?} for {meant:?}"));
            }
        }
    }
    Ok(())
}

fn is_what_is_left_of(done: &[&Effect], meant: &[&Effect]) -> bool {
    let mut done = done.iter().peekable();
    for effect in meant {
        if done.next_if_eq(&effect).is_none() && matches!(effect, Effect::Insert { .. }) {
            return false;
        }
    }
    done.next().is_none()
}
