//! What is replicated, and how it stops, on real clusters of different majors.
#![cfg(test)]

#[path = "../cluster/mod.rs"]
mod cluster;
mod conflicts;
mod exclusion;
mod foreign_keys;
mod policies;
mod repair;
mod setup;
mod statements;
mod stops;
mod values;
