//! A local value is never overwritten, not even briefly, by one that neither saw it nor outranks it.

use std::collections::BTreeMap;

use synapse_engine_identity::{Origin, TxnId};
use synapse_engine_replication::Deletes;

use super::truth::{Logged, Place, Truth, logged, place, tells};
use crate::postgres::{Commit, Datum, Effect, Item, Row, Table};
use crate::world::World;

pub(super) fn check(world: &World, truth: &Truth) -> Result<(), String> {
    for node in 0..world.nodes.len() {
        let me = world.nodes[node].origin;
        for entry in logged(world, node) {
            let Logged::Ours(commit, marker) = entry else { continue };
            for (place, (was, is)) in changed(commit) {
                let ok = match &is {
                    Some(new) => (1..was.len()).all(|at| may_stand(truth, me, place, at, (was[at], new[at]))),
                    None => may_go(truth, me, place, &was),
                };
                if !ok {
                    let (table, key) = place;
                    let what = format!(
                        "{me} at {}: {} {key} was {was:?} and is {is:?}",
                        commit.end,
                        table.name()
                    );
                    return Err(format!("{what}, by {marker:?}"));
                }
            }
        }
    }
    Ok(())
}

/// Rows that a transaction found, as it found and as it left them.
fn changed(commit: &Commit) -> BTreeMap<Place, (Row, Option<Row>)> {
    let mut rows: BTreeMap<Place, (Row, Option<Row>)> = BTreeMap::new();
    let mut inserted: BTreeMap<Place, ()> = BTreeMap::new();
    let mut left =
        |rows: &mut BTreeMap<Place, (Row, Option<Row>)>, at: Place, old: Option<&Row>, new: Option<&Row>| match (
            rows.get_mut(&at),
            old,
        ) {
            (Some(entry), _) => entry.1 = new.cloned(),
            (None, Some(old)) if !inserted.contains_key(&at) => {
                rows.insert(at, (old.clone(), new.cloned()));
            }
            (None, Some(_)) => {}
            (None, None) => {
                inserted.insert(at, ());
            }
        };
    for item in &commit.items {
        let Item::Change { table, effect, .. } = item else {
            continue;
        };
        if matches!(table, Table::Keyless | Table::Rivals | Table::Orphans)
            || matches!((table, effect), (Table::Displaced, Effect::Delete { .. }))
        {
            continue;
        }
        match effect {
            // What is displaced is not gone.
            Effect::Insert { new } if *table == Table::Displaced => {
                if let Some((_, is)) = rows.get_mut(&place(Table::Unique, new)) {
                    *is = Some(new[..Table::Unique.columns().len()].to_vec());
                }
            }
            Effect::Insert { new } => left(&mut rows, place(*table, new), None, Some(new)),
            Effect::Delete { old } => left(&mut rows, place(*table, old), Some(old), None),
            Effect::Update { old, new, .. } if old[0] == new[0] => {
                left(&mut rows, place(*table, old), Some(old), Some(new));
            }
            Effect::Update { old, new, .. } => {
                left(&mut rows, place(*table, old), Some(old), None);
                left(&mut rows, place(*table, new), None, Some(new));
            }
            Effect::Truncate => rows
                .iter_mut()
                .filter(|(at, _)| at.0 == *table)
                .for_each(|(_, row)| row.1 = None),
        }
    }
    rows
}

/// An update transmits what it did not change as well: whoever carried the new value may have brought it.
fn may_stand(truth: &Truth, me: Origin, place: Place, column: usize, (was, is): (Datum, Datum)) -> bool {
    // A function may make any row of those in conflict.
    if !tells(place.0, column) || truth.ever(place.0, synapse_engine_replication::Rules::folds) {
        return true;
    }
    let over = was.and_then(|value| truth.writers.get(&value)).copied();
    let Some(over) = over.filter(|over| over.origin == me && was != is) else {
        return true;
    };
    truth.locals.iter().any(|(txn, local)| {
        let carried = local.writes.get(&place).and_then(|net| net.carried.get(&column));
        carried == Some(&is) && truth.may_replace(place, *txn, over)
    })
}

fn may_go(truth: &Truth, me: Origin, place: Place, was: &Row) -> bool {
    let values = was.iter().enumerate().filter(|(at, _)| tells(place.0, *at));
    let writers = values.filter_map(|(_, value)| truth.writers.get(&(*value)?));
    let Some(last) = writers.copied().filter(|txn: &TxnId| txn.origin == me).max() else {
        return true;
    };
    let deletes_win = truth.ever(place.0, |rules| rules.policy.deletes() == Deletes::Win);
    truth.locals.iter().any(|(txn, local)| {
        let dead = local.writes.get(&place).is_some_and(|net| !net.lives) || local.truncated.contains(&place.0);
        dead && (truth.may_replace(place, *txn, last) || deletes_win)
    })
}
