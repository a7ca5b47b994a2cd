//! Local clusters: PostgreSQL servers and their daemons on loopback, for the demo, for tests and for benchmarks.
//!
//! *What it is.* A library behind `synapsectl sandbox` and `synapsectl demo`. [`Sandbox`] makes, starts, stops and
//! removes a cluster in one directory; everything it knows stands in that directory's `sandbox.json` ([`Record`]).
//!
//! *The picture.* `Options` -> port plan -> initdb and certificates -> `postgres` -> `synapsed` -> `/readyz`.
//! Every server is a child in its own process group, so that it lives on when the command that started it returns.
//!
//! *The laws.* Nothing starts before every port is known to be free. `sandbox.json` is replaced by rename, so that a
//! reader sees the state before or after a change. A process is signalled only while it is the one that was started:
//! a recycled process id is never hit. A failed `up` leaves nothing running.
//!
//! *What it is not.* No supervisor (nothing is restarted by itself) and no tool for production: the servers trust
//! every connection from 127.0.0.1.
//!
//! *Where to start.* [`Sandbox::up`], then `node.rs` for one node's life and `demo` for the guided tour.

mod certificates;
mod control;
pub mod demo;
mod engine;
mod error;
mod files;
mod http;
mod node;
mod owner;
mod ports;
mod postgres;
mod process;
mod query;
mod record;
mod sandbox;
mod servers;
mod up;

pub use control::What;
pub use error::{Class, Error, Result};
pub use ports::{BASE_PORT_DEFAULT, NODES_MAX, NodePorts, PortPlan, first_free_base};
pub use query::{StatementResult, run_sql};
pub use record::{NodeRecord, Record};
pub use sandbox::Sandbox;
pub use servers::{PgBin, Server};
pub use up::Options;

/// Hears one line for every step that takes time; the command line prints it to stderr.
pub type Narrator<'a> = &'a (dyn Fn(&str) + Send + Sync);
