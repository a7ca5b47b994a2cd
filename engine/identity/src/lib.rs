//! Who wrote what: the names that stamps, journals and registers are made of.
//!
//! *What it is.* [`NodeId`], [`Origin`], [`TxnId`], [`Context`], [`Hlc`], [`Stamp`], and the neutral [`Write`] the
//! kernel speaks of, so that it needs to know nothing of rows or of pgoutput.
//!
//! *The picture.* Floor 1, above `wal/types`. Pure values; cheap to copy or to share.
//!
//! *The laws.* An origin is one unbroken line of WAL: a node *and* an incarnation. A [`TxnId`] names one committed
//! transaction for ever. A causally later transaction has a greater [`Hlc`].
//!
//! *What it is not.* No rows and no values (`engine/change`), no decisions (`engine/replication`).
//!
//! *Where to start.* [`Stamp`].

mod context;
mod node;
mod origin;
mod stamp;
mod write;

pub use context::Context;
pub use node::{InvalidNodeId, NodeId};
pub use origin::{Incarnation, Origin, ParseOriginError, TxnId};
pub use stamp::{Epoch, Hlc, Stamp};
pub use write::{ColumnId, ColumnSet, KeyHash, RowId, TableId, Write, WriteOp};

#[cfg(test)]
mod tests;
