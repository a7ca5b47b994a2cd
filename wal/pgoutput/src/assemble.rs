//! From messages to transactions, without holding rows.
//!
//! The server interleaves chunks of transactions in progress with whole committed ones. The assembler knows at each
//! message which transaction it belongs to, keeps the definitions of tables apart where the server does, and checks
//! that the order makes sense. Whoever drives it keeps or spools the changes.

mod step;

mod assembler;
mod changes;
mod first;
mod place;
mod relations;

pub use assembler::{Assembler, OPEN_STREAMS_MAX};
pub use first::{FIRST_MESSAGE_BYTES_MAX, First};
pub use relations::{Column, Relation};
pub use step::{Change, Committed, NamedOrigin, Step};

#[cfg(test)]
mod tests;
