//! What a statement's failure means for the applier.

use std::fmt;

use tokio_postgres::error::{DbError, ErrorPosition, Severity, SqlState};

/// What retry loops look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It passes by itself.
    Transient,
    /// It stays until someone changes something.
    Definite,
    /// A law of ours was broken.
    Bug,
}

/// What the applier does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Roll back and try a smaller batch: a deadlock, a lock that was not got, a cancelled statement.
    Smaller,
    /// Roll back, and take rows that may exclude each other through the exact path: a unique or exclusion constraint.
    Exact,
    /// Connect again and go through the whole start.
    Reconnect,
    /// Roll back and wait until the catalogue has changed: a table or column is missing, or is of another kind.
    Catalogue,
    /// Fetch the values that are named, and call again; the transaction is still good.
    Fetch,
    /// Nothing helps but an operator.
    Operator,
}

/// An error of the server, taken apart. Neither `Display` nor `Debug` show row values: the server's detail and, for data
/// exceptions, its message carry them, so both must be asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct Refusal {
    code: SqlState,
    severity: Option<Severity>,
    message: String,
    detail: Option<String>,
    /// Schema of the table concerned.
    pub schema: Option<String>,
    /// The table concerned.
    pub table: Option<String>,
    /// The column concerned.
    pub column: Option<String>,
    /// The constraint concerned.
    pub constraint: Option<String>,
    /// Where in the statement, in characters from 1.
    pub position: Option<u32>,
}

impl Refusal {
    pub(crate) fn new(error: &DbError) -> Self {
        let own = |text: Option<&str>| text.map(ToOwned::to_owned);
        Refusal {
            code: error.code().clone(),
            severity: error.parsed_severity(),
            message: error.message().to_owned(),
            detail: own(error.detail()),
            schema: own(error.schema()),
            table: own(error.table()),
            column: own(error.column()),
            constraint: own(error.constraint()),
            position: error.position().map(|at| match at {
                ErrorPosition::Original(at) => *at,
                ErrorPosition::Internal { position, .. } => *position,
            }),
        }
    }

    /// The five characters of SQLSTATE.
    #[must_use]
    pub fn code(&self) -> &str {
        self.code.code()
    }

    /// The server's message. It may show values of rows.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The server's detail, such as the key of a duplicate: values of rows, never for a log.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// Whether the server ended the session with it.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(self.severity, Some(Severity::Fatal | Severity::Panic))
    }

    /// What the applier does about it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        let code = self.code();
        if self.is_fatal() {
            return Remedy::Reconnect;
        }
        match code {
            "40P01" | "40001" | "55P03" | "57014" => Remedy::Smaller,
            "23505" | "23P01" => Remedy::Exact,
            // Undefined schema, table, column, function, object, type; a column that cannot be written; a table of
            // another kind.
            "3F000" | "42P01" | "42703" | "42883" | "42704" | "428C9" | "42809" | "0A000" | "55000" => {
                Remedy::Catalogue
            }
            _ if matches!(&code[..2], "08" | "53" | "57" | "58") => Remedy::Reconnect,
            _ => Remedy::Operator,
        }
    }

    /// What retry loops look at.
    #[must_use]
    pub fn class(&self) -> Class {
        match self.remedy() {
            Remedy::Smaller | Remedy::Exact | Remedy::Reconnect => Class::Transient,
            Remedy::Catalogue | Remedy::Fetch | Remedy::Operator if self.code() == "25P02" => Class::Bug,
            Remedy::Catalogue | Remedy::Fetch | Remedy::Operator => Class::Definite,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Class 22 is "data exception": its messages quote the value.
        if self.code().starts_with("22") {
            f.write_str("data exception")?;
        } else {
            f.write_str(&self.message)?;
        }
        write!(f, " (SQLSTATE {})", self.code())?;
        if let (Some(schema), Some(table)) = (&self.schema, &self.table) {
            write!(f, " on {schema}.{table}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(constraint) = &self.constraint {
            write!(f, ", constraint {constraint}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({self})")
    }
}
