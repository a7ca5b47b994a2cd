//! Benchmarks against PostgreSQL's own logical replication, on identical servers and in the same session.
//!
//! *What it is.* One program with a subcommand for each benchmark and `all`. It makes clusters, loads them with pgbench,
//! measures, removes them, and writes `report.md`, `report.json` and the raw output of every program it ran.
//!
//! *The picture.*
//!
//! ```text
//! rounds, sides in turn -> Cluster (ours | native) <- pgbench, tokens      -> Sample -> Report
//!                              |                                            ^
//!                              +-- /proc: processor time of each server ----+
//! ```
//!
//! *The laws.* Both sides have the same binaries, settings, tables, load and way of measuring; where a set-up differs,
//! the report says so. What counts is the ratio of medians; absolute numbers are context. A side that ends with other
//! contents than its source fails the benchmark, however fast it was.
//!
//! *What it is not.* No test: no number here makes anything fail. No micro-benchmark of a function.
//!
//! *Where to start.* `run.rs`, then `cluster.rs`, then any file of `benchmark`.

mod options;
mod run;

mod benchmark;

mod cluster;
mod daemon;
mod fill;
mod native;
mod ours;

mod plain;
mod settings;
mod sql;
mod token;

mod cpu;
mod machine;
mod owner;
mod pgbench;
mod probe;
mod program;
mod recvlogical;

mod measure;
mod meter;
mod report;
mod statistics;

pub use benchmark::Name;
pub use benchmark::capture::{Backlog, Decoded, decode};
pub use options::{Only, Options};
pub use run::run;
