//! The journal: every transaction of every origin, once, on disk, until all nodes have applied it.
//!
//! *What it is.* The block, which is the unit of disk and wire ([`encode_block`], [`EncodedBlock`]); the [`Log`] of one
//! origin, an append-only line of segments; the [`Journal`], a locked directory of logs; the [`Spool`] for
//! transactions too large for memory while they are in progress; the [`DiskOverflow`] for registers that memory does not
//! hold.
//!
//! *The picture.*
//!
//! ```text
//! capture -> stamp -> BlockBuilder -> encode_block -> Log::append -> Log::sync -> confirm
//!                                         |              ^   |
//!                                   peers, same bytes    |   +-> Reader -> ship, deliver
//!                          receive -> EncodedBlock::from_bytes
//! ```
//!
//! *The laws.* What [`Log::sync`] called durable is there after any crash. Only the end of the last segment is ever cut;
//! any other damage is an error of whoever reads there, names its place, and is mended in place with what a peer has
//! ([`Log::damage`]). Which of the two it is, a mark tells that follows each fsync: what a mark proves durable is never
//! cut. (The last mark is not fsynced itself: damage that strikes the last group between
//! its fsync and a power failure moments later looks torn.) Nothing is read that does not match its checksum. A reader
//! sees whole transactions only, each block's `last` at or after the one before. A failed append loses nothing; after
//! a failed fsync the log refuses everything until it is opened anew.
//!
//! What a peer has stands there in the same blocks, as a rule: they are shipped and stored byte for byte. They differ
//! after a crash of the origin, which stamps again what it had shipped and not made durable, and where a third node's
//! blocks came over two links; then the transactions that are missing are cut anew. The space that is left, of marks,
//! progress items and what is stable everywhere, becomes a blank block.
//!
//! *What it is not.* No network, no threads, no async: calls block, the node chooses where. No stamps are made and no
//! duplicates inside blocks are removed here: blocks of one origin may overlap, readers look at every `TxnId`.
//!
//! *Where to start.* [`BlockHeader`] for the format, [`Log`] for the disk.

mod builder;
mod compress;
mod damage;
mod disk;
mod encode;
mod error;
mod header;
mod journal;
mod log;
mod open;
mod overflow;
mod parts;
mod reader;
mod recover;
mod repair;
mod segment;
mod spool;
mod tail;
mod v1;
mod walk;
mod writer;

pub use builder::{BLOCK_BYTES, BlockBuilder};
pub use damage::{Damage, Held};
pub use encode::{EncodedBlock, decode, encode_block};
pub use error::{Class, Error, Result};
pub use header::{ALIGNMENT, BlockHeader, Kind, RAW_BYTES_MAX, verify};
pub use journal::{Journal, Options};
pub use log::{Log, Progress, SEGMENT_BYTES};
pub use overflow::DiskOverflow;
pub use parts::Parts;
pub use reader::Reader;
pub use recover::{Cut, CutReason, Damaged};
pub use spool::{Replay, Spool};
pub use writer::Appended;

#[cfg(test)]
mod samples;
