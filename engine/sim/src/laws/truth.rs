//! What really happened, read from every node's log.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use synapse_engine_identity::{Context, Epoch, Origin, Stamp, TxnId};
use synapse_engine_plan::PolicySet;
use synapse_engine_replication::{Deletes, Marker, MarkerKind, Message, Order, Policies, Policy, Rules};

use crate::catalog::{row_id, table_id};
use crate::node::exclusion::exclude;
use crate::policies;
use crate::postgres::{Commit, Datum, Effect, Item, Row, Table};
use crate::world::World;

/// A row for the omniscient: table and key.
pub(crate) type Place = (Table, u64);

/// What a transaction left of a row.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Net {
    pub(crate) lives: bool,
    /// Values by column that the transaction brought.
    pub(crate) carried: BTreeMap<usize, Datum>,
    /// The row as the transaction left it, whole.
    pub(crate) image: Row,
    /// Whether it inserted the row: then it says all of it.
    pub(crate) inserted: bool,
    /// What it added to the counter, if it did not say what that is.
    pub(crate) added: Option<u64>,
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
    /// Every policy that was set.
    pub(crate) policies: Policies,
}

/// What a node's log says, in its order.
pub(crate) fn logged(world: &World, node: usize) -> impl Iterator<Item = Logged<'_>> {
    world.nodes[node].server.wal.commits().iter().map(|commit| {
        match commit.first_message().and_then(|text| text.parse().ok()) {
            Some(Message::Marker(marker)) => Logged::Ours(commit, marker),
            Some(Message::Barrier(_)) => Logged::Other,
            None if commit.publishes() => Logged::Local(commit),
            None => Logged::Other,
        }
    })
}

impl Truth {
    pub(crate) fn new(world: &World) -> Result<Self, String> {
        let mut truth = Truth {
            locals: BTreeMap::new(),
            writers: BTreeMap::new(),
            policies: policies(world),
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
                        let local = local(commit, stamp.clone(), context.clone(), &truth.policies);
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
            let values = local
                .writes
                .iter()
                .flat_map(|(place, net)| net.carried.iter().filter(|(at, _)| tells(place.0, **at)));
            for value in values.filter_map(|(_, value)| *value) {
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

    /// What the row should be: of the transactions that no other one saw, the greatest in the order of their policy decides
    /// whether it exists; and in each column the greatest of those that carry it and whose value none replaced that saw it;
    /// or what a function, or what was added, makes of them.
    pub(crate) fn expected(&self, place: Place) -> Option<Row> {
        let writes = |local: &&Local| local.writes.contains_key(&place) || local.truncated.contains(&place.0);
        let history: Vec<&Local> = self.locals.values().filter(writes).collect();
        let lives = |local: &Local| local.writes.get(&place).is_some_and(|net| net.lives);
        let say: Vec<&Local> = unseen(&history, &history);
        let (_, last) = self.greatest(place.0, &say, |rules, local| match rules.policy.deletes() {
            Deletes::InOrder => false,
            Deletes::Win => !lives(local),
            Deletes::Lose => lives(local),
        })?;
        if !lives(last) {
            return None;
        }
        let column = |at: usize| self.column(place, at, &history);
        let mut row: Row = (0..place.0.columns().len()).map(column).collect();
        row[0] = Some(place.1);
        Some(row)
    }

    /// What a column should be of a row that lives.
    fn column(&self, place: Place, at: usize, history: &[&Local]) -> Datum {
        let net = |local: &Local| local.writes.get(&place).cloned();
        let says = |local: &&&Local| net(local).is_some_and(|net| net.inserted || net.carried.contains_key(&at));
        let saying: Vec<&Local> = history.iter().filter(says).copied().collect();
        let standing = unseen(&saying, &saying);
        let (rules_of_base, by) = self.greatest(place.0, &standing, |_, _| false)?;
        let value = match rules_of_base.folds() && standing.len() > 1 {
            true => {
                let images = standing.iter().filter_map(|local| net(local));
                images.filter_map(|net| net.image[at]).max()
            }
            false => net(by)?.carried.get(&at).copied().flatten(),
        };
        if (place.0, at) != (Table::Full, Table::COUNTER) {
            return value;
        }
        let adding: Vec<&Local> = history
            .iter()
            .filter(|local| net(local).is_some_and(|net| net.added.is_some()))
            .copied()
            .collect();
        let of_carriers = standing.iter().map(|local| local.stamp.epoch).max().unwrap_or_default();
        let counts = |local: &&&Local| {
            let rules = self
                .policies
                .deciding(table_id(place.0), of_carriers.max(local.stamp.epoch));
            !rules.counters.is_empty()
        };
        let of = if rules_of_base.folds() {
            &standing[..]
        } else {
            std::slice::from_ref(&by)
        };
        let beyond = adding
            .iter()
            .filter(counts)
            .filter(|local| !of.iter().any(|base| base.stamp.saw(local.stamp.txn)));
        let more = beyond.filter_map(|local| net(local)?.added).fold(0, u64::wrapping_add);
        match more {
            0 => value,
            more => Some(value.unwrap_or_default().wrapping_add(more)),
        }
    }

    /// The greatest in the order of the greatest epoch among them, and the rules of that; before that, those preferred.
    fn greatest<'a>(
        &self,
        table: Table,
        among: &[&'a Local],
        preferred: impl Fn(&Rules, &Local) -> bool,
    ) -> Option<(&Rules, &'a Local)> {
        let epoch = among.iter().map(|local| local.stamp.epoch).max()?;
        let rules = self.policies.deciding(table_id(table), epoch);
        let order = |local: &&&Local| (preferred(rules, local), rank(rules, &local.stamp));
        Some((rules, among.iter().max_by_key(order).copied()?))
    }

    /// The rows that should stand of a table, and those that should be displaced.
    pub(crate) fn rows(&self, table: Table) -> (Vec<Row>, Vec<Row>) {
        let mut places: Vec<Place> = self.places().filter(|place| place.0 == table).collect();
        places.sort_unstable();
        places.dedup();
        let last = |place: Place| {
            let wrote = |local: &&Local| local.writes.contains_key(&place) || local.truncated.contains(&table);
            let times = self.locals.values().filter(wrote);
            times.map(|local| (local.stamp.hlc, local.stamp.txn.origin)).max()
        };
        let living = places
            .into_iter()
            .filter_map(|place| Some((place, self.expected(place)?)));
        let mut living: Vec<(Place, Row)> = living.collect();
        if table == Table::Unique {
            living.sort_by_key(|(place, _)| Reverse((last(*place), row_id(place.0, place.1))));
        }
        let (mut stand, mut displaced): (Vec<Row>, Vec<Row>) = Default::default();
        for (_, row) in living {
            let excluded = table == Table::Unique && stand.iter().any(|other| exclude(other, &row));
            if excluded { &mut displaced } else { &mut stand }.push(row);
        }
        (stand, displaced)
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

    /// Whether `by` may stand where `over` stood: it saw it, or outranks it by some policy that may have been in force, or
    /// outranks what was written over it.
    pub(crate) fn may_replace(&self, place: Place, by: TxnId, over: TxnId) -> bool {
        let Some(new) = self.locals.get(&by) else {
            return false;
        };
        let later = self.locals.values().filter(|local| {
            let writes = local.writes.contains_key(&place) || local.truncated.contains(&place.0);
            local.stamp.txn == over || (writes && local.stamp.saw(over))
        });
        let outranks = |old: &Local| {
            let from = new.stamp.epoch.max(old.stamp.epoch).0;
            (from..=self.policies.latest().0).any(|epoch| {
                let rules = self.policies.deciding(table_id(place.0), Epoch(epoch));
                rank(rules, &new.stamp) > rank(rules, &old.stamp)
            })
        };
        new.stamp.saw(over) || later.into_iter().any(outranks)
    }

    /// The last epoch of which a transaction has seen, or made, a policy.
    pub(crate) fn in_force(&self, txn: &TxnId, local: &Local) -> Epoch {
        let seen = self
            .locals
            .iter()
            .filter(|(other, _)| *other == txn || local.stamp.saw(**other));
        let epochs = seen
            .flat_map(|(_, other)| other.writes.keys())
            .filter(|place| place.0 == Table::Policies);
        let last = epochs.filter_map(|place| u32::try_from(place.1).ok()).max();
        Epoch(last.unwrap_or_default())
    }

    /// Whether a table's conflicts may have been decided by what this says of its rules.
    pub(crate) fn ever(&self, table: Table, says: impl Fn(&Rules) -> bool) -> bool {
        (0..=self.policies.latest().0).any(|epoch| says(self.policies.deciding(table_id(table), Epoch(epoch))))
    }
}

/// Those that none of `others` saw.
fn unseen<'a>(locals: &[&'a Local], others: &[&Local]) -> Vec<&'a Local> {
    let seen = |local: &Local| {
        let by = |other: &&Local| other.stamp.txn != local.stamp.txn && other.stamp.saw(local.stamp.txn);
        others.iter().any(by)
    };
    locals.iter().copied().filter(|local| !seen(local)).collect()
}

/// The order of writes, said once more: the kernel's is what is tested.
fn rank(rules: &Rules, stamp: &Stamp) -> (Reverse<usize>, u64, Origin) {
    let origin = stamp.txn.origin;
    let (priority, time) = match &rules.policy {
        Policy::Order {
            order: Order::FirstWriteWins,
            ..
        } => (0, u64::MAX - stamp.hlc.0),
        Policy::Order {
            order: Order::Priority(nodes),
            ..
        } => {
            let named = nodes.iter().position(|node| *node == origin.node);
            (named.unwrap_or(usize::MAX), stamp.hlc.0)
        }
        Policy::Order { .. } | Policy::Custom { .. } | Policy::Error => (0, stamp.hlc.0),
    };
    (Reverse(priority), time, origin)
}

/// Every policy that n1 has set.
fn policies(world: &World) -> Policies {
    let mut known = Policies::default();
    for commit in world.nodes[0].server.wal.commits() {
        for item in &commit.items {
            if let Item::Change {
                table: Table::Policies,
                effect: Effect::Insert { new },
                ..
            } = item
            {
                let PolicySet { epoch, table, rules } = policies::of_row(new);
                known.learn(epoch, table, rules);
            }
        }
    }
    known
}

/// Whether a value of this column tells who wrote it: keys do not, nor unique values, nor numbers that are added to.
pub(crate) fn tells(table: Table, column: usize) -> bool {
    match table {
        Table::Policies | Table::Displaced | Table::Rivals | Table::Orphans => false,
        Table::Unique => column == 3,
        Table::Tree => column == 2,
        Table::Full => column != 0 && column != Table::COUNTER,
        Table::Plain | Table::Toast | Table::Keyless => column != 0,
    }
}

fn local(commit: &Commit, stamp: Stamp, context: Context, policies: &Policies) -> Local {
    let epoch = stamp.epoch;
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
        if !table.published() {
            continue;
        }
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
            // A person gave a displaced row up.
            Effect::Delete { old } if *table == Table::Displaced => {
                dies(&mut local.writes, place(Table::Unique, old));
            }
            Effect::Delete { old } => dies(&mut local.writes, place(*table, old)),
            Effect::Update { old, new, untouched } => {
                if old[0] != new[0] {
                    dies(&mut local.writes, place(*table, old));
                    local.writes.insert(place(*table, new), whole(new));
                    continue;
                }
                let net = local.writes.entry(place(*table, new)).or_default();
                net.lives = true;
                net.image.clone_from(new);
                update(net, (*table, old, new, untouched), policies.at(table_id(*table), epoch));
            }
        }
    }
    local
}

/// What an update says of its row, under the policy of its epoch.
fn update(net: &mut Net, (table, old, new, untouched): (Table, &Row, &Row, &[usize]), rules: &Rules) {
    for (at, value) in new.iter().copied().enumerate() {
        // An untouched NULL is no TOAST value: it is carried.
        let sent = !untouched.contains(&at) || value.is_none();
        let counts = !rules.counters.is_empty() && (table, at) == (Table::Full, Table::COUNTER);
        if counts && !net.inserted {
            let more = value.unwrap_or_default().wrapping_sub(old[at].unwrap_or_default());
            net.added = Some(net.added.unwrap_or_default().wrapping_add(more));
        } else if rules.folds() || (sent && (!merges(rules) || old[at] != value || at == 0)) {
            net.carried.insert(at, value);
        }
    }
}

/// Whether an update says something of what it changed only: asked of the policy, because the kernel's answer is tested.
fn merges(rules: &Rules) -> bool {
    matches!(rules.policy, Policy::Order { merge: true, .. })
}

/// What a transaction gave to a row before it deleted it stays the last value of its columns: a concurrent update may
/// bring the row back.
fn dies(writes: &mut BTreeMap<Place, Net>, place: Place) {
    writes.entry(place).or_default().lives = false;
}

fn whole(row: &Row) -> Net {
    Net {
        lives: true,
        carried: row.iter().copied().enumerate().collect(),
        image: row.clone(),
        inserted: true,
        added: None,
    }
}

pub(crate) fn place(table: Table, row: &Row) -> Place {
    (table, row[0].expect("a key is not null"))
}
