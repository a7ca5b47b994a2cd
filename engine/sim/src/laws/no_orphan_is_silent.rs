//! No row refers to nothing, unless its rule leaves it so, and then a node tells of it.

use std::collections::BTreeSet;

use super::truth::Truth;
use crate::node::Rule;
use crate::postgres::{Row, Table, orphan};
use crate::world::World;

pub(super) fn check(world: &World, _: &Truth) -> Result<(), String> {
    let entries: Vec<Vec<Row>> = world.nodes.iter().map(|n| n.server.rows(Table::Orphans)).collect();
    let told = |row: &&Row| row[orphan::STATE] == Some(orphan::TOLD);
    let told = entries.iter().flatten().filter(told).filter_map(|row| row[orphan::REF]);
    let told: BTreeSet<u64> = told.collect();
    for node in &world.nodes {
        let rows = node.server.rows(Table::Tree);
        let stands = |key: u64| rows.iter().any(|row| row[0] == Some(key));
        for row in &rows {
            let Some(up) = row[1].filter(|up| !stands(*up)) else {
                continue;
            };
            let excused = match world.rule {
                Rule::DeleteChild => false,
                Rule::RestoreParent => told.contains(&up) && !entries.iter().any(|of| may_return(up, of, &stands)),
                Rule::Report => told.contains(&up),
            };
            if !excused {
                let (me, rule) = (node.origin, world.rule);
                return Err(format!(
                    "{me}: {row:?} refers to nothing, by rule {rule:?}, noted: {entries:?}"
                ));
            }
        }
    }
    Ok(())
}

/// Whether it is kept how a row was, and how whatever it refers to was.
fn may_return(key: u64, entries: &[Row], stands: &impl Fn(u64) -> bool) -> bool {
    let (mut open, mut seen) = (key, BTreeSet::new());
    while seen.insert(open) {
        let images = entries.iter().filter(|row| row[orphan::KEY] == Some(open));
        let Some(image) = images.max_by_key(|row| row[0]) else {
            return false;
        };
        match image[orphan::KEY + 1] {
            Some(up) if !stands(up) => open = up,
            Some(_) | None => return true,
        }
    }
    true
}
