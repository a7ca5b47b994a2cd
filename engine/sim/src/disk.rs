//! Journals on a disk: appended at once, safe after an fsync, and of the rest a crash keeps a random beginning.

use std::collections::BTreeMap;
use std::rc::Rc;

use synapse_engine_change::Block;
use synapse_engine_identity::{Origin, TxnId};
use synapse_engine_replication::Progress;
use synapse_wal_types::Lsn;

use crate::rng::Rng;

/// One record of a journal.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    Block(Rc<Block>),
    Progress(Box<Progress>),
}

impl Entry {
    fn block(&self) -> Option<&Rc<Block>> {
        match self {
            Entry::Block(block) => Some(block),
            Entry::Progress(_) => None,
        }
    }
}

/// One origin's journal.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Each with the last transaction up to it.
    entries: Vec<(Entry, Lsn)>,
    durable: usize,
    /// So many of the durable ones were answered by [`Self::newly_durable`].
    noted: usize,
    /// The last transaction that was pruned away.
    pruned: Lsn,
}

impl Log {
    pub(crate) fn append(&mut self, entry: Entry) {
        let end = entry.block().map_or(self.end(), |block| block.transactions[0].lsn);
        self.entries.push((entry, end));
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The last transaction held.
    pub(crate) fn end(&self) -> Lsn {
        self.entries.last().map_or(self.pruned, |(_, end)| *end)
    }

    /// The last transaction that no crash can take.
    pub(crate) fn durable_end(&self) -> Lsn {
        self.entries[..self.durable].last().map_or(self.pruned, |(_, end)| *end)
    }

    /// The first transaction after `lsn`.
    pub(crate) fn next(&self, lsn: Lsn) -> Option<&Rc<Block>> {
        // Mostly everything is known.
        if self.end() <= lsn {
            return None;
        }
        let from = self.entries.partition_point(|(_, end)| *end <= lsn);
        self.entries[from..].iter().find_map(|(entry, _)| entry.block())
    }

    pub(crate) fn get(&self, lsn: Lsn) -> Option<&Rc<Block>> {
        let before = Lsn(lsn.0.checked_sub(1)?);
        self.next(before).filter(|block| block.transactions[0].lsn == lsn)
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Rc<Block>> {
        self.entries.iter().filter_map(|(entry, _)| entry.block())
    }

    /// Blocks that are durable, and were not when this was last asked.
    pub(crate) fn newly_durable(&mut self) -> impl Iterator<Item = &Rc<Block>> {
        let from = std::mem::replace(&mut self.noted, self.durable);
        self.entries[from..self.durable]
            .iter()
            .filter_map(|(entry, _)| entry.block())
    }

    pub(crate) fn last_progress(&self, durable_only: bool) -> Option<&Progress> {
        let entries = if durable_only {
            &self.entries[..self.durable]
        } else {
            &self.entries
        };
        entries.iter().rev().find_map(|(entry, _)| match entry {
            Entry::Progress(progress) => Some(&**progress),
            Entry::Block(_) => None,
        })
    }

    /// An fsync that began when the log had `len` records has ended.
    pub(crate) fn synced(&mut self, len: usize) {
        self.durable = self.durable.max(len.min(self.entries.len()));
    }

    pub(crate) fn crash(&mut self, rng: &mut Rng) {
        let unsafe_tail = self.entries.len() - self.durable;
        let kept = rng.index(unsafe_tail + 1);
        self.entries.truncate(self.durable + kept);
        self.durable = self.entries.len();
    }

    /// Drops transactions up to `lsn` that are durable; the last progress stays.
    pub(crate) fn prune(&mut self, lsn: Lsn) -> usize {
        let (durable, noted) = (self.durable, self.noted);
        let last_progress = self.entries[..durable]
            .iter()
            .rposition(|(entry, _)| matches!(entry, Entry::Progress(_)));
        let mut next = 0;
        self.entries.retain(|(entry, end)| {
            let at = next;
            next += 1;
            let goes = match entry {
                Entry::Block(_) => *end <= lsn,
                Entry::Progress(_) => last_progress.is_some_and(|last| at < last),
            };
            if !goes || at >= durable {
                return true;
            }
            if entry.block().is_some() {
                self.pruned = self.pruned.max(*end);
            }
            self.durable -= 1;
            self.noted -= usize::from(at < noted);
            false
        });
        durable - self.durable
    }
}

/// All journals of a node.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    pub(crate) logs: BTreeMap<Origin, Log>,
}

impl Disk {
    pub(crate) fn log(&mut self, origin: Origin) -> &mut Log {
        self.logs.entry(origin).or_default()
    }

    pub(crate) fn end(&self, origin: Origin) -> Lsn {
        self.logs.get(&origin).map_or(Lsn::ZERO, Log::end)
    }

    pub(crate) fn durable_end(&self, origin: Origin) -> Lsn {
        self.logs.get(&origin).map_or(Lsn::ZERO, Log::durable_end)
    }

    pub(crate) fn block(&self, txn: TxnId) -> Option<&Rc<Block>> {
        self.logs.get(&txn.origin)?.get(txn.lsn)
    }

    pub(crate) fn crash(&mut self, rng: &mut Rng) {
        for log in self.logs.values_mut() {
            log.crash(rng);
        }
    }

    pub(crate) fn lens(&self) -> Vec<(Origin, usize)> {
        self.logs.iter().map(|(origin, log)| (*origin, log.len())).collect()
    }
}
