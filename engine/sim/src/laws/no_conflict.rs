//! An update that saw the other is no conflict, whatever the clocks say.

use super::truth::Truth;
use crate::catalog::{row_id, table_of};
use crate::world::World;

pub(super) fn check(world: &World, truth: &Truth) -> Result<(), String> {
    for (txn, row) in &world.conflicts {
        let met = truth.locals.iter().any(|(other, local)| {
            let wrote = local.writes.keys().any(|(table, key)| row_id(*table, *key) == *row)
                || local.truncated.contains(&table_of(row.table));
            wrote && truth.concurrent(*txn, *other)
        });
        if !met {
            return Err(format!("{txn} is in conflict over {row:?} with nothing"));
        }
    }
    Ok(())
}
