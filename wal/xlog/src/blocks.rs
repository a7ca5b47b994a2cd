//! Which blocks a record changes, and which it makes end: what an incremental backup must know.
//!
//! Most changes are block references, but not all of them (PostgreSQL's own `postmaster/walsummarizer.c` reads the
//! references and the limits below; the visibility map is what it misses):
//!
//! * A fork that is created, cut or dropped has a *limit*: whatever stood at that block or behind it is gone.
//! * A heap record clears bits of the visibility map that only its flags speak of. Servers before 17.11 and 18.6 name no
//!   block of the map, and a map that an increment leaves old makes index-only scans return rows that nobody should see.
//! * Cutting a relation clears bits in the last block of its visibility map.
//!
//! A limit here never takes back a block that was told before. That is for the caller to decide, and best left: a server
//! extends a relation by blocks that are not in the WAL until they are used, so that an increment must carry *every* block
//! from the limit to the relation's size, and every changed one below. Refilling blocks behind the limit from an older backup
//! brings deleted rows back.
//!
//! The free space map is not told: its changes are not in the WAL, and whoever copies files copies it whole. Changes of hint
//! bits alone are told where checksums or `wal_log_hints` put them into the WAL, and do no harm elsewhere. WAL that was written
//! with [`WalLevel::Minimal`](crate::control::WalLevel::Minimal) tells too little for any increment across it.

use crate::storage::{DatabaseFiles, Storage};
use crate::transaction::{Completion, Transaction};
use crate::{BlockNumber, Error, Fault, Fork, Record, RelFileLocator, Rmgr};

mod visibility;

/// What a record does to the blocks of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// A block has new contents.
    Modified {
        /// Whose block.
        relation: RelFileLocator,
        /// Of which fork; never the free space map.
        fork: Fork,
        /// Which one.
        block: BlockNumber,
    },
    /// A fork has no blocks of before from this one on.
    Limited {
        /// Whose fork.
        relation: RelFileLocator,
        /// Which one; never the free space map.
        fork: Fork,
        /// How many blocks of before it has at most.
        blocks: BlockNumber,
    },
    /// No file of a database in a tablespace has any block of before.
    Database(DatabaseFiles),
}

/// Tells what a record does to blocks: limits first, then the blocks that are modified. A block may be told twice.
///
/// Fails when the record's contents are not of the form that its version has, and when it changes files in a way that
/// nobody knows here (`XLR_SPECIAL_REL_UPDATE` of an extension): then no increment across it can be trusted.
pub fn changes(record: &Record<'_>, mut tell: impl FnMut(Change)) -> Result<(), Error> {
    match record.rmgr() {
        Rmgr::STORAGE | Rmgr::DATABASE => {
            if let Some(storage) = Storage::read(record)? {
                of_storage(&storage, &mut tell);
            }
        }
        Rmgr::TRANSACTION => match Transaction::read(record)? {
            Some(Transaction::Committed(end) | Transaction::Aborted(end)) => of_dropped(&end, &mut tell),
            Some(Transaction::Prepared(_) | Transaction::Assigned { .. } | Transaction::Invalidated { .. }) | None => {}
        },
        Rmgr::HEAP | Rmgr::HEAP2 => visibility::of_heap(record, &mut tell).map_err(|fault| record.error(fault))?,
        rmgr if record.changes_files() => {
            return Err(record.error(Fault::UnknownFileChange {
                rmgr,
                info: record.info(),
            }));
        }
        _ => {}
    }
    for named in record.block_refs().filter(|named| named.fork != Fork::FreeSpaceMap) {
        tell(Change::Modified {
            relation: named.relation,
            fork: named.fork,
            block: named.block,
        });
    }
    Ok(())
}

fn of_storage(storage: &Storage<'_>, tell: &mut impl FnMut(Change)) {
    match *storage {
        Storage::Created { relation, fork } => {
            if fork != Fork::FreeSpaceMap {
                tell(emptied(relation, fork));
            }
        }
        Storage::Truncated(truncation) => {
            if truncation.of_main {
                tell(Change::Limited {
                    relation: truncation.relation,
                    fork: Fork::Main,
                    blocks: truncation.blocks,
                });
            }
            if truncation.of_visibility_map {
                visibility::of_truncation(&truncation, tell);
            }
        }
        Storage::DatabaseCopied { database, .. } | Storage::DatabaseCreated(database) => {
            tell(Change::Database(database));
        }
        Storage::DatabaseDropped { database, tablespaces } => {
            for tablespace in tablespaces {
                tell(Change::Database(DatabaseFiles { database, tablespace }));
            }
        }
    }
}

fn of_dropped(end: &Completion<'_>, tell: &mut impl FnMut(Change)) {
    for relation in end.relations {
        for fork in [Fork::Main, Fork::VisibilityMap, Fork::Init] {
            tell(emptied(relation, fork));
        }
    }
}

fn emptied(relation: RelFileLocator, fork: Fork) -> Change {
    Change::Limited {
        relation,
        fork,
        blocks: BlockNumber(0),
    }
}
