//! Which bytes go into the place of damaged blocks.

use synapse_engine_change::Part;
use synapse_wal_types::Lsn;

use crate::builder::BlockBuilder;
use crate::damage::{Damage, Held, Next};
use crate::encode::{EncodedBlock, encode_blank, encode_block};
use crate::error::Result;
use crate::header::{BlockHeader, Kind};
use crate::tail::{Fit, Tail};

/// As many bytes as are damaged: the blocks that stood there, and a blank for what else did (marks, progress items, what
/// is pruned everywhere).
/// Answers also how many blocks are back.
pub(crate) fn replacement(damage: &Damage, blocks: &[EncodedBlock], held: Held) -> Result<(Vec<u8>, u64)> {
    if damage.needs_no_peer() {
        return Ok((filled(damage, Vec::new(), damage.tail.end)?, 1));
    }
    let foreign = |block: &EncodedBlock| {
        let header = block.header();
        header.kind != Kind::Transactions || header.origin != damage.origin
    };
    if blocks.iter().any(foreign) {
        return Err(damage.unfit("the replacement holds no transactions of this log's origin"));
    }
    let whole = held.end >= damage.until();
    let fitting = |chosen: &Chosen| match damage.rest(&chosen.blocks) {
        Some(0) => true,
        Some(rest) => whole && rest >= BlockHeader::LENGTH as u64,
        None => false,
    };
    let as_they_are = as_they_are(damage, blocks);
    let chosen = match as_they_are.filter(|chosen| fitting(chosen)) {
        Some(chosen) => Some(chosen),
        None => cut_anew(damage, blocks)?.filter(fitting),
    };
    let Some(mut chosen) = chosen else {
        return Err(damage.unfit("what the peer has is cut into blocks of other sizes, or is not all of it"));
    };
    if !damage.kept.is_empty() && damage.tail.unfinished.is_some() && chosen.tail.unfinished.is_some() {
        return Err(damage.unfit("a progress item would stand between the parts of a transaction"));
    }
    let continued = match damage.next {
        Next::Block(next) => chosen.tail.fit(&next) == Ok(Fit::Next),
        Next::End(_) if whole && chosen.tail.unfinished.is_some() => return Err(damage.unfit("a part is missing")),
        // What ended the damaged place is pruned at the peer.
        Next::End(end) if whole => {
            chosen.tail = Tail::after(end);
            true
        }
        Next::End(end) => chosen.tail == Tail::after(end),
    };
    if !continued {
        return Err(damage.unfit("the replacement does not lead to the block after it"));
    }
    let back = chosen.blocks.len() as u64;
    Ok((filled(damage, chosen.blocks, chosen.tail.end)?, back))
}

/// Blocks for the damaged place, and the log's end after them.
struct Chosen {
    blocks: Vec<EncodedBlock>,
    tail: Tail,
}

impl Damage {
    /// How many bytes `blocks` and the kept ones leave; nothing when they are too many.
    fn rest(&self, blocks: &[EncodedBlock]) -> Option<u64> {
        let taken = blocks.iter().chain(&self.kept).map(|block| block.bytes().len() as u64);
        self.bytes.checked_sub(taken.sum())
    }
}

/// The blocks that stand before the next sound one; nothing when one of them reaches into it.
fn as_they_are(damage: &Damage, blocks: &[EncodedBlock]) -> Option<Chosen> {
    let mut chosen = Chosen {
        blocks: Vec::new(),
        tail: damage.tail,
    };
    for block in blocks {
        let header = block.header();
        if !damage.next.comes_after(header) {
            if damage.next.is_after(header.first) && header.part == Part::Whole {
                return None;
            }
            break;
        }
        // Parts that stand before the damage come once more.
        if chosen.tail.fit(header) == Ok(Fit::Next) {
            chosen.tail.take(header, damage.offset);
            chosen.blocks.push(block.clone());
        }
    }
    Some(chosen)
}

/// The transactions that are missing, in blocks of their own: a node that lost its journal's end in a crash, or took it
/// from two peers, has them in other blocks than its peers. Nothing when one of them is larger than a block.
fn cut_anew(damage: &Damage, blocks: &[EncodedBlock]) -> Result<Option<Chosen>> {
    let mut builder = BlockBuilder::new(damage.origin);
    let mut last = damage.tail.end;
    for block in blocks {
        let block = block.decode()?;
        for txn in &block.transactions {
            if txn.lsn <= last || !damage.next.is_after(txn.lsn) {
                continue;
            }
            if txn.part != Part::Whole || damage.tail.unfinished.is_some() {
                return Ok(None);
            }
            builder.push(txn, &block.changes, txn.changes.clone())?;
            last = txn.lsn;
        }
    }
    let mut chosen = Chosen {
        blocks: Vec::new(),
        tail: damage.tail,
    };
    while let Some(block) = builder.finish() {
        let block = encode_block(&block)?;
        chosen.tail.take(block.header(), damage.offset);
        chosen.blocks.push(block);
    }
    Ok(Some(chosen))
}

fn filled(damage: &Damage, mut blocks: Vec<EncodedBlock>, end: Lsn) -> Result<Vec<u8>> {
    let rest = damage.rest(&blocks);
    // A progress item may stand before or after a transaction, and not between its parts.
    let at = if damage.tail.unfinished.is_none() {
        0
    } else {
        blocks.len()
    };
    blocks.splice(at..at, damage.kept.iter().cloned());
    match rest {
        Some(0) => {}
        Some(rest) if rest >= BlockHeader::LENGTH as u64 => {
            let rest = usize::try_from(rest).unwrap_or(usize::MAX);
            blocks.push(encode_blank(damage.origin, end, rest)?);
        }
        Some(_) | None => return Err(damage.unfit("the blocks have other sizes than the damaged ones")),
    }
    Ok(blocks.iter().flat_map(|block| block.bytes().to_vec()).collect())
}

#[cfg(test)]
mod tests;
