use std::fmt;

use synapse_wal_types::Oid;

/// Bytes of a block of a relation (`BLCKSZ`): 8192 in every build that is packaged.
pub const BLOCK_BYTES: u16 = 8192;

/// The files of one relation: where it lies and under which number (`RelFileLocator`, before version 16 `RelFileNode`;
/// `storage/relfilelocator.h`). The number changes when the relation is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelFileLocator {
    /// The tablespace; 1663 is `pg_default`, 1664 `pg_global`.
    pub tablespace: Oid,
    /// The database; 0 for relations that all share.
    pub database: Oid,
    /// The number in the file's name, not the relation's own id.
    pub number: Oid,
}

impl fmt::Display for RelFileLocator {
    /// As `pg_waldump` does: `1663/16384/2619`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tablespace, self.database, self.number)
    }
}

/// One of the files of a relation (`ForkNumber`, `common/relpath.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fork {
    /// The rows, or the index.
    Main,
    /// Where there is room. Its changes are not in the WAL.
    FreeSpaceMap,
    /// Which blocks all transactions see. Its changes are in the WAL by implication only: see [`blocks`](crate::blocks).
    VisibilityMap,
    /// What an unlogged relation is made anew from after a crash.
    Init,
}

impl Fork {
    /// All of them, in the order of their numbers.
    pub const ALL: [Fork; 4] = [Fork::Main, Fork::FreeSpaceMap, Fork::VisibilityMap, Fork::Init];

    /// The fork with this number, 0 to 3.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Fork> {
        Fork::ALL.into_iter().find(|fork| *fork as u32 == number)
    }
}

impl fmt::Display for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Fork::Main => "main",
            Fork::FreeSpaceMap => "fsm",
            Fork::VisibilityMap => "vm",
            Fork::Init => "init",
        })
    }
}

/// The place of a block in its fork, counted from 0. Times [`BLOCK_BYTES`] it is an offset in the fork, whose files are
/// cut at 1 GiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockNumber(pub u32);

impl fmt::Display for BlockNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
