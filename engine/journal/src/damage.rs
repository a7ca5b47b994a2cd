use std::os::unix::fs::FileExt;
use std::sync::Arc;

use synapse_engine_change::Part;
use synapse_engine_identity::Origin;
use synapse_wal_types::Lsn;

use crate::encode::EncodedBlock;
use crate::error::{Error, Result};
use crate::header::{BlockHeader, Kind};
use crate::repair::replacement;
use crate::segment::Segment;
use crate::tail::{Fit, Tail};
use crate::walk::{Step, Walk};

/// Blocks of a segment that cannot be read, one after the other: what stands between two that can. Peers have the
/// same transactions, as a rule in the same blocks.
#[derive(Debug)]
pub struct Damage {
    pub(crate) origin: Origin,
    pub(crate) segment: Arc<Segment>,
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
    /// The log's end before it.
    pub(crate) tail: Tail,
    pub(crate) next: Next,
    /// Progress items within it that are sound.
    pub(crate) kept: Vec<EncodedBlock>,
    /// Whether it is a single block whose header says that no transaction is in it.
    local: bool,
}

/// What comes after a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A block of transactions.
    Block(BlockHeader),
    /// No transaction in this segment; the last one before was at most this.
    End(Lsn),
}

/// From where to where a peer's log reaches: what it does not have between these is nowhere. What comes before its
/// beginning is stable, because nothing else is pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// Reading after this was possible there.
    pub begin: Lsn,
    /// Its last transaction.
    pub end: Lsn,
}

impl Damage {
    /// The first damage in `segment`; `sealed_at` is where the next segment begins, if there is one.
    pub(crate) fn find(origin: Origin, segment: Arc<Segment>, sealed_at: Option<Lsn>) -> Result<Option<Self>> {
        let mut walk = Walk::within(&segment.path, &segment.file, segment.visible())?;
        let mut tail = Tail::after(segment.after);
        loop {
            let offset = walk.offset();
            match walk.next_block()? {
                Step::Block(header) if tail.fit(&header) == Ok(Fit::Next) => tail.take(&header, offset),
                Step::Block(_) => {
                    return Err(Error::Damaged {
                        path: segment.path.clone(),
                        offset,
                        after: tail.end,
                        what: "its blocks are not in order",
                    });
                }
                Step::LostMark => {}
                Step::End => return Ok(None),
                Step::Bad(_) => break,
            }
        }
        let offset = walk.offset();
        let mut damage = Damage {
            origin,
            offset,
            bytes: walk.skip_damage()?,
            tail,
            next: Next::End(Lsn::ZERO),
            kept: Vec::new(),
            local: false,
            segment: Arc::clone(&segment),
        };
        let bounded = damage.bound(&mut walk, sealed_at)?;
        damage.local = damage.is_local()?;
        if bounded {
            Ok(Some(damage))
        } else {
            Err(damage.unfit("no later fsync tells yet how far the damage goes"))
        }
    }

    /// Finds what comes next, over marks and progress items, and over more damage before the next transaction: nobody
    /// knows which of the two places held what lies between. Answers whether anything tells how far the damage goes.
    fn bound(&mut self, walk: &mut Walk<'_>, sealed_at: Option<Lsn>) -> Result<bool> {
        let (mut items, mut proof) = (Vec::new(), None);
        loop {
            let at = walk.offset();
            match walk.next_block()? {
                Step::Block(header) => match header.kind {
                    Kind::Transactions => {
                        self.next = Next::Block(header);
                        return Ok(true);
                    }
                    Kind::Progress => items.push(EncodedBlock::from_bytes(walk.bytes().to_vec().into())?),
                    // A mark speaks of what stood there when its fsync began.
                    Kind::Mark if header.last_hlc.0 >= self.offset + self.bytes => proof = proof.max(Some(header.last)),
                    Kind::Mark | Kind::Blank => {}
                },
                Step::LostMark => {}
                Step::Bad(_) => {
                    let more = walk.skip_damage()?;
                    if sealed_at.is_none() && at + more == walk.length() {
                        break;
                    }
                    self.bytes = at + more - self.offset;
                    self.kept.append(&mut items);
                    proof = None;
                }
                Step::End => break,
            }
        }
        let end = sealed_at.or(proof);
        self.next = Next::End(end.unwrap_or_default());
        Ok(end.is_some())
    }

    fn is_local(&self) -> Result<bool> {
        let mut header = [0; BlockHeader::LENGTH];
        if self.bytes < header.len() as u64 {
            return Ok(false);
        }
        let read = Error::io("read", &self.segment.path);
        self.segment
            .file
            .read_exact_at(&mut header, self.offset)
            .map_err(read)?;
        Ok(BlockHeader::parse(&header)
            .is_ok_and(|header| header.kind != Kind::Transactions && header.block_bytes() as u64 == self.bytes))
    }

    /// Where the damaged block begins, in bytes from the start of the file.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The last transaction before it: blocks to mend it with come after this.
    #[must_use]
    pub const fn after(&self) -> Lsn {
        self.tail.end
    }

    /// No block that begins after this is wanted.
    #[must_use]
    pub const fn until(&self) -> Lsn {
        match self.next {
            Next::Block(header) => header.last,
            Next::End(end) => end,
        }
    }

    /// Whether nothing is wanted of a peer: it was a progress item, which a later one supersedes and no peer has.
    #[must_use]
    pub const fn needs_no_peer(&self) -> bool {
        self.local
    }

    /// Puts into its place what `blocks`, in their order, hold of it; `held` tells how far the log reaches that they
    /// are all from. Durable on return. A reader that stands before it goes on. Answers how many blocks are back.
    ///
    /// # Errors
    /// [`Error::Unfit`] when they do not fit in between the neighbours; [`Error::Io`].
    pub fn repair(&self, blocks: &[EncodedBlock], held: Held) -> Result<u64> {
        let (bytes, back) = replacement(self, blocks, held)?;
        let path = &self.segment.path;
        self.segment
            .file
            .write_all_at(&bytes, self.offset)
            .map_err(Error::io("repair", path))?;
        rustix::fs::fdatasync(&self.segment.file).map_err(|errno| Error::io("sync", path)(errno.into()))?;
        Ok(back)
    }

    pub(crate) fn unfit(&self, what: &'static str) -> Error {
        Error::Unfit {
            path: self.segment.path.clone(),
            offset: self.offset,
            what,
        }
    }
}

impl Next {
    /// Whether a block stands wholly before it.
    pub(crate) fn comes_after(&self, header: &BlockHeader) -> bool {
        match self {
            Next::End(end) => header.last <= *end,
            Next::Block(next) if next.begins() => header.last < next.first,
            Next::Block(next) => {
                header.last < next.first || header.last == next.last && number(header.part) < number(next.part)
            }
        }
    }

    /// Whether a transaction stands before it.
    pub(crate) fn is_after(&self, lsn: Lsn) -> bool {
        match self {
            Next::End(end) => lsn <= *end,
            Next::Block(next) => lsn < next.first,
        }
    }
}

fn number(part: Part) -> u32 {
    match part {
        Part::Whole => 0,
        Part::Middle(number) | Part::Last(number) => number,
    }
}
