//! A value that a peer was told, because it lacks it, is not forgotten in a crash: the peer has given it the stamp of the
//! update that it lacked it for, and nobody would replace it.

use super::truth::tells;
use crate::node::Node;
use crate::postgres::{Commit, Effect, Item, Table};

pub(crate) fn check(node: &Node, forgotten: &[Commit]) -> Result<(), String> {
    let of_applications = forgotten.iter().filter(|commit| commit.origin.is_none());
    for item in of_applications.flat_map(|commit| &commit.items) {
        let Item::Change { table, effect, .. } = item else {
            continue;
        };
        let (old, new) = match effect {
            Effect::Insert { new } => (&[][..], new),
            Effect::Update { old, new, .. } => (&old[..], new),
            Effect::Delete { .. } | Effect::Truncate => continue,
        };
        let values = new.iter().enumerate().filter(|(at, _)| tells(*table, *at));
        let written = values
            .filter_map(|(_, value)| value.as_ref())
            .find(|v| node.told.contains(v) && !old.contains(&Some(**v)) && !is_kept(node, *table, **v));
        if let Some(value) = written {
            let (me, table) = (node.origin, table.name());
            return Err(format!("{me} told a peer of {value} in {table} and has forgotten it"));
        }
    }
    Ok(())
}

/// Whether the log says it without what was forgotten: a row that comes back has the values that it had.
fn is_kept(node: &Node, table: Table, value: u64) -> bool {
    let says = |item: &Item| match item {
        Item::Change {
            table: of,
            effect: Effect::Insert { new } | Effect::Update { new, .. },
            ..
        } => *of == table && new.contains(&Some(value)),
        Item::Change { .. } | Item::Message { .. } => false,
    };
    node.server
        .wal
        .commits()
        .iter()
        .flat_map(|commit| &commit.items)
        .any(says)
}
