//! What links carry, beside blocks. Everything is postcard; a peer of another protocol version was refused at HELLO.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use synapse_engine_identity::{Context, NodeId, Origin};
use synapse_engine_replication::Heartbeat;
use synapse_wal_types::Lsn;

use crate::join::Standing;

/// What a receiver asks to be shipped: an origin's blocks after a position. Asked again, it goes on from there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subscribe {
    pub(crate) origin: Origin,
    pub(crate) after: Lsn,
}

/// A heartbeat on a link, from the sender of blocks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Beat {
    /// The stamper's word; absent before it has read its first position.
    pub(crate) stamper: Option<Heartbeat>,
    /// What the sender holds durably, per origin.
    pub(crate) durable: Context,
    /// What the sender could ship, per origin: the end of its logs.
    pub(crate) available: Context,
    /// From where it could, per origin: whoever has less than that must have it from somebody else.
    pub(crate) from: Vec<(Origin, Lsn)>,
    /// Whether the sender was told to hold what it would ship on this link.
    pub(crate) held: bool,
    /// The sender's part of sequences: two nodes with the same one would hand out the same values.
    pub(crate) ordinal: u16,
}

/// What a node asks a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The last transaction that had committed there when it was asked: a position that `wait` waits for.
    Position,
    /// Whether all of these are applied there; the answer comes when they are, when something stands still, or when
    /// the time is over.
    Applied { wanted: Context, patience_ms: u32 },
    /// Hold what it would ship to a node.
    Hold { to: NodeId },
    /// Ship to a node again.
    Resume { to: NodeId },
    /// How it stands, before the asker begins.
    Standing,
    /// The tables that a copy would fill, with the columns that it would carry.
    CopyTables,
    /// A snapshot, for a node that is one of so many members by its configuration. It lasts as long as the answer is
    /// not given up.
    CopyOpen { joiner: Origin, members: u32 },
    /// The rows of a table, as the snapshot of a copy shows them.
    CopyTable { copy: u64, table: TableShape },
    /// The replicated tables.
    Tables,
    /// Rows and a digest for each bucket of a table's keys.
    Digest { part: TablePart, buckets: u32 },
    /// The keys of some buckets, each with the digest of its row.
    Keys {
        part: TablePart,
        buckets: u32,
        wanted: Vec<u32>,
    },
    /// The digests of the rows with these keys.
    Rows { part: TablePart, keys: Vec<RowKey> },
    /// The values of the rows with these keys.
    Values { part: TablePart, keys: Vec<RowKey> },
    /// Some columns of one row, as text: for a row that comes back whole and whose values no journal here holds.
    RowTexts {
        schema: String,
        table: String,
        /// The key's columns and their text.
        key: Vec<(String, Vec<u8>)>,
        columns: Vec<String>,
    },
    /// What stands in the way of a conflict policy there.
    CheckPolicy {
        schema: String,
        table: String,
        policy: String,
    },
    /// Set a conflict policy: asked of the node whose name is first.
    SetPolicy {
        schema: String,
        table: String,
        policy: String,
    },
    /// An origin's blocks after a position, up to the one that reaches another: the asker's own are damaged.
    Blocks { origin: Origin, after: Lsn, until: Lsn },
    /// When, and by whose transaction, the rows with these keys were written last.
    Written { part: TablePart, keys: Vec<RowKey> },
    /// Repair these rows in one transaction there.
    Repair(RepairRows),
    /// What stands in the way of a rule for a table's foreign keys there.
    CheckForeignKeys { schema: String, table: String },
    /// Set the rule for a table's foreign keys: asked of the node whose name is first.
    SetForeignKeys {
        schema: String,
        table: String,
        rule: String,
    },
    /// The displaced rows of a table, as the snapshot of a copy shows them.
    CopyDisplaced { copy: u64, schema: String, table: String },
    /// The rows in their way.
    CopyRivals { copy: u64, schema: String, table: String },
}

/// What is compared of a table: by name, in the same order on every node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TablePart {
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
    /// Empty: rows have no key, and are compared as a multiset.
    pub(crate) key: Vec<String>,
}

/// A row's key as text, column by column; of a table without a key the digest of the row.
pub(crate) type RowKey = Vec<String>;

/// A table as a node has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableShape {
    pub(crate) schema: String,
    pub(crate) table: String,
    pub(crate) columns: Vec<String>,
    pub(crate) key: Vec<String>,
}

/// A copy that can be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Opened {
    pub(crate) copy: u64,
    /// What its snapshot holds.
    pub(crate) context: Context,
    /// The last transactions of that, or later ones: who has applied these has applied all that the snapshot holds.
    pub(crate) target: Context,
    /// From where the donor can ship every origin. Transactions that the snapshot does not hold saw all before.
    pub(crate) begins: Vec<(Origin, Lsn)>,
    pub(crate) tables: Vec<TableShape>,
    /// Schema, name and last value of the sequences.
    pub(crate) sequences: Vec<(String, String, i64)>,
}

/// Rows of one bucket, or of one key, in a form that does not depend on their order: how many, and the sums of the two
/// halves of each row's digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Digest {
    pub(crate) rows: u64,
    pub(crate) high: u64,
    pub(crate) low: u64,
}

/// A row's values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowValues {
    pub(crate) key: RowKey,
    /// JSON text: an object of the key's columns, or of all columns of a table without a key.
    pub(crate) key_json: String,
    /// JSON text, in the order of the part's columns.
    pub(crate) columns: Vec<String>,
    /// Digests of the columns' text, in the same order.
    pub(crate) digests: Vec<String>,
}

/// Rows that differ, to be repaired by one transaction of the node that is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RepairRows {
    pub(crate) part: TablePart,
    /// Whose rows all nodes are to have.
    pub(crate) source: NodeId,
    pub(crate) act: Act,
    /// Who was compared, in the order of the readings.
    pub(crate) nodes: Vec<NodeId>,
    /// Each with its reading on every node. Who has another row now has written it since: such a row is left.
    pub(crate) rows: Vec<(RowKey, Vec<Option<Digest>>)>,
}

/// How a row is repaired: by an ordinary write of the node that is asked, which goes to all others as any write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Act {
    /// The source has no such row: one that has it deletes it.
    Delete,
    /// The source writes its row again, as it is.
    Send,
}

/// When, and by whose transaction, a row was written last, as far as a server still knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct WrittenAt {
    /// In microseconds of the Unix epoch; nothing when the server does not know it any more.
    pub(crate) micros: Option<i64>,
    pub(crate) by: NodeId,
}

/// The answers; long ones come in several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Position {
        origin: Origin,
        lsn: Lsn,
    },
    /// Nothing when it has not looked yet.
    Standing(Option<Standing>),
    CopyOpened(Box<Opened>),
    /// Whole rows in COPY's text format.
    CopyRows(Bytes),
    Applied {
        applied: Context,
        settled: bool,
        stands: Option<String>,
    },
    Done,
    Tables(Vec<TableShape>),
    Digests(Vec<(u32, Digest)>),
    Rows(Vec<(RowKey, Digest)>),
    Values(Vec<RowValues>),
    /// In the order asked for; nothing when there is no such row, table or column.
    RowTexts(Option<Vec<Option<Vec<u8>>>>),
    /// From where to where the log reaches that blocks are asked of.
    Held {
        begin: Lsn,
        end: Lsn,
    },
    /// In words; none when nothing is wrong.
    Problems(Vec<String>),
    PolicySet {
        epoch: u32,
    },
    /// One block, as it stands in the log.
    Block(Bytes),
    Written(Vec<(RowKey, WrittenAt)>),
    /// How many rows were repaired, and how many were left because they had been written meanwhile, or were locked.
    Repaired {
        repaired: u64,
        left: u64,
    },
    /// Why what was to be set of a table was not, and what would help.
    PolicyRefused {
        why: String,
        hint: Option<String>,
    },
}

pub(crate) fn encode<T: Serialize>(message: &T) -> Bytes {
    Bytes::from(postcard::to_stdvec(message).expect("plain data always encodes"))
}

pub(crate) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, postcard::Error> {
    postcard::from_bytes(bytes)
}
