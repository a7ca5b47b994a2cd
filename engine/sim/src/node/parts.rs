//! Transactions on links: several in one block, or one in several, which a break may part.

use std::rc::Rc;

use synapse_engine_change::{Block, Part};
use synapse_engine_identity::Origin;
use synapse_wal_types::Lsn;

use crate::disk::Entry;
use crate::network::Message;
use crate::violation::Law;
use crate::world::{Event, World};

/// Transactions in one block at most.
const TOGETHER_MAX: u64 = 4;
/// One in so many transactions is too large for a block.
const LARGE_ONE_IN: u32 = 6;

/// What has been sent of an origin's transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) after: Lsn,
    /// Parts of the transaction that comes then.
    pub(crate) parts: u32,
}

/// A transaction of which the last part has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfinished {
    lsn: Lsn,
    parts: u32,
}

/// Blocks are immutable: whoever ships a transaction cuts it at the same places.
const fn parts_of(block: &Block) -> u32 {
    let xid = block.transactions.as_slice()[0].xid.0;
    if xid.is_multiple_of(LARGE_ONE_IN) {
        2 + xid / LARGE_ONE_IN % 2
    } else {
        1
    }
}

impl World {
    /// The next block that a node has of an origin, if it may be sent.
    pub(super) fn next_block(&mut self, node: usize, origin: Origin, cursor: &mut Cursor) -> Option<Message> {
        let room = self.rng.between(1, TOGETHER_MAX);
        let n = &self.nodes[node];
        let log = n.disk.logs.get(&origin)?;
        let mut together: Vec<Rc<Block>> = Vec::new();
        while (together.len() as u64) < room
            && let Some(block) = log.next(cursor.after)
        {
            let lsn = block.transactions[0].lsn;
            if origin == n.origin && n.unsafe_to_send.contains(&lsn) {
                break;
            }
            let parts = parts_of(block);
            if parts > 1 {
                if !together.is_empty() {
                    break;
                }
                let (number, whole) = (cursor.parts, Rc::clone(block));
                let last = number + 1 >= parts;
                *cursor = match last {
                    true => Cursor { after: lsn, parts: 0 },
                    false => Cursor {
                        parts: number + 1,
                        ..*cursor
                    },
                };
                let part = if last { Part::Last(number) } else { Part::Middle(number) };
                return Some(Message::Part { whole, part });
            }
            together.push(Rc::clone(block));
            *cursor = Cursor { after: lsn, parts: 0 };
        }
        (!together.is_empty()).then_some(Message::Block(together))
    }

    /// Takes a block into the journal, as a log does: what it holds already it does not take again, and parts follow one
    /// another. Else the link ends, and goes on from the journal's end.
    pub(super) fn receive(&mut self, node: usize, peer: usize, blocks: &[Rc<Block>], part: Part) {
        for block in blocks {
            let stamp = block.stamp(0);
            let first_seen = self.stamps.entry(stamp.txn).or_insert_with(|| stamp.clone());
            if *first_seen != stamp {
                let what = format!("{} was {first_seen:?} and is {stamp:?}", stamp.txn);
                self.violate(Law::AStampNeverChanges, what);
            }
        }
        let lsn = |block: &Rc<Block>| block.transactions[0].lsn;
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
            return;
        };
        let (origin, first, last) = (first.origin, lsn(first), lsn(last));
        let n = &mut self.nodes[node];
        let end = n.disk.end(origin);
        let Some(daemon) = n.daemon.as_mut() else { return };
        let begins = matches!(part, Part::Whole | Part::Middle(0));
        match daemon.unfinished.get(&origin).copied() {
            None if last <= end => return self.report.add("duplicates", blocks.len()),
            None if begins => {}
            Some(open) if begins && first <= open.lsn && open.lsn <= last => self.report.add("begun again", 1),
            Some(open) if last == open.lsn && matches!(part, Part::Middle(k) | Part::Last(k) if k == open.parts) => {}
            None | Some(_) => return self.end_link(node, peer),
        }
        if let Part::Middle(number) = part {
            let parts = number + 1;
            daemon.unfinished.insert(origin, Unfinished { lsn: last, parts });
            self.report.add("parts", 1);
            return;
        }
        daemon.unfinished.remove(&origin);
        self.report.add("partly known", usize::from(first <= end));
        for block in blocks {
            if lsn(block) > end {
                n.disk.log(origin).append(Entry::Block(Rc::clone(block)));
            } else {
                self.report.add("duplicates", 1);
            }
        }
    }

    fn end_link(&mut self, node: usize, peer: usize) {
        self.report.add("parts out of order", 1);
        self.cut_link(node, peer);
        let delay = self.rng.latency(1_000);
        self.schedule.after(delay, Event::LinkUp { from: node, to: peer });
    }
}
