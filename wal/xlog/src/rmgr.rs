use std::fmt;

use crate::Version;

/// A resource manager: the part of the server that wrote a record and replays it (`RmgrId`, `access/rmgrlist.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rmgr(pub u8);

/// The names that `pg_waldump` prints, by id.
const NAMES: [&str; 22] = [
    "XLOG",
    "Transaction",
    "Storage",
    "CLOG",
    "Database",
    "Tablespace",
    "MultiXact",
    "RelMap",
    "Standby",
    "Heap2",
    "Heap",
    "Btree",
    "Hash",
    "Gin",
    "Gist",
    "Sequence",
    "SPGist",
    "BRIN",
    "CommitTs",
    "ReplicationOrigin",
    "Generic",
    "LogicalMessage",
];

#[expect(missing_docs, reason = "each is the resource manager of that name")]
impl Rmgr {
    pub const XLOG: Rmgr = Rmgr(0);
    pub const TRANSACTION: Rmgr = Rmgr(1);
    pub const STORAGE: Rmgr = Rmgr(2);
    pub const CLOG: Rmgr = Rmgr(3);
    pub const DATABASE: Rmgr = Rmgr(4);
    pub const TABLESPACE: Rmgr = Rmgr(5);
    pub const MULTIXACT: Rmgr = Rmgr(6);
    pub const RELMAP: Rmgr = Rmgr(7);
    pub const STANDBY: Rmgr = Rmgr(8);
    pub const HEAP2: Rmgr = Rmgr(9);
    pub const HEAP: Rmgr = Rmgr(10);
    pub const BTREE: Rmgr = Rmgr(11);
    pub const HASH: Rmgr = Rmgr(12);
    pub const GIN: Rmgr = Rmgr(13);
    pub const GIST: Rmgr = Rmgr(14);
    pub const SEQUENCE: Rmgr = Rmgr(15);
    pub const SPGIST: Rmgr = Rmgr(16);
    pub const BRIN: Rmgr = Rmgr(17);
    pub const COMMIT_TS: Rmgr = Rmgr(18);
    pub const REPLICATION_ORIGIN: Rmgr = Rmgr(19);
    pub const GENERIC: Rmgr = Rmgr(20);
    pub const LOGICAL_MESSAGE: Rmgr = Rmgr(21);
}

impl Rmgr {
    /// The smallest id that an extension may take (`RM_MIN_CUSTOM_ID`); the largest is 255.
    pub const CUSTOM_MIN: Rmgr = Rmgr(128);

    /// Whether an extension brings it: ids from 128 on.
    #[must_use]
    pub fn is_custom(self) -> bool {
        self >= Rmgr::CUSTOM_MIN
    }

    /// Whether a version may write records of it: the built-in ones, and custom ones from 15 on.
    #[must_use]
    pub fn is_valid(self, version: Version) -> bool {
        usize::from(self.0) < NAMES.len() || (self.is_custom() && version >= Version::V15)
    }
}

/// The name as `pg_waldump` prints it: `Heap2`; `custom134`, because only the extension knows its own; the bare number
/// where there is none.
impl fmt::Display for Rmgr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(usize::from(self.0)) {
            Some(name) => f.pad(name),
            None if self.is_custom() => write!(f, "custom{:03}", self.0),
            None => self.0.fmt(f),
        }
    }
}
