use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::frame::FrameError;
use crate::hello::Refusal;

/// What a retry loop may do about an error; it looks at nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// It may pass by itself: try again with [`crate::Backoff`].
    Transient,
    /// It stays until a person changes something (a certificate, a name, a setting): try again rarely.
    Definite,
    /// One of the two programs breaks the protocol: report it, try again rarely.
    Bug,
}

/// Everything that can go wrong on a link, or with the certificates it needs. Texts fit "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of keys or certificates could not be read or written.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    File {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of keys or certificates is already there; none is ever overwritten.
    #[error("{path} exists already and is not overwritten; hint: choose another directory, or move it away first", path = path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A key or certificate does not say what it must say.
    #[error("unusable certificate or key ({subject}): {reason}")]
    Certificate {
        /// Which one: a path, or whose.
        subject: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The TLS handshake failed: a certificate was refused, by us or by the peer, or the other side speaks no TLS.
    #[error("TLS handshake: {0}")]
    Tls(#[source] rustls::Error),
    /// The socket failed, or the peer went away in the middle of something.
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The peer closed the connection without a goodbye.
    #[error("the connection ended {within}")]
    Torn {
        /// In the middle of what it ended.
        within: &'static str,
    },
    /// Nothing at all came from the peer for this long.
    #[error("nothing heard from the peer for {0:?}")]
    Silent(Duration),
    /// TCP, TLS and HELLO together took longer than allowed.
    #[error("no link within {0:?}")]
    HandshakeTimeout(Duration),
    /// Bytes that are no frame.
    #[error("malformed frame: {0}")]
    Frame(#[from] FrameError),
    /// A well-formed frame that the protocol does not allow at this point.
    #[error("the peer broke the protocol: {0}")]
    Violation(&'static str),
    /// We refused the peer; it was told why.
    #[error("refused the peer: {0}")]
    Refused(#[source] Refusal),
    /// The peer refused us, in its own words.
    #[error("the peer refused: {text}")]
    RefusedByPeer {
        /// The peer's class of the reason.
        class: Class,
        /// The peer's text, at most 1 KiB of printable characters.
        text: String,
    },
    /// The peer could not answer a request, in its own words; the link lives on.
    #[error("the peer failed to answer: {0}")]
    RequestFailed(String),
    /// A payload above its limit was handed in; nothing was sent.
    #[error("{what} of {bytes} bytes is larger than the limit of {limit}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its size, bytes.
        bytes: usize,
        /// The limit, bytes.
        limit: usize,
    },
    /// A block without any bytes was handed in; nothing was sent.
    #[error("a block is never empty")]
    EmptyBlock,
    /// More credit was returned than blocks were received for; nothing was granted.
    #[error("{granted} bytes of credit returned, but only {owed} bytes of blocks were received and not yet credited")]
    OverGranted {
        /// What the caller returned, bytes.
        granted: u64,
        /// What is outstanding, bytes.
        owed: u64,
    },
    /// The link is shut down: by us, or by the peer's goodbye.
    #[error("the link is shut down")]
    Closed,
    /// The link broke earlier, for this cause.
    #[error("link lost: {0}")]
    Lost(#[source] Arc<Error>),
    /// No connection could be accepted or the address could not be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// This crate's results.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What a retry loop may do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Error::Io { .. }
            | Error::Torn { .. }
            | Error::Silent(_)
            | Error::HandshakeTimeout(_)
            | Error::RequestFailed(_)
            | Error::Closed => Class::Transient,
            Error::File { .. }
            | Error::Exists { .. }
            | Error::Certificate { .. }
            | Error::Tls(_)
            | Error::Listen { .. } => Class::Definite,
            Error::Refused(refusal) => refusal.class(),
            Error::Frame(_)
            | Error::Violation(_)
            | Error::TooLarge { .. }
            | Error::EmptyBlock
            | Error::OverGranted { .. } => Class::Bug,
            Error::RefusedByPeer { class, .. } => *class,
            Error::Lost(cause) => cause.class(),
        }
    }

    /// The error that broke the link, when this one only reports that it is broken.
    #[must_use]
    pub fn root(&self) -> &Error {
        let mut error = self;
        while let Error::Lost(cause) = error {
            error = cause;
        }
        error
    }

    /// Sorts an IO error of a TLS stream: rustls hides its own inside.
    pub(crate) fn from_stream(action: &'static str, source: io::Error) -> Self {
        let tls = source
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .cloned();
        match tls {
            Some(error) => Error::Tls(error),
            None if source.kind() == io::ErrorKind::UnexpectedEof => Error::Torn { within: action },
            None => Error::Io { action, source },
        }
    }
}
