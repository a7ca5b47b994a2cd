//! An in-memory PostgreSQL that is unkind where the real one is: statements meet rows one by one, writers wait for each
//! other, commits become visible in another order than that of the log, and a crash forgets what was not flushed.

mod commit;
mod decode;
mod execute;
mod foreign_key;
mod heap;
mod keep;
mod locks;
mod recovery;
mod schema;
mod server;
mod session;
mod slot;
mod statement;
mod wal;
mod xact;

pub(crate) use decode::{Relations, decode};
pub(crate) use foreign_key::orphan;
pub(crate) use schema::{Datum, Row, Table};
pub(crate) use server::{Server, Temper};
pub(crate) use session::{Kind, SessionId};
pub(crate) use statement::{Answer, Durability, Guard, OnConflict, SqlState, Statement, Step, Target};
pub(crate) use wal::{Commit, Effect, Item};

/// A local number of a replication origin; 0 means none.
pub(crate) type Roident = u16;

#[cfg(test)]
mod tests;
