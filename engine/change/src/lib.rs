//! What transactions did, row by row.
//!
//! *What it is.* [`Relation`]s, and [`ChangeSet`]: the changes of many transactions in one flat arena, so that
//! encoding, decoding and reading allocate per block, not per row.
//!
//! *The picture.* capture fills a [`ChangeSet`]; the journal stores it; plan reads it in place.
//!
//! *The laws.* Values are PostgreSQL's text (or binary) output as bytes; nothing here interprets them. What is read is
//! what was pushed.
//!
//! *What it is not.* No stamps (`engine/identity`), no disk format (`engine/journal` has a twin of its own).
//!
//! *Where to start.* [`ChangeSet`].

mod block;
mod relation;
mod set;
mod view;

pub use block::{Block, Part, Transaction};
pub use relation::{Column, Identity, Relation};
pub use set::{ChangeSet, FlatChange, FlatParts, FlatValue, Full, Malformed, OpCode, ValueTag};
pub use view::{Change, Old, Tuple, Value};

#[cfg(test)]
mod tests;
