//! What a cluster makes of faults: kills, cut and held links, full and damaged journals, transactions larger than memory, servers of
//! different majors, other users, servers that take encrypted sessions only.
#![cfg(test)]

mod bank;
mod clocks;
#[path = "../cluster/mod.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod cluster;
mod damage;
mod drain;
mod encrypted;
mod journal_limit;
mod kills;
mod large;
mod links;
mod lost_end;
mod majors;
mod ordinary_user;
mod outages;
mod proxy;
