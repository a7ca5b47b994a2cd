use std::io;
use std::path::PathBuf;
use std::time::Duration;

use synapse_wal_types::Lsn;

use crate::server_error::ServerError;

/// Everything that can go wrong between a connection string and a stream. No text of it holds a password or row value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection string does not follow libpq's grammar.
    #[error("read the connection string at byte {offset}: expected {expected}")]
    DsnSyntax {
        /// Byte offset into the connection string.
        offset: usize,
        /// What the grammar wants there.
        expected: &'static str,
    },
    /// The connection string names a keyword that this client does not know.
    #[error("read the connection string: unknown keyword {keyword:?}")]
    DsnKeyword {
        /// The keyword as written.
        keyword: String,
    },
    /// A keyword of the connection string has a value of the wrong form. The value is not repeated.
    #[error("read the connection string: {keyword} expects {expected}")]
    DsnValue {
        /// The keyword.
        keyword: &'static str,
        /// What its value must be.
        expected: &'static str,
    },
    /// No user name in the connection string, PGUSER, USER or LOGNAME.
    #[error("find a user name: add user=… to the connection string")]
    UserMissing,
    /// A file that the connection string names could not be read.
    #[error("read {keyword} {}: {source}", path.display())]
    File {
        /// The keyword that names the file.
        keyword: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it could not be read.
        source: io::Error,
    },
    /// A file with a secret can be read by others.
    #[error("use {keyword} {}: others may read it (mode {mode:03o}); run chmod 600 on it", path.display())]
    FileExposed {
        /// The keyword that names the file.
        keyword: &'static str,
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file holds no usable certificate or key.
    #[error("use {keyword} {}: {reason}", path.display())]
    TlsMaterial {
        /// The keyword that names the file.
        keyword: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        reason: String,
    },
    /// The host name has no address.
    #[error("resolve host {host:?}: {source}")]
    Resolve {
        /// The host.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// Nothing listens there.
    #[error("connect to {address}: connection refused; check that PostgreSQL runs and listens there")]
    Refused {
        /// Address or socket path.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The address cannot be reached for another reason.
    #[error("connect to {address}: {source}")]
    Unreachable {
        /// Address or socket path.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// `connect_timeout` ran out before the session was ready.
    #[error("connect to {address} within {} s; check the network or raise connect_timeout", after.as_secs())]
    ConnectTimeout {
        /// Address or socket path.
        address: String,
        /// The limit.
        after: Duration,
    },
    /// `sslmode` demands TLS and the server offers none.
    #[error("start TLS with {address}: the server has ssl = off; switch it on or relax sslmode")]
    TlsRefused {
        /// Address.
        address: String,
    },
    /// The handshake failed: a wrong certificate, authority or host name.
    #[error(
        "start TLS with {address}: {source}; check sslmode, sslrootcert, and the names in the server's certificate"
    )]
    TlsHandshake {
        /// Address.
        address: String,
        /// What rustls, or the system, said.
        source: io::Error,
    },
    /// The server asks for a password and there is none.
    #[error("log in as {user:?}: the server wants a password; set it in the connection string, PGPASSWORD or passfile")]
    PasswordMissing {
        /// The user.
        user: String,
    },
    /// The server refuses this user, password or address (SQLSTATE class 28).
    #[error("log in as {user:?}: {server}; check password, role attributes and pg_hba.conf")]
    Auth {
        /// The user.
        user: String,
        /// What the server said.
        server: Box<ServerError>,
    },
    /// The server asks for a method that this client does not speak.
    #[error("log in: the server asks for {method}; use scram-sha-256, md5, password, cert or trust in pg_hba.conf")]
    AuthMethod {
        /// The method.
        method: String,
    },
    /// The SCRAM exchange failed on our side: the server did not prove that it knows the password.
    #[error("log in by SCRAM: {source}")]
    Scram {
        /// What the exchange found.
        source: io::Error,
    },
    /// `channel_binding=require`, and the login was not bound to the TLS channel.
    #[error("log in with channel_binding=require: it needs TLS and a SCRAM password on the server")]
    ChannelBinding,
    /// The replication slot does not exist (42704).
    #[error("use the replication slot: {0}; create it, or correct the name")]
    SlotMissing(Box<ServerError>),
    /// Another session uses the replication slot (55006).
    #[error("use the replication slot: {0}; wait until that session ends, or stop it")]
    SlotActive(Box<ServerError>),
    /// A replication slot of that name is there already (42710).
    #[error("create the replication slot: {0}; drop it, or take another name")]
    SlotExists(Box<ServerError>),
    /// Any other error that the server reported.
    #[error("complete the exchange with the server: {0}")]
    Server(Box<ServerError>),
    /// The server's version lacks what was asked for.
    #[error("use {what}: the server runs PostgreSQL {major}, it needs {needed} or later")]
    Version {
        /// The feature.
        what: &'static str,
        /// The server's major version.
        major: u16,
        /// The first major version that has it.
        needed: u16,
    },
    /// A text that goes into a message holds a NUL byte, or the message is too long.
    #[error("send a message: {source}")]
    Encode {
        /// What the encoder said.
        source: io::Error,
    },
    /// A message of the server does not have its documented form.
    #[error("read message {tag:?} at byte {offset}: expected {expected}")]
    Malformed {
        /// The message type.
        tag: char,
        /// Byte offset into the message body.
        offset: usize,
        /// What the protocol wants there.
        expected: &'static str,
    },
    /// A message is longer than its limit.
    #[error("read message {tag:?}: it has {bytes} bytes, the limit is {bytes_max}")]
    TooLong {
        /// The message type.
        tag: char,
        /// The announced length in bytes.
        bytes: usize,
        /// The limit in bytes.
        bytes_max: usize,
    },
    /// A message that the protocol does not allow here.
    #[error("{during}: the server sent an unexpected message {tag:?}")]
    Unexpected {
        /// What was going on.
        during: &'static str,
        /// The message type.
        tag: char,
    },
    /// A command returned another shape of result than documented.
    #[error("read the result of {command}: expected {expected}")]
    Result {
        /// The command.
        command: &'static str,
        /// The documented shape.
        expected: &'static str,
    },
    /// The server closed the connection.
    #[error("{during}: the server closed the connection")]
    Closed {
        /// What was going on.
        during: &'static str,
    },
    /// The socket failed.
    #[error("{during}: {source}")]
    Io {
        /// What was going on.
        during: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A command was dropped before its result was read, so the connection no longer knows where it stands.
    #[error("run a command: an earlier one was dropped half-way; open a new connection")]
    Interrupted,
    /// A reported position is behind an earlier report.
    #[error("report a position: {position} went back from {from} to {to}")]
    FeedbackWentBack {
        /// `write`, `flush` or `apply`.
        position: &'static str,
        /// The earlier report.
        from: Lsn,
        /// The later, smaller one.
        to: Lsn,
    },
}
