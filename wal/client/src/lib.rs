//! The PostgreSQL replication connection, on tokio and `postgres-protocol`.
//!
//! *What it is.* Connection strings ([`Dsn`]), TLS as `sslmode` means it ([`tls`]), login by trust, password, MD5,
//! SCRAM-SHA-256 (bound to the TLS channel where possible) or certificate, the replication commands as typed methods of
//! [`Connection`], and the [`Stream`] of WAL or plugin messages with its feedback.
//!
//! *The picture.*
//!
//! ```text
//! Dsn -> socket (TCP | Unix | TLS) -> login -> Connection -- START_REPLICATION --> Stream -> StreamReader, StreamWriter
//!                                               ^  commands                          |
//!                                               +------------- finish ---------------+
//! ```
//!
//! *The laws.* Every message has a checked length and is read by a checked cursor; malformed bytes are an error with
//! their offset. Reading events and sending statuses are cancel-safe and do not wait for one another. No reported
//! position goes back. No text shows a password. No process-wide TLS default is used or needed.
//!
//! *What it is not.* It does not decode WAL or pgoutput, decides nothing about positions, does not reconnect, and is no
//! client for ordinary SQL: those sessions take their parameters and their TLS from the same [`Dsn`].
//!
//! *Where to start.* [`Dsn`], then [`Connection::connect`], then [`Connection::start_logical`].

mod class;
mod error;
mod server_error;

mod wire;

mod dsn;
pub mod tls;

mod auth;
mod command;
mod connection;
mod socket;
mod stream;

pub use class::Class;
pub use command::{
    CreatedSlot, LogicalSlot, LogicalStart, OriginFilter, PhysicalSlot, PhysicalStart, SlotLife, SlotSnapshot,
    SlotState, Started, Streaming, SystemIdentity, TimelineHistory, WhileActive,
};
pub use connection::{Connection, DecodingMemory, Kind, ResultSet, ServerVersion, Session};
pub use dsn::{CONNECT_TIMEOUT_DEFAULT, ChannelBinding, Dsn, Endpoint, Password, RootCertificates, SslMode};
pub use error::Error;
pub use server_error::ServerError;
pub use stream::{Ending, Event, Feedback, NextTimeline, Reply, Stream, StreamReader, StreamWriter};
