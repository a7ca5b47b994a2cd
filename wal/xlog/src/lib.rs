//! The physical WAL of PostgreSQL 14 to 18: bytes in, checked records out.
//!
//! *What it is.* [`Reader`] follows WAL page by page and tells its [`Record`]s, each checked: its place in the chain, its
//! CRC-32C, all its lengths. What a record says is read by [`control`], [`transaction`], [`storage`] and [`blocks`]; what it is
//! called by [`Rmgr`] and [`RecordKind`], in the words of `pg_waldump`, and counted by [`Stats`]. [`WalFile`] and
//! [`TimelineHistory`] read and write the names and the history files of `pg_wal`.
//!
//! *The picture.*
//!
//! ```text
//! segment files, walsender --bytes--> Reader::feed --> Feed::poll --> Event::Record(Record<'_>) --> transaction, blocks, Stats, …
//!                                       |
//!                 page headers, the record that crosses pages, the last record's position
//! ```
//!
//! *The laws.* A record that lies in one page is borrowed from the input; one that crosses pages is put together in one
//! buffer that is used again. No record costs an allocation, and no length is believed before it is checked: memory
//! follows what was given, not what was claimed. Malformed input is an error with the position, what was expected and
//! what was found: no panic, no index. What PostgreSQL accepts is accepted: bytes that nothing covers (the padding
//! between records, unused bits of headers) may be anything.
//!
//! *What it is not.* It does no IO, follows no timeline to another file, decompresses no page image, and prints no
//! descriptions of records beyond their names. Of resource managers of extensions it knows block references only.
//!
//! *Where to start.* [`Reader`], then [`Event`].

mod cursor;
mod error;
mod version;

mod file_name;
mod history;
mod segment;

mod page;
mod relation;

mod block_ref;
mod crc;
mod kind;
mod layout;
mod record;
mod rmgr;

mod event;
mod reader;

mod list;

pub mod blocks;
pub mod control;
pub mod storage;
pub mod transaction;

mod stats;

pub use block_ref::{BlockRef, Compression, Hole, Image};
pub use error::{Class, Error, Fault};
pub use event::{Event, Overwritten, SegmentStart, Unused};
pub use file_name::{InvalidWalFileName, SegmentName, WalFile};
pub use history::{Branch, InvalidHistory, TimelineHistory};
pub use kind::RecordKind;
pub use layout::BlockRefs;
pub use list::{Item, Items, List};
pub use page::{LONG_HEADER_BYTES, LongHeader, PAGE_BYTES, PageHeader, SHORT_HEADER_BYTES};
pub use reader::{Feed, InvalidStart, Pending, Reader};
pub use record::{RECORD_BYTES_MAX, RECORD_HEADER_BYTES, Record};
pub use relation::{BLOCK_BYTES, BlockNumber, Fork, RelFileLocator};
pub use rmgr::Rmgr;
pub use segment::{InvalidSegmentSize, SegmentNumber, SegmentSize};
pub use stats::{Counts, Stats};
pub use version::Version;

#[cfg(test)]
mod tests;
