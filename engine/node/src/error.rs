use std::path::PathBuf;

/// Why the daemon, or one of its parts, cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The replication connection failed.
    #[error("capture: {0}")]
    Client(#[from] synapse_wal_client::Error),
    /// The stream said something that cannot be.
    #[error("capture: {0}")]
    Stream(#[from] synapse_wal_pgoutput::Error),
    /// The journal failed.
    #[error("journal: {0}")]
    Journal(#[from] synapse_engine_journal::Error),
    /// A link failed.
    #[error("link: {0}")]
    Link(#[from] synapse_engine_transport::Error),
    /// Set-up failed.
    #[error("set-up: {0}")]
    Setup(#[from] synapse_engine_setup::Error),
    /// A writing session failed.
    #[error("apply: {0}")]
    Apply(#[from] synapse_engine_apply::Error),
    /// An ordinary session failed.
    #[error("postgres: {}", sql_text(.0))]
    Sql(#[from] tokio_postgres::Error),
    /// A file of ours cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A set of changes grew beyond its bounds.
    #[error("capture: {0}")]
    Full(#[from] synapse_engine_change::Full),
    /// A peer sent what cannot be read.
    #[error("a peer sent what cannot be read: {0}")]
    Frame(#[from] postcard::Error),
    /// The server is not the one it was, or is not fit: a person has to decide.
    #[error("refused: {0}")]
    Refused(String),
    /// It cannot be now; it is tried again.
    #[error("{0}")]
    TryAgain(String),
    /// A part of the daemon gave up in a way that only a new start of it mends.
    #[error("apply: {0}")]
    Broken(String),
    /// The journal has room again: capture goes on where it was confirmed.
    #[error("the journal has room again")]
    RoomAgain,
    /// The daemon is being stopped.
    #[error("stopping")]
    Stopping,
}

/// What a retry loop does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It may pass by itself.
    Transient,
    /// It stays until a person does something.
    Definite,
    /// It cannot be: our fault.
    Bug,
}

impl Error {
    /// What a retry loop does about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::Config(_) | Error::Refused(_) => Class::Definite,
            Error::Client(error) => match error.class() {
                synapse_wal_client::Class::Transient => Class::Transient,
                synapse_wal_client::Class::Definite => Class::Definite,
                synapse_wal_client::Class::Bug => Class::Bug,
            },
            Error::Link(error) => match error.class() {
                synapse_engine_transport::Class::Transient => Class::Transient,
                synapse_engine_transport::Class::Definite => Class::Definite,
                synapse_engine_transport::Class::Bug => Class::Bug,
            },
            Error::Setup(error) => match error.class() {
                synapse_engine_setup::Class::Transient => Class::Transient,
                synapse_engine_setup::Class::Definite => Class::Definite,
                synapse_engine_setup::Class::Bug => Class::Bug,
            },
            Error::Stream(_) | Error::Full(_) | Error::Frame(_) => Class::Bug,
            Error::Journal(_)
            | Error::Apply(_)
            | Error::Sql(_)
            | Error::File { .. }
            | Error::TryAgain(_)
            | Error::Broken(_)
            | Error::RoomAgain
            | Error::Stopping => Class::Transient,
        }
    }
}

impl From<crate::answer::AskError> for Error {
    fn from(error: crate::answer::AskError) -> Self {
        Error::TryAgain(error.to_string())
    }
}

/// The server's own words where it said something: the driver's text alone is "db error".
fn sql_text(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} ({})", db.message(), db.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}
