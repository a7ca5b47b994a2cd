//! Everything the daemon does to a PostgreSQL database before data flows, and how it is undone.
//!
//! *What it is.* [`check`] names what a server lacks, [`install`] puts schema, event trigger, identities, disjoint
//! sequences and publication in place, [`catalog`] reads what there is to replicate, [`detach`] takes it all away.
//!
//! *The picture.* `check -> install -> identity_check -> catalog -> (data flows) -> detach`, each given an ordinary
//! `tokio_postgres` session on the node's database. Statements stand in `sql/`, what they decide in pure files here.
//!
//! *The laws.* Each step may be repeated and may be cut off anywhere. After `detach` the schema of the database is what it
//! was before `install`. No value of a sequence is handed out twice, here or on two nodes that started alike. Our event
//! trigger never makes the application's statement fail.
//!
//! *What it is not.* No replication connection and no slot creation (`wal/client`), no rows (`engine/apply`).
//!
//! *Where to start.* [`install`], then `sql/schema.sql`.

mod catalog;
mod check;
mod detach;
mod error;
mod fence;
mod finding;
mod install;
mod origin;
mod pattern;
mod sequences;
mod session;
mod slot;
mod sql;
mod standing;
mod stride;
mod sweep;
mod wanted;

pub use catalog::{
    BaseType, Catalog, Column, Exclusion, Fingerprint, Generated, IdentityColumn, Key, LeftOut, Reason,
    ReplicaIdentity, RowSecurity, Table, TableKind, TypeKind, UniqueIndex, catalog,
};
pub use check::check;
pub use detach::{Detach, Detached, Discard, detach};
pub use error::{Class, Error, Result};
pub use fence::{lower_fence, raise_fence};
pub use finding::{Finding, Level, RestartNeeded};
pub use install::{Installed, admin_script, align_sequences, install};
pub use origin::{drop_origin, ensure_origin, origin_name, origins};
pub use pattern::{InvalidPattern, Pattern, excluded};
pub use sequences::{Drawn, drawn_sequences, pass_sequences};
pub use slot::{SlotState, WalStatus, drop_slot, slot_state};
pub use standing::{Recorded, Refusal, Standing, identity_check, recorded_node};
pub use stride::{Definition, Impossible, Next, Position, Stride, stride};
pub use sweep::{Change, Outcome};
pub use wanted::{InvalidShare, Share, Wanted};

/// The schema in which a node keeps its own state; never replicated.
pub const SCHEMA: &str = "synapse";
/// The table of conflict policies in it: the only one of ours that is replicated.
pub const POLICIES: &str = "policies";
/// The table of rows that are displaced, in [`SCHEMA`].
pub const DISPLACED: &str = "displaced";
/// The table of who stands in their way, in [`SCHEMA`].
pub const RIVALS: &str = "rivals";
/// The name of the publication.
pub const PUBLICATION: &str = "synapse";
/// The name of the event trigger.
pub const EVENT_TRIGGER: &str = "synapse";
