use std::io;
use std::path::PathBuf;

use synapse_engine_change::Full;
use synapse_engine_identity::Origin;
use synapse_wal_types::Lsn;

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller may do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Trying again may help.
    Transient,
    /// Trying the same again will not help: something outside must change.
    Definite,
    /// A law of this program was broken.
    Bug,
}

/// Why the journal could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// An earlier fsync of this log failed, so that nobody knows what the disk holds; only opening it anew tells.
    #[error("an earlier fsync of {} failed; the log must be opened again", path.display())]
    Unsynced {
        /// The segment whose fsync failed.
        path: PathBuf,
    },
    /// What stands in a file is not what was written there.
    #[error("{} is damaged at byte {offset}: {what}\nhint: what follows {after} is fetched from a peer; when none has it, this node must be copied anew", path.display())]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where the damaged block begins, in bytes from the start of the file.
        offset: u64,
        /// The last transaction before the damage: the block to fetch is the first one after it.
        after: Lsn,
        /// What is wrong.
        what: &'static str,
    },
    /// What stands in a file of registers is not what was written there.
    #[error("{} is damaged at byte {offset}: {what}\nhint: the disk is failing; a restart makes this file again", path.display())]
    DamagedRegisters {
        /// The file.
        path: PathBuf,
        /// Where the damaged part begins, in bytes from the start of the file.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// Bytes that should be a block are none.
    #[error("malformed block at byte {offset}: {what}")]
    Malformed {
        /// Where in the block.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
    /// A block, a segment or a spool file of a format that this version does not know.
    #[error(
        "{what} has format version {version}, this version reads {known}\nhint: a newer version of the program wrote it"
    )]
    UnknownVersion {
        /// What carries the version.
        what: &'static str,
        /// Its version.
        version: u16,
        /// The one that is known.
        known: u16,
    },
    /// More than one block holds: a single row may be as large as this, and not larger.
    #[error("{bytes} bytes do not fit into a block of at most {limit}")]
    TooLarge {
        /// Size before compression.
        bytes: u64,
        /// The limit, in the same measure.
        limit: u64,
    },
    /// A block of one origin was given to the log of another.
    #[error("a block of {block} does not belong into the log of {log}")]
    WrongOrigin {
        /// Whose log.
        log: Origin,
        /// Whose block.
        block: Origin,
    },
    /// A block does not continue what stands before it.
    #[error("a block up to {last} does not continue a log that ends at {end}: {what}")]
    OutOfOrder {
        /// The end of the log.
        end: Lsn,
        /// The last transaction of the block.
        last: Lsn,
        /// What would be broken.
        what: &'static str,
    },
    /// What a reader asks for was pruned.
    #[error("the log was pruned: it begins after {first_available}")]
    Pruned {
        /// Reading after this position, or a later one, is possible.
        first_available: Lsn,
    },
    /// A replacement does not fit into the place of what it should replace.
    #[error("cannot repair {} at byte {offset}: {what}", path.display())]
    Unfit {
        /// The segment.
        path: PathBuf,
        /// Where the block begins, in bytes from the start of the file.
        offset: u64,
        /// Why it does not fit.
        what: &'static str,
    },
    /// Another process has the journal open.
    #[error("{} is locked: another process uses this journal", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A name in the journal's directory that the journal did not give.
    #[error("{} does not belong here: {what}", path.display())]
    Foreign {
        /// The file or directory.
        path: PathBuf,
        /// What was expected.
        what: &'static str,
    },
    /// The transactions of a block break its laws.
    #[error("cannot encode a block: {what}")]
    Invalid {
        /// Which law.
        what: &'static str,
    },
    /// A set of changes outgrew its positions.
    #[error(transparent)]
    Full(#[from] Full),
}

impl Error {
    /// What a caller may do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::Io { source, .. } => match source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
                // Space comes back when peers catch up and the journal is pruned.
                Some(
                    rustix::io::Errno::NOSPC
                    | rustix::io::Errno::DQUOT
                    | rustix::io::Errno::MFILE
                    | rustix::io::Errno::NFILE,
                ) => Class::Transient,
                Some(_) | None => Class::Definite,
            },
            Error::Locked { .. } => Class::Transient,
            Error::Unsynced { .. }
            | Error::Damaged { .. }
            | Error::DamagedRegisters { .. }
            | Error::Malformed { .. }
            | Error::UnknownVersion { .. }
            | Error::TooLarge { .. }
            | Error::Pruned { .. }
            | Error::Unfit { .. }
            | Error::Foreign { .. } => Class::Definite,
            Error::WrongOrigin { .. } | Error::OutOfOrder { .. } | Error::Invalid { .. } | Error::Full(_) => Class::Bug,
        }
    }

    /// For `map_err`: what was being done to which file.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }
}
