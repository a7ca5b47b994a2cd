//! pgoutput: bytes to messages to committed transactions, and back.
//!
//! *What it is.* [`decode`] reads one message of PostgreSQL's logical replication protocol, versions 1 to 4
//! (PostgreSQL 14 to 18); [`encode`] writes the same bytes back, for tests and for simulated servers. [`Assembler`]
//! follows the sequence of messages and says, message by message, what it means for transactions.
//!
//! *The picture.*
//!
//! ```text
//! CopyData payload --decode--> Message<'a> --Assembler::push--> Step<'a> --> the capture stage, which spools or keeps rows
//!                  <--encode--                    |
//!                                          relation cache, first item and origin of each open transaction
//! ```
//!
//! *The laws.* Values are borrowed from the input, never copied. Every malformed input is an [`Error`] with an offset:
//! no panic, no index, no allocation that a lying count could swell. `encode` is the exact inverse of `decode`. The
//! assembler holds no row; a change is always given with the definition its table had when the server wrote it.
//!
//! *What it is not.* It does no IO, asks for no stream, and understands no value: types are the business of those
//! who compare or write rows. The assembler takes no two-phase streams: prepared transactions arrive at their commit
//! unless a slot asks otherwise, and ours do not.
//!
//! *Where to start.* [`Message`], then [`Step`].

mod cursor;
mod error;
mod kind;
mod sink;

mod logical;
mod message;
mod relation;
mod row;
mod stream;
mod transaction;
mod tuple;
mod two_phase;

mod assemble;

pub use assemble::{Assembler, Change, Column, Committed, FIRST_MESSAGE_BYTES_MAX, First, NamedOrigin};
pub use assemble::{OPEN_STREAMS_MAX, Relation, Step};
pub use error::{Class, Error};
pub use kind::Kind;
pub use logical::LogicalMessage;
pub use message::{InStream, Message, decode, encode};
pub use relation::{ColumnMessage, RelationMessage, ReplicaIdentity, TypeMessage};
pub use row::{Delete, Insert, Truncate, TruncateOptions, Update};
pub use stream::{AbortRecord, StreamAbort, StreamCommit, StreamStart};
pub use transaction::{Begin, Commit, Origin};
pub use tuple::{OldTuple, TupleData, Value};
pub use two_phase::{CommitPrepared, Prepared, RollbackPrepared};

#[cfg(test)]
mod tests;
