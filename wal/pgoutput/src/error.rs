use std::str::Utf8Error;

use synapse_wal_types::{Lsn, Oid, Xid};

use crate::Kind;

/// What a caller may do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The same attempt may succeed later.
    Transient,
    /// It will fail again until somebody changes something outside.
    Definite,
    /// The peer or this crate breaks the protocol.
    Bug,
}

/// Why bytes are no message, a message has no bytes, or a sequence of messages makes no sense. Offsets count bytes from
/// the start of the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each text names its fields; offsets and lengths are bytes")]
pub enum Error {
    /// The message ends before what it promised.
    #[error("message ends early: {needed} bytes wanted at offset {offset}, {left} left")]
    Truncated { offset: usize, needed: usize, left: usize },
    /// The message goes on after its end.
    #[error("message has {left} bytes too many from offset {offset}")]
    Trailing { offset: usize, left: usize },
    /// No message starts with this byte.
    #[error("unknown message type {tag:#04x} at offset {offset}")]
    UnknownTag { offset: usize, tag: u8 },
    /// A byte that selects or flags something has a value nobody defined.
    #[error("unexpected byte {byte:#04x} at offset {offset}: expected {expected}")]
    UnexpectedByte {
        offset: usize,
        byte: u8,
        expected: &'static str,
    },
    /// A count of bytes below zero.
    #[error("negative length {length} at offset {offset}")]
    NegativeLength { offset: usize, length: i32 },
    /// A name without its closing zero byte.
    #[error("name at offset {offset} has no end")]
    Unterminated { offset: usize },
    /// A name in another encoding: the database is SQL_ASCII, or the stream was not asked for UTF8.
    #[error("name at offset {offset} is not UTF-8")]
    NotUtf8 { offset: usize, source: Utf8Error },

    /// More columns than 16 bits count.
    #[error("cannot encode {columns} columns: at most 65535")]
    TooManyColumns { columns: usize },
    /// More relations than 32 bits count.
    #[error("cannot encode a truncate of {relations} relations")]
    TooManyRelations { relations: usize },
    /// More bytes than 31 bits count.
    #[error("cannot encode a value of {bytes} bytes")]
    ValueTooLong { bytes: usize },
    /// Names end at their first zero byte, so they cannot hold one.
    #[error("cannot encode a name with a zero byte at position {position}")]
    ZeroInName { position: usize },

    /// A message where the protocol allows none of its kind.
    #[error("{kind} message {place}")]
    OutOfOrder { kind: Kind, place: &'static str },
    /// Inside a stream a message carries the xid of its (sub)transaction, outside it carries none.
    #[error("{kind} message with xid {xid:?} {place}")]
    WrongXid {
        kind: Kind,
        xid: Option<Xid>,
        place: &'static str,
    },
    /// A streamed transaction that never started here, or is over.
    #[error("{kind} message for transaction {xid}, which is not being streamed")]
    UnknownTransaction { kind: Kind, xid: Xid },
    /// The first chunk of a streamed transaction that is already open.
    #[error("transaction {xid} starts to stream a second time")]
    StreamedTwice { xid: Xid },
    /// More streamed transactions open at once than a server can run.
    #[error("more than {limit} streamed transactions are open")]
    TooManyStreams { limit: usize },
    /// A change to a table that was not described before.
    #[error("{kind} message names relation {oid}, which was not described")]
    UnknownRelation { kind: Kind, oid: Oid },
    /// A tuple that does not fit its table.
    #[error("{kind} message has {found} columns for relation {oid}, which has {expected}")]
    ColumnCount {
        kind: Kind,
        oid: Oid,
        expected: usize,
        found: usize,
    },
    /// Begin and commit of one transaction name different positions.
    #[error("transaction {xid} began for commit at {begun} and committed at {committed}")]
    CommitMismatch { xid: Xid, begun: Lsn, committed: Lsn },
    /// Commits come in WAL order, and end after they start.
    #[error("transaction {xid} commits at {commit_lsn} to {end_lsn} after a commit at {last}")]
    CommitOrder {
        xid: Xid,
        commit_lsn: Lsn,
        end_lsn: Lsn,
        last: Lsn,
    },
}

impl Error {
    /// What may be done about it. Nothing here passes by itself: the same bytes give the same error.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::NotUtf8 { .. } => Class::Definite,
            Error::Truncated { .. }
            | Error::Trailing { .. }
            | Error::UnknownTag { .. }
            | Error::UnexpectedByte { .. }
            | Error::NegativeLength { .. }
            | Error::Unterminated { .. }
            | Error::TooManyColumns { .. }
            | Error::TooManyRelations { .. }
            | Error::ValueTooLong { .. }
            | Error::ZeroInName { .. }
            | Error::OutOfOrder { .. }
            | Error::WrongXid { .. }
            | Error::UnknownTransaction { .. }
            | Error::StreamedTwice { .. }
            | Error::TooManyStreams { .. }
            | Error::UnknownRelation { .. }
            | Error::ColumnCount { .. }
            | Error::CommitMismatch { .. }
            | Error::CommitOrder { .. } => Class::Bug,
        }
    }
}
