use std::fmt;

use crate::{Rmgr, Version};

mod names;

/// What a record does, as far as its header tells: the resource manager and those bits of `xl_info` that name the
/// operation. The key by which `pg_waldump --stats=record` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKind {
    rmgr: Rmgr,
    operation: u8,
}

impl RecordKind {
    /// From the two fields of the header. The lower half of `info` belongs to the format itself and is dropped; of
    /// transactions' records the highest bit too, which says whether more fields follow (`XLogRecStoreStats`,
    /// `access/transam/xlogstats.c`).
    #[must_use]
    pub const fn new(rmgr: Rmgr, info: u8) -> RecordKind {
        let mask = if rmgr.0 == Rmgr::TRANSACTION.0 { 0x70 } else { 0xF0 };
        RecordKind {
            rmgr,
            operation: info & mask,
        }
    }

    /// Who wrote it.
    #[must_use]
    pub const fn rmgr(self) -> Rmgr {
        self.rmgr
    }

    /// The bits that name the operation, in their place: 0x00, 0x10, … 0xF0.
    #[must_use]
    pub const fn operation(self) -> u8 {
        self.operation
    }

    /// The operation's name as the server has it (`rm_identify`, `access/rmgrdesc/*.c`); `None` for those of custom
    /// resource managers and those that this version does not know.
    #[must_use]
    pub fn name(self, version: Version) -> Option<&'static str> {
        let names: names::Names = match self.rmgr {
            Rmgr::XLOG if self.operation == 0xE0 && version < Version::V17 => &[],
            Rmgr::XLOG => names::XLOG,
            Rmgr::TRANSACTION => names::TRANSACTION,
            Rmgr::STORAGE => names::STORAGE,
            Rmgr::CLOG | Rmgr::COMMIT_TS => names::PAGES,
            Rmgr::DATABASE if version < Version::V15 => names::DATABASE_14,
            Rmgr::DATABASE => names::DATABASE,
            Rmgr::TABLESPACE => names::TABLESPACE,
            Rmgr::MULTIXACT => names::MULTIXACT,
            Rmgr::RELMAP => names::RELMAP,
            Rmgr::STANDBY => names::STANDBY,
            Rmgr::HEAP2 if version < Version::V17 => names::HEAP2_14,
            Rmgr::HEAP2 => names::HEAP2,
            Rmgr::HEAP => names::HEAP,
            Rmgr::BTREE => names::BTREE,
            Rmgr::HASH => names::HASH,
            Rmgr::GIN => names::GIN,
            Rmgr::GIST => names::GIST,
            Rmgr::SEQUENCE => names::SEQUENCE,
            Rmgr::SPGIST => names::SPGIST,
            Rmgr::BRIN => names::BRIN,
            Rmgr::REPLICATION_ORIGIN => names::REPLICATION_ORIGIN,
            Rmgr::GENERIC => return Some("Generic"),
            Rmgr::LOGICAL_MESSAGE => names::LOGICAL_MESSAGE,
            _ => &[],
        };
        let found = names.iter().find(|(operation, _)| *operation == self.operation);
        found.map(|(_, name)| *name)
    }

    /// The name for people: that of [`name`](Self::name), or `UNKNOWN (f0)` as `pg_waldump` has it.
    pub fn display(self, version: Version) -> impl fmt::Display {
        struct Named(RecordKind, Version);
        impl fmt::Display for Named {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0.name(self.1) {
                    Some(name) => f.pad(name),
                    None => write!(f, "UNKNOWN ({:x})", self.0.operation),
                }
            }
        }
        Named(self, version)
    }
}
