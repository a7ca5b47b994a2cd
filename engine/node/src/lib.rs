//! The daemon: the one place where the parts meet.
//!
//! *What it is.* [`run`] takes a configuration and runs a node until it is told to stop; [`check`] says what a server
//! lacks; [`Config`] is the file.
//!
//! *The picture.* One file per stage, in the way of the data:
//!
//! ```text
//! capture (stamp) -> journal -> sync (confirm) | ship  ==>  receive -> journal -> feed (deliver) -> lane (resolve, apply)
//! ```
//!
//! A *generation* lasts as long as capture's connection: after it the kernel is made anew from the journal and the
//! server. Links and journals outlive generations.
//!
//! *The laws.* Decisions are the kernel's and the planner's; this crate carries them out. No lock is held across an
//! await. Capture never waits for a peer, nor for the applier.
//!
//! *What it is not.* No protocol and no format is defined here, but for what links carry (`frames`).
//!
//! *Where to start.* [`run`], then `generation`.

mod answer;
mod batch;
mod capture;
mod check;
mod clock;
mod config;
mod confirm;
mod conflicts;
mod copy;
mod detach;
mod displaced;
mod error;
mod feed;
mod frames;
mod generation;
mod growth;
mod http;
mod join;
mod lane;
mod mend;
mod orphans;
mod peer;
mod policies;
mod prepare;
mod prune;
mod rebuild;
mod receive;
mod repair;
mod run;
mod shared;
mod ship;
mod sql;
mod state;
mod status;
mod sync;
mod tables;
mod telemetry;
mod verify;
mod wait;

pub use check::{Checked, check};
pub use config::{
    ApiSection, Bytes, ClusterSection, Config, ConfigError, ConflictsSection, NodeSection, PostgresSection,
    ReplicationSection, TlsSection,
};
pub use detach::{Detached, Discard, detach};
pub use error::{Class, Error};
pub use policies::PolicyChange;
pub use run::run;
