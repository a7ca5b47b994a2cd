use std::sync::Arc;

use synapse_wal_types::{Lsn, PgTimestamp, Xid};

use crate::{AbortRecord, Begin, First, LogicalMessage, OldTuple, Relation, TruncateOptions, TupleData};

/// What one message means for the transactions of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A definition or an origin, which the assembler keeps: nothing to do.
    Noted,
    /// A committed transaction starts; its changes and its commit follow with nothing between.
    Begin(Begin),
    /// The next change of the transaction that began.
    Change(Change<'a>),
    /// A chunk of a transaction in progress starts.
    ChunkStart {
        /// The top-level transaction.
        xid: Xid,
        /// It has no chunk yet.
        first: bool,
    },
    /// The next change of the chunk.
    ChunkChange {
        /// The top-level transaction.
        xid: Xid,
        /// The (sub)transaction that wrote it: the one whose rollback takes it back.
        subxid: Xid,
        /// The change.
        change: Change<'a>,
    },
    /// The chunk ends; the transaction stays open.
    ChunkStop {
        /// The top-level transaction.
        xid: Xid,
    },
    /// A streamed transaction rolled back whole (`subxid == xid`): forget all of it. Or one subtransaction did: forget its
    /// changes; nested ones have a step each.
    StreamAbort {
        /// The top-level transaction.
        xid: Xid,
        /// What rolled back.
        subxid: Xid,
        /// Where and when, if the server says so.
        record: Option<AbortRecord>,
    },
    /// The transaction is committed.
    Commit(Committed),
    /// A message outside of transactions; it stands nowhere among commits but here.
    Message(LogicalMessage<'a>),
}

/// A change with the definitions its tables had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A new row.
    Insert {
        /// The table; `new` has as many columns.
        relation: Arc<Relation>,
        /// The row.
        new: TupleData<'a>,
    },
    /// A changed row.
    Update {
        /// The table; both tuples have as many columns.
        relation: Arc<Relation>,
        /// The row before, as far as it is sent.
        old: Option<OldTuple<'a>>,
        /// The row after.
        new: TupleData<'a>,
    },
    /// A removed row.
    Delete {
        /// The table; `old` has as many columns.
        relation: Arc<Relation>,
        /// The row before, as far as it is sent.
        old: OldTuple<'a>,
    },
    /// Tables emptied by one command.
    Truncate {
        /// The tables.
        relations: Vec<Arc<Relation>>,
        /// What it does besides.
        options: TruncateOptions,
    },
    /// A transactional logical message.
    Message {
        /// Where its record stands.
        lsn: Lsn,
        /// Whose message it is.
        prefix: &'a str,
        /// Any bytes.
        content: &'a [u8],
    },
}

/// A commit and what is known of the transaction then. Commits come in WAL order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The top-level transaction.
    pub xid: Xid,
    /// Where the commit record starts.
    pub commit_lsn: Lsn,
    /// Where it ends.
    pub end_lsn: Lsn,
    /// When it committed, by the server's clock or as an applier set it.
    pub commit_ts: PgTimestamp,
    /// It came in chunks, before this step; otherwise since the last [`Step::Begin`].
    pub streamed: bool,
    /// What it starts with.
    pub first: First,
    /// The origin it named.
    pub origin: Option<NamedOrigin>,
}

/// The origin of a transaction. A streamed one whose first item is a message names none, and any other streamed one names
/// it with position zero: the name's absence proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedOrigin {
    /// The name of the replication origin on the sending server.
    pub name: Box<str>,
    /// Where the transaction committed there.
    pub origin_lsn: Lsn,
}
