//! From transactions to statements, without a server.
//!
//! *What it is.* Consecutive transactions of one origin become one [`Batch`]: every change is decided by the kernel, the
//! changes of one row are merged to their net effect, and what is left is grouped into set-based [`Step`]s.
//!
//! *The picture.* [`Table`] (a local table) and [`Mapping`] (an origin's columns onto it) → `RowId` of a tuple →
//! [`Builder`] → [`Batch`] of [`Step`]s, contested rows, and the values the exact path needs.
//!
//! *The laws.* A row stands in at most one step of a segment. Deletes come before updates, updates before inserts; what
//! cannot be reordered ends a segment. A row of which some known write was not seen by its transaction is in no step: it
//! goes through the exact path.
//!
//! *What it is not.* No SQL (`engine/apply` renders it), no decisions about conflicts (`engine/replication`).
//!
//! *Where to start.* [`Builder::add`].

mod batch;
mod builder;
mod counter;
mod error;
mod exact;
mod key;
mod mapping;
mod neighbours;
mod net;
mod table;
mod writes;
mod written;

pub use batch::{Batch, KeylessStep, Row, Rows, Step, TruncateTable};
pub use builder::{Builder, Conflict, Path, PolicySet, Tables};
pub use counter::{Added, sum};
pub use error::{Error, Undecided};
pub use exact::{Counters, Exact, ExactWrite, Made};
pub use key::KeyClass;
pub use mapping::Mapping;
pub use neighbours::{Loser, Neighbour, Neighbours, Settled};
pub use table::{Constrained, Table, TableColumn};
pub use writes::{row_id, rows_of, writes_of};
pub use written::Written;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod tests;
