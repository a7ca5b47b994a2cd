use std::fmt;

use crate::class::Class;
use crate::error::Error;
use crate::wire::Cursor;

/// An `ErrorResponse` or `NoticeResponse` of the server (protocol chapter "Error and Notice Message Fields").
///
/// Its text is the server's message, with `DETAIL` left out: details quote row values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerError {
    /// `ERROR`, `FATAL`, `PANIC`, or a notice's severity, never translated.
    pub severity: String,
    /// SQLSTATE: five characters, Appendix A of PostgreSQL's manual.
    pub code: String,
    /// The primary message, in the server's language.
    pub message: String,
    /// What the server suggests, if anything.
    pub hint: Option<String>,
}

impl ServerError {
    /// Reads the fields of an `E` or `N` message; unknown fields are passed over, as the protocol demands.
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Error> {
        let mut error = ServerError::default();
        loop {
            let field = cursor.u8("a field type")?;
            if field == 0 {
                break;
            }
            let text = String::from_utf8_lossy(cursor.cstr("a field's text")?).into_owned();
            match field {
                b'V' => error.severity = text,
                b'S' if error.severity.is_empty() => error.severity = text,
                b'C' => error.code = text,
                b'M' => error.message = text,
                b'H' => error.hint = Some(text),
                _ => {}
            }
        }
        cursor.end()?;
        Ok(error)
    }

    /// Whether the session ends with this error.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.severity == "FATAL" || self.severity == "PANIC"
    }

    /// Transient for what passes by itself (connections, resources, shutdown, serialisation, locks), else definite.
    #[must_use]
    pub fn class(&self) -> Class {
        let passes = ["08", "40", "53", "57"]
            .iter()
            .any(|class| self.code.starts_with(class));
        if passes || matches!(self.code.as_str(), "55006" | "55P03" | "58000" | "58030") {
            Class::Transient
        } else {
            Class::Definite
        }
    }

    /// The error of a login attempt.
    pub(crate) fn into_login(self, user: &str) -> Error {
        if self.code.starts_with("28") {
            Error::Auth {
                user: user.to_owned(),
                server: Box::new(self),
            }
        } else {
            Error::Server(Box::new(self))
        }
    }

    /// The error of a command that names a replication slot. An undefined publication is 42704 as well, but comes
    /// inside the stream, never as the answer to such a command.
    pub(crate) fn into_slot(self) -> Error {
        match self.code.as_str() {
            "42704" => Error::SlotMissing(Box::new(self)),
            "42710" => Error::SlotExists(Box::new(self)),
            "55006" => Error::SlotActive(Box::new(self)),
            _ => Error::Server(Box::new(self)),
        }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.code)?;
        match &self.hint {
            Some(hint) => write!(f, ", server's hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ServerError {}
