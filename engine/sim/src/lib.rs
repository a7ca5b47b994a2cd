//! Kernel and plan in a world that is as unkind as the real one.
//!
//! *What it is.* [`run`] takes a seed through a whole life of a small cluster, in virtual time: applications write,
//! engines replicate, servers, engines, links and clocks fail, until all is calm; then an omniscient reader of every
//! node's log checks the [`Law`]s.
//!
//! *The picture.* `schedule` (what happens when) → `world` → `postgres` (an in-memory server: row locks, READ COMMITTED
//! re-checks, subtransactions, commits visible in another order than the log's, lost unflushed commits, a slot that
//! sends again), `network`, `disk` → `node` (the thin shell around kernel and plan) → `laws`, one file each.
//!
//! *The laws.* A seed is a whole run: nothing depends on the machine, on time or on the order of a hash map. What the
//! shell decides here by itself is what the daemon's shell must decide alike; everything else is kernel and plan.
//!
//! *What it is not.* No SQL, no bytes on disk or wire, no secondary unique conflicts across nodes, no membership
//! changes, no quorum.
//!
//! *Where to start.* [`run`], then `world`.

mod app;
mod catalog;
mod disk;
mod faults;
mod laws;
mod mutation;
mod network;
mod node;
mod options;
mod policies;
mod postgres;
mod rng;
mod run;
mod schedule;
mod violation;
mod workload;
mod world;

pub use options::{Options, Report, WrongFlag};
pub use run::run;
pub use violation::{Law, Violation};

#[cfg(feature = "mutants")]
pub use synapse_engine_replication::Mutant;

#[cfg(test)]
mod tests;
