use synapse_engine_identity::{ColumnId, Origin, RowId, TxnId};

use crate::classify::{Class, Refusal, Remedy};

/// What is missing for one row that must be written whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingValues {
    /// The row.
    pub row: RowId,
    /// Columns whose values are in these transactions, and were not given.
    pub authors: Vec<(TxnId, Vec<ColumnId>)>,
    /// Columns that no known transaction carries, and that were not given: only another node has them, or none.
    pub unknown: Vec<ColumnId>,
}

/// Why the server was not written as asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused a statement. The transaction it belonged to can only be rolled back.
    #[error("failed to {action}: {refusal}")]
    Refused {
        /// What was being done.
        action: &'static str,
        /// The server's error.
        refusal: Box<Refusal>,
    },
    /// The connection was lost, or never made.
    #[error("failed to {action}: connection lost: {}", with_cause(source))]
    Lost {
        /// What was being done.
        action: &'static str,
        /// What the driver said; it is no error of the server.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The connection was lost while COMMIT was under way: whether the transaction is in the database is known only by
    /// the origin's progress, in a new session.
    #[error("failed to learn the outcome of a commit: {cause}; hint: the progress of the origin tells")]
    CommitUnknown {
        /// What was heard.
        cause: String,
    },
    /// Another session has the origin, for longer than an old backend takes to end.
    #[error(
        "failed to take origin {origin}: another session has held it for {held_secs} s; hint: look for application_name synapse in pg_stat_activity"
    )]
    OriginBusy {
        /// The origin.
        origin: Origin,
        /// For how long it was tried, in seconds.
        held_secs: u64,
    },
    /// The table is not here, or has no usable unique index on the key's columns.
    #[error(
        "failed to write {schema}.{table}: no valid, immediate unique index on ({key}) here; hint: create it as on the other nodes, then it is tried again by itself"
    )]
    NoKeyIndex {
        /// Schema.
        schema: String,
        /// Table.
        table: String,
        /// Key columns.
        key: String,
    },
    /// The table has a column that the catalogue had not when it was read.
    #[error(
        "failed to write {schema}.{table}: its column {column} came after the catalogue was read; hint: it is read again by itself"
    )]
    UnknownColumn {
        /// Schema.
        schema: String,
        /// Table.
        table: String,
        /// Column.
        column: String,
    },
    /// A row of `synapse.displaced` or `synapse.rivals` is none that was written here.
    #[error(
        "failed to read a row of synapse.displaced or synapse.rivals: {why}; hint: only synapsed writes these tables; delete the row"
    )]
    Unreadable {
        /// What is wrong with it.
        why: String,
    },
    /// Rows must be written whole, and not all of their values were given. Nothing was sent: the transaction is still good.
    #[error("failed to write {} rows whole: some of their values are not known here", rows.len())]
    MissingValues {
        /// Which.
        rows: Vec<MissingValues>,
    },
    /// A conflict function gave no row.
    #[error("the conflict function {function} gave NULL; hint: it must give a row for any two rows of its table")]
    NoRow {
        /// As the policy names it.
        function: String,
    },
    /// A value came in binary form, and streams are asked for text.
    #[error("failed to write {schema}.{table}: a value of column {column} came in binary form")]
    BinaryValue {
        /// Schema.
        schema: String,
        /// Table.
        table: String,
        /// Column.
        column: String,
    },
    /// A step has no value for one of its columns.
    #[error("failed to write {schema}.{table}: a row has no value for column {column}")]
    NoValue {
        /// Schema.
        schema: String,
        /// Table.
        table: String,
        /// Column.
        column: String,
    },
    /// A row is asked for that the batch does not know.
    #[error("failed to find a row of table {} in its batch", row.table.0)]
    UnknownRow {
        /// The row.
        row: RowId,
    },
    /// A statement of the transaction had failed before, or its future was dropped.
    #[error("failed to go on with a transaction that can only be rolled back")]
    Failed,
}

/// What this crate's functions answer with.
pub type Result<T> = std::result::Result<T, Error>;

/// The driver's text alone hides why: "error performing TLS handshake", "error connecting to server".
fn with_cause(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

impl Error {
    /// Makes the closure that wraps a driver's error while doing `action`.
    pub(crate) fn doing(action: &'static str) -> impl Fn(tokio_postgres::Error) -> Error + Copy {
        move |source| match source.as_db_error() {
            Some(error) => Error::Refused {
                action,
                refusal: Box::new(Refusal::new(error)),
            },
            None => Error::Lost { action, source },
        }
    }

    /// What the applier does about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Error::Refused { refusal, .. } => refusal.remedy(),
            Error::Lost { .. } | Error::CommitUnknown { .. } | Error::OriginBusy { .. } => Remedy::Reconnect,
            Error::NoKeyIndex { .. } | Error::UnknownColumn { .. } => Remedy::Catalogue,
            Error::MissingValues { .. } => Remedy::Fetch,
            Error::NoRow { .. }
            | Error::Unreadable { .. }
            | Error::BinaryValue { .. }
            | Error::NoValue { .. }
            | Error::UnknownRow { .. }
            | Error::Failed => Remedy::Operator,
        }
    }

    /// What retry loops look at.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::Refused { refusal, .. } => refusal.class(),
            Error::Lost { .. } | Error::CommitUnknown { .. } | Error::OriginBusy { .. } => Class::Transient,
            Error::NoKeyIndex { .. }
            | Error::UnknownColumn { .. }
            | Error::Unreadable { .. }
            | Error::MissingValues { .. }
            | Error::NoRow { .. } => Class::Definite,
            Error::BinaryValue { .. } | Error::NoValue { .. } | Error::UnknownRow { .. } | Error::Failed => Class::Bug,
        }
    }

    /// The server's error, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Error::Refused { refusal, .. } => Some(refusal),
            Error::Lost { .. }
            | Error::CommitUnknown { .. }
            | Error::OriginBusy { .. }
            | Error::NoKeyIndex { .. }
            | Error::UnknownColumn { .. }
            | Error::Unreadable { .. }
            | Error::MissingValues { .. }
            | Error::NoRow { .. }
            | Error::BinaryValue { .. }
            | Error::NoValue { .. }
            | Error::UnknownRow { .. }
            | Error::Failed => None,
        }
    }
}
