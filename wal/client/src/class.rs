use crate::error::Error;
use crate::server_error::ServerError;

/// What a retry loop does with an error; it looks at nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The same attempt may succeed later: retry with backoff.
    Transient,
    /// The same attempt fails until a person or a configuration changes something.
    Definite,
    /// This program, or the server's side of the protocol, broke its own law.
    Bug,
}

impl Error {
    /// What a retry loop should do.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::Resolve { .. }
            | Error::Refused { .. }
            | Error::Unreachable { .. }
            | Error::ConnectTimeout { .. }
            | Error::Closed { .. }
            | Error::Io { .. }
            | Error::SlotActive(_) => Class::Transient,
            Error::Server(server) | Error::SlotMissing(server) | Error::SlotExists(server) => server.class(),
            Error::DsnSyntax { .. }
            | Error::DsnKeyword { .. }
            | Error::DsnValue { .. }
            | Error::UserMissing
            | Error::File { .. }
            | Error::FileExposed { .. }
            | Error::TlsMaterial { .. }
            | Error::TlsRefused { .. }
            | Error::TlsHandshake { .. }
            | Error::PasswordMissing { .. }
            | Error::Auth { .. }
            | Error::AuthMethod { .. }
            | Error::Scram { .. }
            | Error::ChannelBinding
            | Error::Version { .. }
            | Error::Encode { .. } => Class::Definite,
            Error::Malformed { .. }
            | Error::TooLong { .. }
            | Error::Unexpected { .. }
            | Error::Result { .. }
            | Error::Interrupted
            | Error::FeedbackWentBack { .. } => Class::Bug,
        }
    }

    /// What the server said, when the error is the server's.
    #[must_use]
    pub fn server(&self) -> Option<&ServerError> {
        if let Error::Auth { server, .. }
        | Error::SlotMissing(server)
        | Error::SlotActive(server)
        | Error::SlotExists(server)
        | Error::Server(server) = self
        {
            Some(server)
        } else {
            None
        }
    }
}
