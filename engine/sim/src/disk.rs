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
    Progress(Progress),
}

/// One origin's journal.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Vec<Entry>,
    /// For each entry the last transaction up to it.
    ends: Vec<Lsn>,
    durable: usize,
    /// The last transaction that was pruned away.
    pruned: Lsn,
}

impl Log {
    pub(crate) fn append(&mut self, entry: Entry) {
        let before = self.end();
        self.ends.push(match &entry {
            Entry::Block(block) => block.transactions[0].lsn,
            Entry::Progress(_) => before,
        });
        self.entries.push(entry);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The last transaction held.
    pub(crate) fn end(&self) -> Lsn {
        self.ends.last().copied().unwrap_or(self.pruned)
    }

    /// The last transaction that no crash can take.
    pub(crate) fn durable_end(&self) -> Lsn {
        self.ends[..self.durable].last().copied().unwrap_or(self.pruned)
    }

    /// The first transaction after `lsn`.
    pub(crate) fn next(&self, lsn: Lsn) -> Option<&Rc<Block>> {
        let from = self.ends.partition_point(|end| *end <= lsn);
        self.entries[from..].iter().find_map(|entry| match entry {
            Entry::Block(block) => Some(block),
            Entry::Progress(_) => None,
        })
    }

    pub(crate) fn get(&self, lsn: Lsn) -> Option<&Rc<Block>> {
        let before = Lsn(lsn.0.checked_sub(1)?);
        self.next(before).filter(|block| block.transactions[0].lsn == lsn)
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Rc<Block>> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Block(block) => Some(block),
            Entry::Progress(_) => None,
        })
    }

    pub(crate) fn durable_blocks(&self) -> impl Iterator<Item = &Rc<Block>> {
        self.entries[..self.durable].iter().filter_map(|entry| match entry {
            Entry::Block(block) => Some(block),
            Entry::Progress(_) => None,
        })
    }

    pub(crate) fn last_progress(&self, durable_only: bool) -> Option<&Progress> {
        let entries = if durable_only {
            &self.entries[..self.durable]
        } else {
            &self.entries
        };
        entries.iter().rev().find_map(|entry| match entry {
            Entry::Progress(progress) => Some(progress),
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
        self.ends.truncate(self.durable + kept);
        self.durable = self.entries.len();
    }

    /// Drops transactions up to `lsn` that are durable; the last progress stays.
    pub(crate) fn prune(&mut self, lsn: Lsn) -> usize {
        let last_progress = self.entries[..self.durable]
            .iter()
            .rposition(|e| matches!(e, Entry::Progress(_)));
        let keep = |at: usize, entry: &Entry| {
            at >= self.durable
                || match entry {
                    Entry::Block(block) => block.transactions[0].lsn > lsn,
                    Entry::Progress(_) => last_progress.is_none_or(|last| at >= last),
                }
        };
        let kept: Vec<bool> = self
            .entries
            .iter()
            .enumerate()
            .map(|(at, entry)| keep(at, entry))
            .collect();
        let dropped = kept.iter().filter(|kept| !**kept).count();
        let gone = self
            .blocks()
            .map(|block| block.transactions[0].lsn)
            .filter(|block| *block <= lsn);
        self.pruned = gone
            .max()
            .filter(|_| dropped > 0)
            .map_or(self.pruned, |last| last.max(self.pruned));
        let mut at = kept.iter();
        self.entries.retain(|_| at.next().copied().unwrap_or(true));
        let mut at = kept.iter();
        self.ends.retain(|_| at.next().copied().unwrap_or(true));
        self.durable -= dropped;
        dropped
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
