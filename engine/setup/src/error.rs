use tokio_postgres::error::SqlState;

use crate::Refusal;

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// What a caller may do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Trying again may help.
    Transient,
    /// Something outside must change first.
    Definite,
    /// A law of this program was broken.
    Bug,
}

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// PostgreSQL or the connection to it refused.
    #[error("failed to {action}: {}", message(source))]
    Postgres {
        /// What was being done, as in "failed to *read the catalogue*".
        action: &'static str,
        /// What the driver said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The server's answer was not what this version understands.
    #[error("failed to understand the server's answer about {what}: {problem}")]
    Answer {
        /// What was asked.
        what: &'static str,
        /// What is wrong with the answer.
        problem: String,
    },
    /// The role may not create what only a superuser can create.
    #[error(
        "failed to install: role {role} is no superuser and {missing} missing\nhint: run as superuser in this database:\n{script}"
    )]
    NeedsSuperuser {
        /// The role that was used.
        role: String,
        /// What is missing, for the reader.
        missing: String,
        /// The statements an administrator has to run; the same as [`crate::admin_script`].
        script: String,
    },
    /// A schema `synapse` that is not ours stands in the way.
    #[error(
        "failed to install: schema synapse exists and was not made by SynapseDB\nhint: rename it, or use another database"
    )]
    SchemaTaken,
    /// The database belongs to another node or cluster.
    #[error(
        "failed to install: this database belongs to node {node} of cluster {cluster}\nhint: synapsectl node detach --confirm"
    )]
    OtherNode {
        /// The node that is recorded.
        node: String,
        /// Its cluster.
        cluster: String,
    },
    /// Other sessions kept tables or sequences locked for longer than we are willing to try.
    #[error("failed to change {}: locked by other sessions\nhint: look for idle transactions in pg_stat_activity", objects.join(", "))]
    Busy {
        /// The tables and sequences, quoted as SQL.
        objects: Vec<String>,
    },
    /// Some tables or sequences could not be changed.
    #[error("failed to change {}: {first}", objects.join(", "))]
    Failed {
        /// The tables and sequences, quoted as SQL.
        objects: Vec<String>,
        /// PostgreSQL's message about the first.
        first: String,
    },
    /// Skipped transactions would be lost.
    #[error(
        "failed to detach: synapse.skipped holds {rows} transactions\nhint: keep a copy of them and detach with --discard-skipped"
    )]
    SkippedRows {
        /// How many.
        rows: i64,
    },
    /// Displaced rows would be lost.
    #[error(
        "failed to detach: synapse.displaced holds {rows} rows that excluded others, and are in no table\nhint: keep a copy of them and detach with --discard-displaced"
    )]
    DisplacedRows {
        /// How many.
        rows: i64,
    },
    /// The slot is in use.
    #[error("failed to drop slot {slot}: it is in use by process {pid}\nhint: stop synapsed first")]
    SlotActive {
        /// The slot.
        slot: String,
        /// The walsender's process id.
        pid: i32,
    },
    /// An origin is in use.
    #[error("failed to drop origin {origin}: a session is using it\nhint: stop synapsed first")]
    OriginActive {
        /// The origin's name.
        origin: String,
    },
    /// The database is not the one that was recorded.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Error {
    /// Makes the closure that wraps a driver's error while doing `action`.
    pub(crate) fn doing(action: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Error {
        move |source| Error::Postgres { action, source }
    }

    /// What a caller may do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::Postgres { source, .. } => class_of(source),
            Error::Busy { .. } | Error::SlotActive { .. } | Error::OriginActive { .. } => Class::Transient,
            Error::NeedsSuperuser { .. }
            | Error::SchemaTaken
            | Error::OtherNode { .. }
            | Error::Failed { .. }
            | Error::SkippedRows { .. }
            | Error::DisplacedRows { .. }
            | Error::Refused(_) => Class::Definite,
            Error::Answer { .. } => Class::Bug,
        }
    }
}

/// PostgreSQL's own message with its code, or the driver's when the server said nothing.
fn message(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |db| format!("{} (SQLSTATE {})", db.message(), db.code().code()),
    )
}

/// A lost connection, a lock, a lack of resources and a shutdown pass by themselves.
fn class_of(error: &tokio_postgres::Error) -> Class {
    let Some(code) = error.code() else {
        return Class::Transient;
    };
    let passing = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::OBJECT_IN_USE,
        SqlState::QUERY_CANCELED,
    ];
    let family = &code.code()[..2];
    if passing.contains(code) || matches!(family, "08" | "53" | "57" | "58") {
        Class::Transient
    } else if matches!(family, "42") && *code != SqlState::INSUFFICIENT_PRIVILEGE {
        Class::Bug
    } else {
        Class::Definite
    }
}
