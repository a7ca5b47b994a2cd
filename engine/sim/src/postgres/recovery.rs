//! A crash, and what the log brings back (xlogrecovery.c).

use super::heap::{Heap, Mark};
use super::locks::TableLock;
use super::schema::Table;
use super::server::Server;
use super::wal::{Commit, Effect, Item};
use super::xact::{Status, Xacts};

impl Server {
    /// The server dies and starts again: connections are gone, and so is every transaction whose record was not flushed.
    /// Answers with the commits that were forgotten.
    pub(crate) fn crash(&mut self) -> Vec<Commit> {
        self.sessions.clear();
        self.woken.clear();
        self.flush_wanted = false;
        self.locks = vec![TableLock::default(); Table::ALL.len()];
        self.slot.crash();
        let (last, forgotten) = self.wal.crash();
        self.xacts = Xacts::recover(last);
        self.heaps = Table::ALL.into_iter().map(Heap::new).collect();
        self.origins.clear();
        let commits = self.wal.commits().to_vec();
        for commit in &commits {
            let roident = commit.origin.map_or(0, |(roident, _)| roident);
            for xid in commit.subxids.iter().copied().chain([commit.xid]) {
                self.xacts.end(xid, Status::Committed { roident });
            }
            if let Some((roident, remote)) = commit.origin {
                let progress = self.origins.entry(roident).or_default();
                *progress = remote.max(*progress);
            }
            for item in &commit.items {
                self.redo(item);
            }
        }
        forgotten
    }

    fn redo(&mut self, item: &Item) {
        let Item::Change { table, xid, effect } = item else {
            return;
        };
        let snapshot = self.xacts.snapshot();
        let xacts = &self.xacts;
        let heap = &mut self.heaps[table.index()];
        let find = |heap: &Heap, old: &[Option<u64>]| {
            if let (true, Some(key)) = (table.keyed(), old[0]) {
                return heap.seen(key, xacts, &snapshot, None);
            }
            heap.scan(xacts, &snapshot, None)
                .find(|at| heap.version(*at).row == old)
        };
        match effect {
            Effect::Insert { new } => {
                heap.insert(new.clone(), *xid);
            }
            Effect::Update { old, new, .. } => {
                let at = find(heap, old).expect("the log replays what happened");
                heap.update(at, new.clone(), *xid);
            }
            Effect::Delete { old } => {
                let at = find(heap, old).expect("the log replays what happened");
                heap.mark(at, Mark::Deleted(*xid));
            }
            Effect::Truncate => {
                let all: Vec<usize> = heap.scan(xacts, &snapshot, None).collect();
                for at in all {
                    heap.mark(at, Mark::Deleted(*xid));
                }
            }
        }
    }
}
