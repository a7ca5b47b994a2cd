//! What really happened, read from every node's log.

use std::collections::BTreeMap;

use synapse_engine_identity::{Context, Stamp, TxnId};
use synapse_engine_replication::{Marker, MarkerKind, Message};

use crate::postgres::{Commit, Datum, Effect, Item, Row, Table};
use crate::world::World;

/// A row for the omniscient: table and key.
pub(crate) type Place = (Table, u64);

/// What a transaction left of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Net {
    pub(crate) lives: bool,
    /// Values by column that the transaction brought.
    pub(crate) carried: BTreeMap<usize, Datum>,
}

/// A local transaction.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) stamp: Stamp,
    /// What its node had applied before it, by its log.
    pub(crate) context: Context,
    pub(crate) writes: BTreeMap<Place, Net>,
    pub(crate) truncated: Vec<Table>,
    /// What it did to the table without a key, in order.
    pub(crate) keyless: Vec<Effect>,
}

/// One transaction of a log.
pub(crate) enum Logged<'a> {
    Local(&'a Commit),
    Ours(&'a Commit, Marker),
    Other,
}

/// All local transactions of all nodes.
pub(crate) struct Truth {
    pub(crate) locals: BTreeMap<TxnId, Local>,
    /// Who wrote a value: each is written once.
    pub(crate) writers: BTreeMap<u64, TxnId>,
}

/// What a node's log says, in its order.
pub(crate) fn logged(world: &World, node: usize) -> impl Iterator<Item = Logged<'_>> {
    world.nodes[node].server.wal.commits().iter().map(|commit| {
        match commit.first_message().and_then(|text| text.parse().ok()) {
            Some(Message::Marker(marker)) => Logged::Ours(commit, marker),
            Some(Message::Barrier(_)) => Logged::Other,
            None if commit.items.is_empty() => Logged::Other,
            None => Logged::Local(commit),
        }
    })
}

impl Truth {
    pub(crate) fn new(world: &World) -> Result<Self, String> {
        let mut truth = Truth {
            locals: BTreeMap::new(),
            writers: BTreeMap::new(),
        };
        for node in 0..world.nodes.len() {
            let origin = world.nodes[node].origin;
            let mut context = Context::new();
            for entry in logged(world, node) {
                match entry {
                    Logged::Other => {}
                    Logged::Ours(_, marker) => match marker.kind {
                        MarkerKind::Batch => {
                            context.advance(marker.origin, marker.last);
                        }
                        MarkerKind::Recheck { .. } => {}
                    },
                    Logged::Local(commit) => {
                        let txn = TxnId {
                            origin,
                            lsn: commit.end,
                        };
                        let stamp = world
                            .stamps
                            .get(&txn)
                            .ok_or_else(|| format!("{txn} was never stamped"))?;
                        let local = local(commit, stamp.clone(), context.clone());
                        truth.locals.insert(txn, local);
                    }
                }
            }
        }
        truth.find_writers();
        Ok(truth)
    }

    /// An update sends values again that others wrote: the first to send a value wrote it.
    fn find_writers(&mut self) {
        for (txn, local) in &self.locals {
            let values = local.writes.values().flat_map(|net| net.carried.iter());
            for value in values
                .filter(|(column, _)| **column != 0)
                .filter_map(|(_, value)| *value)
            {
                let first = self.writers.entry(value).or_insert(*txn);
                let earlier = self
                    .locals
                    .get(first)
                    .is_some_and(|other| other.stamp.hlc <= local.stamp.hlc);
                if !earlier {
                    *first = *txn;
                }
            }
        }
    }

    /// The last word on whether a row exists, and each column's: the greatest by (HLC, origin).
    pub(crate) fn expected(&self, place: Place) -> Option<Row> {
        let order = |local: &&Local| (local.stamp.hlc, local.stamp.txn.origin);
        let says = |local: &&Local| local.writes.contains_key(&place) || local.truncated.contains(&place.0);
        let last = self.locals.values().filter(says).max_by_key(order)?;
        if !last.writes.get(&place)?.lives {
            return None;
        }
        let column = |column: usize| {
            let carries = |local: &&Local| {
                local
                    .writes
                    .get(&place)
                    .is_some_and(|n| n.carried.contains_key(&column))
            };
            let by = self.locals.values().filter(carries).max_by_key(order)?;
            by.writes.get(&place)?.carried.get(&column).copied().flatten()
        };
        let mut row: Row = (0..place.0.columns().len()).map(column).collect();
        row[0] = Some(place.1);
        Some(row)
    }

    /// Every row that was ever written.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.locals.values().flat_map(|local| local.writes.keys().copied())
    }

    /// The rows of the table without a key, which converges as long as nobody updates or deletes any.
    pub(crate) fn keyless(&self) -> Option<Vec<Row>> {
        let effects = self.locals.values().flat_map(|local| &local.keyless);
        let row = |effect: &Effect| match effect {
            Effect::Insert { new } => Some(new.clone()),
            Effect::Update { .. } | Effect::Delete { .. } | Effect::Truncate => None,
        };
        effects.map(row).collect()
    }

    /// Whether neither transaction saw the other.
    pub(crate) fn concurrent(&self, a: TxnId, b: TxnId) -> bool {
        let (Some(one), Some(other)) = (self.locals.get(&a), self.locals.get(&b)) else {
            return false;
        };
        a != b && !one.stamp.saw(b) && !other.stamp.saw(a)
    }

    /// Whether `by` may stand where `over` stood: it saw it, or outranks it.
    pub(crate) fn may_replace(&self, by: TxnId, over: TxnId) -> bool {
        let (Some(new), Some(old)) = (self.locals.get(&by), self.locals.get(&over)) else {
            return false;
        };
        new.stamp.saw(over) || (new.stamp.hlc, by.origin) > (old.stamp.hlc, over.origin)
    }
}

fn local(commit: &Commit, stamp: Stamp, context: Context) -> Local {
    let mut local = Local {
        stamp,
        context,
        writes: BTreeMap::new(),
        truncated: Vec::new(),
        keyless: Vec::new(),
    };
    for item in &commit.items {
        let Item::Change { table, effect, .. } = item else {
            continue;
        };
        match effect {
            Effect::Truncate => {
                local.truncated.push(*table);
                for (_, net) in local.writes.iter_mut().filter(|(place, _)| place.0 == *table) {
                    net.lives = false;
                }
            }
            Effect::Insert { .. } | Effect::Update { .. } | Effect::Delete { .. } if !table.keyed() => {
                local.keyless.push(effect.clone());
            }
            Effect::Insert { new } => {
                local.writes.insert(place(*table, new), whole(new));
            }
            Effect::Delete { old } => dies(&mut local.writes, place(*table, old)),
            Effect::Update { old, new, untouched } => {
                if old[0] != new[0] {
                    dies(&mut local.writes, place(*table, old));
                    local.writes.insert(place(*table, new), whole(new));
                    continue;
                }
                let nothing = Net {
                    lives: true,
                    carried: BTreeMap::new(),
                };
                let net = local.writes.entry(place(*table, new)).or_insert(nothing);
                net.lives = true;
                let touched = new.iter().copied().enumerate();
                // An untouched NULL is no TOAST value: it is carried.
                net.carried
                    .extend(touched.filter(|(at, value)| !untouched.contains(at) || value.is_none()));
            }
        }
    }
    local
}

/// What a transaction gave to a row before it deleted it stays the last value of its columns: a concurrent update may
/// bring the row back.
fn dies(writes: &mut BTreeMap<Place, Net>, place: Place) {
    let carried = BTreeMap::new();
    writes.entry(place).or_insert(Net { lives: false, carried }).lives = false;
}

fn whole(row: &Row) -> Net {
    Net {
        lives: true,
        carried: row.iter().copied().enumerate().collect(),
    }
}

pub(crate) fn place(table: Table, row: &Row) -> Place {
    (table, row[0].expect("a key is not null"))
}
