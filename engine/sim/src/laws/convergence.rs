//! All nodes hold the same rows: those that the policy's definition gives for the full history.

use super::truth::Truth;
use crate::postgres::{Row, Table};
use crate::world::World;

pub(super) fn check(world: &World, truth: &Truth) -> Result<(), String> {
    for table in Table::ALL {
        for (node, n) in world.nodes.iter().enumerate() {
            let Some(expected) = expected(truth, table) else {
                continue;
            };
            let mut rows = n.server.rows(table);
            if table == Table::Displaced {
                let image = Table::Unique.columns().len();
                rows.iter_mut().for_each(|row| row.truncate(image));
            }
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
    let mut rows = match table {
        Table::Keyless => truth.keyless()?,
        Table::Displaced => truth.rows(Table::Unique).1,
        // When a row was last written may not be known any more where it is not needed.
        Table::Rivals => return None,
        // A node's own.
        Table::Orphans => return None,
        Table::Plain | Table::Toast | Table::Unique | Table::Full | Table::Policies | Table::Tree => {
            truth.rows(table).0
        }
    };
    rows.sort_unstable();
    Some(rows)
}
