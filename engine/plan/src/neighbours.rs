//! Rows that exclude each other: gathered with their neighbours until nobody is missing, and then made those that stand
//! and those that are displaced.

use std::collections::{BTreeMap, BTreeSet};

use synapse_engine_identity::RowId;
use synapse_engine_replication::{Contender, Kernel, Kind, LastWrite, Overflow, Policy, standing};

use crate::{Error, Table, Undecided};

/// A row, as it is and as it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour<I> {
    /// What stands of it.
    pub stands: Option<I>,
    /// What is displaced of it, and when that was last written.
    pub displaced: Option<(I, LastWrite)>,
    /// What it is to be where it lives, whether it stands then or not.
    pub image: Option<I>,
}

/// The rows that are to be written, all that these exclude, all that those exclude, and so on. `I` is a whole row.
#[derive(Clone, Debug)]
pub struct Neighbours<I> {
    rows: BTreeMap<RowId, Neighbour<I>>,
    /// Of those the ones that are locked, and resolved.
    locked: BTreeSet<RowId>,
    /// Those whose own neighbours were not asked for.
    open: BTreeSet<RowId>,
    /// Who stands in whose way, as recorded, and when that one was last written.
    ways: BTreeMap<(RowId, RowId), LastWrite>,
    /// Pairs of which not both can stand as they are to be, the lesser first.
    excludes: BTreeSet<(RowId, RowId)>,
    /// Rows in whose place another is to come.
    taken: BTreeSet<RowId>,
}

/// What is to be written, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled<I> {
    /// Rows that are deleted: they are dead, or displaced, or in the place of others and come in again.
    pub gone: Vec<RowId>,
    /// Rows that stand and change: as they are, and as they are to be.
    pub updated: Vec<(RowId, I, I)>,
    /// Rows that come in.
    pub inserted: Vec<(RowId, I)>,
    /// Rows that are displaced no more.
    pub back: Vec<RowId>,
    /// Rows that are displaced, where that or who is in their way is new or has changed.
    pub displaced: Vec<Loser<I>>,
    /// Who stands no more in whose way, the displaced row first.
    pub freed: Vec<(RowId, RowId)>,
    /// Who stands in whose way, the displaced row first, where that is new or has changed.
    pub ways: Vec<(RowId, RowId, LastWrite)>,
    /// Whether anything is or was displaced.
    pub contended: bool,
}

/// A row that does not stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loser<I> {
    /// Which.
    pub row: RowId,
    /// What it is.
    pub image: I,
    /// When it was last written.
    pub last: LastWrite,
    /// Who stands in its way, the latest first.
    pub rivals: Vec<RowId>,
    /// Where it was not displaced before: the row that came, this one or one of its rivals, and how.
    pub clash: Option<(RowId, Kind)>,
}

impl<I> Default for Neighbours<I> {
    fn default() -> Self {
        Neighbours {
            rows: BTreeMap::new(),
            locked: BTreeSet::new(),
            open: BTreeSet::new(),
            ways: BTreeMap::new(),
            excludes: BTreeSet::new(),
            taken: BTreeSet::new(),
        }
    }
}

impl<I: Clone + PartialEq> Neighbours<I> {
    /// A row that is locked, and what it is to be.
    pub fn intend(&mut self, row: RowId, neighbour: Neighbour<I>) {
        self.rows.insert(row, neighbour);
        self.locked.insert(row);
        self.open.insert(row);
    }

    /// A row that was found.
    pub fn found(&mut self, row: RowId, neighbour: Neighbour<I>) {
        if let std::collections::btree_map::Entry::Vacant(place) = self.rows.entry(row) {
            place.insert(neighbour);
            self.open.insert(row);
        }
    }

    /// What is recorded: `rival` stands in the way of `row`, and was last written then.
    pub fn in_the_way(&mut self, row: RowId, rival: RowId, last: LastWrite) {
        self.ways.insert((row, rival), last);
        for row in [row, rival] {
            let unknown = Neighbour {
                stands: None,
                displaced: None,
                image: None,
            };
            self.found(row, unknown);
        }
    }

    /// Not both can stand as they are to be.
    pub fn exclude(&mut self, a: RowId, b: RowId) {
        if a != b {
            self.excludes.insert((a.min(b), a.max(b)));
        }
    }

    /// Another row cannot come in while this one stands as it does.
    pub fn take(&mut self, row: RowId) {
        self.taken.insert(row);
    }

    /// Rows whose neighbours are to be asked for; each once.
    pub fn ask(&mut self) -> Vec<(RowId, Option<I>)> {
        let open = std::mem::take(&mut self.open).into_iter();
        open.map(|row| (row, self.rows[&row].image.clone())).collect()
    }

    /// A row that is known.
    #[must_use]
    pub fn get(&self, row: RowId) -> Option<&Neighbour<I>> {
        self.rows.get(&row)
    }

    /// All rows that are known.
    pub fn rows(&self) -> impl Iterator<Item = RowId> + '_ {
        self.rows.keys().copied()
    }

    /// Whether some of them are not locked.
    #[must_use]
    pub fn reaches_further(&self) -> bool {
        self.locked.len() < self.rows.len()
    }

    /// Who stands, now that all neighbours are locked and known.
    ///
    /// # Errors
    /// [`Error::Undecided`] where a person is to be asked before a row is displaced.
    pub fn settle<O: Overflow>(self, kernel: &mut Kernel<O>, table: &Table) -> Result<Settled<I>, Error> {
        let living: Vec<RowId> = self
            .rows
            .iter()
            .filter(|(_, n)| n.image.is_some())
            .map(|(row, _)| *row)
            .collect();
        let contender = |row: &RowId| {
            let displaced = self.rows[row].displaced.as_ref().map(|(_, last)| *last);
            let as_rival = self.ways.iter().filter(|((_, rival), _)| rival == row);
            let recorded = as_rival.map(|(_, last)| *last).chain(displaced).max();
            kernel.contender(*row, recorded, displaced.is_some())
        };
        let mut contenders: Vec<Contender> = living.iter().map(contender).collect();
        let place = |row: &RowId| living.binary_search(row).ok();
        let pairs = self.excludes.iter().filter_map(|(a, b)| Some((place(a)?, place(b)?)));
        let pairs: Vec<(usize, usize)> = pairs.collect();
        let stands = standing(kernel.me(), &mut contenders, &pairs);
        let last = |at: usize| contenders[at].written.expect("what is not known was put in");
        let mut ways = BTreeMap::new();
        let mut losers = BTreeMap::new();
        for (at, row) in living.iter().enumerate().filter(|(at, _)| !stands[*at]) {
            let others = pairs
                .iter()
                .filter_map(|&(a, b)| (a == at).then_some(b).or((b == at).then_some(a)));
            let mut rivals: Vec<usize> = others.filter(|other| stands[*other]).collect();
            rivals.sort_unstable_by_key(|other| std::cmp::Reverse((last(*other), living[*other])));
            ways.extend(rivals.iter().map(|other| ((*row, living[*other]), last(*other))));
            let rivals: Vec<RowId> = rivals.into_iter().map(|other| living[other]).collect();
            losers.insert(*row, (last(at), rivals));
        }
        let asks = kernel.policies().at(table.id, kernel.policies().latest()).policy == Policy::Error;
        if let Some((row, (_, rivals))) = losers
            .iter()
            .find(|(row, _)| asks && self.rows[row].displaced.is_none())
        {
            let mut writer = |row: &RowId| kernel.registers_mut().known(*row).first().copied();
            let writers = [writer(row), rivals.first().and_then(writer)];
            return Err(Undecided::excluded(table, *row, writers));
        }
        Ok(self.written(losers, &ways))
    }

    /// Which row came, and how, that made a row a loser that had not been one.
    fn clash(&self, row: RowId, rivals: &[RowId]) -> Option<(RowId, Kind)> {
        let loser = &self.rows[&row];
        if loser.displaced.is_some() {
            return None;
        }
        let came = loser.stands != loser.image;
        let incoming = if came { row } else { *rivals.first()? };
        let kind = match self.rows[&incoming].stands {
            _ if came && rivals.len() > 1 => Kind::MultipleUniqueConflicts,
            None => Kind::InsertExists,
            Some(_) => Kind::UpdateExists,
        };
        Some((incoming, kind))
    }

    fn written(
        self,
        mut losers: BTreeMap<RowId, (LastWrite, Vec<RowId>)>,
        ways: &BTreeMap<(RowId, RowId), LastWrite>,
    ) -> Settled<I> {
        let mut settled = Settled {
            gone: Vec::new(),
            updated: Vec::new(),
            inserted: Vec::new(),
            back: Vec::new(),
            displaced: Vec::new(),
            freed: self
                .ways
                .keys()
                .filter(|way| !ways.contains_key(way))
                .copied()
                .collect(),
            ways: Vec::new(),
            contended: !losers.is_empty() || !self.ways.is_empty(),
        };
        let new = ways.iter().filter(|(way, last)| self.ways.get(way) != Some(last));
        settled.ways = new.map(|((row, rival), last)| (*row, *rival, *last)).collect();
        let new = ways.keys().filter(|way| !self.ways.contains_key(way));
        let others: BTreeSet<RowId> = new.chain(&settled.freed).map(|(row, _)| *row).collect();
        let clashes = losers.iter().map(|(row, (_, rivals))| (*row, self.clash(*row, rivals)));
        let clashes: BTreeMap<RowId, Option<(RowId, Kind)>> = clashes.collect();
        for (row, neighbour) in self.rows {
            settled.contended |= neighbour.displaced.is_some();
            let lost = losers.remove(&row);
            match (neighbour.image, lost) {
                (None, _) => {
                    settled.gone.extend(neighbour.stands.map(|_| row));
                    settled.back.extend(neighbour.displaced.map(|_| row));
                }
                (Some(image), Some((last, rivals))) => {
                    settled.gone.extend(neighbour.stands.map(|_| row));
                    if neighbour.displaced.as_ref() != Some(&(image.clone(), last)) || others.contains(&row) {
                        settled.displaced.push(Loser {
                            row,
                            image,
                            last,
                            rivals,
                            clash: clashes.get(&row).copied().flatten(),
                        });
                    }
                }
                (Some(image), None) => {
                    settled.back.extend(neighbour.displaced.map(|_| row));
                    match neighbour.stands {
                        Some(is) if is == image => {}
                        Some(is) if !self.taken.contains(&row) => settled.updated.push((row, is, image)),
                        Some(_) => {
                            settled.gone.push(row);
                            settled.inserted.push((row, image));
                        }
                        None => settled.inserted.push((row, image)),
                    }
                }
            }
        }
        settled
    }
}

#[cfg(test)]
mod tests;
