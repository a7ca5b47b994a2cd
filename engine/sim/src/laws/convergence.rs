//! All nodes hold the same rows: those that the policy's definition gives for the full history.

use super::truth::Truth;
use crate::postgres::{Row, Table};
use crate::world::World;

pub(super) fn check(world: &World, truth: &Truth) -> Result<(), String> {
    for table in Table::ALL {
        let Some(expected) = expected(truth, table) else {
            continue;
        };
        for (node, n) in world.nodes.iter().enumerate() {
            let rows = n.server.rows(table);
            if rows != expected {
                let only = |a: &[Row], b: &[Row]| a.iter().filter(|r| !b.contains(r)).cloned().collect::<Vec<_>>();
                let (extra, lacking) = (only(&rows, &expected), only(&expected, &rows));
                let name = table.name();
                return Err(format!("{name} at n{}: {extra:?} instead of {lacking:?}", node + 1));
            }
        }
    }
    Ok(())
}

fn expected(truth: &Truth, table: Table) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = if table.keyed() {
        let mut places: Vec<_> = truth.places().filter(|place| place.0 == table).collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().filter_map(|place| truth.expected(place)).collect()
    } else {
        truth.keyless()?
    };
    rows.sort_unstable();
    Some(rows)
}
