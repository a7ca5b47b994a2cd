//! Positions and names of PostgreSQL's own world.
//!
//! *What it is.* Newtypes for what PostgreSQL counts and names: [`Lsn`], [`Xid`], [`PgTimestamp`], [`TimelineId`],
//! [`SystemId`], [`SlotName`].
//!
//! *The picture.* Floor 0: every other crate may use it, it uses none.
//!
//! *The laws.* Text forms are those of PostgreSQL and round-trip; nothing here does IO.
//!
//! *What it is not.* Our own names (node, origin, stamp) are `engine/identity`.
//!
//! *Where to start.* [`Lsn`].

mod lsn;
mod name;
mod number;
mod timestamp;

pub use lsn::{Lsn, ParseLsnError};
pub use name::{InvalidSlotName, SlotName};
pub use number::{Oid, SystemId, TimelineId, Xid};
pub use timestamp::PgTimestamp;

#[cfg(test)]
mod tests;
