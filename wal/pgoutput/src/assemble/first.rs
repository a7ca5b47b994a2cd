use std::collections::BTreeMap;

use synapse_wal_types::Xid;

use crate::LogicalMessage;

/// The longest first message that is kept until the commit, in bytes of content: far above any marker, and low enough
/// that every open transaction may keep one.
pub const FIRST_MESSAGE_BYTES_MAX: usize = 1 << 20;

/// What a transaction starts with. Definitions of tables and types and the origin do not count, nor does what a
/// rolled-back savepoint wrote: a transaction gives the same answer streamed and whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// It has no item.
    Nothing,
    /// A row or a truncate.
    Change,
    /// A transactional logical message.
    Message {
        /// Whose message it is.
        prefix: Box<str>,
        /// At most [`FIRST_MESSAGE_BYTES_MAX`].
        content: Box<[u8]>,
    },
    /// A transactional logical message too long to be kept.
    LongMessage {
        /// Whose message it is.
        prefix: Box<str>,
        /// The length of its content.
        bytes: usize,
    },
}

impl From<&LogicalMessage<'_>> for First {
    fn from(message: &LogicalMessage<'_>) -> Self {
        let prefix = message.prefix.into();
        match message.content.len() {
            bytes if bytes > FIRST_MESSAGE_BYTES_MAX => First::LongMessage { prefix, bytes },
            _ => First::Message {
                prefix,
                content: message.content.into(),
            },
        }
    }
}

/// Finds the first item that survives.
///
/// A streamed subtransaction may yet roll back, so the first item of each is kept, until the top-level transaction writes
/// one itself: nothing later can come first. There are at most as many entries as the server keeps for the same
/// transaction (`ReorderBufferTXN`), and each is far smaller.
#[derive(Debug)]
pub(super) struct FirstItems {
    top: Xid,
    settled: bool,
    items: u64,
    by_writer: BTreeMap<Xid, (u64, First)>,
}

impl FirstItems {
    pub(super) fn new(top: Xid) -> Self {
        FirstItems {
            top,
            settled: false,
            items: 0,
            by_writer: BTreeMap::new(),
        }
    }

    /// An item of (sub)transaction `writer` came; `describe` is called only if it may be the first.
    pub(super) fn note(&mut self, writer: Xid, describe: impl FnOnce() -> First) {
        if self.settled || self.by_writer.contains_key(&writer) {
            return;
        }
        self.items += 1;
        self.by_writer.insert(writer, (self.items, describe()));
        self.settled = writer == self.top;
    }

    /// The first item, once nothing that rolls back can make it another one.
    pub(super) fn certain(&self) -> Option<&First> {
        let (item, first) = self.by_writer.get(&self.top)?;
        (*item == 1).then_some(first)
    }

    /// The subtransaction rolled back.
    pub(super) fn forget(&mut self, subxid: Xid) {
        self.by_writer.remove(&subxid);
    }

    /// The first item of what is left.
    pub(super) fn into_first(self) -> First {
        let earliest = self.by_writer.into_values().min_by_key(|(item, _)| *item);
        earliest.map_or(First::Nothing, |(_, first)| first)
    }
}
