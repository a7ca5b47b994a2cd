use std::fmt;

/// A major version of PostgreSQL whose WAL this crate reads.
///
/// The format changes with each major version and never within one; a page names it by its magic number
/// (`XLOG_PAGE_MAGIC`, `access/xlog_internal.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the major version that it names")]
pub enum Version {
    V14,
    V15,
    V16,
    V17,
    V18,
}

impl Version {
    /// All of them, oldest first.
    pub const ALL: [Version; 5] = [Version::V14, Version::V15, Version::V16, Version::V17, Version::V18];

    /// What `xlp_magic` holds in this version.
    #[must_use]
    pub const fn magic(self) -> u16 {
        match self {
            Version::V14 => 0xD10D,
            Version::V15 => 0xD110,
            Version::V16 => 0xD113,
            Version::V17 => 0xD116,
            Version::V18 => 0xD118,
        }
    }

    /// The version whose pages carry this magic number; `None` for those before 14 and after 18.
    #[must_use]
    pub fn from_magic(magic: u16) -> Option<Version> {
        Version::ALL.into_iter().find(|version| version.magic() == magic)
    }

    /// The major version as a number, 14 to 18.
    #[must_use]
    pub const fn major(self) -> u32 {
        match self {
            Version::V14 => 14,
            Version::V15 => 15,
            Version::V16 => 16,
            Version::V17 => 17,
            Version::V18 => 18,
        }
    }

    /// The version with this major number; `None` outside of 14 to 18.
    #[must_use]
    pub fn from_major(major: u32) -> Option<Version> {
        Version::ALL.into_iter().find(|version| version.major() == major)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.major().fmt(f)
    }
}
