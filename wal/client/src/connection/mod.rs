//! One session in command mode.

mod login;
mod results;
mod session;
mod version;

use postgres_protocol::message::frontend;

pub use results::ResultSet;
pub(crate) use results::{Collector, Step};
pub use session::{DecodingMemory, Kind, Session};
pub use version::ServerVersion;

use crate::dsn::Dsn;
use crate::error::Error;
use crate::server_error::ServerError;
use crate::socket::{ReadHalf, WriteHalf};
use crate::wire::{Frame, FrameReader, Outbox};

/// Whether the next byte that the server sends belongs to a command of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// No: a command may be sent.
    Ours,
    /// Yes, and a dropped future may have left it there.
    Servers,
}

/// What is known of the session since its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) version: ServerVersion,
    pub(crate) backend_pid: i32,
}

/// A replication session that takes commands: `replication=database` or `replication=true`.
///
/// Commands are not cancel-safe: one that is dropped half-way leaves its result in the socket, and every later command
/// then fails with [`Error::Interrupted`].
pub struct Connection {
    pub(crate) frames: FrameReader<ReadHalf>,
    pub(crate) outbox: Outbox<WriteHalf>,
    pub(crate) facts: Facts,
    turn: Turn,
}

impl Connection {
    /// Connects, starts TLS as `sslmode` says, logs in and sets the session's parameters, all within
    /// [`Dsn::connect_timeout`]. Endpoints are tried in the order of [`Dsn::endpoints`] while they are unreachable.
    ///
    /// # Errors
    /// Any of [`Error`]'s connection, TLS and login variants; that of the last endpoint tried.
    pub async fn connect(dsn: &Dsn, kind: Kind, session: &Session) -> Result<Self, Error> {
        login::connect(dsn, kind, session).await
    }

    pub(crate) fn resume(frames: FrameReader<ReadHalf>, outbox: Outbox<WriteHalf>, facts: Facts) -> Self {
        Connection {
            frames,
            outbox,
            facts,
            turn: Turn::Ours,
        }
    }

    /// The server's version.
    #[must_use]
    pub fn server_version(&self) -> ServerVersion {
        self.facts.version
    }

    /// The server process of this session, as in `pg_stat_activity` and `active_pid` of `pg_replication_slots`.
    #[must_use]
    pub fn backend_pid(&self) -> i32 {
        self.facts.backend_pid
    }

    /// Sends one command and reads all it returns. In a `replication=database` session any SQL will do.
    ///
    /// # Errors
    /// [`Error::Server`] leaves the session usable, unless [`ServerError::is_fatal`]; [`Error::TooLong`] when the
    /// results exceed 64 MiB.
    pub async fn query(&mut self, sql: &str) -> Result<Vec<ResultSet>, Error> {
        self.send(sql).await?;
        let mut collector = Collector::default();
        loop {
            let frame = self.frames.next("run a command").await?;
            match collector.take(&frame)? {
                Step::More => {}
                Step::CopyBoth => return Err(frame.unexpected("run a command")),
                Step::Failed(error) if error.is_fatal() => return Err(Error::Server(Box::new(error))),
                Step::Failed(error) => {
                    self.ready().await?;
                    return Err(Error::Server(Box::new(error)));
                }
                Step::Ready => {
                    self.turn = Turn::Ours;
                    return Ok(collector.finish());
                }
            }
        }
    }

    /// The rows of the last statement in `sql` that returns rows, as text.
    ///
    /// # Errors
    /// As [`Connection::query`]; [`Error::Result`] when a value is not UTF-8.
    pub async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        match self.query(sql).await?.pop() {
            Some(result) => result.into_text(),
            None => Ok(Vec::new()),
        }
    }

    /// Says goodbye, so that the server logs no lost connection.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Closed`] when the server was faster.
    pub async fn close(mut self) -> Result<(), Error> {
        self.outbox.push(|out| {
            frontend::terminate(out);
            Ok(())
        })?;
        self.outbox.flush("close the session").await
    }

    /// Sends a command; its result is the next thing to read.
    pub(crate) async fn send(&mut self, command: &str) -> Result<(), Error> {
        if self.turn == Turn::Servers {
            return Err(Error::Interrupted);
        }
        self.outbox.push(|out| frontend::query(command, out))?;
        self.turn = Turn::Servers;
        self.outbox.flush("send a command").await
    }

    /// Passes over what follows an error, up to the server's invitation for the next command.
    async fn ready(&mut self) -> Result<(), Error> {
        let mut rest = Collector::default();
        loop {
            let frame = self.frames.next("recover from an error").await?;
            if let Step::Ready = rest.take(&frame)? {
                self.turn = Turn::Ours;
                return Ok(());
            }
        }
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("facts", &self.facts)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

/// A notice is for the operator: it goes to the log. Its text can quote values, so it is not logged above debug.
pub(crate) fn note(frame: &Frame) -> Result<(), Error> {
    let notice = ServerError::read(&mut frame.cursor())?;
    tracing::debug!(severity = %notice.severity, code = %notice.code, "the server sent a notice");
    Ok(())
}

#[cfg(test)]
mod tests;
