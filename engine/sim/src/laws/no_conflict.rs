//! An update that saw the other is no conflict, whatever the clocks say.

use super::truth::Truth;
use crate::catalog::{row_id, table_of};
use crate::world::World;

pub(super) fn check(world: &World, truth: &Truth) -> Result<(), String> {
    for (txn, row) in &world.conflicts {
        let met = truth.locals.iter().any(|(other, local)| {
            let of = table_of(row.table);
            let mut written = local.writes.keys().filter(|(table, _)| *table == of);
            let wrote = written.any(|(table, key)| row_id(*table, *key) == *row) || local.truncated.contains(&of);
            wrote && truth.concurrent(*txn, *other)
        });
        if !met {
            return Err(format!("{txn} is in conflict over {row:?} with nothing"));
        }
    }
    Ok(())
}
